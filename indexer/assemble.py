"""Staged partitions of a release, put together into a segment (all but its spaces)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from indexer.arrow_tables import map_table, write_parquet
from indexer.catalog import Ordered, ordered, write_catalog
from indexer.index_model import MODALITY_BITS, NATIVE, bits_of
from indexer.layout import previews_file, rejects_file
from indexer.previews import PREVIEW_SCHEMA, write_previews
from indexer.readers.records import Reject
from indexer.record_table import REJECT_SCHEMA, concatenated, reject_table
from indexer.staged_vectors import StagedVectors
from indexer.staging import Staged

__all__ = ["Assembled", "assemble"]


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

    An object whose id appeared in an earlier partition is rejected.

    Parameters
    ----------
    root
        Folder that the paths of `layout` are relative to.
    segment
        Folder of the segment, relative to `root`.
    staged
        Its partitions, in their order.
    """
    records = concatenated([map_table(each.path("records")) for each in staged])
    order = ordered(records)
    placed = write_catalog(root, segment, release, order.table, builder)
    write_previews(_previews(staged, order.origin), root / previews_file(segment))
    rejects = [map_table(each.path("rejects")) for each in staged]
    partitions = np.repeat([each.partition for each in staged], [each.indexed for each in staged])
    rejects.append(_duplicates(records, order, partitions))
    write_parquet(
        pa.concat_tables(rejects).cast(REJECT_SCHEMA).combine_chunks(),
        root / rejects_file(segment),
    )
    modalities = records.column("modalities").to_numpy()
    raw = {
        modality: StagedVectors(staged, modality, modalities, order.origin)
        for modality in MODALITY_BITS
    }
    bits = modalities[order.origin]
    having = {modality: int(((bits & bits_of(modality)) != 0).sum()) for modality in MODALITY_BITS}
    return Assembled(
        read=sum(each.read for each in staged),
        indexed=len(order.table),
        rejected=sum(each.rejected for each in staged) + len(order.duplicates),
        placed=placed,
        vectors={modality: count for modality, count in having.items() if count},
        raw={modality: vectors for modality, vectors in raw.items() if len(vectors)},
        native=StagedVectors(staged, NATIVE, modalities, order.origin),
        origin=order.origin,
    )


def _previews(staged: Sequence[Staged], origin: Int64[np.ndarray, " n"]) -> pa.Table:
    starts = np.cumsum([0, *(each.indexed for each in staged)])
    row_of_record = np.full(starts[-1], -1, dtype=np.int64)
    row_of_record[origin] = np.arange(len(origin))
    tables = []
    for each, start in zip(staged, starts, strict=False):
        table = map_table(each.path("previews"))
        rows = row_of_record[table.column("row").to_numpy() + start]
        tables.append(table.set_column(0, PREVIEW_SCHEMA.field("row"), pa.array(rows, pa.int64())))
    together = pa.concat_tables(tables) if tables else PREVIEW_SCHEMA.empty_table()
    rows = together.column("row").to_numpy()
    by_row = np.argsort(rows, kind="stable")
    return together.take(by_row[rows[by_row] >= 0]).cast(PREVIEW_SCHEMA)


def _duplicates(records: pa.Table, order: Ordered, partitions: np.ndarray[Any, Any]) -> pa.Table:
    tables = []
    for place, earlier in order.duplicates:
        one = {name: records.column(name) for name in ("object_id", "source_file", "source_row")}
        first = f"{one['source_file'][earlier]} row {one['source_row'][earlier]}"
        reject = Reject(
            one["object_id"][place].as_py(),
            one["source_file"][place].as_py(),
            one["source_row"][place].as_py(),
            f"the identifier appears before, in {first}; the first is kept",
        )
        tables.append(reject_table([(reject, "")], str(partitions[place])))
    return pa.concat_tables(tables) if tables else REJECT_SCHEMA.empty_table()
