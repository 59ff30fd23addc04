"""Writes checkpoints in the official layout; the counterpart of `aion_encoder.checkpoint`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from aion_encoder.checkpoint import SETTINGS_FILE, Settings
from aion_encoder.learned_pooling import POOLING_FILE, LearnedPooling
from aion_encoder.strict import save_weights

__all__ = ["write_codec", "write_learned_pooling", "write_settings", "write_transformer"]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_transformer(
    directory: Path, model: nn.Module, config: Mapping[str, Any], *, half: bool = False
) -> None:
    """Write the transformer.

    Parameters
    ----------
    directory
        The checkpoint; made if it is not there.
    model
        An official `aion.AION`.
    config
        The dictionary that it was built from.
    half
        Store weights as float16.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _write_json(directory / "config.json", config)
    save_weights(model, directory / "model.safetensors", half=half)


def write_codec(
    directory: Path, folder: str, codec: nn.Module, config: Mapping[str, Any], *, half: bool = False
) -> None:
    """Write one tokenizer to ``codecs/<folder>``.

    Parameters
    ----------
    directory
        The checkpoint.
    folder
        ``image``, ``spectrum``, ``bp_coefficients``, ``rp_coefficients`` or a scalar's name.
    codec
        An official tokenizer.
    config
        The keyword arguments that it was built from.
    half
        Store weights as float16.
    """
    home = directory / "codecs" / folder
    home.mkdir(parents=True, exist_ok=True)
    _write_json(home / "config.json", config)
    save_weights(codec, home / "model.safetensors", half=half)


def write_learned_pooling(directory: Path, pooling: LearnedPooling, *, half: bool = False) -> None:
    """Write ``pooling.safetensors``; `Settings` must state its sizes.

    Parameters
    ----------
    directory
        The checkpoint.
    pooling
        The learned pooling.
    half
        Store weights as float16.
    """
    save_weights(pooling, directory / POOLING_FILE, half=half)


def write_settings(directory: Path, settings: Settings) -> None:
    """Write ``aion_search.json``."""
    _write_json(directory / SETTINGS_FILE, settings.model_dump(mode="json"))
