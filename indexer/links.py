"""Links: which objects of different releases are one source on the sky.

Two objects are linked when they lie within 1 arcsec and each is the nearest to the other among
the objects of the other's release; equal separations are decided by object id.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from indexer.arrow_tables import map_table, numpy_column, write_arrow

__all__ = [
    "LINK_RADIUS_ARCSEC",
    "Links",
    "PairLinks",
    "Positions",
    "match",
    "read_links",
    "write_links",
]

LINK_RADIUS_ARCSEC = 1.0
_ARCSEC = np.pi / 180.0 / 3600.0
_DECIMALS = 6
"""Separations are compared in micro-arcseconds: below that, float64 positions are noise."""


@dataclass(frozen=True, eq=False)
class Positions:
    """Where the objects of a release are, in row order.

    Attributes
    ----------
    ra_deg, dec_deg
        NaN for an object without a position, which is linked to nothing.
    object_id
        Gives the id of a row.
    """

    ra_deg: Float64[np.ndarray, " n"]
    dec_deg: Float64[np.ndarray, " n"]
    object_id: Callable[[int], str]


def unit_sphere(
    ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "n 3"]:
    """Return Cartesian unit vectors of positions on the sky."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)


def match(
    a: Positions,
    b: Positions,
    radius_arcsec: float = LINK_RADIUS_ARCSEC,
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Link two releases.

    Parameters
    ----------
    a, b
        Positions of the objects of the two releases.

    Returns
    -------
    row_a, row_b, separation_arcsec
        Ascending in `row_a`; every row occurs once at most.
    """
    # Imported here: it takes longer than opening an index, which needs no tree.
    from scipy.spatial import cKDTree

    nothing = np.empty(0, dtype=np.int64)
    placed = [
        np.flatnonzero(np.isfinite(side.ra_deg) & np.isfinite(side.dec_deg)) for side in (a, b)
    ]
    if not len(placed[0]) or not len(placed[1]):
        return nothing, nothing, np.empty(0)
    trees = [
        cKDTree(unit_sphere(side.ra_deg[rows], side.dec_deg[rows]))
        for side, rows in zip((a, b), placed, strict=True)
    ]
    # The chord of an angle t on the unit sphere is 2 sin(t / 2).
    chord = 2.0 * np.sin(0.5 * radius_arcsec * _ARCSEC) * (1.0 + 1e-9)
    near = trees[0].sparse_distance_matrix(trees[1], chord, output_type="ndarray")
    row_a, row_b = placed[0][near["i"]], placed[1][near["j"]]
    separation = np.round(2.0 * np.arcsin(0.5 * near["v"]) / _ARCSEC, _DECIMALS)
    inside = separation <= radius_arcsec
    row_a, row_b, separation = row_a[inside], row_b[inside], separation[inside]
    ids_a = np.array([a.object_id(int(row)) for row in row_a], dtype=str)
    ids_b = np.array([b.object_id(int(row)) for row in row_b], dtype=str)
    mutual = _first_of(row_a, separation, ids_b) & _first_of(row_b, separation, ids_a)
    order = np.argsort(row_a[mutual], kind="stable")
    return (
        row_a[mutual][order].astype(np.int64),
        row_b[mutual][order].astype(np.int64),
        separation[mutual][order],
    )


def _first_of(
    rows: np.ndarray[Any, Any], separation: np.ndarray[Any, Any], other: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Mark, for each row, its candidate of smallest separation, then smallest id."""
    order = np.lexsort((other, separation, rows))
    first = np.zeros(len(rows), dtype=bool)
    if len(order):
        sorted_rows = rows[order]
        first[order] = np.concatenate([[True], sorted_rows[1:] != sorted_rows[:-1]])
    return first


@dataclass(frozen=True, eq=False)
class PairLinks:
    """Links between two releases, `releases` in alphabetical order.

    Attributes
    ----------
    row_a, row_b
        Rows that are one source; ascending in `row_a`.
    separation_arcsec
        Between the two.
    """

    releases: tuple[str, str]
    row_a: Int64[np.ndarray, " n"]
    row_b: Int64[np.ndarray, " n"]
    separation_arcsec: Any
    _by_b: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] = field(init=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.row_b, kind="stable")
        object.__setattr__(self, "_by_b", (self.row_b[order], self.row_a[order]))

    def partners(self, release: str, rows: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
        """Return the row of the other release that each row is linked to, or -1."""
        forward = release == self.releases[0]
        mine, other = (self.row_a, self.row_b) if forward else self._by_b
        rows = np.asarray(rows, dtype=np.int64)
        if not len(mine):
            return np.full(len(rows), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(mine, rows), len(mine) - 1)
        return np.where(mine[places] == rows, other[places], -1).astype(np.int64)


@dataclass(frozen=True)
class Links:
    """All links of an index."""

    pairs: Mapping[tuple[str, str], PairLinks]

    def between(self, release_a: str, release_b: str) -> PairLinks | None:
        """Return the links between two releases, given in any order; None if there are none."""
        return self.pairs.get((min(release_a, release_b), max(release_a, release_b)))

    def partners(
        self, release: str, rows: Int64[np.ndarray, " m"], to: str
    ) -> Int64[np.ndarray, " m"]:
        """Return the row of release `to` that is the same source as each row, or -1."""
        links = self.between(release, to)
        if links is None or release == to:
            return np.full(len(rows), -1, dtype=np.int64)
        return links.partners(release, rows)

    def source(self, release: str, row: int) -> tuple[tuple[str, int], ...]:
        """Return release and row of every object linked to this one, and this one itself.

        Only objects within 1 arcsec of this one count: links of links do not. Sorted by release.
        """
        found = [(release, int(row))]
        for a, b in self.pairs:
            if release in (a, b):
                other = b if release == a else a
                partner = int(self.partners(release, np.array([row]), other)[0])
                if partner >= 0:
                    found.append((other, partner))
        return tuple(sorted(found))


def write_links(path: Path, links: PairLinks) -> None:
    """Write the links of two releases."""
    table = pa.table(
        {
            "row_a": pa.array(links.row_a, pa.int64()),
            "row_b": pa.array(links.row_b, pa.int64()),
            "separation_arcsec": pa.array(links.separation_arcsec, pa.float32()),
        },
        metadata={"release_a": links.releases[0], "release_b": links.releases[1]},
    )
    write_arrow(table, path)


def read_links(path: Path, releases: tuple[str, str]) -> PairLinks:
    """Map the links of two releases."""
    table = map_table(path)
    return PairLinks(
        releases,
        numpy_column(table, "row_a"),
        numpy_column(table, "row_b"),
        numpy_column(table, "separation_arcsec"),
    )
