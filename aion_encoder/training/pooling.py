"""Train a learned pooling of a frozen encoder, so that observations of one source agree.

No label has a part in it. In every step the sources of a batch are seen by several surveys, and
each vector must pick out the vector of its own source among those of the batch (symmetric InfoNCE,
see `aion_encoder.contrastive`):

- a Legacy Survey picture that of HSC, either of them turned, mirrored and shifted at random;
- a picture its own turned twin;
- an SDSS spectrum that of DESI;
- a picture the spectrum, and a Gaia spectrum both, in a space of their own (a linear map for each
  modality that is not kept): what modalities share must be in the vectors, but it does not have to
  be all that is in them.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt16
from torch import Tensor, nn

from aion_encoder.contrastive import FIRST_SCALE, LARGEST_SCALE, info_nce
from aion_encoder.learned_pooling import AttentivePool, LearnedPooling, PoolingShape
from aion_encoder.training.features import IMAGE_KEYS, KEYS, TURNED, Features
from aion_encoder.training.schedule import Schedule

__all__ = ["PoolingRecipe", "train_pooling", "vectors_from"]

logger = logging.getLogger("aion_encoder")

MODALITY = {
    "legacysurvey": "image",
    "hsc": "image",
    "sdss": "spectrum",
    "desi": "spectrum",
    "gaia": "xp",
}

_LOOKED_AT = 200
"""Sources of each survey from which centre and spread of the tokens are taken."""


@dataclass(frozen=True)
class PoolingRecipe:
    """How long and how a pooling is trained."""

    width: int = 192
    queries: int = 6
    hidden: int = 256
    """Sizes, see `PoolingShape`."""
    steps: int = 3000
    minutes: float | None = 30.0
    """Time after which training ends although steps are left; the rate falls accordingly."""
    batch: int = 384
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warm_up: float = 0.05
    bridge: int = 128
    """Dimensions of the space in which modalities meet while training; 0 for the vectors' own."""
    turned: float = 1.0
    """Weight of a picture and its turned twin; every second step."""
    across: float = 1.0
    """Weight of pictures and spectra."""
    xp: float = 0.3
    """Weight of Gaia spectra, with pictures and with spectra; every third step."""

    @property
    def shape(self) -> PoolingShape:
        """Sizes of the pooling."""
        return PoolingShape(width=self.width, queries=self.queries, hidden=self.hidden)


def cell_tokens(ids: Int64[Tensor, "batch tokens"]) -> Int64[Tensor, "batch cells in_cell"]:
    """Return the tokens of every cell: four of a picture's, one of any other's."""
    if ids.shape[1] != 576:
        return ids[:, :, None]
    grid = ids.unflatten(1, (12, 2, 12, 2)).permute(0, 1, 3, 2, 4)
    return grid.flatten(3).flatten(1, 2)


def vectors_from(
    pool: AttentivePool,
    tables: Sequence[Float32[Tensor, "vocabulary dim"]],
    ids: Sequence[Int64[Tensor, "batch tokens"]],
    last: Float[Tensor, "batch cells dim"],
) -> Float32[Tensor, "batch dim"]:
    """Return what `AttentivePool` gives, without all token embeddings in memory.

    A linear map of an embedding is looked up in the map of the whole table, and that of the mean
    of a cell is the mean of those of its tokens.

    Parameters
    ----------
    pool
        Of the modality.
    tables
        Token embeddings of the vocabulary, for each token key of the observation.
    ids
        Tokens, for each token key.
    last
        The last layer in cells.
    """
    weight = pool.inner.weight / pool.spread
    shift = pool.inner.bias - weight @ pool.centre + pool.place
    of_embedded, of_last = weight.chunk(2, dim=1)
    looked_up = [
        nn.functional.embedding(cell_tokens(tokens), table @ of_embedded.T)
        for table, tokens in zip(tables, ids, strict=True)
    ]
    joined = torch.cat(looked_up, dim=1)
    h = last @ of_last.T + (joined.mean(dim=2) if joined.shape[2] > 1 else joined.squeeze(2))
    return pool.gather(nn.functional.gelu(h + shift.to(h.dtype)))


class _Views:
    """Draws sources and gives their vectors, as one survey sees them."""

    def __init__(
        self,
        model: Any,
        pooling: LearnedPooling,
        tokens: Mapping[str, UInt16[np.ndarray, "n count"]],
        features: Features,
        *,
        fast: bool,
    ) -> None:
        self._pooling, self._tokens, self._features = pooling, tokens, features
        self._tables = {
            key: model.encoder_embeddings[key].token_emb.weight.detach()
            for keys in KEYS.values()
            for key in keys
        }
        self._fast = fast

    def ids_and_last(self, view: str, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        survey = view.removesuffix(TURNED)
        turned = view[len(survey) :]
        ids = [
            torch.from_numpy(self._tokens[key + turned][rows].astype(np.int64))
            for key in KEYS[survey]
        ]
        return ids, torch.from_numpy(self._features.take(view, rows))

    def look(self, view: str, rows: np.ndarray) -> Float32[Tensor, "batch dim"]:
        survey = view.removesuffix(TURNED)
        ids, last = self.ids_and_last(view, rows)
        tables = [self._tables[key] for key in KEYS[survey]]
        pool = self._pooling.pools[MODALITY[survey]]
        assert isinstance(pool, AttentivePool)
        if not self._fast:
            return vectors_from(pool, tables, ids, last.float())
        with torch.autocast("cpu", torch.bfloat16):
            return vectors_from(pool, tables, ids, last.bfloat16())

    def measure(self, rng: np.random.Generator) -> None:
        """Set centre and spread of every pool from some sources."""
        rows = np.sort(rng.permutation(len(self._features))[:_LOOKED_AT])
        for modality in sorted(set(MODALITY.values())):
            seen = []
            for survey in (name for name, kind in MODALITY.items() if kind == modality):
                ids, last = self.ids_and_last(survey, rows)
                embedded = torch.cat(
                    [
                        self._tables[key][cell_tokens(tokens)].mean(dim=2)
                        for key, tokens in zip(KEYS[survey], ids, strict=True)
                    ],
                    dim=1,
                )
                seen.append(torch.cat([embedded, last.float()], dim=2).flatten(0, 1))
            together = torch.cat(seen)
            pool: Any = self._pooling.pools[modality]
            pool.centre.copy_(together.mean(dim=0))
            pool.spread.copy_(together.std(dim=0).clamp_min(1e-3))


class _Agreement(nn.Module):
    """The losses of a batch, and what is learned only to compute them."""

    def __init__(self, dim: int, recipe: PoolingRecipe) -> None:
        super().__init__()
        self._recipe = recipe
        self.bridges = nn.ModuleDict(
            {
                modality: nn.Linear(dim, recipe.bridge, bias=False)
                if recipe.bridge
                else nn.Identity()
                for modality in sorted(set(MODALITY.values()))
            }
        )
        self.log_scale = nn.ParameterDict(
            {
                name: nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))
                for name in ("image", "spectrum", "turned", "across", "xp")
            }
        )

    def _between(self, name: str, one: Tensor, other: Tensor, sources: Tensor) -> Tensor:
        scale = self.log_scale[name].exp().clamp(max=LARGEST_SCALE)
        return info_nce(one, other, scale, sources)

    def forward(
        self, views: _Views, rows: np.ndarray, step: int, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Return the weighted losses of a batch by name."""
        recipe, sources = self._recipe, torch.from_numpy(rows)
        shown = {name: name + TURNED * int(rng.integers(2)) for name in IMAGE_KEYS}
        seen = {name: views.look(shown.get(name, name), rows) for name in KEYS if name != "gaia"}
        losses = {
            "image": self._between("image", seen["legacysurvey"], seen["hsc"], sources),
            "spectrum": self._between("spectrum", seen["sdss"], seen["desi"], sources),
        }
        met = {
            name: nn.functional.normalize(self.bridges[MODALITY[name]](vectors), dim=1)
            for name, vectors in seen.items()
        }
        picture = met[("legacysurvey", "hsc")[int(rng.integers(2))]]
        spectrum = met[("sdss", "desi")[int(rng.integers(2))]]
        losses["across"] = recipe.across * self._between("across", picture, spectrum, sources)
        if step % 3 == 0 and recipe.xp:
            gaia = nn.functional.normalize(self.bridges["xp"](views.look("gaia", rows)), dim=1)
            both = [self._between("xp", gaia, other, sources) for other in (picture, spectrum)]
            losses["xp"] = 3 * recipe.xp * torch.stack(both).mean()
        if step % 2 == 0 and recipe.turned:
            name = ("legacysurvey", "hsc")[int(rng.integers(2))]
            twin = name if shown[name].endswith(TURNED) else name + TURNED
            losses["turned"] = recipe.turned * self._between(
                "turned", seen[name], views.look(twin, rows), sources
            )
        return losses


def train_pooling(
    model: Any,
    tokens: Mapping[str, UInt16[np.ndarray, "n count"]],
    features: Features,
    recipe: PoolingRecipe,
    *,
    seed: int,
    fast: bool = True,
    state_path: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LearnedPooling, list[dict[str, Any]]]:
    """Train a learned pooling; resumes from its saved state.

    Parameters
    ----------
    model
        The official transformer whose last layer the features are.
    tokens
        Tokens of the training sources by token key, those of turned pictures among them.
    features
        The last layer of the same sources.
    recipe
        Sizes, length, weights and rates.
    seed
        Of the batches and the initial weights.
    fast
        Matrix products in bfloat16.
    state_path
        Where weights, optimizer and log are kept, every 200 steps.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    The pooling in evaluation mode, and the losses logged on the way.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pooling = LearnedPooling(int(model.dim), recipe.shape)
    agreement = _Agreement(int(model.dim), recipe)
    views = _Views(model, pooling, tokens, features, fast=fast)
    views.measure(rng)
    learned = [*pooling.parameters(), *agreement.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": [each for each in learned if each.ndim > 1]},
            {"params": [each for each in learned if each.ndim < 2], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    log: list[dict[str, Any]] = []
    first, spent = 0, 0.0
    if state_path is not None and state_path.exists():
        state = torch.load(state_path, weights_only=True)
        pooling.load_state_dict(state["pooling"])
        agreement.load_state_dict(state["agreement"])
        optimizer.load_state_dict(state["optimizer"])
        first, log, spent = int(state["step"]), list(state["log"]), float(state["seconds"])
        rng = np.random.default_rng([seed, first])
    schedule = Schedule(recipe.steps, recipe.minutes, recipe.warm_up, spent)
    running: dict[str, list[float]] = {}
    last = first

    def keep(step: int) -> None:
        assert state_path is not None
        partial = state_path.with_suffix(".tmp")
        torch.save(
            {
                "pooling": pooling.state_dict(),
                "agreement": agreement.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "seconds": schedule.seconds,
                "log": log,
            },
            partial,
        )
        partial.replace(state_path)

    for step in range(first, recipe.steps):
        share = schedule.share(step)
        if share >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * schedule.rate(share)
        # In the order in which they lie on the disk; a loss does not know about order.
        size = min(recipe.batch, len(features))
        rows = np.sort(rng.choice(len(features), size, replace=False))
        losses = agreement(views, rows, step, rng)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        for name, loss in losses.items():
            running.setdefault(name, []).append(float(loss.detach()))
        last = step + 1
        if last % 50 == 0:
            row: dict[str, Any] = {"step": last, "seconds": round(schedule.seconds, 1)}
            row |= {name: round(float(np.mean(each)), 4) for name, each in sorted(running.items())}
            running = {}
            log.append(row)
            logger.info("pooling %s", row)
        if state_path is not None and last % 200 == 0:
            keep(last)
        if progress is not None:
            progress(last, recipe.steps)
    if state_path is not None and last > first:
        keep(last)
    return pooling.eval().requires_grad_(False), log
