"""Properties of a query from its labelled neighbours, or why there are none.

Neighbours are those in the query's own modality; what is known of their sources counts, so a
picture gets its redshift from pictures whose sources have a spectrum. The query's own source never
counts.
"""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from indexer.errors import QueryError
from indexer.estimates import (
    SHARE_68,
    SHARE_95,
    ClassEstimate,
    Errors,
    Estimate,
    NoEstimate,
    NumberEstimate,
    class_votes,
    effective_number,
    errors_of,
    neighbour_weights,
    spread_of,
    weighted_quantile,
)
from indexer.index_file import Index
from indexer.known_values import LabelSource, Values, is_known, known_values, property_names
from indexer.labelled import (
    LabelledNeighbours,
    Place,
    labelled_neighbours,
    labelled_rows,
)
from indexer.links import LINK_RADIUS_ARCSEC
from indexer.neighbours import key_of, vector_of
from indexer.queries import Query
from indexer.search import Searcher

__all__ = ["NEIGHBOURS", "PropertyReader"]

NEIGHBOURS = 16
"""Labelled sources that are asked: enough for a median, few enough to be alike."""

FEWEST_NEIGHBOURS = 5
FEWEST_LABELLED = 20
"""Labelled objects of a modality below which nothing can be said of "near enough"."""

FEWEST_FOR_INTERVALS = 100
"""Objects below which the tails of a 95 % interval rest on one or two of them."""

CALIBRATED_ON = 1_000
FARTHEST_PERCENTILE = 99.0
"""Farther than this percentage of the index's own labelled objects is too far."""

SPREAD_FLOOR = 0.05
"""Smallest spread of neighbours, in units of that of all labelled objects."""


@dataclass(frozen=True, eq=False)
class _Known:
    """A property in a modality: what is known, and how well it is read.

    Attributes
    ----------
    values
        Per release.
    rows
        Labelled rows that have the modality, per release.
    nearest
        Scores of labelled objects with their nearest labelled neighbour, ascending.
    errors
        Of a number; None of a class, and where there are too few.
    right
        Of a class, as in `ClassEstimate`; else NaN.
    """

    values: Values
    rows: dict[str, np.ndarray[Any, Any]]
    nearest: Float64[np.ndarray, " n"]
    errors: Errors | None = None
    right: float = float("nan")

    @property
    def labelled(self) -> int:
        return sum(len(rows) for rows in self.rows.values())

    @property
    def is_number(self) -> bool:
        return all(values.dtype.kind == "f" for values in self.values.values())


class PropertyReader:
    """Reads properties of queries from labelled neighbours; safe to use from several threads.

    The first query of a property in a modality measures how well it can be read, on at most
    `CALIBRATED_ON` labelled objects of the index; later ones take a few milliseconds.

    Parameters
    ----------
    searcher
        Of the index.
    labels
        Labels from elsewhere; the columns of the catalogue are always there.
    neighbours
        Labelled sources to ask.
    """

    def __init__(
        self, searcher: Searcher, labels: LabelSource | None = None, neighbours: int = NEIGHBOURS
    ) -> None:
        if neighbours < FEWEST_NEIGHBOURS:
            raise QueryError(
                f"properties need at least {FEWEST_NEIGHBOURS} neighbours, got {neighbours}"
            )
        self.searcher = searcher
        self.labels = labels
        self.neighbours = neighbours
        self._known: dict[tuple[str, str], _Known] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """What can be read: the columns of the catalogue, then the labels."""
        return property_names(self.labels)

    def read(self, query: Query, names: Sequence[str]) -> tuple[Estimate, ...]:
        """Return an estimate of each property, or a reason why there is none.

        Parameters
        ----------
        query
            Any query of the searcher.
        names
            Columns of the catalogue (see `indexer.known_values.CATALOGUE_VALUES`) or labels.

        Raises
        ------
        QueryError
            If nobody knows a property of that name.
        """
        modality = query.modality
        if modality not in self.searcher.index.info.spaces:
            reason = f"the index has no {modality} to compare with"
            return tuple(NoEstimate(name, reason) for name in names)
        if query.space:
            reason = f"properties are read in the space {modality!r}, and this is {query.answered}"
            return tuple(NoEstimate(name, reason) for name in names)
        vector = self.searcher.vector(query, modality)
        source = self.searcher.source(query)
        return tuple(self._read(vector, source, modality, name) for name in names)

    def _read(
        self,
        vector: Float32[np.ndarray, " dim"],
        source: Collection[Place],
        modality: str,
        name: str,
    ) -> Estimate:
        known = self._known_of(modality, name)
        if known.labelled < FEWEST_LABELLED:
            return NoEstimate(
                name,
                f"only {known.labelled} objects of this index that have the modality {modality} "
                f"have a known {name}; at least {FEWEST_LABELLED} are needed",
            )
        found = labelled_neighbours(
            self.searcher.index,
            vector[None],
            self.neighbours,
            modality=modality,
            rows=known.rows,
            leave_out=[source],
        )[0]
        if len(found) < FEWEST_NEIGHBOURS or not len(known.nearest):
            return NoEstimate(
                name,
                f"only {len(found)} other sources have a known {name}; at least "
                f"{FEWEST_NEIGHBOURS} are needed",
            )
        limit = float(np.percentile(known.nearest, 100.0 - FARTHEST_PERCENTILE))
        if found[0][0] < limit:
            return NoEstimate(
                name,
                f"no neighbour with a known {name} is near enough: the nearest scores "
                f"{found[0][0]:.3f}, and {FARTHEST_PERCENTILE:g} % of this index's own have one "
                f"above {limit:.3f}",
            )
        return self._estimate(name, known, found)

    def _estimate(self, name: str, known: _Known, found: LabelledNeighbours) -> Estimate:
        index = self.searcher.index
        weights = neighbour_weights(np.array([score for score, _ in found]))
        keys = tuple(key_of(index.segment(release), row) for _, (release, row) in found)
        if not known.is_number:
            classes = tuple(str(known.values[release][row]) for _, (release, row) in found)
            return ClassEstimate(
                name=name,
                probabilities=class_votes(classes, weights),
                right=known.right,
                effective_number=effective_number(weights),
                keys=keys,
                values=classes,
                weights=weights,
            )
        values = _numbers(known.values, found)
        median = float(weighted_quantile(values, weights, (0.5,))[0])
        if known.errors is None:
            ends = weighted_quantile(values, weights, (0.16, 0.84, 0.025, 0.975)).tolist()
            inner, outer = (ends[0], ends[1]), (ends[2], ends[3])
        else:
            spread = spread_of(values, weights)
            inner = known.errors.interval(median, spread, SHARE_68)
            outer = known.errors.interval(median, spread, SHARE_95)
        return NumberEstimate(
            name=name,
            median=median,
            interval_68=inner,
            interval_95=outer,
            calibrated=known.errors is not None,
            effective_number=effective_number(weights),
            keys=keys,
            values=values,
            weights=weights,
            coverage=(nan, nan) if known.errors is None else known.errors.coverage,
        )

    def _known_of(self, modality: str, name: str) -> _Known:
        with self._lock:
            if (modality, name) not in self._known:
                self._known[modality, name] = self._measured(modality, name)
            return self._known[modality, name]

    def _measured(self, modality: str, name: str) -> _Known:
        """Read the property of labelled objects as if they were queries."""
        index = self.searcher.index
        values = known_values(index, name, self.labels)
        rows = labelled_rows(
            index, modality, {release: is_known(each) for release, each in values.items()}
        )
        known = _Known(values, rows, np.empty(0))
        if known.labelled < FEWEST_LABELLED:
            return known
        places = _evenly(rows, CALIBRATED_ON)
        found = labelled_neighbours(
            index,
            np.stack([_stored(index, modality, place) for place in places]),
            self.neighbours,
            modality=modality,
            rows=rows,
            leave_out=[_own(index, place) for place in places],
        )
        enough = [at for at, each in enumerate(found) if len(each) >= FEWEST_NEIGHBOURS]
        nearest = np.sort([found[at][0][0] for at in enough])
        truth = [values[release][row] for release, row in (places[at] for at in enough)]
        voters = [found[at] for at in enough]
        if known.is_number:
            errors = _errors(values, voters, truth)
            if errors is not None:
                all_known = np.concatenate([values[release][rows[release]] for release in rows])
                errors = replace(errors, between=(float(all_known.min()), float(all_known.max())))
            return _Known(values, rows, nearest, errors)
        return _Known(values, rows, nearest, right=_share_right(values, voters, truth))


def _evenly(rows: dict[str, np.ndarray[Any, Any]], count: int) -> list[Place]:
    """Pick objects evenly out of all releases, in the order of names and rows."""
    places = [(release, rows[release]) for release in sorted(rows)]
    ends = np.cumsum([len(each) for _, each in places])
    total = int(ends[-1])
    chosen = np.unique(np.linspace(0, total - 1, min(count, total)).astype(np.int64))
    picked = []
    for number in chosen.tolist():
        at = int(np.searchsorted(ends, number, side="right"))
        release, its_rows = places[at]
        picked.append((release, int(its_rows[number - (int(ends[at]) - len(its_rows))])))
    return picked


def _stored(index: Index, modality: str, place: Place) -> Float32[np.ndarray, " dim"]:
    vector = vector_of(index.segment(place[0]), modality, modality, place[1])
    assert vector is not None
    return vector


def _own(index: Index, place: Place) -> frozenset[Place]:
    """Return what is the same source: repeated observations in its release, and their links."""
    segment = index.segment(place[0])
    ra_deg, dec_deg = (float(segment.column(name)[place[1]]) for name in ("ra_deg", "dec_deg"))
    own = {place[1]}
    if np.isfinite(ra_deg) and np.isfinite(dec_deg):
        own |= set(segment.cone(ra_deg, dec_deg, LINK_RADIUS_ARCSEC)[0].tolist())
    return frozenset().union(*(index.links.source(place[0], row) for row in own))


def _numbers(values: Values, found: LabelledNeighbours) -> Float64[np.ndarray, " n"]:
    return np.array([values[release][row] for _, (release, row) in found], dtype=np.float64)


def _errors(
    values: Values, voters: Sequence[LabelledNeighbours], truth: Sequence[float]
) -> Errors | None:
    if len(truth) < FEWEST_FOR_INTERVALS:
        return None
    every = np.asarray(truth, dtype=np.float64)
    scatter = spread_of(every, np.ones(len(every))) or float(every.std())
    # Where all truths are alike every error is 0, on any scale.
    floor = SPREAD_FLOOR * scatter or 1.0
    errors, spreads = [], []
    for found, true in zip(voters, every.tolist(), strict=True):
        weights = neighbour_weights(np.array([score for score, _ in found]))
        near = _numbers(values, found)
        median = float(weighted_quantile(near, weights, (0.5,))[0])
        errors.append(true - median)
        spreads.append(spread_of(near, weights))
    return errors_of(np.array(errors), np.array(spreads), floor)


def _share_right(
    values: Values, voters: Sequence[LabelledNeighbours], truth: Sequence[str]
) -> float:
    right = []
    for found, true in zip(voters, truth, strict=True):
        weights = neighbour_weights(np.array([score for score, _ in found]))
        classes = [str(values[release][row]) for _, (release, row) in found]
        right.append(next(iter(class_votes(classes, weights))) == str(true))
    return float(np.mean(right)) if right else float("nan")
