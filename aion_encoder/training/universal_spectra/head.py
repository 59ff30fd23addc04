"""Fit the pooling over windows and the retrieval head on a frozen encoder.

What a spectrum says in each window of wavelength is computed once and kept; on that the pooling and
the head learn, in minutes on a CPU and with batches of a thousand sources, to pick out the same
source in another view.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float16
from torch import Tensor, nn

from aion_encoder.contrastive import FIRST_SCALE, LARGEST_SCALE, info_nce
from aion_encoder.training.course import Course, decayed
from aion_encoder.training.universal_spectra.examples import Examples
from aion_encoder.training.universal_spectra.views import BLURRED, PAIRS, drawn, kind_of
from aion_encoder.universal_spectra.model import UniversalSpectra
from aion_encoder.universal_spectra.pooling import WindowPool

__all__ = ["HeadRecipe", "Windows", "fit_head", "windows_of"]

TOKENS = {"cpu": 4096, "cuda": 131_072}
"""Of a batch that is encoded."""


@dataclass(frozen=True)
class HeadRecipe:
    """How long and how the pooling and the head are fitted."""

    steps: int = 3000
    minutes: float | None = None
    """See `UstRecipe`."""
    batch: int = 1024
    """Sources."""
    most: int = 1500
    """Sources of views other than coarse ones, SDSS and DESI, which would take hours on a CPU."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warm_up: float = 0.05
    dropped: float = 0.5
    """Share of the batches in which either side loses a stretch of its windows."""


@dataclass(frozen=True, eq=False)
class Windows:
    """What spectra of one view say in each window.

    Attributes
    ----------
    means, covered
        See `WindowPool.means`.
    usable
        Which sources have a spectrum that the model takes.
    """

    means: Float16[Tensor, "sources w dim"]
    covered: Float16[Tensor, "sources w"]
    usable: Bool[Tensor, " sources"]


@torch.inference_mode()
def windows_of(
    model: UniversalSpectra,
    examples: Examples,
    most: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Windows]:
    """Encode all training spectra of the views that the fit needs.

    Parameters
    ----------
    model
        Its pooling is over windows; on the device of the examples.
    most
        See `HeadRecipe`.
    """
    pool = model.pool
    assert isinstance(pool, WindowPool)
    kind = next(model.parameters()).device.type
    found = {}
    for number, (name, each) in enumerate(examples.items()):
        every = name in BLURRED or name in ("sdss", "desi")
        count = len(each.usable) if every else min(most, len(each.usable))
        size = max(1, TOKENS[kind] // each.grid.shape[1])
        parts = []
        for rows in torch.split(torch.arange(count, device=each.usable.device), size):
            batch = each.batch(rows)
            # A spectrum that is refused has no patch; attention needs one.
            present = batch.present
            assert present is not None
            none = ~present.any(dim=1, keepdim=True)
            tokens = model.encode(batch, present | none)
            means, covered = pool.means(tokens)
            parts.append((means.half(), covered.half()))
        means, covered = (torch.cat(part) for part in zip(*parts, strict=True))
        found[name] = Windows(means, covered, each.usable[:count])
        if progress is not None:
            progress(number + 1, len(examples))
    return found


def fit_head(
    model: UniversalSpectra,
    windows: Mapping[str, Windows],
    recipe: HeadRecipe,
    *,
    seed: int,
    state_path: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Fit pooling and head of a model in place; resumes from its saved state.

    Parameters
    ----------
    model
        Of which `windows_of` made the windows; its encoder and decoder stay as they are.
    windows
        By view.
    seed
        Of the batches.

    Returns
    -------
    Losses on the way.
    """
    pool, head = model.pool, model.head
    assert isinstance(pool, WindowPool)
    assert head is not None
    device = next(head.parameters()).device
    log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE), device=device))
    learned = [*pool.parameters(), *head.parameters(), log_scale]
    for each in learned:
        each.requires_grad_(True)
    optimizer = torch.optim.AdamW(
        decayed(learned), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    modules = {"pool": pool, "head": head, "scale": nn.ParameterDict({"log_scale": log_scale})}
    course = Course("retrieval head", recipe, optimizer, modules, state_path, progress)
    rng = np.random.default_rng([seed, course.first])
    for _ in course.steps():
        one, other = drawn(PAIRS, rng)
        fewest = min(len(windows[name].usable) for name in (one, other))
        both = windows[one].usable[:fewest] & windows[other].usable[:fewest]
        found = torch.nonzero(both).flatten()
        picked = rng.choice(len(found), min(recipe.batch, len(found)), replace=False)
        rows = found[torch.from_numpy(picked).to(device)]
        optimizer.zero_grad(set_to_none=True)
        vectors = []
        for name in (one, other):
            covered = windows[name].covered[rows].float()
            if rng.random() < recipe.dropped:
                covered = covered * _left(pool.windows, rng).to(device)
            vectors.append(head(pool.join(windows[name].means[rows].float(), covered)))
        scale = log_scale.exp().clamp(max=LARGEST_SCALE)
        loss = info_nce(vectors[0], vectors[1], scale, rows)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned, 1.0, error_if_nonfinite=True)
        optimizer.step()
        course.note({f"{kind_of(one)} = {kind_of(other)}": float(loss.detach())})
    model.requires_grad_(False)
    return course.log


def _left(windows: int, rng: np.random.Generator) -> Tensor:
    """Return 1 for the windows that stay and 0 for a stretch, of up to a third, that does not."""
    lost = int(rng.integers(1, windows // 3 + 1))
    first = int(rng.integers(-lost, windows))
    left = torch.ones(windows)
    left[max(first, 0) : first + lost] = 0.0
    return left
