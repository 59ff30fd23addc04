"""The objects of a segment: their row order, the columns that serving needs, look-ups.

Rows follow the nested HEALPix index of order 29, then the object id. Objects without a position
come last, by object id, with -1 for an index: they are in `rows.arrow`, but HATS cannot hold them.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from indexer.arrow_tables import Groups, growing_parquet, write_arrow
from indexer.growing_table import GrowingTable
from indexer.hats_catalog import HEALPIX_COLUMN, HEALPIX_ORDER, describe_hats, write_cells
from indexer.layout import catalog_dir, keys_file, rows_file, unplaced_file
from indexer.proper_motion import motion_columns
from indexer.row_order import RowOrder
from indexer.sky_regions import separation_arcsec

__all__ = ["SERVED_COLUMNS", "cone", "find_id", "write_catalog"]

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

_CONE_CELLS_DEPTH = 12


def write_catalog(
    root: Path,
    segment: str,
    release: str,
    order: RowOrder,
    blocks: Iterable[pa.Table],
    builder: str,
    folder: Path,
) -> None:
    """Write `rows.arrow`, `keys.arrow`, the HATS catalogue and what it cannot hold.

    Parameters
    ----------
    root
        Folder that the paths of `layout` are relative to.
    order
        Of its rows.
    blocks
        Every column of every object, in row order; as many at a time as `RowOrder.bounds` says.
    folder
        For the columns as they grow; is made.
    """
    catalog = root / catalog_dir(segment)
    rows: GrowingTable | None = None
    schema, start = pa.schema([]), 0
    with ExitStack() as stack:
        unplaced: Groups | None = None
        for block in blocks:
            served = _served(block)
            rows = rows or GrowingTable(folder, served.schema)
            rows.append(served)
            everything = _everything(block, start)
            schema = everything.schema
            stop = start + len(block)
            write_cells(catalog, [c for c in order.cells if start <= c.start < stop], everything)
            if stop > order.placed:
                if unplaced is None:
                    path = root / unplaced_file(segment)
                    unplaced = stack.enter_context(growing_parquet(path, schema))
                unplaced.add(everything.slice(max(0, order.placed - start)))
            start = stop
    assert rows is not None
    write_arrow(rows.mapped(), root / rows_file(segment))
    write_arrow(order.keys, root / keys_file(segment))
    if order.cells:
        describe_hats(catalog, release, order.cells, schema, builder)


def _served(rows: pa.Table) -> pa.Table:
    served = rows.select(SERVED_COLUMNS.names).cast(SERVED_COLUMNS)
    for name, column in motion_columns(rows).items():
        served = served.append_column(name, column)
    return served


def _everything(rows: pa.Table, start: int) -> pa.Table:
    renamed = rows.rename_columns(
        [HEALPIX_COLUMN if name == "healpix_29" else name for name in rows.column_names]
    )
    numbers = pa.array(np.arange(start, start + len(rows)), pa.int64())
    return renamed.add_column(0, "row", numbers)


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
