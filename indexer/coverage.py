"""What an index holds: objects by cell of the sky, texts of a column, rejects by reason."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from indexer.hats_catalog import HEALPIX_ORDER
from indexer.index_file import Index
from indexer.segment import Segment

__all__ = ["COVERAGE_ORDER", "Coverage", "coverage", "rejects_by_reason", "texts_of"]

COVERAGE_ORDER = 5
"""Cells of 1.8 degrees: 12,288 on the whole sky."""


_ROWS_LOOKED_AT = 20_000
_MEASURED = re.compile(r"^\d+(?:\.\d+)?|\d+\.\d+")
"""A number at the beginning, or one with decimals: those that limits are made of have none."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """Cells that hold objects, with how many.

    Attributes
    ----------
    cells
        Nested HEALPix indices, ascending.
    ra_deg, dec_deg
        Their centres.
    counts
        Objects in each.
    """

    cells: Int64[np.ndarray, " n"]
    ra_deg: Float64[np.ndarray, " n"]
    dec_deg: Float64[np.ndarray, " n"]
    counts: Int64[np.ndarray, " n"]


def coverage(index: Index, releases: Sequence[str] = (), order: int = COVERAGE_ORDER) -> Coverage:
    """Count the objects of some releases, by default of all, by cells of the sky.

    Rows lie in the order of their cells, so that edges are looked up and no row is read: it takes
    as long for a hundred million objects as for a thousand.
    """
    # Imported here because it brings astropy along.
    from cdshealpix.nested import healpix_to_lonlat

    edges = np.arange((12 << 2 * order) + 1, dtype=np.int64) << 2 * (HEALPIX_ORDER - order)
    counts = np.zeros(len(edges) - 1, dtype=np.int64)
    for name in releases or index.releases:
        segment = index.segment(name)
        placed = segment.column("healpix_29")[: segment.info.placed]
        counts += np.diff(np.searchsorted(placed, edges))
    cells = np.flatnonzero(counts)
    lon, lat = healpix_to_lonlat(cells.astype(np.uint64), np.uint8(order))
    return Coverage(cells, np.asarray(lon.deg), np.asarray(lat.deg), counts[cells])


def texts_of(index: Index, column: str) -> list[str]:
    """Return texts of a column, sorted: those of the first 20,000 rows of each release.

    Enough to choose from, and quick in an index of any size; a rare text may be missing.
    """
    found: set[str] = set()
    for segment in index.segments.values():
        if column in segment.rows.schema.names:
            first = segment.rows.column(column).slice(0, _ROWS_LOOKED_AT)
            found |= {text for text in pc.unique(first).to_pylist() if text}
    return sorted(found)


def rejects_by_reason(segment: Segment) -> dict[str, int]:
    """Return how often each reason was given, the most frequent first.

    What a reason has measured of its own object is left out, so that equal reasons count as one.
    Where only a part of an object was refused, the reason says which.
    """
    table = segment.rejects.group_by(["reason", "modality"]).aggregate([([], "count_all")])
    found: Counter[str] = Counter()
    for row in table.to_pylist():
        reason = _MEASURED.sub("…", row["reason"])
        part = f" (its {row['modality']} only)" if row["modality"] else ""
        found[reason + part] += int(row["count_all"])
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
