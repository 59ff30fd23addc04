"""Neighbours of every object of a list -> one table. Rows in = answered + refused, always."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from indexer.errors import IndexerError, QueryError
from indexer.export import arrow_table, format_of, render_table, table_metadata, whole_or_absent
from indexer.hits import HIT_COLUMNS, HitColumn, Hits, described_table
from indexer.options import SearchOptions
from indexer.queries import Query
from indexer.receipts import index_receipt
from indexer.search import Searcher

__all__ = ["BulkSummary", "SearcherAnswers", "export_neighbours", "refused_path"]

BATCH = 256
"""Objects whose neighbours are held in memory before they are written."""

QUERY_COLUMNS = (
    HitColumn("query_number", "meta.record", "Place of the asked object in the list, from 1"),
    HitColumn("query_id", "meta.id", "Identifier as it stands in the list"),
    HitColumn("query_key", "meta.id", "Key of the object that was asked"),
)
COLUMNS = (*QUERY_COLUMNS, *HIT_COLUMNS)

Progress = Callable[[int, int], None]


class Answering(Protocol):
    """What answers one question after another: a `Searcher` with its options."""

    def query(self, text: str) -> Query:
        """Understand an identifier."""

    def search(self, query: Query) -> Hits:
        """Find the neighbours."""

    def receipt(self) -> Mapping[str, Any]:
        """Say how every question is answered."""


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
    answering: Answering,
    identifiers: Sequence[str],
    path: Path,
    *,
    source: Mapping[str, Any],
    progress: Progress | None = None,
) -> BulkSummary:
    """Write the neighbours of many objects, one row per neighbour.

    The table is whole or absent. Neighbours are written batch by batch; FITS, VOTable and ECSV
    are made of the whole table at the end, so for many millions of rows take CSV or Parquet.

    Parameters
    ----------
    answering
        What to ask.
    identifiers
        Texts as people type them; repeated ones are answered again.
    path
        Where to; the suffix gives the format (CSV, ECSV, FITS, VOTable or Parquet).
    source
        Where the list comes from, for the receipt.
    progress
        Called with the number of identifiers done, and of all.
    """
    file_format = format_of(path)
    if file_format == "json":
        raise QueryError(
            "neighbours of a list are written as csv, ecsv, fits, vot or parquet, not as json"
        )
    refused: list[tuple[int, str, str]] = []
    with whole_or_absent(path) as temporary:
        spool = temporary.with_suffix(".spool")
        try:
            rows = _answer_all(answering, identifiers, spool, refused, progress)
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
                    **answering.receipt(),
                    "list": {**source, **counts, "refused": summary.refused},
                }
            }
            _convert(spool, temporary, file_format, meta)
        finally:
            spool.unlink(missing_ok=True)
    if refused:
        with whole_or_absent(refused_path(path)) as temporary:
            _write_refused(temporary, refused)
    else:
        refused_path(path).unlink(missing_ok=True)
    return summary


def _answer_all(
    answering: Answering,
    identifiers: Sequence[str],
    spool: Path,
    refused: list[tuple[int, str, str]],
    progress: Progress | None,
) -> int:
    """Write all neighbours to a Parquet file, fill in what was refused; return the rows."""
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(spool, _arrow_batch([]).schema, compression="zstd") as writer:
        for start in range(0, len(identifiers), BATCH):
            answers: list[tuple[int, str, Hits]] = []
            for number, text in enumerate(identifiers[start : start + BATCH], start=start + 1):
                try:
                    hits = answering.search(answering.query(text))
                except IndexerError as error:
                    refused.append((number, text, str(error)))
                    continue
                if len(hits):
                    answers.append((number, text, hits))
                    rows += len(hits)
                else:
                    refused.append((number, text, "it has no neighbour of the kind asked for"))
            if answers:
                writer.write_table(_arrow_batch(answers))
            if progress is not None:
                progress(min(start + BATCH, len(identifiers)), len(identifiers))
    return rows


def _arrow_batch(answers: Sequence[tuple[int, str, Hits]]) -> Any:
    return arrow_table(described_table(_joined(answers), COLUMNS, {}))


def _joined(answers: Sequence[tuple[int, str, Hits]]) -> dict[str, np.ndarray]:
    counts = [len(hits) for _, _, hits in answers]
    values: dict[str, np.ndarray] = {
        "query_number": np.repeat(np.array([n for n, _, _ in answers], dtype=np.int64), counts),
        "query_id": np.repeat(np.array([text for _, text, _ in answers], dtype=str), counts),
        "query_key": np.repeat(
            np.array([hits.query.key or "" for _, _, hits in answers], dtype=str), counts
        ),
    }
    for column in HIT_COLUMNS:
        parts = [getattr(hits, column.name) for _, _, hits in answers]
        empty = np.empty(0, dtype=EMPTY_TYPES.get(column.name, "U1"))
        values[column.name] = np.concatenate([empty, *parts]) if parts else empty
    return values


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
        metadata = table_metadata(described_table(_empty_like(file), COLUMNS, meta))
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


def _empty_like(file: Any) -> dict[str, np.ndarray]:
    """Return columns without rows whose texts are as wide as those of a Parquet file."""
    import pyarrow.compute as pc

    widest = dict.fromkeys(file.schema_arrow.names, 1)
    for batch in file.iter_batches():
        for name in widest:
            if name not in EMPTY_TYPES:
                widest[name] = max(widest[name], pc.max(pc.utf8_length(batch[name])).as_py() or 0)
    return {
        name: np.empty(0, dtype=EMPTY_TYPES.get(name, f"U{width}"))
        for name, width in widest.items()
    }


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


@dataclass(frozen=True)
class SearcherAnswers:
    """A searcher with its options, as `export_neighbours` asks it."""

    searcher: Searcher
    options: SearchOptions

    def query(self, text: str) -> Query:
        """Find the object of an identifier."""
        return self.searcher.query_object(text)

    def search(self, query: Query) -> Hits:
        """Find its neighbours."""
        return self.searcher.search(query, self.options)

    def receipt(self) -> Mapping[str, Any]:
        """Return what all answers have in common."""
        return index_receipt(self.searcher.index, self.options)
