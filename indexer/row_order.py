"""The row order of a segment, found block by block, and records brought into it.

Neither needs more than a few numbers a row in memory (49 bytes at most), and some blocks of
`BLOCK_ROWS` records: ids are sorted in runs on disk, records are dealt to files of neighbouring
rows.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from indexer.arrow_tables import map_table, numpy_column
from indexer.growing_table import GrowingTable
from indexer.hats_catalog import HEALPIX_ORDER, Cell, cells_of
from indexer.id_runs import IdRuns

__all__ = ["RowOrder", "healpix_of", "in_row_order", "row_order"]

BLOCK_ROWS = 2**20
"""Records at a time, about: a few hundred bytes each, some three times over."""

_NOWHERE = np.iinfo(np.int64).max


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
class RowOrder:
    """Which record of a release is which row.

    Attributes
    ----------
    origin
        For each row, where the object stood among those that were put in order.
    healpix_29
        Of each row; ascending, then -1 for those without a position.
    keys
        Every id that was kept, ascending as UTF-8 bytes, and its row; ids are mapped.
    duplicates
        Objects that were left out because an earlier one has their id, ascending: where each
        stood, and where the earlier one stood.
    records
        Objects that were put in order, those that were left out among them.
    """

    origin: Int64[np.ndarray, " n"]
    healpix_29: Int64[np.ndarray, " n"]
    keys: pa.Table
    duplicates: Int64[np.ndarray, "m 2"]
    records: int

    @cached_property
    def placed(self) -> int:
        """Objects with a position; their rows are the first."""
        return int(np.count_nonzero(self.healpix_29 >= 0))

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The HEALPix cells that the catalogue is divided into."""
        return cells_of(self.healpix_29[: self.placed])

    @cached_property
    def bounds(self) -> list[int]:
        """Where blocks of rows begin, and where the last one ends; none divides a cell."""
        total = len(self.origin)
        edges = [each.stop for each in self.cells]
        edges += [*range(self.placed + BLOCK_ROWS, total, BLOCK_ROWS), total]
        bounds = [0]
        for edge, following in pairwise([*edges, total + 2 * BLOCK_ROWS]):
            if following - bounds[-1] > BLOCK_ROWS:
                bounds.append(edge)
        return bounds

    def rows(self) -> Int64[np.ndarray, " records"]:
        """Return the row of every record, -1 of those that were left out."""
        rows = np.full(self.records, -1, dtype=np.int64)
        rows[self.origin] = np.arange(len(self.origin))
        return rows


def row_order(blocks: Iterable[pa.Table], folder: Path) -> RowOrder:
    """Find the row order of a release: the first of each id, by position, then by id.

    Parameters
    ----------
    blocks
        Objects as they were read, with at least ``object_id``, ``ra_deg`` and ``dec_deg``.
    folder
        For what is sorted, kept for as long as the result; is made.
    """
    runs = IdRuns(folder / "runs")
    found = [np.empty(0, np.int64)]
    for block in blocks:
        runs.add(block.column("object_id"))
        found.append(healpix_of(numpy_column(block, "ra_deg"), numpy_column(block, "dec_deg")))
    healpix = np.concatenate(found)
    del found
    ids = GrowingTable(folder / "ids", pa.schema([("object_id", pa.large_string())]))
    by_id, duplicates = np.empty(len(healpix), np.int64), [np.empty((0, 2), np.int64)]
    kept = 0
    for table in runs.merged():
        places, first = numpy_column(table, "place"), _first_of_each(table.column("object_id"))
        ids.append(table.select(["object_id"]).filter(pa.array(first)))
        firsts = places[first]
        by_id[kept : kept + len(firsts)] = firsts
        kept += len(firsts)
        earlier = firsts[np.cumsum(first)[~first] - 1]
        duplicates.append(np.stack([places[~first], earlier], axis=1))
    by_id = by_id[:kept]
    healpix, records = healpix[by_id], len(healpix)
    healpix[healpix < 0] = _NOWHERE
    # Stable, and by id before: objects of one place stay in the order of their ids.
    order = np.argsort(healpix, kind="stable")
    healpix = healpix[order]
    healpix[healpix == _NOWHERE] = -1
    rows = np.empty(kept, np.int64)
    rows[order] = np.arange(kept)
    again = np.concatenate(duplicates)
    return RowOrder(
        by_id[order],
        healpix,
        ids.mapped().append_column("row", pa.array(rows)),
        again[np.argsort(again[:, 0])],
        records,
    )


def _first_of_each(ids: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Mark the first of each among sorted ids."""
    first = np.ones(len(ids), dtype=bool)
    if len(ids):
        first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy()
    return first


def in_row_order(blocks: Iterable[pa.Table], order: RowOrder, folder: Path) -> Iterator[pa.Table]:
    """Give the records of a release in row order, block after block of `RowOrder.bounds`.

    Parameters
    ----------
    blocks
        The objects that were put in order, every column of each; all of one schema.
    folder
        For the files that they are dealt to; is made.
    """
    folder.mkdir(parents=True)
    bounds = order.bounds
    paths = [folder / f"{number}.arrow" for number in range(len(bounds) - 1)]
    _deal(blocks, order.rows(), bounds, paths)
    for path, start, stop in zip(paths, bounds, bounds[1:], strict=False):
        table = map_table(path).combine_chunks()
        by_row = np.argsort(numpy_column(table, "row"))
        table = table.drop_columns(["row"]).take(pa.array(by_row)).combine_chunks()
        path.unlink()
        yield table.append_column("healpix_29", pa.array(order.healpix_29[start:stop]))


def _deal(
    blocks: Iterable[pa.Table],
    rows: Int64[np.ndarray, " records"],
    bounds: list[int],
    paths: list[Path],
) -> None:
    with ExitStack() as stack:
        writers: list[Any] = []
        start = 0
        for block in blocks:
            its_rows = rows[start : start + len(block)]
            start += len(block)
            by_row = np.argsort(its_rows)
            by_row = by_row[np.searchsorted(its_rows[by_row], 0) :]
            table = block.take(pa.array(by_row)).combine_chunks()
            table = table.append_column("row", pa.array(its_rows[by_row]))
            if not writers:
                writers = [
                    stack.enter_context(pa.ipc.new_file(sink, table.schema))
                    for sink in [stack.enter_context(pa.OSFile(str(path), "wb")) for path in paths]
                ]
            cuts = np.searchsorted(its_rows[by_row], bounds).tolist()
            for writer, (first, last) in zip(writers, pairwise(cuts), strict=True):
                if last > first:
                    writer.write_table(table.slice(first, last - first))
