"""What is searched in a measurement: some objects of an index, numbered through."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from indexer.errors import SearchError
from indexer.index_file import Index
from indexer.labelled import Place
from indexer.links import unit_sphere
from indexer.sky_parts import sources_of
from indexer.spaces import to_unit

__all__ = ["EXCLUDED_ARCSEC", "Pool", "left_out", "pool_of"]

EXCLUDED_ARCSEC = 2.0
"""Objects so near to a query are the query, as far as a measurement goes."""

_ARCSEC = np.pi / 180.0 / 3600.0


@dataclass(frozen=True, eq=False)
class Pool:
    """Objects with a vector in one space; their numbers follow releases, then rows.

    Attributes
    ----------
    index, space, modality
        Which vectors.
    rows
        Per release, ascending rows; no release is empty.
    """

    index: Index
    space: str
    modality: str
    rows: Mapping[str, Int64[np.ndarray, " n"]]

    def __len__(self) -> int:
        return sum(len(each) for each in self.rows.values())

    @property
    def releases(self) -> tuple[str, ...]:
        """Releases of the objects."""
        return tuple(self.rows)

    @cached_property
    def starts(self) -> Mapping[str, int]:
        """Number of the first object of every release."""
        ends = np.cumsum([len(each) for each in self.rows.values()]).tolist()
        return dict(zip(self.rows, [0, *ends], strict=False))

    def flat(self, values: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        """Return one value an object, of values that are given per release and row."""
        return np.concatenate([values[name][rows] for name, rows in self.rows.items()])

    def _column(self, name: str) -> np.ndarray[Any, Any]:
        return np.concatenate(
            [
                np.asarray(self.index.segment(release).column(name))[rows]
                for release, rows in self.rows.items()
            ]
        )

    @cached_property
    def healpix_29(self) -> Int64[np.ndarray, " n"]:
        """Cell of order 29 (nested) of every object; -1 without a position."""
        return self._column("healpix_29").astype(np.int64)

    @cached_property
    def points(self) -> Float64[np.ndarray, "n 3"]:
        """Place of every object on the unit sphere; NaN without a position."""
        ra_deg, dec_deg = (self._column(name).astype(np.float64) for name in ("ra_deg", "dec_deg"))
        return unit_sphere(ra_deg, dec_deg)

    @cached_property
    def sources(self) -> Int64[np.ndarray, " n"]:
        """Number of the source of every object, the same in all pools of an index."""
        return self.flat(sources_of(self.index)).astype(np.int64)

    @cached_property
    def release_numbers(self) -> Int64[np.ndarray, " n"]:
        """Which release every object belongs to, by its place in `releases`."""
        lengths = [len(each) for each in self.rows.values()]
        return np.repeat(np.arange(len(lengths)), lengths)

    def vectors(self, numbers: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m dim"]:
        """Return vectors, of unit length again."""
        numbers = np.asarray(numbers, np.int64)
        found: np.ndarray[Any, Any] | None = None
        for name, rows in self.rows.items():
            start = self.starts[name]
            mine = np.flatnonzero((numbers >= start) & (numbers < start + len(rows)))
            having, stored = self.index.segment(name).vectors(self.space, self.modality)
            if found is None:
                found = np.zeros((len(numbers), stored.shape[1]))
            places = np.searchsorted(having, rows[numbers[mine] - start])
            found[mine] = stored[places]
        if found is None:
            raise SearchError("a pool without objects has no vectors")
        return np.asarray(to_unit(found), np.float32)

    def keys(self, numbers: Int64[np.ndarray, " m"]) -> list[str]:
        """Return the keys of objects."""
        return [
            f"{name}:{self.index.segment(name).object_id(row)}"
            for name, row in self.places(numbers)
        ]

    def places(self, numbers: Int64[np.ndarray, " m"]) -> list[Place]:
        """Return release and row of objects."""
        places = []
        for number in np.asarray(numbers, np.int64).tolist():
            name = self.releases[int(self.release_numbers[number])]
            places.append((name, int(self.rows[name][number - self.starts[name]])))
        return places

    def only(self, kept: Bool[np.ndarray, " n"]) -> "Pool":
        """Return the pool of some of the objects; they are numbered anew."""
        rows = {
            name: each[kept[self.starts[name] : self.starts[name] + len(each)]]
            for name, each in self.rows.items()
        }
        return Pool(
            self.index,
            self.space,
            self.modality,
            {name: each for name, each in rows.items() if len(each)},
        )


def pool_of(
    index: Index, modality: str, *, space: str | None = None, releases: Collection[str] = ()
) -> Pool:
    """Return the pool of all objects with a modality; it may be empty.

    Parameters
    ----------
    space
        By default the space of the modality.
    releases
        By default all.
    """
    space = space or modality
    rows = {}
    for name in index.releases:
        segment = index.segment(name)
        if (not releases or name in releases) and modality in segment.info.spaces.get(space, ()):
            having = segment.rows_in(space, modality)
            if len(having):
                rows[name] = having
    return Pool(index, space, modality, rows)


def left_out(
    pool: Pool, queries: Pool, numbers: Sequence[int] | Int64[np.ndarray, " q"], *, near: bool
) -> list[Int64[np.ndarray, " m"]]:
    """Return for each query what does not count among the objects of a pool.

    Parameters
    ----------
    queries, numbers
        The objects that ask.
    near
        Everything within 2 arcsec, and everything of the same source; else the object alone.
    """
    numbers = np.asarray(numbers, np.int64)
    if not near:
        return _themselves(pool, queries, numbers)
    from scipy.spatial import cKDTree

    placed = np.flatnonzero(np.isfinite(pool.points).all(axis=1))
    order = np.argsort(pool.sources, kind="stable")
    sorted_sources = pool.sources[order]
    asked = queries.sources[numbers]
    first, last = (np.searchsorted(sorted_sources, asked, side) for side in ("left", "right"))
    tree = cKDTree(pool.points[placed]) if len(placed) else None
    chord = 2.0 * np.sin(0.5 * EXCLUDED_ARCSEC * _ARCSEC)
    left = []
    for at, point in enumerate(queries.points[numbers]):
        same = order[first[at] : last[at]]
        close: np.ndarray[Any, Any] = np.empty(0, np.int64)
        if tree is not None and np.isfinite(point).all():
            close = placed[tree.query_ball_point(point, chord)]
        left.append(np.unique(np.concatenate([same, close])).astype(np.int64))
    return left


def _themselves(
    pool: Pool, queries: Pool, numbers: Int64[np.ndarray, " q"]
) -> list[Int64[np.ndarray, " m"]]:
    left = []
    for number in numbers.tolist():
        name = queries.releases[int(queries.release_numbers[number])]
        row = queries.rows[name][number - queries.starts[name]]
        there = pool.rows.get(name, np.empty(0, np.int64))
        at = int(np.searchsorted(there, row))
        found = at < len(there) and there[at] == row
        left.append(np.array([pool.starts[name] + at] if found else [], np.int64))
    return left
