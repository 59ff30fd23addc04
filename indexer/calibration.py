"""Calibration: what a score is worth, against the scores of random pairs.

A cosine of 0.6 is much in one space and nothing in another. For every pair of releases in a
space, random pairs of their objects are scored and 1,001 quantiles kept; the percentile of a
score is the share of those pairs that score lower. Beside them stand the scores of objects with
their nearest neighbour, for `indexer.verdicts`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64
from pydantic import BaseModel, ConfigDict

from indexer.durable import write_json
from indexer.errors import IndexFormatError
from indexer.vectors import Vectors

__all__ = ["ANY_RELEASE", "Calibration", "Side", "calibrate", "read_calibration"]

ANY_RELEASE = "*"
"""Stands for the release of a query that is in none: an uploaded file."""

PAIRS = 20_000
QUANTILES = 1001
_SEED = 20260101

Side = tuple[str, str]
"""A release and a modality."""


class Calibration(BaseModel):
    """`calibration.json`.

    Attributes
    ----------
    space
        Name of the space.
    pairs
        Random pairs behind each list.
    quantiles
        1,001 ascending scores, by ``query release:modality>target release:modality``.
    nearest
        1,001 ascending scores of objects with their nearest neighbour of another source, by
        ``release:modality``; see `indexer.verdicts.nearest_scores`. Empty where it was not kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: str
    pairs: int
    quantiles: dict[str, tuple[float, ...]]
    nearest: dict[str, tuple[float, ...]] = {}

    def percentile(
        self, scores: Float32[np.ndarray, " n"], query: Side, target: Side
    ) -> Float64[np.ndarray, " n"]:
        """Return the share of random pairs below each score, in per cent.

        Parameters
        ----------
        scores
            Cosines of a query with objects of the target.
        query
            Release and modality of the query; a release that is unknown (an uploaded file) counts
            as `ANY_RELEASE`: pairs from every release of that modality.
        target
            Release and modality of the objects found.

        Returns
        -------
        NaN where there were too few objects to calibrate with.
        """
        known = self.quantiles.get(_name(query, target)) or self.quantiles.get(
            _name((ANY_RELEASE, query[1]), target)
        )
        if known is None:
            return np.full(len(scores), np.nan)
        return np.asarray(np.interp(scores, known, np.linspace(0.0, 100.0, len(known))))


def _name(query: Side, target: Side) -> str:
    return f"{query[0]}:{query[1]}>{target[0]}:{target[1]}"


def calibrate(
    space: str,
    vectors: Mapping[Side, Vectors],
    asking: Mapping[Side, Vectors] | None = None,
) -> Calibration:
    """Score random pairs of every two sides of a space.

    Parameters
    ----------
    vectors
        Unit vectors of the space per release and modality. An object is not paired with itself.
    asking
        The same of what asks there and is never found.
    """
    queries = {**vectors, **(asking or {})}
    quantiles: dict[str, tuple[float, ...]] = {}
    by_modality: dict[tuple[str, Side], list[np.ndarray[Any, Any]]] = {}
    for query in sorted(queries):
        for target in sorted(vectors):
            scores = _random_scores(queries[query], vectors[target], same=query == target)
            if len(scores):
                quantiles[_name(query, target)] = _quantiles(scores)
                by_modality.setdefault((query[1], target), []).append(scores)
    for (modality, target), scores_of_all in by_modality.items():
        pooled = np.concatenate(scores_of_all)
        quantiles[_name((ANY_RELEASE, modality), target)] = _quantiles(pooled)
    return Calibration(space=space, pairs=PAIRS, quantiles=quantiles)


def _random_scores(queries: Vectors, targets: Vectors, *, same: bool) -> np.ndarray[Any, Any]:
    if not len(queries) or not len(targets) or (same and len(targets) < 2):
        return np.empty(0, dtype=np.float32)
    rng = np.random.default_rng([_SEED, len(queries), len(targets)])
    left = rng.integers(len(queries), size=PAIRS)
    if same:
        right = (left + rng.integers(1, len(targets), size=PAIRS)) % len(targets)
    else:
        right = rng.integers(len(targets), size=PAIRS)
    pairs = queries[left].astype(np.float32), targets[right].astype(np.float32)
    return np.asarray(np.einsum("ij,ij->i", *pairs))


def _quantiles(scores: np.ndarray[Any, Any]) -> tuple[float, ...]:
    values = np.quantile(scores.astype(np.float64), np.linspace(0.0, 1.0, QUANTILES))
    return tuple(np.round(values, 6).tolist())


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write `calibration.json`."""
    write_json(path, calibration.model_dump(mode="json"))


def read_calibration(path: Path) -> Calibration:
    """Read `calibration.json`.

    Raises
    ------
    IndexFormatError
        If it is missing or damaged.
    """
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise IndexFormatError(f"{path} cannot be read ({error}); build the index again") from error
