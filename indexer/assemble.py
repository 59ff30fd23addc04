"""Staged partitions of a release, put together into a segment (all but its spaces)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from indexer.arrow_tables import growing_parquet, map_table, numpy_column
from indexer.catalog import write_catalog
from indexer.index_model import MODALITY_BITS, NATIVE, bits_of
from indexer.layout import previews_file, rejects_file
from indexer.previews import PREVIEW_SCHEMA, growing_previews
from indexer.record_table import REJECT_SCHEMA, concatenated, record_schema
from indexer.row_order import BLOCK_ROWS, RowOrder, in_row_order, row_order
from indexer.staged_vectors import StagedVectors
from indexer.staging import Staged

__all__ = ["Assembled", "assemble"]

_PREVIEWS_AT_ONCE = 16_384
"""A picture takes some ten thousand bytes."""


@dataclass(frozen=True, eq=False)
class Assembled:
    """A segment whose objects have their rows.

    Attributes
    ----------
    read, indexed, rejected, placed
        Objects.
    vectors
        Objects that have a vector, per modality: of a spectrum by either model.
    raw
        Raw vectors of AION-1 per modality, in row order.
    native
        Raw vectors of the universal spectral tokenizer, in row order; may be none.
    origin
        For each row, which of the staged records it is.
    """

    read: int
    indexed: int
    rejected: int
    placed: int
    vectors: dict[str, int]
    raw: dict[str, StagedVectors]
    native: StagedVectors
    origin: Int64[np.ndarray, " n"]


def assemble(
    root: Path, segment: str, release: str, staged: Sequence[Staged], builder: str
) -> Assembled:
    """Write catalogue, rows, keys, previews and rejects of a segment.

    An object whose id appeared in an earlier partition is rejected. Tables are read and written a
    block at a time: what grows with the release is about fifty bytes an object.

    Parameters
    ----------
    root
        Folder that the paths of `layout` are relative to.
    segment
        Folder of the segment, relative to `root`.
    staged
        Its partitions, in their order.
    """
    root.mkdir(parents=True, exist_ok=True)
    # Beside what is made of it: on the disk that has the room, and gone with it.
    with TemporaryDirectory(prefix=".sorting-", dir=root) as temporary:
        folder = Path(temporary)
        schema = record_schema(map_table(each.path("records")).schema for each in staged)
        order = row_order(_blocks(staged, schema, "object_id", "ra_deg", "dec_deg"), folder / "ids")
        rows = in_row_order(_blocks(staged, schema), order, folder / "dealt")
        write_catalog(root, segment, release, order, rows, builder, folder / "columns")
    _write_previews(staged, order, root / previews_file(segment))
    some = pa.schema([schema.field(each) for each in ("object_id", "source_file", "source_row")])
    with growing_parquet(root / rejects_file(segment), REJECT_SCHEMA) as rejects:
        for each in staged:
            rejects.add(map_table(each.path("rejects")).cast(REJECT_SCHEMA))
        rejects.add(_duplicates(_blocks(staged, some), order, staged))
    modalities = np.concatenate(
        [numpy_column(map_table(each.path("records")), "modalities") for each in staged]
    )
    raw = {
        modality: StagedVectors(staged, modality, modalities, order.origin)
        for modality in MODALITY_BITS
    }
    bits = modalities[order.origin]
    having = {modality: int(((bits & bits_of(modality)) != 0).sum()) for modality in MODALITY_BITS}
    return Assembled(
        read=sum(each.read for each in staged),
        indexed=len(order.origin),
        rejected=sum(each.rejected for each in staged) + len(order.duplicates),
        placed=order.placed,
        vectors={modality: count for modality, count in having.items() if count},
        raw={modality: vectors for modality, vectors in raw.items() if len(vectors)},
        native=StagedVectors(staged, NATIVE, modalities, order.origin),
        origin=order.origin,
    )


def _blocks(staged: Sequence[Staged], schema: pa.Schema, *columns: str) -> Iterator[pa.Table]:
    """Give the records of partitions that follow each other, together; some columns or all."""
    if columns:
        schema = pa.schema([schema.field(name) for name in columns])
    tables: list[pa.Table] = []
    count = 0
    for number, each in enumerate(staged, 1):
        tables.append(map_table(each.path("records")))
        count += len(tables[-1])
        if count >= BLOCK_ROWS or number == len(staged):
            yield concatenated(tables, schema)
            tables, count = [], 0


def _starts(counts: Iterable[int]) -> Int64[np.ndarray, " n"]:
    return np.cumsum([0, *counts], dtype=np.int64)


def _write_previews(staged: Sequence[Staged], order: RowOrder, path: Path) -> None:
    row_of_record = order.rows()
    records = _starts(each.indexed for each in staged)
    found = [
        row_of_record[numpy_column(map_table(each.path("previews")), "row") + start]
        for each, start in zip(staged, records, strict=False)
    ]
    del row_of_record
    starts = _starts(map(len, found))
    rows = np.concatenate(found)
    del found
    by_row = np.argsort(rows, kind="stable")
    by_row = by_row[np.searchsorted(rows[by_row], 0) :]
    with growing_previews(path) as previews:
        for first in range(0, len(by_row), _PREVIEWS_AT_ONCE):
            places = by_row[first : first + _PREVIEWS_AT_ONCE]
            previews.add(_gathered_previews(staged, starts, places, rows[places]))


def _gathered_previews(
    staged: Sequence[Staged],
    starts: Int64[np.ndarray, " partitions"],
    places: Int64[np.ndarray, " n"],
    rows: Int64[np.ndarray, " n"],
) -> pa.Table:
    """Return some previews of all partitions in a new order, with the rows of their objects."""
    order = np.argsort(places)
    bounds = np.searchsorted(places[order], starts)
    tables = [
        map_table(staged[number].path("previews")).take(
            pa.array(places[order[bounds[number] : bounds[number + 1]]] - starts[number])
        )
        for number in np.flatnonzero(np.diff(bounds)).tolist()
    ]
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    table = pa.concat_tables(tables).combine_chunks().take(pa.array(back))
    return table.set_column(0, PREVIEW_SCHEMA.field("row"), pa.array(rows)).cast(PREVIEW_SCHEMA)


def _duplicates(blocks: Iterable[pa.Table], order: RowOrder, staged: Sequence[Staged]) -> pa.Table:
    """Return what was left out for its id as rejects, each with the one that was kept."""
    if not len(order.duplicates):
        return REJECT_SCHEMA.empty_table()
    wanted = np.unique(order.duplicates)
    tables, start = [], 0
    for block in blocks:
        first, last = np.searchsorted(wanted, [start, start + len(block)])
        tables.append(block.take(pa.array(wanted[first:last] - start)))
        start += len(block)
    known = pa.concat_tables(tables).combine_chunks()
    late, early = (known.take(pa.array(np.searchsorted(wanted, of))) for of in order.duplicates.T)
    reasons = pc.binary_join_element_wise(
        "the identifier appears before, in ",
        early.column("source_file"),
        " row ",
        early.column("source_row").cast(pa.string()),
        "; the first is kept",
        "",
    )
    starts = _starts(each.indexed for each in staged)
    numbers = np.searchsorted(starts, order.duplicates[:, 0], side="right") - 1
    partitions = pa.array([each.partition for each in staged], pa.string())
    return pa.table(
        {
            **{name: late.column(name) for name in late.column_names},
            "reason": reasons,
            "partition": partitions.take(pa.array(numbers)),
            "modality": pa.array([""], pa.string()).take(pa.array(np.zeros_like(numbers))),
        }
    ).cast(REJECT_SCHEMA)
