"""What a code means before anything is learned: coordinates of every entry of a vocabulary.

A tokenizer's codes are not names: those of a finite scalar quantizer are points on a grid, those
of a lookup-free quantizer corners of a cube, those of a scalar places on a line. Embeddings that
start from these coordinates are alike for codes that are alike, which a small training budget
would otherwise be spent on; and a line can be asked for with soft targets.
"""

import numpy as np
import torch
from aion.model import AION
from jaxtyping import Float32
from torch import Tensor

from aion_encoder.training.image_codec import IMAGE_CODEC

__all__ = ["coordinates", "is_line", "soft_targets", "start_from_coordinates"]

EMBEDDING_RMS = 0.5
"""Of the starting embeddings per component; the position codes beside them have 0.7."""

LOGIT_RMS = 0.05
NOISE = 0.1
"""Share of unstructured noise, so that no two codes start equal."""

SMOOTHING_BINS = 12.0
"""Standard deviation of the soft target on a line, in bins of about a thousandth each."""


def is_line(key: str) -> bool:
    """Tell whether the codes of a token key are places on a line."""
    return not key.startswith(("tok_image", "tok_spectrum"))


def coordinates(key: str, vocabulary: int) -> Float32[np.ndarray, "vocabulary features"]:
    """Return the coordinates of every code of a token key."""
    index = np.arange(vocabulary)
    if key.startswith("tok_image"):
        levels = np.array(IMAGE_CODEC["quantizer_levels"])
        basis = np.concatenate([[1], np.cumprod(levels[:-1])])
        half = levels // 2
        digits = (index[:, None] // basis) % levels
        features = (digits - half) / half
    elif key.startswith("tok_spectrum"):
        # One table serves the brightness, a place on a line, and the shape, a corner of a cube.
        corners = 2.0 * ((index[:, None] >> np.arange(9, -1, -1)) & 1) - 1.0
        features = np.concatenate([corners, _places(vocabulary)], axis=1)
    else:
        features = _places(vocabulary)
    return np.asarray(features, np.float32)


def _places(vocabulary: int) -> Float32[np.ndarray, "vocabulary features"]:
    """Return sines and cosines of places on a line, from the whole line to a 128th of it."""
    place = (np.arange(vocabulary)[:, None] + 0.5) / vocabulary
    angles = np.pi * place * 2.0 ** np.arange(7)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _structured(features: Tensor, dim: int, rms: float, generator: torch.Generator) -> Tensor:
    directions = torch.randn(features.shape[1], dim, generator=generator)
    table = features @ directions
    table = table + NOISE * table.std() * torch.randn(table.shape, generator=generator)
    scaled: Tensor = table * (rms / table.square().mean().sqrt())
    return scaled


@torch.no_grad()
def start_from_coordinates(model: AION, seed: int) -> None:
    """Set every embedding and output table of an official model from its codes' coordinates."""
    generator = torch.Generator().manual_seed(seed)
    for key, embedding in model.encoder_embeddings.items():
        table = embedding.token_emb.weight
        features = torch.from_numpy(coordinates(key, len(table)))
        table.copy_(_structured(features, table.shape[1], EMBEDDING_RMS, generator))
    for key, embedding in model.decoder_embeddings.items():
        table = embedding.to_logits.weight
        features = torch.from_numpy(coordinates(key, len(table)))
        table.copy_(_structured(features, table.shape[1], LOGIT_RMS, generator))


def soft_targets(tokens: Tensor, vocabulary: int) -> Float32[Tensor, "n vocabulary"]:
    """Return targets that spread over the neighbours of each code on a line, each summing to 1."""
    bins = torch.arange(vocabulary, dtype=torch.float32, device=tokens.device)
    distance = (bins[None, :] - tokens[:, None].float()) / SMOOTHING_BINS
    return torch.softmax(-0.5 * distance**2, dim=1)
