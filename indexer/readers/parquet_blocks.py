"""Parquet files, block by block, so that memory does not grow with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from indexer.readers.messages import one_line
from indexer.readers.records import Reject

__all__ = ["Rows", "Unreadable", "opened_parquet", "parquet_rows"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows as they are in a file: the number of the first, and their columns."""

    first: int
    batch: pa.RecordBatch


@dataclass(frozen=True)
class Unreadable:
    """Rows that a damaged file does not give."""

    first: int
    count: int
    reason: str

    def reject(self, name: str) -> Reject:
        """Return the reject that stands for them, of a file of this name."""
        last = self.first + self.count - 1
        reason = f"rows {self.first} to {last} cannot be read: {self.reason}"
        return Reject("", name, self.first, reason)


def opened_parquet(file: Path | Any, *, ahead: bool = False) -> pq.ParquetFile:
    """Open a file by its path, or one that is open.

    Parameters
    ----------
    ahead
        Ask for all columns of a row group together, which saves requests over a network; off, no
        more than a page is held, where a row group may be the whole file.

    Raises
    ------
    OSError, pyarrow.ArrowException
        If it is no Parquet file.
    """
    return pq.ParquetFile(file, pre_buffer=ahead, page_checksum_verification=True)


def parquet_rows(
    file: pq.ParquetFile, block_rows: int, columns: Sequence[str]
) -> Iterator[Rows | Unreadable]:
    """Give the columns of a file in blocks; a damaged row group costs no other."""
    first = 0
    for group in range(file.num_row_groups):
        end = first + file.metadata.row_group(group).num_rows
        try:
            batches = file.iter_batches(block_rows, row_groups=[group], columns=list(columns))
            for batch in batches:
                yield Rows(first, batch)
                first += batch.num_rows
        except (OSError, pa.ArrowException) as error:
            yield Unreadable(first, end - first, one_line(error))
        first = end
