"""Train a learned pooling of a frozen encoder, so that observations of one source agree.

In every step the sources of a batch are seen by several surveys, and each vector must pick out the
vector of its own source among those of the batch (symmetric InfoNCE, see
`aion_encoder.contrastive`):

- a Legacy Survey picture that of HSC, either of them turned, mirrored and shifted at random;
- a picture its own turned twin;
- an SDSS spectrum that of DESI;
- a picture the spectrum, and a Gaia spectrum both, in a space of their own (a linear map for each
  modality): what modalities share must be in the vectors, but it does not have to be all that is
  in them. The maps are kept as bridges, see `aion_encoder.bridges`.

Sources are told apart by anything, brightness above all, so that neighbours need not be alike in
what matters most. Therefore the catalogue has a say as well: sources of one spectral class and of
like redshift should be the nearer ones. With d = log10(1 + z) of two sources, the share that a
source should have among the neighbours of another is

    p = exp(-abs(d1 - d2) / 0.02) for the same class, 0 otherwise, over their sum

and the loss is the cross-entropy with the softmax of scaled cosines. Class and redshift are asked
for while training only; the vectors never see them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from aion_encoder.contrastive import FIRST_SCALE, LARGEST_SCALE, info_nce
from aion_encoder.heads import LinearHead
from aion_encoder.learned_pooling import LearnedPooling, PoolingShape
from aion_encoder.training.course import Course, decayed
from aion_encoder.training.directions import cell_directions, usual
from aion_encoder.training.features import MODALITY, TURNED, VIEWS, Features

__all__ = ["LOOKED_AT", "PoolingRecipe", "alike", "train_pooling"]

PICTURES, SPECTRA, GAIA = ("legacysurvey", "hsc"), ("sdss", "desi"), "gaia"

LIKE_REDSHIFT = 0.02
"""In log10(1 + z): sources that differ by this much are e times less alike."""

FIRST_PHYSICS_SCALE, LARGEST_PHYSICS_SCALE = 10.0, 50.0

LOOKED_AT = 2000
"""Sources from which directions are taken."""


@dataclass(frozen=True)
class PoolingRecipe:
    """How long and how a pooling is trained."""

    width: Mapping[str, int] = field(default_factory=lambda: dict(PoolingShape().width))
    hidden: Mapping[str, int] = field(default_factory=lambda: dict(PoolingShape().hidden))
    """Sizes, see `PoolingShape`."""
    steps: int = 4000
    minutes: float | None = 30.0
    """Time after which training ends although steps are left; the rate falls accordingly."""
    batch: int = 768
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    dropout: float = 0.2
    warm_up: float = 0.03
    bridge: int = 128
    """Dimensions of the space in which modalities meet while training."""
    across: float = 1.0
    """Weight of pictures and spectra."""
    xp: float = 0.3
    """Weight of Gaia spectra, with pictures and with spectra; every third step."""
    physics: float = 1.0
    """Weight of class and redshift; 0 for a pooling that no label had a part in."""

    @property
    def shape(self) -> PoolingShape:
        """Sizes of the pooling."""
        return PoolingShape(width=self.width, hidden=self.hidden)


def alike(
    redshift: Float[Tensor, " batch"], same_class: Float[Tensor, "batch batch"]
) -> Float[Tensor, "batch batch"]:
    """Return the share that each source should have among the neighbours of another; see above.

    A source is no neighbour of itself. One that is alone in its class has no neighbours: zeros.
    """
    depth = torch.log10(1.0 + redshift.clamp_min(0.0))
    near = torch.exp(-(depth[:, None] - depth[None, :]).abs() / LIKE_REDSHIFT) * same_class
    near = near.masked_fill(_itself(near), 0.0)
    return near / near.sum(dim=1, keepdim=True).clamp_min(1e-9)


def _itself(square: Tensor) -> Tensor:
    return torch.eye(len(square), dtype=torch.bool, device=square.device)


class _Views:
    """Gives the vectors of sources, as a survey sees them.

    The directions of all pools are set first; what cells are along them is kept for every source.
    """

    def __init__(
        self,
        pooling: LearnedPooling,
        features: Features,
        fluxes: Mapping[str, Float32[np.ndarray, "m cells fluxes"]] | None,
        dropout: float,
        device: str,
    ) -> None:
        self._pooling, self._dropout = pooling, dropout
        for modality in sorted(set(MODALITY.values())):
            _direct(pooling.pools[modality], modality, features, fluxes or {})
        pooling.to(device)
        self._projected = {}
        for view in VIEWS:
            pool: Any = pooling.pools[MODALITY[view.removesuffix(TURNED)]]
            with torch.inference_mode():
                self._projected[view] = torch.cat(
                    [
                        pool.project(torch.from_numpy(cells).to(device).float())
                        for cells in features.cells(view)
                    ]
                )

    def look(self, view: str, rows: Tensor) -> Float32[Tensor, "batch dim"]:
        """Return the vectors of some sources in one of the ways in which they are seen."""
        pool: Any = self._pooling.pools[MODALITY[view.removesuffix(TURNED)]]
        vectors: Tensor = pool.join(self._projected[view][rows], self._dropout)
        return vectors


@torch.no_grad()
def _direct(
    pool: Any,
    modality: str,
    features: Features,
    fluxes: Mapping[str, Float32[np.ndarray, "m cells fluxes"]],
) -> None:
    """Set the directions of a pool, and what is usual along them."""
    surveys = [survey for survey, kind in MODALITY.items() if kind == modality]
    told = [fluxes[survey] for survey in surveys if survey in fluxes]
    cells = [features.first_cells(survey, LOOKED_AT) for survey in surveys]
    directions = cell_directions(
        cells, told or None, pool.directions.shape[1], first_apart=modality == "spectrum"
    )
    mean, spread = usual(np.concatenate([each @ directions for each in cells]))
    for buffer, values in ((pool.directions, directions), (pool.mean, mean), (pool.spread, spread)):
        buffer.copy_(torch.from_numpy(values))


class _Agreement(nn.Module):
    """The losses of a batch, and what is learned only to compute them."""

    def __init__(self, dim: int, recipe: PoolingRecipe, features: Features) -> None:
        super().__init__()
        self._recipe = recipe
        self._redshift: Tensor
        self._classes: Tensor
        redshift = torch.from_numpy(features.redshift.astype(np.float32))
        classes = np.unique(features.spectral_class, return_inverse=True)[1]
        self.register_buffer("_redshift", redshift, persistent=False)
        self.register_buffer("_classes", torch.from_numpy(classes), persistent=False)
        modalities = sorted(set(MODALITY.values()))
        self.bridges = nn.ModuleDict(
            {modality: nn.Linear(dim, recipe.bridge, bias=False) for modality in modalities}
        )
        self.log_scale = nn.ParameterDict(
            {
                name: nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))
                for name in ("image", "spectrum", "turned", "across", "gaia")
            }
        )
        self.physics_scale = nn.ParameterDict(
            {
                modality: nn.Parameter(torch.tensor(math.log(FIRST_PHYSICS_SCALE)))
                for modality in modalities
            }
        )

    def _source(self, name: str, one: Tensor, other: Tensor, rows: Tensor) -> Tensor:
        scale = self.log_scale[name].exp().clamp(max=LARGEST_SCALE)
        return info_nce(one, other, scale, rows)

    def _physics(self, modality: str, one: Tensor, other: Tensor, rows: Tensor) -> Tensor:
        classes = self._classes[rows]
        same = (classes[:, None] == classes[None, :]).float()
        wanted = alike(self._redshift[rows], same)
        scale = self.physics_scale[modality].exp().clamp(max=LARGEST_PHYSICS_SCALE)
        logits = scale * (one @ other.T)
        logits = logits.masked_fill(_itself(logits), -1e9)
        cross_entropy: Tensor = -(wanted * logits.log_softmax(dim=1)).sum(dim=1).mean()
        return cross_entropy

    def heads(self) -> dict[str, LinearHead]:
        """Return the linear maps by which modalities met."""
        return {
            modality: LinearHead(
                mean=np.zeros(each.in_features, np.float32),
                projection=each.weight.detach().cpu().numpy().T,
                # They were learned, not fitted: no direction has a correlation of its own.
                correlations=np.ones(each.out_features, np.float32),
            )
            for modality, each in self.bridges.items()
            if isinstance(each, nn.Linear)
        }

    def _met(self, modality: str, vectors: Tensor) -> Tensor:
        met: Tensor = nn.functional.normalize(self.bridges[modality](vectors), dim=1)
        return met

    def forward(
        self, views: _Views, rows: Tensor, step: int, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Return the weighted losses of a batch by name."""
        recipe = self._recipe
        shown = {name: name + TURNED * int(rng.integers(2)) for name in PICTURES}
        seen = {name: views.look(shown.get(name, name), rows) for name in (*PICTURES, *SPECTRA)}
        legacy, hsc = (seen[name] for name in PICTURES)
        sdss, desi = (seen[name] for name in SPECTRA)
        losses = {
            "image": self._source("image", legacy, hsc, rows),
            "spectrum": self._source("spectrum", sdss, desi, rows),
        }
        picture = self._met("image", seen[PICTURES[int(rng.integers(2))]])
        spectrum = self._met("spectrum", seen[SPECTRA[int(rng.integers(2))]])
        losses["across"] = recipe.across * self._source("across", picture, spectrum, rows)
        if recipe.physics:
            losses["image physics"] = recipe.physics * self._physics("image", legacy, hsc, rows)
            losses["spectrum physics"] = recipe.physics * self._physics(
                "spectrum", sdss, desi, rows
            )
        if step % 3 == 0:
            gaia = views.look(GAIA, rows)
            met = self._met("xp", gaia)
            both = [self._source("gaia", met, other, rows) for other in (picture, spectrum)]
            losses["gaia"] = 3 * recipe.xp * torch.stack(both).mean()
            if recipe.physics:
                losses["gaia physics"] = recipe.physics * self._physics("xp", gaia, gaia, rows)
        if step % 2 == 0:
            name = PICTURES[int(rng.integers(2))]
            twin = name if shown[name].endswith(TURNED) else name + TURNED
            losses["turned"] = self._source("turned", seen[name], views.look(twin, rows), rows)
        return losses


def train_pooling(
    dim: int,
    features: Features,
    recipe: PoolingRecipe,
    *,
    seed: int,
    fluxes: Mapping[str, Float32[np.ndarray, "m cells fluxes"]] | None = None,
    state_path: Path | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LearnedPooling, dict[str, LinearHead], list[dict[str, Any]]]:
    """Train a learned pooling; resumes from its saved state.

    Parameters
    ----------
    dim
        Width of the encoder.
    features
        The cells of the training sources, and their catalogue.
    recipe
        Sizes, length, weights and rates.
    seed
        Of the batches and the initial weights.
    fluxes
        What the cells of the first sources should tell in each survey of pictures and spectra,
        ``features.first_fluxes(LOOKED_AT)``; None for principal directions alone.
    state_path
        Where weights, optimizer and log are kept, every 200 steps.
    device
        Where it is trained; what all cells are along the directions has to fit there.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    The pooling in evaluation mode, on the CPU, the linear maps by which modalities met, and the
    losses logged on the way.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pooling = LearnedPooling(dim, recipe.shape)
    agreement = _Agreement(dim, recipe, features).to(device)
    views = _Views(pooling, features, fluxes, recipe.dropout, device)
    learned = [*pooling.parameters(), *agreement.parameters()]
    optimizer = torch.optim.AdamW(
        decayed(learned),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    modules = {"pooling": pooling, "agreement": agreement}
    course = Course("pooling", recipe, optimizer, modules, state_path, progress)
    if course.first:
        rng = np.random.default_rng([seed, course.first])
    for step in course.steps():
        size = min(recipe.batch, len(features))
        # In the order in which they lie in memory; a loss does not know about order.
        rows = np.sort(rng.choice(len(features), size, replace=False))
        losses = agreement(views, torch.from_numpy(rows).to(device), step, rng)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        course.note({name: float(loss.detach()) for name, loss in losses.items()})
    return pooling.eval().requires_grad_(False).to("cpu"), agreement.heads(), course.log
