"""Train the universal spectral tokenizer.

Every step takes the same sources in two views (two instruments, or one instrument on two samplings)
and asks for three things:

- both spectra back from the patches that were shown, the hidden ones included, with the loss of the
  paper (arXiv:2510.17959): squared residuals over variance;
- vectors of one source that pick each other out among those of the batch (symmetric InfoNCE of the
  retrieval head, see `aion_encoder.contrastive`).

No label, no redshift and no name of an instrument has a part in it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aion_encoder.attention import differentiable_attention
from aion_encoder.contrastive import FIRST_SCALE, LARGEST_SCALE, info_nce
from aion_encoder.training.course import Course, decayed
from aion_encoder.training.universal_spectra.examples import Examples
from aion_encoder.training.universal_spectra.loudness import rescaled
from aion_encoder.training.universal_spectra.masking import shown
from aion_encoder.training.universal_spectra.views import (
    BLURRED,
    COARSE_PAIRS,
    PAIRS,
    drawn,
    kind_of,
)
from aion_encoder.universal_spectra.config import SMALL, UstConfig
from aion_encoder.universal_spectra.loss import weighted_loss
from aion_encoder.universal_spectra.model import UniversalSpectra, blank_model

__all__ = ["UstRecipe", "train_universal_spectra"]


@dataclass(frozen=True)
class UstRecipe:
    """How long and how the tokenizer is trained."""

    model: UstConfig = field(default_factory=lambda: SMALL.model_copy(update={"head_dim": 128}))
    steps: int = 20_000
    minutes: float | None = None
    """Time after which training ends although steps are left; the rate falls accordingly."""
    tokens: int = 131_072
    """Of a batch: fewer sources where spectra are long."""
    most: int = 384
    """Sources of a batch."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up: float = 0.05
    hidden: float = 0.4
    """Largest share of patches that are hidden at random; the share is drawn for each batch."""
    cut: float = 0.3
    """Share of the batches in which every spectrum loses a stretch at one end, up to a half."""
    agreement: float = 1.0
    """Weight of the retrieval head."""
    louder: float = 0.3
    """Scales of spectra are multiplied by the exponential of a normal number times this: which
    wavelengths the median is over hangs on the instrument."""
    kept: int = 0
    """Spectra a step, on native grids, whose tokens must stay those of the start, while only
    coarse views are trained; 0 for a training of all views."""
    keeping: float = 10.0
    """Weight of that (mean square of the change)."""
    fast: bool = True
    """Matrix products in bfloat16."""


def _pair(examples: Examples, recipe: UstRecipe, rng: np.random.Generator) -> tuple[str, str, int]:
    """Draw two views, and how many sources a batch of them has."""
    one, other = drawn(COARSE_PAIRS if recipe.kept else PAIRS, rng)
    patches = examples[one].grid.shape[1] + examples[other].grid.shape[1]
    return one, other, min(recipe.most, max(16, recipe.tokens // patches))


def _changed(
    model: UniversalSpectra,
    before: UniversalSpectra,
    examples: Examples,
    count: int,
    rng: np.random.Generator,
) -> Tensor:
    """Return how far the tokens of some native spectra are from what they were, mean square."""
    native = [name for name in examples if name not in BLURRED]
    batch = examples[native[int(rng.integers(len(native)))]].some(count, rng)
    with torch.no_grad():
        wanted = before.encode(batch)
    off = model.encode(batch).values.float() - wanted.values.float()
    return (off if wanted.seen is None else off[wanted.seen]).square().mean()


def train_universal_spectra(
    examples: Examples,
    recipe: UstRecipe,
    *,
    seed: int,
    start: UniversalSpectra | None = None,
    state_path: Path | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[UniversalSpectra, list[dict[str, Any]]]:
    """Train a tokenizer; resumes from its saved state.

    Parameters
    ----------
    examples
        Training sources, on the device.
    recipe
        Sizes, length, weights and rates.
    seed
        Of the batches and the initial weights.
    start
        A trained tokenizer of the same sizes, whose weights are the first ones.
    state_path
        Where weights, optimizer and log are kept, every 200 steps.
    device
        Where it is trained.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    The model in evaluation mode, on the CPU, and the losses logged on the way.

    Raises
    ------
    ValueError
        If tokens are to stay those of the start, and there is no start.
    """
    if recipe.kept and start is None:
        raise ValueError(
            f"kept must be 0 where no trained tokenizer is started from, got {recipe.kept}: "
            "name one as the start, or all views are trained"
        )
    model = blank_model(recipe.model, seed)
    if start is not None:
        model.load_state_dict(start.state_dict())
    before = start.to(device) if recipe.kept and start is not None else None
    model.to(device).train()
    log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE), device=device))
    learned = [*model.parameters(), log_scale]
    optimizer = torch.optim.AdamW(
        decayed(learned),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        betas=(0.9, 0.95),
        fused=True,
    )
    modules = {"model": model, "scale": nn.ParameterDict({"log_scale": log_scale})}
    course = Course("universal spectra", recipe, optimizer, modules, state_path, progress)
    rng = np.random.default_rng([seed, course.first])
    generator = torch.Generator(device).manual_seed(seed + course.first)
    kind = torch.device(device).type
    for _ in course.steps():
        one, other, size = _pair(examples, recipe, rng)
        both = torch.nonzero(examples[one].usable & examples[other].usable).flatten()
        picked = rng.choice(len(both), min(size, len(both)), replace=False)
        rows = both[torch.from_numpy(picked).to(device)]
        hidden = recipe.hidden * float(rng.random())
        cut = 0.5 if rng.random() < recipe.cut else 0.0
        optimizer.zero_grad(set_to_none=True)
        with differentiable_attention(kind):
            with torch.autocast(kind, torch.bfloat16, enabled=recipe.fast):
                losses, vectors = [], []
                for name in (one, other):
                    batch = rescaled(examples[name].batch(rows), recipe.louder, generator)
                    made = model(batch, shown(batch, hidden, cut, generator))
                    losses.append(weighted_loss(made.flux, batch))
                    vectors.append(made.aligned)
            agreement = info_nce(
                vectors[0].float(),
                vectors[1].float(),
                log_scale.exp().clamp(max=LARGEST_SCALE),
                rows,
            )
            loss = losses[0] + losses[1] + recipe.agreement * agreement
            if before is not None:
                with torch.autocast(kind, torch.bfloat16, enabled=recipe.fast):
                    changed = _changed(model, before, examples, recipe.kept, rng)
                loss = loss + recipe.keeping * changed
                course.note({"kept": float(changed.detach())})
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned, 1.0, error_if_nonfinite=True)
        optimizer.step()
        for name, value in zip((one, other), losses, strict=True):
            course.note({kind_of(name): float(value.detach())})
        course.note({f"{kind_of(one)} = {kind_of(other)}": float(agreement.detach())})
    return model.eval().requires_grad_(False).to("cpu"), course.log
