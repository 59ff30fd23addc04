"""The catalogue of a segment made the plain way: whole tables in memory, one sort by Arrow.

What the product makes block by block must be the same, byte for byte.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer.arrow_tables import write_arrow, write_parquet
from indexer.catalog import SERVED_COLUMNS
from indexer.hats_catalog import HEALPIX_COLUMN, cells_of, describe_hats
from indexer.layout import catalog_dir, keys_file, previews_file, rows_file, unplaced_file
from indexer.previews import PREVIEW_SCHEMA
from indexer.proper_motion import motion_columns
from indexer.row_order import healpix_of


class Ordered(NamedTuple):
    table: pa.Table
    origin: np.ndarray
    duplicates: list[tuple[int, int]]


def ordered(table: pa.Table) -> Ordered:
    """Put objects into row order, the first of each id."""
    first: dict[str, int] = {}
    duplicates = []
    for place, object_id in enumerate(table.column("object_id").to_pylist()):
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
    return Ordered(table.take(order), kept[order], duplicates)


def write_catalog(
    root: Path, segment: str, release: str, rows: pa.Table, builder: str, rows_per_cell: int
) -> None:
    """Write rows, keys, the HATS catalogue and what it cannot hold."""
    served = rows.select(SERVED_COLUMNS.names).cast(SERVED_COLUMNS)
    for name, column in motion_columns(rows).items():
        served = served.append_column(name, column)
    write_arrow(served.unify_dictionaries(), root / rows_file(segment))
    by_id = pc.sort_indices(served.column("object_id"))
    keys = {"object_id": served.column("object_id").take(by_id), "row": by_id.cast(pa.int64())}
    write_arrow(pa.table(keys), root / keys_file(segment))
    healpix = rows.column("healpix_29").to_numpy()
    placed = int((healpix >= 0).sum())
    everything = rows.rename_columns(
        [HEALPIX_COLUMN if name == "healpix_29" else name for name in rows.column_names]
    )
    everything = everything.add_column(0, "row", pa.array(np.arange(len(rows)), pa.int64()))
    cells = cells_of(healpix[:placed], rows_per_cell)
    catalog = root / catalog_dir(segment)
    for cell in cells:
        write_parquet(everything.slice(cell.start, cell.stop - cell.start), catalog / cell.path)
    if cells:
        describe_hats(catalog, release, cells, everything.schema, builder)
    if placed < len(rows):
        write_parquet(everything.slice(placed), root / unplaced_file(segment))


def write_previews(
    root: Path, segment: str, tables: Sequence[pa.Table], counts: Sequence[int], origin: np.ndarray
) -> None:
    """Write previews of partitions, which number the records of their own, in row order."""
    starts = np.cumsum([0, *counts])
    row_of = {int(record): row for row, record in enumerate(origin)}
    found = [
        (row_of[each["row"] + start], number, place)
        for number, (table, start) in enumerate(zip(tables, starts, strict=False))
        for place, each in enumerate(table.select(["row"]).to_pylist())
        if each["row"] + start in row_of
    ]
    parts = [
        tables[number].slice(place, 1).set_column(0, "row", pa.array([row], pa.int64()))
        for row, number, place in sorted(found)
    ]
    table = pa.concat_tables([PREVIEW_SCHEMA.empty_table(), *parts]).cast(PREVIEW_SCHEMA)
    write_arrow(table, root / previews_file(segment), batch_rows=4096)
