"""The catalogue of a segment as HATS: Parquet files by HEALPix cell, with their metadata.

Written with pyarrow alone, after the IVOA note on HATS 1.0; `hats` and `lsdb` read it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int64

from indexer.arrow_tables import write_parquet
from indexer.durable import replacing

__all__ = [
    "HEALPIX_COLUMN",
    "ROWS_PER_CELL",
    "Cell",
    "cells_of",
    "common_cells",
    "describe_hats",
    "read_placed_row",
    "write_cells",
]

HEALPIX_COLUMN = "_healpix_29"
HEALPIX_ORDER = 29
ROWS_PER_CELL = 500_000
"""Cells with more rows are divided, as long as that is possible."""

_DEEPEST_ORDER = 18
_ROWS_PER_DIRECTORY = 10_000


@dataclass(frozen=True, order=True)
class Cell:
    """A HEALPix cell in nested order, and the rows that lie in it: of a segment, or of several
    segments together as if they were put in order."""

    start: int
    stop: int
    order: int
    pixel: int

    @property
    def path(self) -> str:
        """Where HATS keeps its rows, relative to the catalogue."""
        directory = self.pixel // _ROWS_PER_DIRECTORY * _ROWS_PER_DIRECTORY
        return f"dataset/Norder={self.order}/Dir={directory}/Npix={self.pixel}.parquet"

    @property
    def bounds(self) -> tuple[int, int]:
        """The first index of order 29 inside, and the first beyond."""
        shift = 2 * (HEALPIX_ORDER - self.order)
        return self.pixel << shift, (self.pixel + 1) << shift


def cells_of(
    healpix_29: Int64[np.ndarray, " n"], rows_per_cell: int = ROWS_PER_CELL
) -> tuple[Cell, ...]:
    """Divide ascending HEALPix indices of order 29 into the coarsest cells that are small enough.

    The cells are in nested order, so their rows follow each other.
    """
    return common_cells([healpix_29], rows_per_cell)


def common_cells(parts: Sequence[Int64[np.ndarray, " n"]], rows_per_cell: int) -> tuple[Cell, ...]:
    """Divide the same of several segments, each ascending, into cells that they have in common."""
    found: list[Cell] = []
    open_cells = [Cell(0, 0, 0, pixel) for pixel in range(11, -1, -1)]
    while open_cells:
        order, pixel = (open_cell := open_cells.pop()).order, open_cell.pixel
        start, stop = (
            sum(int(np.searchsorted(part, bound)) for part in parts) for bound in open_cell.bounds
        )
        if start == stop:
            continue
        if stop - start <= rows_per_cell or order == _DEEPEST_ORDER:
            found.append(Cell(start, stop, order, pixel))
        else:
            open_cells.extend(Cell(0, 0, order + 1, 4 * pixel + child) for child in (3, 2, 1, 0))
    return tuple(found)


def write_cells(catalog: Path, cells: Sequence[Cell], table: pa.Table) -> None:
    """Write the Parquet files of some cells of a HATS catalogue; see `describe_hats` for the rest.

    Parameters
    ----------
    catalog
        Folder to write into.
    cells
        Some that follow each other.
    table
        Columns of the objects from the first cell on, `HEALPIX_COLUMN` and the positions
        ``ra_deg`` and ``dec_deg`` among them, ascending in `HEALPIX_COLUMN`.
    """
    for cell in cells:
        rows = table.slice(cell.start - cells[0].start, cell.stop - cell.start)
        write_parquet(rows, catalog / cell.path)


def describe_hats(
    catalog: Path,
    name: str,
    cells: Sequence[Cell],
    schema: pa.Schema,
    builder: str,
    more: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Write what describes the Parquet files of some cells, which lie in their places.

    Parameters
    ----------
    schema
        Of each of these files.
    more
        Further properties.
    """
    footers: list[Any] = []
    for cell in cells:
        footer = pq.read_metadata(catalog / cell.path)
        footer.set_file_path(cell.path.removeprefix("dataset/"))
        footers.append(footer)
    dataset = catalog / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)
    with replacing(dataset / "_common_metadata") as temporary:
        pq.write_metadata(schema, temporary)
    with replacing(dataset / "_metadata") as temporary:
        pq.write_metadata(schema, temporary, metadata_collector=footers)
    with replacing(catalog / "partition_info.csv") as temporary:
        lines = [f"{cell.order},{cell.pixel}" for cell in sorted(cells, key=_breadth_first)]
        temporary.write_text("\n".join(["Norder,Npix", *lines]) + "\n")
    counts = [footer.num_rows for footer in footers]
    with replacing(catalog / "hats.properties") as temporary:
        temporary.write_text(_properties(name, cells, counts, builder, more))


def _breadth_first(cell: Cell) -> tuple[int, int]:
    return cell.order, cell.pixel


def _properties(
    name: str,
    cells: Sequence[Cell],
    counts: Sequence[int],
    builder: str,
    more: Mapping[str, object],
) -> str:
    values = {
        "obs_collection": name,
        "dataproduct_type": "object",
        "hats_nrows": sum(counts),
        "hats_col_ra": "ra_deg",
        "hats_col_dec": "dec_deg",
        "hats_col_healpix": HEALPIX_COLUMN,
        "hats_col_healpix_order": HEALPIX_ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_order": max(cell.order for cell in cells),
        "hats_max_rows": max(counts),
        "hats_builder": builder,
        "hats_version": "v1.0",
        **more,
    }
    return "#HATS catalog\n" + "".join(f"{key}={value}\n" for key, value in values.items())


def read_placed_row(catalog: Path, healpix_29: Int64[np.ndarray, " n"], row: int) -> dict[str, Any]:
    """Read every column of one object of a catalogue that `write_cells` wrote.

    Parameters
    ----------
    healpix_29
        Indices of all rows of the catalogue, ascending.
    row
        Of the object.
    """
    cell = next(cell for cell in cells_of(healpix_29) if cell.start <= row < cell.stop)
    return read_parquet_row(catalog / cell.path, row - cell.start)


def read_parquet_row(path: Path, offset: int) -> dict[str, Any]:
    """Read one row of a Parquet file, reading no more than its row group."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if offset < size:
            values: dict[str, Any] = file.read_row_group(group).slice(offset, 1).to_pylist()[0]
            return values
        offset -= size
    raise IndexError(f"{path} has no row {offset}")
