"""The objects of a segment: their row order, the columns that serving needs, look-ups.

Rows follow the nested HEALPix index of order 29, then the object id. Objects without a position
come last, by object id, with -1 for an index: they are in `rows.arrow`, but HATS cannot hold them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from indexer.arrow_tables import write_arrow, write_parquet
from indexer.hats_catalog import HEALPIX_COLUMN, HEALPIX_ORDER, write_hats
from indexer.layout import catalog_dir, keys_file, rows_file, unplaced_file
from indexer.proper_motion import motion_columns
from indexer.sky_regions import separation_arcsec

__all__ = ["SERVED_COLUMNS", "Ordered", "cone", "find_id", "healpix_of", "ordered", "write_catalog"]

SERVED_COLUMNS = pa.schema(
    [
        ("object_id", pa.large_string()),
        ("ra_deg", pa.float64()),
        ("dec_deg", pa.float64()),
        ("healpix_29", pa.int64()),
        ("redshift", pa.float32()),
        ("redshift_ok", pa.bool_()),
        ("magnitude", pa.float32()),
        ("object_class", pa.large_string()),
        ("modalities", pa.uint8()),
        ("source_file", pa.dictionary(pa.int32(), pa.string())),
        ("source_row", pa.int32()),
    ]
)
"""Columns of `rows.arrow`, in order. Unknown numbers are NaN, unknown texts are empty. Releases
with proper motions have those of `indexer.proper_motion` as well. Texts have offsets of 64 bits: a
hundred million ids of 20 bytes are more than 32 bits count. Older indexes have them with 32."""

_KEYS = pa.schema([("object_id", pa.large_string()), ("row", pa.int64())])

_CONE_CELLS_DEPTH = 12


def healpix_of(
    ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """Return nested HEALPix indices of order 29, or -1 where a position is missing."""
    # Imported here because it brings astropy along, and only building and cones need it.
    import astropy.units as u
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix.nested import lonlat_to_healpix

    indices = np.full(len(ra_deg), -1, dtype=np.int64)
    placed = np.isfinite(ra_deg) & np.isfinite(dec_deg)
    if placed.any():
        found = lonlat_to_healpix(
            Longitude(ra_deg[placed], u.deg),
            Latitude(dec_deg[placed], u.deg),
            np.uint8(HEALPIX_ORDER),
        )
        indices[placed] = found.astype(np.int64)
    return indices


@dataclass(frozen=True, eq=False)
class Ordered:
    """The objects of a release in row order.

    Attributes
    ----------
    table
        Every column of every object.
    origin
        For each row, where the object stood among those that were put in order.
    duplicates
        Objects that were left out because an earlier one has their id: where each stood, and
        where the earlier one stood.
    """

    table: pa.Table
    origin: Int64[np.ndarray, " n"]
    duplicates: tuple[tuple[int, int], ...]


def ordered(table: pa.Table) -> Ordered:
    """Put the objects of a release into row order, the first of each id.

    Parameters
    ----------
    table
        Objects as they were read, with at least ``object_id``, ``ra_deg`` and ``dec_deg``.
    """
    ids = table.column("object_id").to_pylist()
    first: dict[str, int] = {}
    duplicates: list[tuple[int, int]] = []
    for place, object_id in enumerate(ids):
        earlier = first.setdefault(object_id, place)
        if earlier != place:
            duplicates.append((place, earlier))
    kept = np.fromiter(first.values(), dtype=np.int64, count=len(first))
    table = table.take(kept)
    healpix = healpix_of(table.column("ra_deg").to_numpy(), table.column("dec_deg").to_numpy())
    table = table.append_column("healpix_29", pa.array(healpix, pa.int64()))
    last_if_unplaced = np.where(healpix < 0, np.iinfo(np.int64).max, healpix)
    keys = pa.table({"place": last_if_unplaced, "object_id": table.column("object_id")})
    order = pc.sort_indices(
        keys, sort_keys=[("place", "ascending"), ("object_id", "ascending")]
    ).to_numpy()
    return Ordered(table.take(order), kept[order], tuple(duplicates))


def write_catalog(root: Path, segment: str, release: str, rows: pa.Table, builder: str) -> int:
    """Write `rows.arrow`, `keys.arrow`, the HATS catalogue and what it cannot hold.

    Parameters
    ----------
    root
        Folder that the paths of `layout` are relative to.
    rows
        Every column of every object, in row order.

    Returns
    -------
    int
        Objects with a position.
    """
    served = rows.select(SERVED_COLUMNS.names).cast(SERVED_COLUMNS)
    for name, column in motion_columns(rows).items():
        served = served.append_column(name, column)
    write_arrow(served.unify_dictionaries(), root / rows_file(segment))
    by_id = pc.sort_indices(served.column("object_id"))
    keys = pa.table({"object_id": served.column("object_id").take(by_id), "row": by_id})
    write_arrow(keys.cast(_KEYS), root / keys_file(segment))
    placed = int(pc.sum(pc.greater_equal(rows.column("healpix_29"), 0)).as_py() or 0)
    everything = rows.rename_columns(
        [HEALPIX_COLUMN if name == "healpix_29" else name for name in rows.column_names]
    )
    everything = everything.add_column(0, "row", pa.array(np.arange(len(rows)), pa.int64()))
    if placed:
        write_hats(root / catalog_dir(segment), release, everything.slice(0, placed), builder)
    if placed < len(rows):
        write_parquet(everything.slice(placed), root / unplaced_file(segment))
    return placed


def find_id(sorted_ids: pa.ChunkedArray, object_id: str) -> int | None:
    """Return where an id stands among sorted ids, or None."""
    low, high = 0, len(sorted_ids)
    wanted = object_id.encode()
    while low < high:
        middle = (low + high) // 2
        # Arrow sorts text by its UTF-8 bytes.
        if sorted_ids[middle].as_py().encode() < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(sorted_ids) and sorted_ids[low].as_py() == object_id else None


def cone(
    healpix_29: Int64[np.ndarray, " n"],
    ra_deg: Float64[np.ndarray, " n"],
    dec_deg: Float64[np.ndarray, " n"],
    centre_deg: tuple[float, float],
    radius_arcsec: float,
) -> tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Find the objects around a position.

    Parameters
    ----------
    healpix_29, ra_deg, dec_deg
        Of the objects that have a position, in row order.
    centre_deg
        Right ascension and declination.

    Returns
    -------
    rows, separation_arcsec
        Nearest first, ties by row.
    """
    candidates: Sequence[np.ndarray[Any, Any]] = [
        np.arange(*np.searchsorted(healpix_29, [start, stop]))
        for start, stop in _cell_ranges(centre_deg, radius_arcsec)
    ]
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *candidates]).astype(np.int64))
    separation = separation_arcsec(ra_deg[rows], dec_deg[rows], centre_deg)
    inside = separation <= radius_arcsec
    rows, separation = rows[inside], separation[inside]
    order = np.lexsort((rows, separation))
    return rows[order], separation[order]


def _cell_ranges(centre_deg: tuple[float, float], radius_arcsec: float) -> list[tuple[int, int]]:
    import astropy.units as u
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix.nested import cone_search

    # Cells about as large as the cone; order 12 cells are 52 arcsec wide.
    size_arcsec = 52.0 * 2.0**_CONE_CELLS_DEPTH
    depth = int(np.clip(np.log2(size_arcsec / max(radius_arcsec, 1e-3)), 0, 20))
    cells, depths, _ = cone_search(
        Longitude(centre_deg[0], u.deg),
        Latitude(centre_deg[1], u.deg),
        radius_arcsec * 1.001 * u.arcsec,
        depth=depth,
        flat=False,
    )
    ranges = []
    for cell, cell_depth in zip(cells.tolist(), depths.tolist(), strict=True):
        shift = 2 * (HEALPIX_ORDER - int(cell_depth))
        ranges.append((int(cell) << shift, (int(cell) + 1) << shift))
    return ranges
