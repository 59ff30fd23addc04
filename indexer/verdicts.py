"""The verdict: whether a query is like anything that the index holds.

A search always finds a nearest neighbour, however strange the query. How far it is, is compared
with how far the index's own objects are from theirs: the calibration keeps, per modality, the
scores of objects with their nearest neighbour that is another source.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Int64

from indexer.calibration import ANY_RELEASE, QUANTILES, Calibration, Side
from indexer.queries import plain_number
from indexer.vectors import Vectors, rerank

if TYPE_CHECKING:
    from indexer.ann import AnnIndex

__all__ = ["Filled", "Level", "Verdict", "nearest_scores", "unknown_verdict", "verdict"]

Level = Literal["in distribution", "unusual", "out of distribution", "unknown"]

UNUSUAL_PERCENTILE = 95.0
OUT_PERCENTILE = 99.0

SAMPLE = 2_000
"""Objects of each release behind the quantiles, evenly picked in the order of rows."""

_SPARE = 8
_BLOCK = 256


@dataclass(frozen=True)
class Verdict:
    """What is to be thought of a query.

    Attributes
    ----------
    level
        In a word.
    percentile
        Percentage of the index's own objects that have a nearer nearest neighbour; NaN where
        unknown.
    nearest, score
        Key of the query's nearest object that is another source, and its score; empty and NaN
        where there is none.
    text
        A sentence for a person.
    """

    level: Level
    percentile: float
    nearest: str
    score: float
    text: str

    def document(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "level": self.level,
            "percentile": plain_number(np.float32(round(self.percentile, 2))),
            "nearest": self.nearest,
            "score": plain_number(np.float32(self.score)),
            "text": self.text,
        }


def verdict(calibration: Calibration, side: Side, nearest: str, score: float) -> Verdict:
    """Judge a query by its nearest neighbour.

    Parameters
    ----------
    calibration
        Of the space of the query's modality.
    side
        Release and modality of the query; an unknown release counts as any.
    nearest, score
        Key and cosine of the nearest object that is not the query's own source.
    """
    release, modality = side
    names = (f"{release}:{modality}", f"{ANY_RELEASE}:{modality}")
    known = next((calibration.nearest[name] for name in names if name in calibration.nearest), None)
    if known is None:
        return unknown_verdict(
            "this index does not know how near its own objects are to each other, having too few "
            "of them or being built before that was kept",
            nearest,
            score,
        )
    share = float(np.interp(score, known, np.linspace(0.0, 100.0, len(known))))
    percentile = 100.0 - share
    level: Level = "in distribution"
    if percentile >= OUT_PERCENTILE:
        level = "out of distribution"
    elif percentile >= UNUSUAL_PERCENTILE:
        level = "unusual"
    meaning = {
        "in distribution": "it lies among what the index holds",
        "unusual": "few objects of the index lie so far apart",
        "out of distribution": "it is unlike what the index holds, and its neighbours may mean "
        "nothing",
    }[level]
    text = (
        f"{level}: {percentile:.1f} % of this index's own {_plural(modality)} have a nearer "
        f"neighbour than this one; {meaning}"
    )
    return Verdict(level, percentile, nearest, score, text)


def unknown_verdict(reason: str, nearest: str = "", score: float = float("nan")) -> Verdict:
    """Return the verdict that there is none, and why."""
    return Verdict("unknown", float("nan"), nearest, score, f"unknown: {reason}")


def _plural(modality: str) -> str:
    return {"image": "images", "spectrum": "spectra", "xp": "BP/RP spectra"}.get(modality, modality)


@dataclass(frozen=True, eq=False)
class Filled:
    """The vectors of one release and modality in a space, and their FAISS index.

    Attributes
    ----------
    rows
        Row of each vector, ascending; None if every row has one.
    vectors
        Unit vectors.
    ann
        The FAISS index over them.
    """

    rows: Int64[np.ndarray, " n"] | None
    vectors: Vectors
    ann: "AnnIndex"


def nearest_scores(
    sides: Mapping[Side, Filled],
    partners: Callable[[str, Int64[np.ndarray, " n"], str], Int64[np.ndarray, " n"]],
) -> dict[str, tuple[float, ...]]:
    """Return quantiles of the scores of objects with their nearest neighbour.

    Parameters
    ----------
    sides
        All vectors of a space.
    partners
        Release, rows and another release to the rows there that are the same sources, or -1;
        these do not count as neighbours, nor does the object itself.

    Returns
    -------
    1,001 ascending scores by ``release:modality``, and by ``*:modality`` of all releases together,
    each object counting once; releases of which no object has a neighbour are left out.
    """
    scores: dict[Side, np.ndarray[Any, Any]] = {}
    for (release, modality), filled in sorted(sides.items()):
        count = len(filled.vectors)
        chosen = np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.int64))
        best = np.full(len(chosen), -np.inf)
        for (other, its_modality), target in sorted(sides.items()):
            if its_modality != modality or not len(target.vectors):
                continue
            rows = chosen if filled.rows is None else filled.rows[chosen]
            same = rows if other == release else partners(release, rows, other)
            for start in range(0, len(chosen), _BLOCK):
                block = slice(start, start + _BLOCK)
                queries = filled.vectors[chosen[block]].astype(np.float32)
                found = _best_other(target, queries, same[block])
                best[block] = np.maximum(best[block], found)
        if np.isfinite(best).any():
            scores[release, modality] = best[np.isfinite(best)]
    quantiles = {f"{release}:{modality}": _kept(of) for (release, modality), of in scores.items()}
    for modality in sorted({modality for _, modality in scores}):
        mine = {release: of for (release, kind), of in scores.items() if kind == modality}
        quantiles[f"{ANY_RELEASE}:{modality}"] = _pooled(
            list(mine.values()), [len(sides[release, modality].vectors) for release in mine]
        )
    return quantiles


def _best_other(
    target: Filled, queries: np.ndarray[Any, Any], same: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the best exact score of each query with a row that is not `same`."""
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    _, candidates, counts = target.ann.search(
        unit.astype(np.float32), target.ann.recipe.candidates(2) + _SPARE
    )
    scores, rows, counts = rerank(
        target.vectors, unit.astype(np.float32), candidates, counts, 2, rows=target.rows
    )
    there = np.arange(scores.shape[1])[None, :] < counts[:, None]
    other = np.where(there & (rows != same[:, None]), scores, -np.inf)
    return np.asarray(np.minimum(other.max(axis=1), 1.0), dtype=np.float64)


def _kept(scores: np.ndarray[Any, Any]) -> tuple[float, ...]:
    values = np.quantile(scores, np.linspace(0.0, 1.0, QUANTILES))
    return tuple(np.round(values, 6).tolist())


def _pooled(samples: Sequence[np.ndarray[Any, Any]], sizes: Sequence[int]) -> tuple[float, ...]:
    """Return quantiles over all objects: a sample stands for as many as its release has."""
    values = np.concatenate(samples)
    weights = np.concatenate(
        [np.full(len(of), size / len(of)) for of, size in zip(samples, sizes, strict=True)]
    )
    order = np.argsort(values, kind="stable")
    places = np.cumsum(weights[order]) - 0.5 * weights[order]
    wanted = np.linspace(places[0], places[-1], QUANTILES)
    return tuple(np.round(np.interp(wanted, places, values[order]), 6).tolist())
