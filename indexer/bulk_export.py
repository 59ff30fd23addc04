"""Neighbours of every object of a list -> one table. Rows in = answered + refused, always."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from indexer.answer_columns import hit_columns
from indexer.batched import BatchSearcher, block_size
from indexer.errors import IndexerError, QueryError
from indexer.export import arrow_table, format_of, render_table, table_metadata, whole_or_absent
from indexer.hits import HIT_COLUMNS, HitColumn, described_table
from indexer.index_file import Index
from indexer.options import SearchOptions
from indexer.progress import Progress, silent
from indexer.queries import Query
from indexer.receipts import index_receipt
from indexer.resolve import resolve_object
from indexer.work_folder import work_beside

__all__ = ["BulkSummary", "export_neighbours", "refused_path"]

QUERY_COLUMNS = (
    HitColumn("query_number", "meta.record", "Place of the asked object in the list, from 1"),
    HitColumn("query_id", "meta.id", "Identifier as it stands in the list"),
    HitColumn("query_key", "meta.id", "Key of the object that was asked"),
)
COLUMNS = (*QUERY_COLUMNS, *HIT_COLUMNS)

Refused = tuple[int, str, str]
"""Number in the list, identifier, and reason."""


@dataclass(frozen=True)
class BulkSummary:
    """What became of a list: ``read = answered + refused``.

    Attributes
    ----------
    read, answered, refused
        Identifiers.
    rows
        Neighbours written.
    refused_file
        Where the reasons are; None if nothing was refused.
    """

    read: int
    answered: int
    refused: int
    rows: int
    refused_file: Path | None

    def __post_init__(self) -> None:
        if self.read != self.answered + self.refused:
            raise ValueError(
                f"read must be answered + refused, got {self.read} != "
                f"{self.answered} + {self.refused}"
            )


def refused_path(path: Path) -> Path:
    """Return where the refused identifiers of an export go: beside it."""
    return path.with_name(f"{path.stem}.refused.csv")


def export_neighbours(
    index: Index,
    identifiers: Sequence[str],
    path: Path,
    *,
    options: SearchOptions,
    source: Mapping[str, Any],
    progress: Progress = silent,
) -> BulkSummary:
    """Write the neighbours of many objects, one row per neighbour.

    The table is whole or absent; what was killed leaves the folder ``PATH.unfinished``, which the
    next call takes over. Neighbours are written block by block; FITS, VOTable and ECSV are made of
    the whole table at the end, so for many millions of rows take CSV or Parquet.

    Parameters
    ----------
    index
        What to ask.
    identifiers
        Texts as people type them; repeated ones are answered again.
    path
        Where to; the suffix gives the format (CSV, ECSV, FITS, VOTable or Parquet).
    options
        Of every search.
    source
        Where the list comes from, for the receipt.
    progress
        Called with the number of identifiers done, and of all.

    Raises
    ------
    QueryError
        If the suffix is none of these.
    LockedError
        If another process is writing this table.
    """
    file_format = format_of(path)
    if file_format == "json":
        raise QueryError(
            "neighbours of a list are written as csv, ecsv, fits, vot or parquet, not as json"
        )
    refused: list[Refused] = []
    with work_beside(path) as work:
        spool, temporary = work / "spool", work / f"whole{path.suffix}"
        try:
            rows = _answer_all(BatchSearcher(index, options), identifiers, spool, refused, progress)
            summary = BulkSummary(
                read=len(identifiers),
                answered=len(identifiers) - len(refused),
                refused=len(refused),
                rows=rows,
                refused_file=refused_path(path) if refused else None,
            )
            counts = {"read": summary.read, "answered": summary.answered}
            meta = {
                "receipt": {
                    **index_receipt(index, options),
                    "list": {**source, **counts, "refused": summary.refused},
                }
            }
            _convert(spool, temporary, file_format, meta)
            temporary.replace(path)
        finally:
            spool.unlink(missing_ok=True)
            temporary.unlink(missing_ok=True)
    if refused:
        with whole_or_absent(refused_path(path)) as temporary:
            _write_refused(temporary, refused)
    else:
        refused_path(path).unlink(missing_ok=True)
    return summary


def _answer_all(
    searcher: BatchSearcher,
    identifiers: Sequence[str],
    spool: Path,
    refused: list[Refused],
    progress: Progress,
) -> int:
    """Write all neighbours to a Parquet file, fill in what was refused; return the rows."""
    import pyarrow.parquet as pq

    rows = 0
    schema = arrow_table(described_table(_empty(), COLUMNS, {})).schema
    block = block_size(searcher.options.k)
    with pq.ParquetWriter(spool, schema, compression="zstd") as writer:
        for start in range(0, len(identifiers), block):
            texts = identifiers[start : start + block]
            table, without = _answer_block(searcher, texts, start + 1, schema)
            refused += without
            if len(table):
                writer.write_table(table)
                rows += len(table)
            progress(start + len(texts), len(identifiers))
    return rows


def _answer_block(
    searcher: BatchSearcher, texts: Sequence[str], first: int, schema: pa.Schema
) -> tuple[pa.Table, list[Refused]]:
    """Return the neighbours of some identifiers, of which the first has a number."""
    refused: list[Refused] = []
    asked: dict[str, list[tuple[int, Query]]] = {}
    for place, text in enumerate(texts):
        try:
            query = resolve_object(searcher.index, text)
        except IndexerError as error:
            refused.append((first + place, text, str(error)))
            continue
        asked.setdefault(str(query.release), []).append((place, query))
    tables = [schema.empty_table()]
    for release, queries in asked.items():
        answers = searcher.search(release, np.array([query.row for _, query in queries]))
        for number, reason in answers.refused.items():
            place = queries[number][0]
            refused.append((first + place, texts[place], reason))
        places = np.array([place for place, _ in queries])[answers.hits["query"]]
        keys = pa.array([query.key for _, query in queries], pa.string())
        columns = {
            "query_number": pa.array(first + places),
            "query_id": pa.array(texts, pa.string()).take(pa.array(places)),
            "query_key": keys.take(pa.array(answers.hits["query"])),
            **hit_columns(searcher.index, answers),
        }
        tables.append(pa.table([columns[name] for name in schema.names], schema=schema))
    table = pa.concat_tables(tables)
    order = np.argsort(table.column("query_number").to_numpy(), kind="stable")
    return table.take(pa.array(order)), sorted(refused)


def _empty(widths: Mapping[str, int] = {}) -> dict[str, np.ndarray[Any, Any]]:
    """Return columns without rows, whose texts have room for some characters."""
    return {
        column.name: np.empty(0, EMPTY_TYPES.get(column.name, f"U{widths.get(column.name, 1)}"))
        for column in COLUMNS
    }


EMPTY_TYPES = {
    "query_number": "i8",
    "rank": "i8",
    "score": "f4",
    "percentile": "f8",
    "ra_deg": "f8",
    "dec_deg": "f8",
    "redshift": "f4",
    "magnitude": "f4",
    "folded": "i8",
}
"""Types of the columns that hold no text, so that every batch has one schema."""


def _convert(spool: Path, path: Path, file_format: str, meta: Mapping[str, Any]) -> None:
    import pyarrow.parquet as pq

    if file_format == "csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([*[column.name for column in COLUMNS], "receipt"])
            for at, row in enumerate(_rows_of(spool)):
                writer.writerow([*row, json.dumps(dict(meta)) if at == 0 else ""])
        return
    file = pq.ParquetFile(spool)
    if file_format == "parquet":
        metadata = table_metadata(described_table(_empty(_widest(file)), COLUMNS, meta))
        schema = file.schema_arrow.with_metadata(metadata)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in file.iter_batches():
                writer.write_batch(batch.replace_schema_metadata(metadata))
        return
    content = file.read()
    values = {
        name: np.array(content.column(name).to_pylist(), dtype=str)
        if name not in EMPTY_TYPES
        else content.column(name).to_numpy()
        for name in content.column_names
    }
    path.write_bytes(render_table(described_table(values, COLUMNS, meta), file_format))


def _widest(file: Any) -> dict[str, int]:
    """Return how many characters the texts of a Parquet file have at most, by column."""
    import pyarrow.compute as pc

    texts = [name for name in file.schema_arrow.names if name not in EMPTY_TYPES]
    widest = dict.fromkeys(texts, 1)
    for batch in file.iter_batches(columns=texts):
        for name in texts:
            widest[name] = max(widest[name], pc.max(pc.utf8_length(batch[name])).as_py() or 0)
    return widest


def _rows_of(spool: Path) -> Iterator[list[str]]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(spool).iter_batches():
        columns = [
            [
                "" if value != value else str(value)
                for value in column.to_numpy(zero_copy_only=False)
            ]
            for column in batch.columns
        ]
        yield from (list(row) for row in zip(*columns, strict=True))


def _write_refused(path: Path, refused: Sequence[tuple[int, str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["query_number", "query_id", "reason"])
        writer.writerows(refused)
