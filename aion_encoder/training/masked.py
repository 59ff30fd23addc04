"""Masked modelling across modalities: stage two of the paper, at a small scale.

The official `AION` class is trained to give tokens of some modalities from a random part of the
tokens of others. Batches are drawn so that all rows of one have the same modalities and counts,
which needs no padding. What is drawn follows section 3 of the paper with departures that suit a
small budget and are listed in the model card:

- many batches see one modality only, since that is what a search encodes;
- in `pooled_share` of the batches the decoder sees nothing but the mean of the encoder's tokens, so
  that what a search will take as the vector has to hold what can be known of the source;
- the scalars of a source (fluxes, shape, redshift) are asked for in every batch, one token each;
- tokens of pictures are asked for more often near the centre, where the object is.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aion.model import AION
from torch import nn
from torch.nn.functional import cross_entropy

from aion_encoder.attention import fuse_attention
from aion_encoder.parts import parts_of
from aion_encoder.training.codes import is_line, soft_targets, start_from_coordinates
from aion_encoder.training.configuration import aion_config
from aion_encoder.training.schedule import Schedule
from aion_encoder.vocabulary import modality_of

__all__ = ["XP_KEYS", "MaskedRecipe", "TokenSky", "train_transformer", "transformer_config"]

logger = logging.getLogger("aion_encoder")

OBSERVED = (
    "tok_image",
    "tok_image_hsc",
    "tok_spectrum_sdss",
    "tok_spectrum_desi",
    "tok_xp",
)
"""Things a search can ask with; `tok_xp` stands for both halves of a Gaia spectrum."""

XP_KEYS = ("tok_xp_bp", "tok_xp_rp")

FULL_LENGTH = {
    "tok_image": 576,
    "tok_image_hsc": 576,
    "tok_spectrum_sdss": 273,
    "tok_spectrum_desi": 273,
    "tok_xp": 110,
}

CENTRE_TOKENS = 3.5
"""Width (sigma, in tokens of 4 pixels) of where tokens of pictures are asked for most."""

OUTSKIRTS = 0.1
"""How often a token far from it is asked for, relative to the centre."""

IMPORTANCE = {"tok_z": 1.0}
SCALAR_IMPORTANCE = 0.5
"""Weight of the loss of one scalar (the redshift has its own) beside 1 for all tokens asked of a
picture or a spectrum: it is one token, and must not outweigh them."""


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


def transformer_config(
    dim: int, encoder_depth: int, decoder_depth: int, num_heads: int, scalars: tuple[str, ...]
) -> dict[str, Any]:
    """Return the configuration of a small AION with the official keys.

    Parameters
    ----------
    scalars
        Keys of the scalars that are asked for; fluxes among them may also be given.
    """
    observed = [key for key in OBSERVED if key != "tok_xp"] + list(XP_KEYS)
    given = [key for key in scalars if key.startswith("tok_flux")]
    return aion_config(
        dim,
        encoder_depth,
        decoder_depth,
        num_heads,
        domains_in=observed + given,
        domains_out=observed + list(scalars),
    )


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
class _Batch:
    """Places and tokens by key, both of shape (batch, count)."""

    inputs: dict[str, tuple[torch.Tensor, torch.Tensor]]
    targets: dict[str, tuple[torch.Tensor, torch.Tensor]]
    pooled: bool


class _Drawer:
    """Draws what one batch sees and what it must give."""

    def __init__(self, sky: TokenSky, recipe: MaskedRecipe, scalars: tuple[str, ...], seed: int):
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.recipe = recipe
        self.scalars = scalars
        self.tokens = {key: torch.from_numpy(value) for key, value in sky.tokens.items()}
        self.interest = {key: _interest(key, value.shape[1]) for key, value in self.tokens.items()}
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
        whole = FULL_LENGTH[main]
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
            total = FULL_LENGTH[main]
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

    def draw(self) -> _Batch:
        plan = self.plan()
        count = len(next(iter(self.tokens.values())))
        rows = torch.from_numpy(self.rng.integers(count, size=plan.batch))
        inputs, targets = {}, {}
        for key in {**plan.given, **plan.wanted}:
            tokens = self.tokens[key][rows].long()
            luck = torch.rand(tokens.shape, generator=self.generator)
            if n_in := plan.given.get(key, 0):
                places = luck.topk(n_in, dim=1).indices
                inputs[key] = (places, tokens.gather(1, places))
            if n_out := plan.wanted.get(key, 0):
                # Weighted draw without repetition (Efraimidis & Spirakis 2006).
                luck = torch.rand(tokens.shape, generator=self.generator).log()
                luck = luck / self.interest[key]
                if n_in and not plan.pooled:
                    luck.scatter_(1, places, -torch.inf)
                wanted = luck.topk(n_out, dim=1).indices
                targets[key] = (wanted, tokens.gather(1, wanted))
        return _Batch(inputs, targets, plan.pooled)


def _part_means(
    hidden: torch.Tensor, inputs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
) -> torch.Tensor:
    """Return the mean of each part of the one modality that a pooled batch sees."""
    where = torch.cat([places for places, _ in inputs.values()], dim=1)
    means = []
    for start, stop in parts_of(modality_of(next(iter(inputs)))):
        mine = ((where >= start) & (where < stop)).to(hidden)
        means.append((hidden * mine[..., None]).sum(dim=1) / mine.sum(dim=1, keepdim=True))
    return torch.stack(means, dim=1)


def _loss(model: AION, batch: _Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross-entropy averaged within each modality, then over modalities, as in the package."""
    seen, places = [], []
    for key, (where, tokens) in batch.inputs.items():
        embedding = model.encoder_embeddings[key]
        seen.append(embedding.token_emb(tokens))
        places.append(embedding.pos_emb[0][where] + embedding.mod_emb[0])
    x = torch.cat(seen, dim=1)
    emb = torch.cat(places, dim=1)
    hidden = model.forward_encoder(x + emb, None)
    if batch.pooled:
        # No codes of place and modality: the pooled vector of a search has none either.
        context = model.decoder_proj_context(_part_means(hidden, batch.inputs))
    else:
        context = model.decoder_proj_context(hidden) + emb
    queries, sizes = [], []
    for key, (where, _) in batch.targets.items():
        embedding = model.decoder_embeddings[key]
        queries.append(model.mask_token + embedding.pos_emb[0][where] + embedding.mod_emb[0])
        sizes.append(where.shape[1])
    y = torch.cat(queries, dim=1)
    group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    apart = (group[:, None] != group[None, :])[None].expand(len(y), -1, -1)
    y = model.forward_decoder(y, context, None, apart)
    parts, total, weight = {}, torch.zeros(()), 0.0
    for (key, (_, tokens)), block in zip(batch.targets.items(), y.split(sizes, dim=1), strict=True):
        logits = model.decoder_embeddings[key].to_logits(block)
        logits, answer = logits.flatten(0, 1).float(), tokens.flatten()
        if is_line(key):
            part = cross_entropy(logits, soft_targets(answer, logits.shape[1]))
        else:
            part = cross_entropy(logits, answer)
        importance = 1.0 if key in OBSERVED + XP_KEYS else IMPORTANCE.get(key, SCALAR_IMPORTANCE)
        total = total + importance * part
        weight += importance
        parts[f"mean:{key}" if batch.pooled else key] = float(part.detach())
    return total / weight, parts


def train_transformer(
    sky: TokenSky,
    config: Mapping[str, Any],
    recipe: MaskedRecipe,
    *,
    scalars: tuple[str, ...],
    seed: int,
    start: nn.Module | None = None,
    state_path: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[AION, list[dict[str, Any]]]:
    """Train a small AION by masked modelling; resumes from its saved state.

    Parameters
    ----------
    sky
        Tokens of the training sources.
    config
        Configuration of the official class, see `transformer_config`.
    recipe
        Length, budgets and rates.
    scalars
        Keys of the scalars that every batch is asked for.
    seed
        Of the batches and the initial weights.
    start
        A trained AION whose weights are the first ones, wherever it has the same tensor.
    state_path
        Where weights, optimizer and log are kept, every 200 steps.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    The model in evaluation mode, and the losses logged on the way.
    """
    torch.manual_seed(seed)
    model = AION(dict(config))
    start_from_coordinates(model, seed)
    if start is not None:
        own = model.state_dict()
        own.update({name: value for name, value in start.state_dict().items() if name in own})
        model.load_state_dict(own)
    fuse_attention(model.encoder)
    fuse_attention(model.decoder)
    decay = [p for name, p in model.named_parameters() if p.ndim > 1 and "emb" not in name]
    ids = {id(p) for p in decay}
    rest = [p for p in model.parameters() if id(p) not in ids and p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": decay, "weight_decay": recipe.weight_decay},
            {"params": rest, "weight_decay": 0},
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.95),
        fused=True,
    )

    log: list[dict[str, Any]] = []
    first, spent = 0, 0.0
    if state_path is not None and state_path.exists():
        state = torch.load(state_path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, log, spent = int(state["step"]), list(state["log"]), float(state["seconds"])
    drawer = _Drawer(sky, recipe, scalars, seed + first)
    schedule = Schedule(recipe.steps, recipe.minutes, recipe.warm_up, spent)
    running: dict[str, list[float]] = {}
    last = first

    def keep(step: int) -> None:
        assert state_path is not None
        partial = state_path.with_suffix(".tmp")
        torch.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "seconds": schedule.seconds,
                "log": log,
            },
            partial,
        )
        partial.replace(state_path)

    model.train()
    for step in range(first, recipe.steps):
        share = schedule.share(step)
        if share >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * schedule.rate(share)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.fast):
            loss, parts = _loss(model, drawer.draw())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for key, value in parts.items():
            running.setdefault(key, []).append(value)
        if (step + 1) % 50 == 0:
            row: dict[str, Any] = {"step": step + 1, "seconds": schedule.seconds}
            row.update({key: round(float(np.mean(v)), 4) for key, v in sorted(running.items())})
            running = {}
            log.append(row)
            logger.info("transformer %s", row)
        if state_path is not None and (step + 1) % 200 == 0:
            keep(step + 1)
        if progress is not None:
            progress(step + 1, recipe.steps)
        last = step + 1
    if state_path is not None and last > first:
        keep(last)
    model.eval()
    return model, log
