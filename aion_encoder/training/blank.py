"""Checkpoints with random weights, in the official layout and of the official classes.

For tests and for trying out pipelines; their vectors mean nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from aion_encoder.checkpoint import Settings
from aion_encoder.checkpoint_writer import write_codec, write_settings, write_transformer
from aion_encoder.codecs import SCALAR_KEYS
from aion_encoder.identity import Pooling
from aion_encoder.observations import MODALITIES
from aion_encoder.training.configuration import aion_config

__all__ = ["random_tokenizer", "write_random_checkpoint"]

CODEBOOK_SIZE = 1024
RESERVOIR_SIZE = 2048
SCALARS = ("FLUX_G", "FLUX_R", "FLUX_I", "FLUX_Z", "SHAPE_R", "SHAPE_E1", "SHAPE_E2", "parallax")

_KEYS = {
    "image": ["tok_image", "tok_image_hsc"],
    "spectrum": ["tok_spectrum_desi", "tok_spectrum_sdss"],
    "xp": ["tok_xp_bp", "tok_xp_rp"],
    "photometry": [SCALAR_KEYS[name] for name in SCALARS],
}


@dataclass(frozen=True)
class _Size:
    dim: int
    encoder_depth: int
    heads: int
    image_width: int
    spectrum_widths: tuple[int, int, int, int]
    image_bands: int = 18
    image_units: int = 1
    spectrum_depths: tuple[int, int, int, int] = (1, 1, 1, 1)


_SIZES = {
    "tiny": _Size(64, 2, 4, 16, (8, 16, 24, 32)),
    "base": _Size(768, 12, 12, 32, (16, 32, 64, 96)),
    "full": _Size(768, 12, 12, 512, (96, 192, 384, 512), 54, 4, (3, 3, 9, 3)),
}


def _transformer_config(size: _Size, keys: list[str], **changes: Any) -> dict[str, Any]:
    # One domain of the output is shared with the input, as in the released weights: its
    # modality code is one tensor under two names.
    shared = "tok_spectrum_desi" if "tok_spectrum_desi" in keys else keys[0]
    config = aion_config(
        size.dim,
        size.encoder_depth,
        decoder_depth=1,
        num_heads=size.heads,
        domains_in=keys,
        domains_out=[shared, "tok_z"],
    )
    return {**config, **changes}


def _fill_reservoir(
    quantizer: Any, centre: float, width: float, generator: torch.Generator
) -> None:
    values = centre + width * torch.randn(RESERVOIR_SIZE, generator=generator)
    if hasattr(quantizer, "_min_value"):
        values.clamp_(min=math.log(quantizer._min_value))
    quantizer._reservoir.copy_(values)
    quantizer._generate_index_to_val()


def _network_options(size: _Size, name: str) -> dict[str, Any]:
    """Return the options of a tokenizer that is a network."""
    if name == "image":
        return {
            "quantizer_levels": [7, 5, 5, 5, 5],
            "hidden_dims": size.image_width,
            "multisurvey_projection_dims": size.image_bands,
            "n_compressions": 2,
            "num_consecutive": size.image_units,
            "embedding_dim": 5,
        }
    widths = list(size.spectrum_widths)
    return {
        "encoder_depths": list(size.spectrum_depths),
        "encoder_dims": widths,
        "decoder_depths": [1, 1, 1, 1],
        "decoder_dims": [*widths[2::-1], 2],
        "latent_channels": widths[-1],
        "embedding_dim": 10,
    }


def random_tokenizer(name: str, *, size: str, seed: int) -> Any:
    """Return a tokenizer with random weights, without writing it.

    Parameters
    ----------
    name
        ``image`` or ``spectrum``.
    size, seed
        As for `write_random_checkpoint`.
    """
    from aion.codecs.image import ImageCodec
    from aion.codecs.spectrum import SpectrumCodec

    codec = ImageCodec if name == "image" else SpectrumCodec
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return codec(**_network_options(_SIZES[size], name)).eval().requires_grad_(False)


def _write_codecs(
    directory: Path, size: _Size, modalities: Sequence[str], generator: torch.Generator
) -> None:
    from aion.codecs.config import MODALITY_CODEC_MAPPING
    from aion.codecs.image import ImageCodec
    from aion.codecs.scalar import LogScalarCodec, MultiScalarCodec
    from aion.codecs.spectrum import SpectrumCodec

    for name, codec in (("image", ImageCodec), ("spectrum", SpectrumCodec)):
        if name in modalities:
            options = _network_options(size, name)
            write_codec(directory, name, codec(**options), options)
    if "xp" in modalities:
        for name in ("bp_coefficients", "rp_coefficients"):
            config: dict[str, Any] = {
                "modality": name,
                "compression_fns": ["arcsinh"],
                "decompression_fns": ["sinh"],
                "codebook_size": CODEBOOK_SIZE,
                "reservoir_size": RESERVOIR_SIZE,
                "num_quantizers": 55,
            }
            codec = MultiScalarCodec(**config)
            for quantizer in codec.quantizer.quantizers:
                _fill_reservoir(quantizer, 0.0, 4.0, generator)
            write_codec(directory, name, codec, config)
    if "photometry" in modalities:
        kinds = {kind.name: codec for kind, codec in MODALITY_CODEC_MAPPING.items()}
        for name in SCALARS:
            config = {
                "modality": name,
                "codebook_size": CODEBOOK_SIZE,
                "reservoir_size": RESERVOIR_SIZE,
            }
            codec = kinds[name](**config)
            centre, width = (1.5, 1.5) if kinds[name] is LogScalarCodec else (0.0, 0.3)
            _fill_reservoir(codec.quantizer, centre, width, generator)
            write_codec(directory, name, codec, config)


def write_random_checkpoint(
    directory: Path,
    *,
    size: str = "tiny",
    seed: int,
    modalities: Sequence[str] = MODALITIES,
    pooling: Pooling | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint with random weights.

    Parameters
    ----------
    directory
        Where to; made if it is not there.
    size
        ``tiny`` (2 blocks of 64), ``base`` (12 blocks of 768 as in AION-1-B, with small
        tokenizers and one decoder block), or ``full`` (the same with encoders of the tokenizers as
        large as the package makes them when no size is given).
    seed
        Of the weights; torch's global random state is left as it was.
    modalities
        What it can encode.
    pooling
        Written to ``aion_search.json``; by default there is no such file.
    changes
        Options of the transformer's config.json that differ from the usual ones.

    Returns
    -------
    The directory.
    """
    from aion import AION

    shape = _SIZES[size]
    keys = [key for modality in MODALITIES if modality in modalities for key in _KEYS[modality]]
    config = _transformer_config(shape, keys, **(changes or {}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        write_transformer(directory, AION(config), config)
        generator = torch.Generator().manual_seed(seed)
        _write_codecs(directory, shape, modalities, generator)
    if pooling is not None:
        write_settings(directory, Settings(pooling=pooling))
    return directory
