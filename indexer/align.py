"""Alignment: heads that bring images, spectra and BP/RP coefficients into the space ``shared``.

Fitted on linked pairs, objects that are one source. Whole cells of the sky are held out: on one
part the kind of heads is chosen, on the other is measured what the chosen ones recover. Both
figures are written beside them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from aion_encoder.contrastive import Contrastive, Training, fit_contrastive
from aion_encoder.heads import (
    DIMENSIONS,
    EMPHASIS,
    RIDGE,
    LinearHead,
    fit_linear_into,
    fit_linear_moments,
)
from aion_encoder.pair_moments import PairMoments
from aion_encoder.residual_head import ResidualHead
from indexer.pairs import (
    ReleasePairs,
    Split,
    digest_of_pairs,
    held_out_cells,
    split_cells,
    thinned,
)
from indexer.partner_recall import RECALL_AT, Gallery, galleries, mean_recall, recalls
from indexer.progress import Progress, silent
from indexer.spaces import to_unit

__all__ = [
    "ALIGNED_MODALITIES",
    "LEAST_PAIRS",
    "PAIRS_AT_MOST",
    "Aligned",
    "fit_heads",
    "held_out_cells",
]

ALIGNED_MODALITIES = ("image", "spectrum", "xp")

LEAST_PAIRS = 100
"""Linked pairs below which nothing is fitted."""

PAIRS_AT_MOST = 200_000

RESIDUAL_DIMENSIONS = 256
LEAST_RESIDUAL_PAIRS = 1000
"""Training pairs below which residual heads are not tried: they have half a million numbers."""

Heads = Mapping[str, LinearHead | ResidualHead]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Heads, and what is known about them.

    Attributes
    ----------
    heads
        By modality.
    facts
        What JSON can hold: method, pairs, split, seed, and recall on validation and test cells.
    left_out
        Modalities that have pairs too few, and the reason in a sentence.
    """

    heads: Heads
    facts: Mapping[str, Any]
    left_out: Mapping[str, str]


def fit_heads(
    pairs: Sequence[ReleasePairs],
    modalities: Sequence[str] = ALIGNED_MODALITIES,
    *,
    brought: Mapping[str, LinearHead] | None = None,
    pairs_at_most: int = PAIRS_AT_MOST,
    seed: int = 0,
    training: Training | None = None,
    progress: Progress = silent,
) -> Aligned | str:
    """Fit heads to linked pairs, and choose between linear and residual ones.

    Heads that the encoder brought, learned on other pairs, are a third choice; residual ones are
    begun at whichever linear ones recover more on the validation cells.

    The first two modalities (in their order) that share enough pairs span the space; the others
    join it where they share enough pairs with these.

    Parameters
    ----------
    pairs
        From `gather_pairs`.
    modalities
        Those that the index has, in the order of `ALIGNED_MODALITIES`.
    brought
        Heads of the encoder by modality; used if it has them for all that are aligned.
    pairs_at_most
        More are passed over, evenly.
    seed
        Of the training of residual heads and of the intervals; the split does not depend on it.
    training
        How residual heads are trained.
    progress
        Called with the pairs that training used and how many it will use at most.

    Returns
    -------
    The heads, or the reason why there are none.
    """
    pairs = thinned(pairs, pairs_at_most)
    anchor = _anchor(pairs, modalities)
    if anchor is None:
        most = max((_count(pairs, {a, b}) for a, b in combinations(modalities, 2)), default=0)
        return (
            f"modalities are not aligned: at least {LEAST_PAIRS} linked pairs are needed, "
            f"there are {most}"
        )
    sides, left_out = _sides(pairs, modalities, anchor)
    pairs = [each for each in pairs if set(each.modalities) <= set(sides)]
    split = split_cells(np.concatenate([each.healpix_29 for each in pairs]))
    fit, validation, test = (
        [each.only(split.parts(each.healpix_29) == part) for each in pairs] for part in range(3)
    )
    linear = _linear(fit, sides, DIMENSIONS)
    known, judged = galleries(validation), galleries(test)
    chosen: Heads = linear
    figures: dict[str, Any] = {"linear": recalls(linear, known, seed=seed)}
    start, origin = None, "fitted"
    if brought and known and set(sides) <= set(brought):
        given = {side: brought[side] for side in sides}
        figures["brought"] = recalls(given, known, seed=seed)
        if mean_recall(given, known) > mean_recall(linear, known):
            chosen, start, origin = given, given, "brought by the encoder"
    tried = _residual(fit, sides, known, start, seed, training, progress)
    if isinstance(tried, Contrastive):
        figures["residual"] = recalls(tried.heads, known, seed=seed)
        # At step 0 they are linear heads with more numbers.
        if tried.step > 0 and tried.score > mean_recall(chosen, known):
            chosen = tried.heads
    on_test = recalls(chosen, judged, seed=seed)
    facts = {
        "method": next(iter(chosen.values())).kind,
        "start": origin,
        "dimensions": next(iter(chosen.values())).dim,
        "pairs": sum(len(each) for each in fit),
        "validation_pairs": sum(len(each) for each in validation),
        "test_pairs": sum(len(each) for each in test),
        "seed": seed,
        "ridge": RIDGE,
        "emphasis": EMPHASIS,
        **{
            f"recall_at_{RECALL_AT}_{name}": values[f"recall_at_{RECALL_AT}"]
            for name, values in on_test.items()
        },
        "validation": figures,
        "test": on_test,
        "residual": _how(tried),
        "pairs_of_releases": {each.name: len(each) for each in fit},
        "pairs_sha256": digest_of_pairs(fit),
        "split": _split_facts(split, pairs),
    }
    return Aligned(chosen, facts, left_out)


def _count(pairs: Sequence[ReleasePairs], modalities: set[str]) -> int:
    return sum(len(each) for each in pairs if set(each.modalities) == modalities)


def _anchor(pairs: Sequence[ReleasePairs], modalities: Sequence[str]) -> tuple[str, str] | None:
    for a, b in combinations(modalities, 2):
        if _count(pairs, {a, b}) >= LEAST_PAIRS:
            return a, b
    return None


def _sides(
    pairs: Sequence[ReleasePairs], modalities: Sequence[str], anchor: tuple[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return the modalities that are aligned, those of the anchor first, and why others are not."""
    sides, left_out = list(anchor), {}
    for each in modalities:
        if each in anchor:
            continue
        count = sum(_count(pairs, {each, side}) for side in sides)
        if count >= LEAST_PAIRS:
            sides.append(each)
        else:
            left_out[each] = (
                f"{each} is not aligned: at least {LEAST_PAIRS} linked pairs with "
                f"{' or '.join(sides)} are needed, there are {count}"
            )
    return sides, left_out


def _linear(
    fit: Sequence[ReleasePairs], sides: Sequence[str], dimensions: int
) -> dict[str, LinearHead]:
    """Fit linear heads: the first two sides to each other, each further one to those before."""
    first, second, *further = sides
    moments = PairMoments()
    for each in fit:
        for x, y in each.blocks() if set(each.modalities) == {first, second} else ():
            moments.add(*((x, y) if each.modalities[0] == first else (y, x)))
    heads = dict(
        zip(
            (first, second),
            fit_linear_moments(
                moments,
                dimensions=min(dimensions, moments.mean_x.size, moments.mean_y.size),
                ridge=RIDGE,
                emphasis=EMPHASIS,
            ),
            strict=True,
        )
    )
    for side in further:
        moments = PairMoments()
        for each in fit:
            left, right = each.modalities
            if left == right or side not in each.modalities:
                continue
            partner = right if side == left else left
            if partner not in heads:
                continue
            for x, y in each.blocks():
                own, other = (x, y) if side == left else (y, x)
                moments.add(own, to_unit(heads[partner].apply(other)))
        heads[side] = fit_linear_into(moments, ridge=RIDGE)
    return heads


def _residual(
    fit: Sequence[ReleasePairs],
    sides: Sequence[str],
    known: Sequence[Gallery],
    start: Mapping[str, LinearHead] | None,
    seed: int,
    training: Training | None,
    progress: Progress,
) -> Contrastive | str:
    """Train residual heads, or say why they are not tried."""
    count = sum(len(each) for each in fit)
    if count < LEAST_RESIDUAL_PAIRS:
        return f"not tried: at least {LEAST_RESIDUAL_PAIRS} training pairs are needed, got {count}"
    if not known:
        return "not tried: too few validation pairs to choose by"
    return fit_contrastive(
        start or _linear(fit, sides, RESIDUAL_DIMENSIONS),
        [each.block() for each in fit if len(each) > 1],
        lambda heads: mean_recall(heads, known),
        seed=seed,
        training=training,
        progress=progress,
    )


def _how(tried: Contrastive | str) -> dict[str, Any] | str:
    if isinstance(tried, str):
        return tried
    return {"step": tried.step, "steps": tried.steps, "scale": round(tried.scale, 2)}


def _split_facts(split: Split, pairs: Sequence[ReleasePairs]) -> dict[str, Any]:
    """Say which cells served for what: their numbers, and a hash over the list."""
    positions = np.unique(np.concatenate([each.healpix_29 for each in pairs]))
    cells, first = np.unique(split.cells(positions), return_index=True)
    parts = split.parts(positions[first])
    listed = "".join(f"{c} {p}\n" for c, p in zip(cells.tolist(), parts.tolist(), strict=True))
    counts = np.bincount(parts, minlength=3).tolist()
    return {
        "healpix_order": split.order,
        "cells": dict(zip(("training", "validation", "test"), counts, strict=True)),
        "cells_sha256": hashlib.sha256(listed.encode()).hexdigest(),
    }
