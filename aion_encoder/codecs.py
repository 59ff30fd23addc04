"""The official tokenizers: which one reads what, and how to load one from its folder.

The package's own loader is not used: on a local directory it fails, it reads from one fixed
repository, it rewrites constants of another library while it runs, and it leaves a missing tensor
at random values.
"""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from aion_encoder.errors import CheckpointError
from aion_encoder.strict import load_strictly, plain_torch, read_config

__all__ = [
    "FORBIDDEN_SCALARS",
    "READING_CODECS",
    "SCALAR_KEYS",
    "codec_folder",
    "codec_folders",
    "load_codec",
    "without_decoder",
]

FORBIDDEN_SCALARS = {
    "Z": "redshift",
    "ra": "sky position",
    "dec": "sky position",
    "EBV": "dust",
    "a_g": "dust",
    "a_r": "dust",
    "a_i": "dust",
    "a_z": "dust",
    "a_y": "dust",
}
"""Scalars that AION-1 knows and that never go into a vector, with what they would bring in."""

SCALAR_KEYS = {
    "FLUX_G": "tok_flux_g",
    "FLUX_R": "tok_flux_r",
    "FLUX_I": "tok_flux_i",
    "FLUX_Z": "tok_flux_z",
    "FLUX_W1": "tok_flux_w1",
    "FLUX_W2": "tok_flux_w2",
    "FLUX_W3": "tok_flux_w3",
    "FLUX_W4": "tok_flux_w4",
    "SHAPE_R": "tok_shape_r",
    "SHAPE_E1": "tok_shape_e1",
    "SHAPE_E2": "tok_shape_e2",
    "g_cmodel_mag": "tok_mag_g",
    "r_cmodel_mag": "tok_mag_r",
    "i_cmodel_mag": "tok_mag_i",
    "z_cmodel_mag": "tok_mag_z",
    "y_cmodel_mag": "tok_mag_y",
    "i_sdssshape_shape11": "tok_shape11",
    "i_sdssshape_shape22": "tok_shape22",
    "i_sdssshape_shape12": "tok_shape12",
    "phot_g_mean_flux": "tok_flux_g_gaia",
    "phot_bp_mean_flux": "tok_flux_bp_gaia",
    "phot_rp_mean_flux": "tok_flux_rp_gaia",
    "parallax": "tok_parallax",
}
"""Token key of every scalar that may go into a vector (`aion/modalities.py`)."""

_FOLDERS = {
    "tok_image": "image",
    "tok_image_hsc": "image",
    "tok_spectrum_desi": "spectrum",
    "tok_spectrum_sdss": "spectrum",
    "tok_xp_bp": "bp_coefficients",
    "tok_xp_rp": "rp_coefficients",
    **{key: name for name, key in SCALAR_KEYS.items()},
}

READING_CODECS = tuple(sorted(set(_FOLDERS.values())))
"""Every tokenizer whose tokens may go into a vector."""


def codec_folder(token_key: str) -> str | None:
    """Return the folder below ``codecs/`` of a token key, or None if no vector is made from it."""
    return _FOLDERS.get(token_key)


def codec_folders(token_keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders below ``codecs/`` that read these token keys, sorted, each once."""
    return tuple(sorted({_FOLDERS[key] for key in token_keys if key in _FOLDERS}))


@dataclass(frozen=True)
class _Kind:
    codec: type[nn.Module]
    modality: type[Any]


def _kind(folder: str) -> _Kind:
    from aion.codecs.config import MODALITY_CODEC_MAPPING

    for modality, codec in MODALITY_CODEC_MAPPING.items():
        if modality.name == folder:
            return _Kind(codec, modality)
    raise CheckpointError(f"AION-1 has no tokenizer named {folder!r}")


def load_codec(directory: Path, folder: str) -> nn.Module:
    """Load one official tokenizer, every tensor accounted for.

    Parameters
    ----------
    directory
        A directory in the official layout; the tokenizer lies in ``codecs/<folder>``.
    folder
        Name of the tokenizer: ``image``, ``spectrum``, ``bp_coefficients``, ``FLUX_G``...

    Raises
    ------
    CheckpointError
        If a file, a key of its config.json or a tensor is missing, unexpected or of the wrong form.
    """
    kind = _kind(folder)
    home = directory / "codecs" / folder
    config_file = home / "config.json"
    config = read_config(config_file)
    parameters = inspect.signature(kind.codec.__init__).parameters.values()
    known = {parameter.name for parameter in parameters} - {"self"}
    required = {
        parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty
    } - {"self"}
    unknown, missing = sorted(set(config) - known), sorted(required - set(config))
    if unknown or missing:
        raise CheckpointError(
            f"{config_file} must hold the options of {kind.codec.__name__}; "
            f"unknown: {', '.join(unknown) or 'none'}; missing: {', '.join(missing) or 'none'}"
        )
    if "modality" in known and config["modality"] != folder:
        raise CheckpointError(
            f"{config_file} must be for {folder!r}, but its modality is {config['modality']!r}"
        )
    try:
        with plain_torch():
            codec = kind.codec(**config)
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{kind.codec.__name__} cannot be built from {config_file}: {error}"
        ) from error
    # Scalar tokenizers were published under an attribute name that their class no longer has.
    old_name = "quantizer." if "_quantizer" in dict(codec.named_children()) else ""
    load_strictly(codec, home / "model.safetensors", rename=(old_name, "_quantizer."))
    return codec.eval().requires_grad_(False)


def without_decoder(codec: nn.Module) -> nn.Module:
    """Drop what only decodes, some two fifths of an image tokenizer: no token needs it.

    Parameters
    ----------
    codec
        Changed in place, and returned.
    """
    for owner, name in ((codec, "decoder"), (getattr(codec, "model", None), "decoder_layers")):
        if isinstance(getattr(owner, name, None), nn.Module):
            setattr(owner, name, nn.ModuleList())
    return codec
