"""Centring and whitening measured on a training sky, kept beside a checkpoint.

``reference_spaces.safetensors`` holds ``<modality>.mean`` (dim,) and ``<modality>.projection``
(dim, out); ``reference_spaces.json`` says what they were measured on and, under ``digest``, for
which encoder.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from aion_encoder.errors import CheckpointError
from aion_encoder.identity import EncoderIdentity
from aion_encoder.observations import MODALITIES

__all__ = ["SPACES_FILES", "ReferenceSpaces", "read_reference_spaces", "write_reference_spaces"]

ReferenceSpaces = Mapping[str, tuple[Float32[np.ndarray, " dim"], Float32[np.ndarray, "dim out"]]]
"""Modality to mean and projection: ``(vector - mean) @ projection`` is centred and whitened."""

SPACES_FILES = TENSORS, FACTS = "reference_spaces.safetensors", "reference_spaces.json"


def read_reference_spaces(directory: Path, identity: EncoderIdentity) -> ReferenceSpaces:
    """Read the reference spaces of a checkpoint; none if it has none.

    Raises
    ------
    CheckpointError
        If they are incomplete, of another dimension, or were measured for another encoder.
    """
    path = directory / TENSORS
    if not path.exists():
        return {}
    try:
        tensors = load_file(path)
        facts = json.loads((directory / FACTS).read_text(encoding="utf-8"))
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path} and {FACTS} must be readable, got: {error}") from error
    if facts.get("digest") != identity.digest:
        raise CheckpointError(
            f"{path} must be measured for this encoder ({identity.digest}), but is for "
            f"{facts.get('digest')}; measure it again or delete it"
        )
    spaces = {}
    for modality in MODALITIES:
        mean = tensors.pop(f"{modality}.mean", None)
        projection = tensors.pop(f"{modality}.projection", None)
        if mean is None and projection is None:
            continue
        width = identity.vector_dim(modality)
        if (
            mean is None
            or projection is None
            or mean.shape != (width,)
            or projection.ndim != 2
            or projection.shape[0] != width
        ):
            raise CheckpointError(
                f"{path}: {modality} must have a mean ({width},) and a projection ({width}, out)"
            )
        spaces[modality] = (mean.astype(np.float32), projection.astype(np.float32))
    if tensors:
        raise CheckpointError(f"{path} holds unknown tensors: {', '.join(sorted(tensors))}")
    return spaces


def write_reference_spaces(
    directory: Path,
    spaces: ReferenceSpaces,
    identity: EncoderIdentity,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write the reference spaces of a checkpoint.

    Parameters
    ----------
    directory
        The checkpoint.
    spaces
        Mean and projection per modality.
    identity
        The encoder whose vectors they were measured on.
    facts
        What else to keep: how many objects, of which sky.
    """
    tensors = {}
    for modality, (mean, projection) in spaces.items():
        tensors[f"{modality}.mean"] = np.ascontiguousarray(mean, np.float32)
        tensors[f"{modality}.projection"] = np.ascontiguousarray(projection, np.float32)
    save_file(tensors, directory / TENSORS)
    text = json.dumps({**(facts or {}), "digest": identity.digest}, indent=2, sort_keys=True)
    (directory / FACTS).write_text(text + "\n", encoding="utf-8")
