"""Teach the decoder all views again, on a frozen encoder.

When an encoder has learned coarse views while its native tokens stayed nearly what they were, its
decoder, which saw coarse views only, gives native spectra back worse. Vectors do not hang on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from aion_encoder.attention import differentiable_attention
from aion_encoder.training.course import Course, decayed
from aion_encoder.training.universal_spectra.examples import Examples
from aion_encoder.training.universal_spectra.masking import shown
from aion_encoder.training.universal_spectra.views import BLURRED, kind_of
from aion_encoder.universal_spectra.loss import weighted_loss
from aion_encoder.universal_spectra.model import UniversalSpectra

__all__ = ["DecoderRecipe", "fit_decoder"]


@dataclass(frozen=True)
class DecoderRecipe:
    """How long and how the decoder is taught again."""

    steps: int = 3000
    minutes: float | None = None
    """See `UstRecipe`."""
    tokens: int = 4096
    """Patches of a batch."""
    coarse: float = 0.3
    """Share of the batches that are of coarse views."""
    learning_rate: float = 4e-4
    weight_decay: float = 0.05
    warm_up: float = 0.05
    hidden: float = 0.2
    """Largest share of patches that are hidden at random."""
    fast: bool = True
    """Matrix products in bfloat16."""


def fit_decoder(
    model: UniversalSpectra,
    examples: Examples,
    recipe: DecoderRecipe,
    *,
    seed: int,
    state_path: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Fit the decoder of a model in place; resumes from its saved state.

    Parameters
    ----------
    model
        On the device of the examples.
    seed
        Of the batches.

    Returns
    -------
    Losses on the way.
    """
    decoder = model.decoder
    learned = list(decoder.parameters())
    for weight in learned:
        weight.requires_grad_(True)
    device = learned[0].device
    optimizer = torch.optim.AdamW(
        decayed(learned), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    modules: dict[str, nn.Module] = {"decoder": decoder}
    course = Course("decoder", recipe, optimizer, modules, state_path, progress)
    rng = np.random.default_rng([seed, course.first])
    generator = torch.Generator(device).manual_seed(seed + course.first)
    groups = [
        [name for name in examples if (name in BLURRED) is coarse] for coarse in (True, False)
    ]
    for _ in course.steps():
        group = groups[0] if rng.random() < recipe.coarse else groups[1]
        name = group[int(rng.integers(len(group)))]
        each = examples[name]
        batch = each.some(max(2, recipe.tokens // each.grid.shape[1]), rng)
        keep = shown(batch, recipe.hidden * float(rng.random()), 0.0, generator)
        optimizer.zero_grad(set_to_none=True)
        with (
            differentiable_attention(device.type),
            torch.autocast(device.type, torch.bfloat16, enabled=recipe.fast),
        ):
            with torch.no_grad():
                tokens = model.encode(batch, keep)
            loss = weighted_loss(model.decode(tokens, batch.wavelength_angstrom), batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned, 1.0, error_if_nonfinite=True)
        optimizer.step()
        course.note({kind_of(name): float(loss.detach())})
    model.requires_grad_(False)
    return course.log
