"""What a batch of masked modelling sees and what it must give.

Batches are drawn so that all rows of one have the same modalities and counts, which needs no
padding; `aion_encoder.training.masked` says where what is drawn departs from the paper.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from aion_encoder.vocabulary import token_count

__all__ = ["OBSERVED", "XP_KEYS", "Batch", "Drawer", "MaskedRecipe", "TokenSky"]

OBSERVED = (
    "tok_image",
    "tok_image_hsc",
    "tok_spectrum_sdss",
    "tok_spectrum_desi",
    "tok_xp",
)
"""Things a search can ask with; `tok_xp` stands for both halves of a Gaia spectrum."""

XP_KEYS = ("tok_xp_bp", "tok_xp_rp")

CENTRE_TOKENS = 3.5
"""Width (sigma, in tokens of 4 pixels) of where tokens of pictures are asked for most."""

OUTSKIRTS = 0.1
"""How often a token far from it is asked for, relative to the centre."""


@dataclass(frozen=True)
class TokenSky:
    """Tokens of many sources: key to an array of shape (sources, tokens).

    Every source has every key: the training sky is seen by all five surveys.
    """

    tokens: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.tokens.values())))

    def save(self, path: Path) -> None:
        """Write the tokens to one `.npz` file."""
        np.savez(path, allow_pickle=False, **self.tokens)

    @classmethod
    def load(cls, path: Path) -> "TokenSky":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls({key: stored[key] for key in stored.files})


@dataclass(frozen=True)
class MaskedRecipe:
    """How long and how the transformer is trained."""

    steps: int = 4000
    minutes: float | None = 46.0
    """Time after which training ends although steps are left; the rate falls accordingly."""
    batch: int = 48
    input_tokens: int = 144
    target_tokens: int = 48
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up: float = 0.05
    alone_share: float = 0.5
    """Share of the batches whose input is one modality alone."""
    full_length_share: float = 0.1
    """Share of the batches that see every token of one modality, as encoding does."""
    pooled_share: float = 0.5
    """Share of the batches whose decoder sees the mean of the tokens of one modality only."""
    fast: bool = True
    """Matrix products in bfloat16: a quarter faster on a CPU with AMX."""
    weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "tok_image": 0.3,
            "tok_image_hsc": 0.15,
            "tok_spectrum_sdss": 0.2,
            "tok_spectrum_desi": 0.2,
            "tok_xp": 0.15,
        }
    )
    """How often each modality is the main one of a batch."""


def _split(total: int, parts: int, rng: np.random.Generator) -> list[int]:
    """Share a budget among modalities, uniformly over all ways to cut it."""
    if parts == 1:
        return [total]
    cuts = np.sort(rng.integers(1, total, size=parts - 1))
    sizes = np.diff(np.concatenate([[0], cuts, [total]]))
    return [max(1, int(size)) for size in sizes]


def _expand(name: str, budget: int) -> list[tuple[str, int]]:
    if name == "tok_xp":
        return [(key, max(1, budget // 2)) for key in XP_KEYS]
    return [(name, budget)]


def _full_length(name: str) -> int:
    """Return how many tokens one observation has."""
    return sum(token_count(key) for key, _ in _expand(name, 0))


def _interest(key: str, count: int) -> torch.Tensor:
    """Return how often each token is asked for, relative to the others."""
    if not key.startswith("tok_image"):
        return torch.ones(count)
    side = math.isqrt(count)
    offset = torch.arange(side) - (side - 1) / 2
    square = offset[:, None] ** 2 + offset[None, :] ** 2
    return (torch.exp(-0.5 * square / CENTRE_TOKENS**2) + OUTSKIRTS).flatten()


@dataclass(frozen=True)
class _Plan:
    """How many tokens of which key one batch sees and must give."""

    given: dict[str, int]
    wanted: dict[str, int]
    batch: int
    pooled: bool = False


@dataclass(frozen=True)
class Batch:
    """Places and tokens by key, both of shape (batch, count)."""

    inputs: dict[str, tuple[torch.Tensor, torch.Tensor]]
    targets: dict[str, tuple[torch.Tensor, torch.Tensor]]
    pooled: bool


class Drawer:
    """Draws what one batch sees and what it must give."""

    def __init__(
        self,
        sky: TokenSky,
        recipe: MaskedRecipe,
        scalars: tuple[str, ...],
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.device = device
        self.generator = torch.Generator(device).manual_seed(seed)
        self.recipe = recipe
        self.scalars = scalars
        # CUDA gathers no unsigned 16-bit integers.
        self.tokens = {
            key: torch.from_numpy(value.astype(np.int16)).to(device)
            for key, value in sky.tokens.items()
        }
        self.interest = {
            key: _interest(key, value.shape[1]).to(device) for key, value in self.tokens.items()
        }
        self.names = [name for name in OBSERVED if recipe.weights.get(name, 0.0) > 0.0]
        weights = np.array([recipe.weights[name] for name in self.names])
        self.weights = weights / weights.sum()

    def _given(self, name: str, budget: int) -> dict[str, int]:
        return {key: min(count, self.tokens[key].shape[1]) for key, count in _expand(name, budget)}

    def _asked(self, given: dict[str, int], *, again: bool) -> dict[str, int]:
        """Choose what to ask for; what was given only if `again`."""
        rng = self.rng
        asked = rng.choice(self.names, size=2, replace=False).tolist()
        wanted: dict[str, int] = {}
        for name, budget in zip(asked, _split(self.recipe.target_tokens, 2, rng), strict=True):
            for key, count in _expand(name, budget):
                free = self.tokens[key].shape[1] - (0 if again else given.get(key, 0))
                if free > 0:
                    wanted[key] = min(count, free)
        wanted.update({key: 1 for key in self.scalars if key not in given})
        return wanted

    def _pooled_plan(self, main: str) -> _Plan:
        """All of a spectrum, or a third of a picture (now and then all of it)."""
        tokens = self.recipe.batch * self.recipe.input_tokens
        whole = _full_length(main)
        seen = whole if whole < 576 or self.rng.random() < 0.15 else whole // 3
        given = self._given(main, seen)
        return _Plan(given, self._asked(given, again=True), max(4, tokens // seen), pooled=True)

    def plan(self) -> _Plan:
        recipe, rng = self.recipe, self.rng
        main = str(rng.choice(self.names, p=self.weights))
        if rng.random() < recipe.pooled_share:
            return self._pooled_plan(main)
        others = [name for name in self.names if name != main]
        kind = rng.random()
        batch, total = recipe.batch, recipe.input_tokens
        if kind < recipe.full_length_share:
            total = _full_length(main)
            batch = max(4, recipe.batch * recipe.input_tokens // total)
            seen = [main]
        elif kind < recipe.full_length_share + recipe.alone_share:
            total = int(rng.integers(recipe.input_tokens // 2, recipe.input_tokens + 1))
            seen = [main]
        else:
            more = int(rng.integers(1, 3))
            seen = [main, *rng.choice(others, size=more, replace=False).tolist()]
        given: dict[str, int] = {}
        for name, budget in zip(seen, _split(total, len(seen), rng), strict=True):
            given.update(self._given(name, budget))
        flux = [key for key in self.scalars if key.startswith("tok_flux")]
        if len(seen) > 1 and rng.random() < 0.2:
            given.update({key: 1 for key in flux})
        elif rng.random() < 0.05:
            given = {key: 1 for key in flux}
        return _Plan(given, self._asked(given, again=False), batch)

    def _luck(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.rand(tokens.shape, generator=self.generator, device=self.device)

    def draw(self) -> Batch:
        plan = self.plan()
        count = len(next(iter(self.tokens.values())))
        rows = torch.from_numpy(self.rng.integers(count, size=plan.batch)).to(self.device)
        inputs, targets = {}, {}
        for key in {**plan.given, **plan.wanted}:
            tokens = self.tokens[key][rows].long()
            luck = self._luck(tokens)
            if n_in := plan.given.get(key, 0):
                places = luck.topk(n_in, dim=1).indices
                inputs[key] = (places, tokens.gather(1, places))
            if n_out := plan.wanted.get(key, 0):
                # Weighted draw without repetition (Efraimidis & Spirakis 2006).
                luck = self._luck(tokens).log()
                luck = luck / self.interest[key]
                if n_in and not plan.pooled:
                    luck.scatter_(1, places, -torch.inf)
                wanted = luck.topk(n_out, dim=1).indices
                targets[key] = (wanted, tokens.gather(1, wanted))
        return Batch(inputs, targets, plan.pooled)
