"""Residual heads fitted so that observations of one source agree, by symmetric InfoNCE.

For a batch of B pairs with unit vectors u_i and v_i and the scale s,

    loss = (CE(s u v^T, i) + CE(s v u^T, i)) / 2

where CE is the cross-entropy of picking the partner among all of the batch (van den Oord et al.
2018; symmetric form and learned, clamped scale: Radford et al. 2021). Other pairs of the same
source are no wrong answers, so they are left out of the sums.

Torch is loaded by `fit_contrastive` only; what it returns is applied without it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Int64

from aion_encoder.devices import device_named
from aion_encoder.heads import LinearHead
from aion_encoder.residual_head import ResidualHead

if TYPE_CHECKING:
    import torch

__all__ = ["LARGEST_SCALE", "Contrastive", "PairBlock", "Training", "fit_contrastive"]

FIRST_SCALE = 1.0 / 0.07
LARGEST_SCALE = 100.0
"""The scale (inverse temperature) is learned from the first, and never exceeds the second."""


@dataclass(frozen=True, eq=False)
class PairBlock:
    """Pairs of vectors of two sides, read where they lie.

    Attributes
    ----------
    left, right
        Names of the sides, such as ``image`` and ``spectrum``; equal for two observations in one
        modality.
    sources
        Which source each pair is of, shape (n,).
    take
        Gives the vectors of some pairs, by their numbers.
    """

    left: str
    right: str
    sources: Int64[np.ndarray, " n"]
    take: Callable[
        [Int64[np.ndarray, " m"]],
        tuple[Float32[np.ndarray, "m d1"], Float32[np.ndarray, "m d2"]],
    ]

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class Training:
    """How residual heads are trained; chosen by measurement, see ``docs/decisions.md``.

    Attributes
    ----------
    hidden
        Width of the network beside the linear map.
    batch
        Pairs in a step, all of one block.
    steps
        At most.
    learning_rate, weight_decay
        Of AdamW (Loshchilov & Hutter 2019); the rate falls by a half cosine to zero.
    dropout
        Share of hidden values that are zeroed in a step.
    every
        Steps between two looks at the validation score.
    patience
        Looks without a better score after which training stops.
    """

    hidden: int = 512
    batch: int = 1024
    steps: int = 2000
    learning_rate: float = 1e-4
    weight_decay: float = 2.0
    dropout: float = 0.5
    every: int = 50
    patience: int = 8

    def __post_init__(self) -> None:
        for name in ("hidden", "steps", "every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.batch < 2:
            raise ValueError(f"a batch must have at least 2 pairs, got {self.batch}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must lie in 0-1, below 1, got {self.dropout}")


@dataclass(frozen=True, eq=False)
class Contrastive:
    """Residual heads, and how they came about.

    Attributes
    ----------
    heads
        By side: those of the best validation score.
    score, step
        That score, and after how many steps it was reached; 0 is the start.
    steps
        Steps that were made.
    scale
        The learned scale at that step.
    """

    heads: Mapping[str, ResidualHead]
    score: float
    step: int
    steps: int
    scale: float


def fit_contrastive(
    start: Mapping[str, LinearHead],
    blocks: Sequence[PairBlock],
    score: Callable[[Mapping[str, ResidualHead]], float],
    *,
    seed: int,
    training: Training | None = None,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Contrastive:
    """Fit residual heads to pairs, beginning at linear ones.

    Parameters
    ----------
    start
        A linear head for every side, all into one space.
    blocks
        Training pairs. A step takes one block, drawn with a chance that goes with the root of
        its length, so that small ones have a say.
    score
        Judges heads on pairs that are not among `blocks`; larger is better.
    seed
        Of the network's first values, the batches and the dropout. On one machine equal input
        gives equal heads.
    device
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:<number>``.
    progress
        Called with the pairs that were used and how many will be at most.

    Raises
    ------
    ValueError
        If a block has fewer than two pairs, or a side without a head.
    EncoderError
        If there is no such device.
    """
    import torch

    training = training or Training()
    _check(start, blocks)
    place = device_named(device)
    rng = np.random.default_rng(seed)
    noise = torch.Generator(place).manual_seed(seed)
    nets = {
        side: {
            part: torch.tensor(values, dtype=torch.float32, device=place)
            for part, values in _first_values(start[side], training.hidden, rng).items()
        }
        for side in sorted(start)
    }
    log_scale = torch.tensor(math.log(FIRST_SCALE), device=place)
    learned = [values for net in nets.values() for part, values in net.items() if part != "mean"]
    for values in (*learned, log_scale):
        values.requires_grad_(True)
    groups: list[dict[str, Any]] = [
        {"params": [each for each in learned if each.ndim > 1]},
        {"params": [each for each in learned if each.ndim < 2], "weight_decay": 0.0},
        {"params": [log_scale], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups,
        lr=training.learning_rate,
        weight_decay=training.weight_decay,
    )
    chances = np.sqrt([len(block) for block in blocks])
    chances /= chances.sum()
    best_heads = _frozen_heads(nets)
    best, best_step, best_scale = score(best_heads), 0, FIRST_SCALE
    looks_since, step = 0, 0
    while step < training.steps and looks_since < training.patience:
        for group in optimizer.param_groups:
            group["lr"] = (
                0.5 * training.learning_rate * (1.0 + math.cos(math.pi * step / training.steps))
            )
        block = blocks[rng.choice(len(blocks), p=chances)]
        chosen = rng.choice(len(block), size=min(training.batch, len(block)), replace=False)
        # In the order in which they lie on the disk; a loss does not know about order.
        chosen.sort()
        u, v = (
            _forward(nets[side], torch.from_numpy(x).to(place), training.dropout, noise)
            for side, x in zip((block.left, block.right), block.take(chosen), strict=True)
        )
        sources = torch.from_numpy(block.sources[chosen]).to(place)
        loss = info_nce(u, v, log_scale.exp(), sources)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            log_scale.clamp_(max=math.log(LARGEST_SCALE))
        step += 1
        if step % training.every == 0 or step == training.steps:
            heads = _frozen_heads(nets)
            now = score(heads)
            looks_since += 1
            if now > best:
                best, best_step, best_heads, looks_since = now, step, heads, 0
                best_scale = float(log_scale.detach().exp())
            if progress is not None:
                progress(step * training.batch, training.steps * training.batch)
    if progress is not None:
        progress(training.steps * training.batch, training.steps * training.batch)
    return Contrastive(best_heads, best, best_step, step, best_scale)


def _check(start: Mapping[str, LinearHead], blocks: Sequence[PairBlock]) -> None:
    if not blocks:
        raise ValueError("at least one block of pairs is needed, got none")
    for block in blocks:
        if len(block) < 2:
            raise ValueError(
                f"a block must have at least 2 pairs, that of {block.left} and {block.right} "
                f"has {len(block)}; leave it out"
            )
        missing = {block.left, block.right} - set(start)
        if missing:
            raise ValueError(
                f"every side must have a head to start from, {', '.join(sorted(missing))} has none"
            )


def _first_values(
    start: LinearHead, hidden: int, rng: np.random.Generator
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the parameters of a residual head that gives what a linear head gives."""
    d, dimensions = start.input_dim, start.dim
    # Vectors of a space have unit length, so this gives hidden values of about unit size.
    hidden_weight = rng.standard_normal((d, hidden))
    return {
        "mean": np.array(start.mean),
        # Vectors of about unit length, so that the network has the same say on every side.
        "projection": start.projection / _typical_length(start),
        "hidden_weight": hidden_weight,
        "hidden_bias": np.zeros(hidden),
        "output_weight": np.zeros((hidden, dimensions)),
        "output_bias": (
            np.zeros(dimensions) if start.offset is None else start.offset / _typical_length(start)
        ),
    }


def _typical_length(head: LinearHead) -> float:
    """Return the length of the image of a unit vector, averaged over directions (squared)."""
    squared = float((head.projection.astype(np.float64) ** 2).sum()) / head.input_dim
    if head.offset is not None:
        squared += float((head.offset.astype(np.float64) ** 2).sum())
    return math.sqrt(squared) if squared > 0.0 else 1.0


def _forward(
    net: Mapping[str, "torch.Tensor"], x: "torch.Tensor", dropout: float, noise: "torch.Generator"
) -> "torch.Tensor":
    """Return what `ResidualHead.apply` returns, with some hidden values zeroed."""
    import torch

    centred = x - net["mean"]
    inner = torch.nn.functional.silu(centred @ net["hidden_weight"] + net["hidden_bias"])
    if dropout > 0.0:
        kept = torch.rand(inner.shape, generator=noise, device=inner.device) >= dropout
        inner = inner * kept / (1.0 - dropout)
    moved = centred @ net["projection"] + inner @ net["output_weight"] + net["output_bias"]
    return torch.nn.functional.normalize(moved, dim=1)


def info_nce(
    u: "torch.Tensor", v: "torch.Tensor", scale: "torch.Tensor", sources: "torch.Tensor"
) -> "torch.Tensor":
    """Return the symmetric InfoNCE loss of a batch.

    Parameters
    ----------
    u, v
        Unit vectors, shape (B, dimensions).
    scale
        Inverse temperature.
    sources
        Source of each pair, shape (B,).
    """
    import torch

    logits = scale * (u @ v.T)
    same = sources[:, None] == sources[None, :]
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same, -math.inf)
    target = torch.arange(len(u), device=u.device)
    cross_entropy = torch.nn.functional.cross_entropy
    return 0.5 * (cross_entropy(logits, target) + cross_entropy(logits.T, target))


def _frozen_heads(nets: Mapping[str, Mapping[str, "torch.Tensor"]]) -> dict[str, ResidualHead]:
    return {
        side: ResidualHead(**{part: values.detach().cpu().numpy() for part, values in net.items()})
        for side, net in nets.items()
    }
