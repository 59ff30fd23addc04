"""Arrow and Parquet files: written so that the same rows give the same bytes, read by mapping."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from indexer.durable import replacing
from indexer.errors import IndexFormatError

__all__ = [
    "Groups",
    "growing_arrow",
    "growing_parquet",
    "map_table",
    "numpy_column",
    "read_parquet",
    "write_arrow",
    "write_parquet",
]

_PARQUET_ROW_GROUP = 8192
_PARQUET_OPTIONS = {"compression": "zstd", "write_page_index": True, "store_schema": True}


def write_arrow(
    table: pa.Table, path: Path, *, batch_rows: int | None = None, sync: bool = True
) -> None:
    """Write an uncompressed Arrow IPC file.

    One record batch by default, because only then does a column map without a copy.
    """
    batches = table.combine_chunks().to_batches(max_chunksize=batch_rows)
    with (
        replacing(path, sync=sync) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


class Groups:
    """Tables of any length, written in groups of so many rows as if they were one table."""

    def __init__(self, schema: pa.Schema, rows: int, write: Callable[[pa.Table], object]) -> None:
        self._rows = rows
        self._write = write
        self._rest = schema.empty_table()
        self._written = False

    def add(self, table: pa.Table) -> None:
        """Write what fills groups, keep the rest."""
        table = pa.concat_tables([self._rest, table])
        whole = len(table) // self._rows * self._rows
        for start in range(0, whole, self._rows):
            self._put(table.slice(start, self._rows))
        self._rest = table.slice(whole).combine_chunks()

    def end(self) -> None:
        """Write the rest; nothing at all is written as a table of no rows."""
        if len(self._rest) or not self._written:
            self._put(self._rest)

    def _put(self, table: pa.Table) -> None:
        self._write(table.combine_chunks())
        self._written = True


@contextmanager
def growing_arrow(path: Path, schema: pa.Schema, batch_rows: int) -> Iterator[Groups]:
    """Write an Arrow IPC file as `write_arrow` does, from tables that are added."""
    with (
        replacing(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        groups = Groups(schema, batch_rows, writer.write_table)
        yield groups
        groups.end()


@contextmanager
def growing_parquet(path: Path, schema: pa.Schema) -> Iterator[Groups]:
    """Write a Parquet file as `write_parquet` does, from tables that are added."""
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, **_PARQUET_OPTIONS) as writer,
    ):
        groups = Groups(schema, _PARQUET_ROW_GROUP, writer.write_table)
        yield groups
        groups.end()


def map_table(path: Path) -> pa.Table:
    """Map an Arrow IPC file; nothing is read before it is used.

    Raises
    ------
    IndexFormatError
        If the file is missing or is not an Arrow file.
    """
    try:
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise IndexFormatError(
            f"{path} must be an Arrow file, but cannot be read ({error}); build the index again"
        ) from error


def numpy_column(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    """Return a column as a NumPy array: a view of the mapped file where it is numeric.

    Booleans are bits on disk, so they are copied, as texts are.
    """
    column = table.column(name)
    if column.num_chunks == 1:
        chunk = column.chunk(0)
        numeric = pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type)
        values = chunk.to_numpy(zero_copy_only=numeric)
    else:
        values = column.to_numpy()
    return np.asarray(values)


def write_parquet(
    table: pa.Table, path: Path, *, group_rows: int = _PARQUET_ROW_GROUP, sync: bool = True
) -> None:
    """Write a Parquet file with zstd, small row groups and page indexes; no dates inside."""
    with replacing(path, sync=sync) as temporary:
        pq.write_table(table, temporary, row_group_size=group_rows, **_PARQUET_OPTIONS)


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file of the index.

    Raises
    ------
    IndexFormatError
        If the file is missing or is not Parquet.
    """
    try:
        return pq.ParquetFile(path).read(columns=columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise IndexFormatError(
            f"{path} must be a Parquet file, but cannot be read ({error}); build the index again"
        ) from error
