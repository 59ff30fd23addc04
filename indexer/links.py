"""Links: which objects of different releases are one source on the sky.

Two objects are linked when they lie within 1 arcsec and each is the nearest to the other among
the objects of the other's release; equal separations are decided by object id, so that the answer
depends neither on the order of the rows nor on which release comes first. A link of a link is no
link: in a chain A - B - C, A and C are linked only if they satisfy all of this themselves.

Where one of the releases knows proper motions, its objects are taken to the epoch of the other
before they are compared; where both do, they meet half-way.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from indexer.arrow_tables import map_table, numpy_column, write_arrow
from indexer.proper_motion import DEFAULT_EPOCH_YR, Motions, moved

__all__ = [
    "LINK_RADIUS_ARCSEC",
    "LinkEpochs",
    "Links",
    "PairLinks",
    "Positions",
    "link_epochs",
    "match",
    "read_links",
    "separation_arcsec",
    "unit_sphere",
    "write_links",
]

LINK_RADIUS_ARCSEC = 1.0

BAND_OBJECTS = 2**21
"""Objects of two releases that are compared at a time: about 400 bytes each. Of all others, 8 bytes
are in memory."""

_SAMPLE = 100_000
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
    epoch_yr
        Julian year of the positions.
    motions
        Proper motions, None if the release has none.
    """

    ra_deg: Float64[np.ndarray, " n"]
    dec_deg: Float64[np.ndarray, " n"]
    object_id: Callable[[int], str]
    epoch_yr: float = DEFAULT_EPOCH_YR
    motions: Motions | None = None

    def at(
        self, rows: Int64[np.ndarray, " m"], epoch_yr: float | None
    ) -> Float64[np.ndarray, "m 3"]:
        """Return unit vectors of some objects, at an epoch if their motions are known."""
        if self.motions is None or epoch_yr is None:
            return unit_sphere(self.ra_deg[rows], self.dec_deg[rows])
        return moved(
            self.ra_deg[rows],
            self.dec_deg[rows],
            Motions(
                self.motions.pmra_mas_yr[rows],
                self.motions.pmdec_mas_yr[rows],
                self.motions.ref_epoch_yr[rows],
            ),
            release_epoch_yr=self.epoch_yr,
            to_epoch_yr=epoch_yr,
        )


@dataclass(frozen=True)
class LinkEpochs:
    """Epochs of two releases that were linked with proper motions, in Julian years.

    Attributes
    ----------
    a, b
        Of the positions of the two releases.
    compared
        At which they were compared.
    """

    a: float
    b: float
    compared: float


def link_epochs(a: Positions, b: Positions) -> LinkEpochs | None:
    """Return at which epoch two releases are compared; None if neither knows proper motions."""
    if a.motions is None and b.motions is None:
        return None
    if a.motions is None:
        compared = a.epoch_yr
    elif b.motions is None:
        compared = b.epoch_yr
    else:
        compared = 0.5 * (a.epoch_yr + b.epoch_yr)
    return LinkEpochs(a.epoch_yr, b.epoch_yr, compared)


def unit_sphere(
    ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "n 3"]:
    """Return Cartesian unit vectors of positions on the sky."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)


def separation_arcsec(
    ra_deg: Float64[np.ndarray, " n"],
    dec_deg: Float64[np.ndarray, " n"],
    other_ra_deg: Float64[np.ndarray, " n"],
    other_dec_deg: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, " n"]:
    """Return the angle between each two positions in arcseconds; NaN where one is unknown."""
    chords = np.linalg.norm(
        unit_sphere(ra_deg, dec_deg) - unit_sphere(other_ra_deg, other_dec_deg), axis=1
    )
    return np.asarray(2.0 * np.arcsin(np.minimum(0.5 * chords, 1.0)) / _ARCSEC)


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
    compared = _compared_at(a, b)
    heights = _heights(a, compared), _heights(b, compared)
    found = [
        _linked_in_band(a, b, heights, band, compared, radius_arcsec)
        for band in pairwise(_band_edges(heights))
    ]
    row_a, row_b, separation = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(row_a, kind="stable")
    return row_a[order].astype(np.int64), row_b[order].astype(np.int64), separation[order]


def _compared_at(a: Positions, b: Positions) -> float | None:
    epochs = link_epochs(a, b)
    return None if epochs is None else epochs.compared


def _heights(side: Positions, epoch_yr: float | None) -> Float64[np.ndarray, " n"]:
    """Return the third coordinate of every unit vector, NaN without a position."""
    heights = np.full(len(side.ra_deg), np.nan)
    for start in range(0, len(heights), BAND_OBJECTS):
        some = slice(start, start + BAND_OBJECTS)
        placed = np.isfinite(side.ra_deg[some]) & np.isfinite(side.dec_deg[some])
        rows = start + np.flatnonzero(placed)
        heights[rows] = side.at(rows, epoch_yr)[:, 2]
    return heights


def _band_edges(heights: Sequence[Float64[np.ndarray, " n"]]) -> list[float]:
    """Divide the sky into bands of declination with about `BAND_OBJECTS` objects each."""
    bands = -(-sum(map(len, heights)) // BAND_OBJECTS)
    sample = np.concatenate([each[:: max(1, len(each) // _SAMPLE)] for each in heights])
    sample = sample[np.isfinite(sample)]
    if not len(sample):
        return [-np.inf, np.inf]
    inner = np.quantile(sample, np.arange(1, bands) / bands)
    return [-np.inf, *np.unique(inner).tolist(), np.inf]


def _linked_in_band(
    a: Positions,
    b: Positions,
    heights: tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " m"]],
    band: tuple[float, float],
    compared: float | None,
    radius_arcsec: float,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the links of the objects of `a` in a band: rows and separations.

    Heights of two points differ by their chord at most. So what may be linked to these lies in the
    band or within a chord of it, and all rivals of these in `a` within two.
    """
    # Imported here: it takes longer than opening an index, which needs no tree.
    from scipy.spatial import cKDTree

    # The chord of an angle t on the unit sphere is 2 sin(t / 2).
    chord = 2.0 * np.sin(0.5 * radius_arcsec * _ARCSEC) * (1.0 + 1e-9)
    low, high = band
    rows = [
        np.flatnonzero((each >= low - margin) & (each <= high + margin))
        for each, margin in zip(heights, (2.01 * chord, 1.01 * chord), strict=True)
    ]
    if not len(rows[0]) or not len(rows[1]):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    trees = [cKDTree(side.at(of, compared)) for side, of in zip((a, b), rows, strict=True)]
    near = trees[0].sparse_distance_matrix(trees[1], chord, output_type="ndarray")
    row_a, row_b = rows[0][near["i"]], rows[1][near["j"]]
    separation = np.round(2.0 * np.arcsin(0.5 * near["v"]) / _ARCSEC, _DECIMALS)
    inside = separation <= radius_arcsec
    row_a, row_b, separation = row_a[inside], row_b[inside], separation[inside]
    ids_a = np.array([a.object_id(int(row)) for row in row_a], dtype=str)
    ids_b = np.array([b.object_id(int(row)) for row in row_b], dtype=str)
    mutual = _first_of(row_a, separation, ids_b) & _first_of(row_b, separation, ids_a)
    own = mutual & (heights[0][row_a] >= low) & (heights[0][row_a] < high)
    return row_a[own], row_b[own], separation[own]


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
    epochs
        At which they were compared; None if as they are catalogued.
    """

    releases: tuple[str, str]
    row_a: Int64[np.ndarray, " n"]
    row_b: Int64[np.ndarray, " n"]
    separation_arcsec: Any
    epochs: LinkEpochs | None = None

    @cached_property
    def _by_b(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        # When it is first asked for: the others are mapped, and these are 16 bytes a link.
        order = np.argsort(self.row_b, kind="stable")
        return self.row_b[order], self.row_a[order]

    def of(self, release: str) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
        """Return the linked rows of one of the two releases, ascending, and those of the other."""
        return (self.row_a, self.row_b) if release == self.releases[0] else self._by_b

    def partners(self, release: str, rows: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
        """Return the row of the other release that each row is linked to, or -1."""
        mine, other = self.of(release)
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
    metadata = {"release_a": links.releases[0], "release_b": links.releases[1]}
    if links.epochs is not None:
        metadata["epochs_yr"] = json.dumps(asdict(links.epochs), sort_keys=True)
    table = pa.table(
        {
            "row_a": pa.array(links.row_a, pa.int64()),
            "row_b": pa.array(links.row_b, pa.int64()),
            "separation_arcsec": pa.array(links.separation_arcsec, pa.float32()),
        },
        metadata=metadata,
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
        _epochs_of(table),
    )


def _epochs_of(table: pa.Table) -> LinkEpochs | None:
    text = (table.schema.metadata or {}).get(b"epochs_yr")
    return None if text is None else LinkEpochs(**json.loads(text))
