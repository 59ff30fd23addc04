"""Masked modelling across modalities: stage two of the paper, at a small scale.

The official `AION` class is trained to give tokens of some modalities from a random part of the
tokens of others. Batches are drawn so that all rows of one have the same modalities and counts,
which needs no padding. What is drawn follows section 3 of the paper with two departures that suit
a small budget and are listed in the model card: half of the batches see one modality only, since
that is what a search encodes, and the scalars of a source (fluxes, shape, redshift) are asked for
in every batch, one token each.
"""

import logging
import math
import time
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
from aion_encoder.training.codes import is_line, soft_targets, start_from_coordinates

__all__ = ["MaskedRecipe", "TokenSky", "train_transformer", "transformer_config"]

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
    return {
        "dim": dim,
        "encoder_depth": encoder_depth,
        "decoder_depth": decoder_depth,
        "num_heads": num_heads,
        "mlp_ratio": 4.0,
        "qkv_bias": False,
        "proj_bias": False,
        "mlp_bias": False,
        "norm_bias": False,
        "act_layer": "SiLU",
        "gated_mlp": True,
        "qk_norm": False,
        "domains_in": observed + given,
        "domains_out": observed + list(scalars),
    }


def _pick(count: int, batch: int, wanted: int, generator: torch.Generator) -> torch.Tensor:
    """Draw `wanted` of `count` positions for every row, without repetition."""
    return torch.rand(batch, count, generator=generator).topk(wanted, dim=1).indices


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


class _Drawer:
    """Draws what one batch sees and what it must give."""

    def __init__(self, sky: TokenSky, recipe: MaskedRecipe, scalars: tuple[str, ...], seed: int):
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.recipe = recipe
        self.scalars = scalars
        self.tokens = {
            key: torch.from_numpy(value.astype(np.int64)) for key, value in sky.tokens.items()
        }
        self.names = [name for name in OBSERVED if recipe.weights.get(name, 0.0) > 0.0]
        weights = np.array([recipe.weights[name] for name in self.names])
        self.weights = weights / weights.sum()

    def budgets(self) -> tuple[dict[str, int], dict[str, int], int]:
        recipe, rng = self.recipe, self.rng
        main = str(rng.choice(self.names, p=self.weights))
        others = [name for name in self.names if name != main]
        kind = rng.random()
        batch, total = recipe.batch, recipe.input_tokens
        if kind < recipe.full_length_share:
            total = 576
            batch = max(4, recipe.batch * recipe.input_tokens // 576)
            seen = [main]
        elif kind < recipe.full_length_share + recipe.alone_share:
            total = int(rng.integers(recipe.input_tokens // 2, recipe.input_tokens + 1))
            seen = [main]
        else:
            more = int(rng.integers(1, 3))
            seen = [main, *rng.choice(others, size=more, replace=False).tolist()]
        given: dict[str, int] = {}
        for name, budget in zip(seen, _split(total, len(seen), rng), strict=True):
            for key, count in _expand(name, budget):
                given[key] = min(count, self.tokens[key].shape[1])
        flux = [key for key in self.scalars if key.startswith("tok_flux")]
        if len(seen) > 1 and rng.random() < 0.2:
            given.update({key: 1 for key in flux})
        elif rng.random() < 0.05:
            given = {key: 1 for key in flux}
        asked = rng.choice(self.names, size=2, replace=False).tolist()
        wanted: dict[str, int] = {}
        for name, budget in zip(asked, _split(recipe.target_tokens, 2, rng), strict=True):
            for key, count in _expand(name, budget):
                free = self.tokens[key].shape[1] - given.get(key, 0)
                if free > 0:
                    wanted[key] = min(count, free)
        wanted.update({key: 1 for key in self.scalars if key not in given})
        return given, wanted, batch

    def draw(self) -> tuple[dict[str, Any], dict[str, Any]]:
        given, wanted, batch = self.budgets()
        rows = torch.from_numpy(
            self.rng.integers(len(next(iter(self.tokens.values()))), size=batch)
        )
        inputs, targets = {}, {}
        for key in {**given, **wanted}:
            tokens = self.tokens[key][rows]
            n_in, n_out = given.get(key, 0), wanted.get(key, 0)
            places = _pick(tokens.shape[1], batch, n_in + n_out, self.generator)
            if n_in:
                inputs[key] = (places[:, :n_in], tokens.gather(1, places[:, :n_in]))
            if n_out:
                targets[key] = (places[:, n_in:], tokens.gather(1, places[:, n_in:]))
        return inputs, targets


def _loss(
    model: AION, inputs: dict[str, Any], targets: dict[str, Any]
) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross-entropy averaged within each modality, then over modalities, as in the package."""
    seen, places = [], []
    for key, (where, tokens) in inputs.items():
        embedding = model.encoder_embeddings[key]
        seen.append(embedding.token_emb(tokens))
        places.append(embedding.pos_emb[0][where] + embedding.mod_emb[0])
    x = torch.cat(seen, dim=1)
    emb = torch.cat(places, dim=1)
    context = model.decoder_proj_context(model.forward_encoder(x + emb, None)) + emb
    queries, sizes = [], []
    for key, (where, _) in targets.items():
        embedding = model.decoder_embeddings[key]
        queries.append(model.mask_token + embedding.pos_emb[0][where] + embedding.mod_emb[0])
        sizes.append(where.shape[1])
    y = torch.cat(queries, dim=1)
    group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    apart = (group[:, None] != group[None, :])[None].expand(len(y), -1, -1)
    y = model.forward_decoder(y, context, None, apart)
    parts, total, weight = {}, torch.zeros(()), 0.0
    for (key, (_, tokens)), block in zip(targets.items(), y.split(sizes, dim=1), strict=True):
        logits = model.decoder_embeddings[key].to_logits(block)
        logits, answer = logits.flatten(0, 1), tokens.flatten()
        if is_line(key):
            part = cross_entropy(logits, soft_targets(answer, logits.shape[1]))
        else:
            part = cross_entropy(logits, answer)
        # A scalar is one token: it must not outweigh a picture.
        importance = 0.5 if tokens.shape[1] == 1 else 1.0
        total = total + importance * part
        weight += importance
        parts[key] = float(part.detach())
    return total / weight, parts


def train_transformer(
    sky: TokenSky,
    config: Mapping[str, Any],
    recipe: MaskedRecipe,
    *,
    scalars: tuple[str, ...],
    seed: int,
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

    spent = 0.0

    def done(step: int) -> float:
        share = step / recipe.steps
        if recipe.minutes is not None:
            elapsed = spent + time.monotonic() - began
            share = max(share, elapsed / (60.0 * recipe.minutes))
        return min(1.0, share)

    def rate(share: float) -> float:
        if share < recipe.warm_up:
            return 0.02 + 0.98 * share / recipe.warm_up
        falling = (share - recipe.warm_up) / (1.0 - recipe.warm_up)
        return 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * falling))

    log: list[dict[str, Any]] = []
    first = 0
    if state_path is not None and state_path.exists():
        state = torch.load(state_path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, log, spent = int(state["step"]), list(state["log"]), float(state["seconds"])
    drawer = _Drawer(sky, recipe, scalars, seed + first)
    began = time.monotonic()
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
                "seconds": spent + time.monotonic() - began,
                "log": log,
            },
            partial,
        )
        partial.replace(state_path)

    model.train()
    for step in range(first, recipe.steps):
        share = done(step)
        if share >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * rate(share)
        inputs, targets = drawer.draw()
        loss, parts = _loss(model, inputs, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for key, value in parts.items():
            running.setdefault(key, []).append(value)
        if (step + 1) % 50 == 0:
            row: dict[str, Any] = {"step": step + 1, "seconds": time.monotonic() - began}
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
