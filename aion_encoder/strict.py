"""Weights from files into modules, every tensor accounted for, in both directions."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from aion_encoder.errors import CheckpointError

__all__ = ["load_strictly", "plain_torch", "read_config", "save_weights", "sha256_of"]

NAMES_SHOWN = 8
"""How many tensor names an error lists before it only counts."""


@contextmanager
def plain_torch() -> Iterator[None]:
    """Build modules on the CPU in float32 whatever the caller's defaults are.

    Their first weights are drawn from torch's global random state, which is left as it was.
    """
    state, dtype = torch.random.get_rng_state(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.random.set_rng_state(state)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_config(path: Path) -> dict[str, Any]:
    """Read one config.json.

    Raises
    ------
    CheckpointError
        If it is missing, unreadable or no JSON object.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing: weights must lie in the official layout (config.json, "
            "model.safetensors, codecs/<name>/config.json, codecs/<name>/model.safetensors)"
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} must be readable JSON, got: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} must hold a JSON object, got a {type(config).__name__}")
    return config


def _groups(module: nn.Module) -> list[tuple[str, ...]]:
    """Names of every tensor of the state, tied ones together."""
    groups: dict[int, list[str]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        groups.setdefault(id(tensor), []).append(name)
    return [tuple(names) for names in groups.values()]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def _copy(target: Tensor, stored: Tensor, name: str, path: Path, *, learned: bool) -> None:
    if stored.shape != target.shape:
        raise CheckpointError(
            f"{path}: {name} must have the shape {tuple(target.shape)}, "
            f"got {tuple(stored.shape)}; config.json and weights do not belong together"
        )
    if stored.is_floating_point() != target.is_floating_point():
        raise CheckpointError(f"{path}: {name} must be of type {target.dtype}, got {stored.dtype}")
    if stored.is_floating_point() and not bool(torch.isfinite(stored).all()):
        raise CheckpointError(f"{path}: {name} holds values that are not finite")
    if not learned and stored.is_floating_point() and stored.dtype != target.dtype:
        # Half precision moves a wavelength grid by Angstroms. A table that the constructor
        # computes anyway may be stored so; the exact one is kept. Any other may not.
        if torch.equal(target.to(stored.dtype), stored):
            return
        raise CheckpointError(
            f"{path}: the table {name} must be stored as {target.dtype}, got {stored.dtype}; "
            "only weights may be stored in half precision"
        )
    target.copy_(stored)


def load_strictly(module: nn.Module, path: Path, *, rename: tuple[str, str] = ("", "")) -> None:
    """Copy the tensors of a safetensors file into a module.

    Tied tensors need only be in the file under one of their names. Weights stored in half
    precision are widened.

    Parameters
    ----------
    module
        Gets the tensors; its own types and device stay.
    path
        The file.
    rename
        Old and new beginning of tensor names; an empty old one renames nothing.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or if any tensor is missing, unexpected, of another shape, not
        finite, or tied to one of another value. The message names them.
    """
    state = module.state_dict(keep_vars=True)
    groups = _groups(module)
    learned = {name for name, value in state.items() if isinstance(value, nn.Parameter)}
    old, new = rename
    try:
        with safe_open(path, framework="pt") as file, torch.no_grad():
            stored_names = {
                (new + name[len(old) :] if old and name.startswith(old) else name): name
                for name in file.keys()  # noqa: SIM118 (not a dict)
            }
            missing = sorted(
                names[0] for names in groups if not any(name in stored_names for name in names)
            )
            unexpected = sorted(set(stored_names) - set(state))
            if missing or unexpected:
                raise CheckpointError(
                    f"{path} must hold exactly the tensors that its config.json asks for; "
                    f"missing: {_listed(missing)}; unexpected: {_listed(unexpected)}"
                )
            for names in groups:
                first, *others = [name for name in names if name in stored_names]
                value = file.get_tensor(stored_names[first])
                _copy(state[first], value, first, path, learned=first in learned)
                for other in others:
                    if not torch.equal(value, file.get_tensor(stored_names[other])):
                        raise CheckpointError(
                            f"{path}: {first} and {other} are one tensor in AION-1, "
                            "but differ in this file"
                        )
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; the download or copy is incomplete") from None
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} must be a complete safetensors file, got: {error}; fetch it again"
        ) from error


def save_weights(module: nn.Module, path: Path, *, half: bool = False) -> None:
    """Write the tensors of a module so that `load_strictly` and the official package read them.

    Equal tensors give equal bytes. Of tied tensors only the first name is written.

    Parameters
    ----------
    module
        The module.
    path
        File to write.
    half
        Store weights as float16; tables that are no weights stay exact.
    """
    tensors: dict[str, Tensor] = {}
    state = module.state_dict(keep_vars=True)
    for names in _groups(module):
        first = min(names)
        tensor = state[first]
        value = tensor.detach().to("cpu")
        weight = isinstance(tensor, nn.Parameter)
        tensors[first] = (value.half() if half and weight else value).contiguous().clone()
    # One key at most: the order of several differs from run to run.
    save_file(tensors, path, metadata={"format": "pt"})
