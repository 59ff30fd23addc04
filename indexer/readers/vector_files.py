"""Vectors that somebody else made: Parquet, HATS, or NumPy arrays with a table beside them.

A file is read block by block, so that memory does not grow with it. A row that cannot be indexed
costs no other row.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from jaxtyping import Float32

from indexer.errors import ReadError
from indexer.manifests import ReleaseManifest
from indexer.readers.columns import catalogue_columns, native, needed_columns
from indexer.readers.messages import one_line
from indexer.readers.object_ids import object_id_text
from indexer.readers.parquet_blocks import (
    Rows,
    Unreadable,
    opened_parquet,
    parquet_rows,
)
from indexer.readers.records import Partition, Record, Reject
from indexer.readers.sky import on_the_sky
from indexer.remote import Files
from indexer.vector_releases import NUMBER, STEM, BroughtVectors

__all__ = ["BLOCK_ROWS", "VectorBlock", "read_vectors", "table_beside"]

BLOCK_ROWS = 4096
"""Rows read at once: 13 MB of vectors of 768 numbers."""

SMALLEST_LENGTH = 1e-12
"""Below it a vector has no direction."""


@dataclass(frozen=True, eq=False)
class VectorBlock:
    """Some consecutive rows of a file.

    Attributes
    ----------
    records
        The good ones, without observations.
    vectors
        The vector of each record: finite, and not zero.
    rejects
        The others, each with its reason.
    """

    records: list[Record]
    vectors: Float32[np.ndarray, "n dim"]
    rejects: list[Reject]


def table_beside(array: str, brought: BroughtVectors) -> str:
    """Return the path of the table beside an array, both relative to the manifest's root."""
    path = Path(array)
    return (path.parent / brought.table.replace(STEM, path.stem)).as_posix()


def read_vectors(
    root: Files, release: ReleaseManifest, partition: Partition
) -> Iterator[VectorBlock]:
    """Read one file of vectors, in row order.

    Bad data never raise. A row is rejected that has no identifier, no place on the sky, another
    length than declared, numbers that are not finite, or nothing but zeros; a file whose columns
    or types are not those declared is a single reject, and so are the rows of a damaged part.

    Parameters
    ----------
    root
        Folder of the manifest.
    release
        With `vectors`.
    partition
        Its first file has the vectors.
    """
    brought, name = release.vectors, partition.files[0]
    assert brought is not None
    try:
        if name.endswith(".npy"):
            yield from _of_array(root, release, brought, partition)
        else:
            yield from _of_parquet(root, release, brought, name)
    except (OSError, ValueError, TypeError, ReadError, pa.ArrowException) as error:
        reason = f"the file cannot be read: {one_line(error)}"
        yield _nothing_but(Reject("", name, 0, reason), brought.dim)


def _of_parquet(
    root: Files, release: ReleaseManifest, brought: BroughtVectors, name: str
) -> Iterator[VectorBlock]:
    with opened_parquet(root / name) as file:
        schema = file.schema_arrow
        numbers = _number_columns(schema, brought)
        wanted = _wanted(schema.names, release, numbers or [brought.column])
        _check_type(schema, numbers or [brought.column], bool(numbers))
        for rows in parquet_rows(file, BLOCK_ROWS, wanted):
            if isinstance(rows, Unreadable):
                yield _nothing_but(rows.reject(name), brought.dim)
            elif numbers:
                values = [_floats(rows.batch.column(each)) for each in numbers]
                yield _block(release, name, rows, *_complete(np.stack(values, 1), brought.dim))
            else:
                lists = rows.batch.column(brought.column)
                yield _block(release, name, rows, *_from_lists(lists, brought.dim))


def _of_array(
    root: Files, release: ReleaseManifest, brought: BroughtVectors, partition: Partition
) -> Iterator[VectorBlock]:
    name, beside = partition.files
    array = np.load(root / name, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ReadError(
            "the array must be two-dimensional and of floating-point numbers, got "
            f"{array.dtype} of shape {array.shape}"
        )
    for rows in _rows_beside(root / beside, beside, release, len(array)):
        if isinstance(rows, Unreadable):
            yield _nothing_but(rows.reject(name), brought.dim)
            continue
        values = array[rows.first : rows.first + rows.batch.num_rows]
        yield _block(release, name, rows, *_complete(values, brought.dim))


def _rows_beside(
    path: Path, name: str, release: ReleaseManifest, count: int
) -> Iterator[Rows | Unreadable]:
    def checked(there: int) -> None:
        if there != count:
            raise ReadError(f"the array has {count} rows, {name} beside it {there}")

    if name.endswith(".csv"):
        # As text, because a column of numbers with a gap is read as one of rounded numbers.
        convert = pyarrow.csv.ConvertOptions(column_types={release.object_id: pa.string()})
        table = pyarrow.csv.read_csv(path, convert_options=convert)
        checked(len(table))
        table = table.select(_wanted(table.schema.names, release, []))
        first = 0
        for batch in table.to_batches(max_chunksize=BLOCK_ROWS):
            yield Rows(first, batch)
            first += batch.num_rows
        return
    with opened_parquet(path) as file:
        checked(file.metadata.num_rows)
        yield from parquet_rows(file, BLOCK_ROWS, _wanted(file.schema_arrow.names, release, []))


def _wanted(there: list[str], release: ReleaseManifest, vectors: list[str]) -> list[str]:
    """Return the columns to read: those that must be there, and those that may be."""
    required = [release.object_id, release.ra, release.dec, *vectors]
    missing = [name for name in required if name not in there]
    if missing:
        raise ReadError(f"the file lacks {', '.join(missing)}")
    return list(dict.fromkeys([*required, *_optional(there, release)]))


def _optional(there: list[str], release: ReleaseManifest) -> list[str]:
    return [name for name in needed_columns(release.columns) if name in there]


def _number_columns(schema: pa.Schema, brought: BroughtVectors) -> list[str]:
    """Return the columns of numbers that make a vector, in order; none where it is a list."""
    if NUMBER not in brought.column:
        return []
    before, after = (re.escape(each) for each in brought.column.split(NUMBER))
    numbered = [
        (int(found[1]), name)
        for name in schema.names
        if (found := re.fullmatch(f"{before}([0-9]+){after}", name))
    ]
    numbers = sorted(number for number, _ in numbered)
    first = numbers[0] if numbers else 0
    if len(numbers) != brought.dim or numbers != list(range(first, first + brought.dim)):
        raise ReadError(
            f"there must be {brought.dim} columns {brought.column!r} with successive numbers, got "
            + (f"{len(numbers)} from {first} to {numbers[-1]}" if numbers else "none")
        )
    return [name for _, name in sorted(numbered)]


def _check_type(schema: pa.Schema, columns: list[str], single: bool) -> None:
    for name in columns:
        kind = schema.field(name).type
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        lists = (
            pa.types.is_list(kind)
            or pa.types.is_large_list(kind)
            or pa.types.is_fixed_size_list(kind)
        )
        if not pa.types.is_floating(kind if single else kind.value_type if lists else pa.null()):
            what = "floating-point numbers" if single else "lists of floating-point numbers"
            raise ReadError(f"column {name!r} must hold {what}, got {schema.field(name).type}")


def _floats(column: pa.Array) -> np.ndarray[Any, Any]:
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _complete(values: np.ndarray[Any, Any], dim: int) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Return a matrix as vectors of the declared length, and why rows are none."""
    if values.shape[1] == dim:
        return values, [""] * len(values)
    return np.zeros((len(values), dim), np.float32), [_length(values.shape[1], dim)] * len(values)


def _from_lists(lists: pa.Array, dim: int) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Return lists as vectors of the declared length, and why rows are none."""
    if isinstance(lists, pa.ExtensionArray):
        lists = lists.storage
    lengths = pc.list_value_length(lists).to_pylist()
    good = np.array([length == dim for length in lengths], bool)
    values = _floats((lists if good.all() else lists.filter(pa.array(good))).flatten())
    vectors = np.zeros((len(lists), dim), values.dtype)
    vectors[good] = values.reshape(-1, dim)
    return vectors, ["" if length == dim else _length(length, dim) for length in lengths]


def _length(length: int | None, dim: int) -> str:
    if length is None:
        return "the object has no vector"
    return f"the vector has {length} numbers, the manifest declares {dim}"


def _block(
    release: ReleaseManifest,
    name: str,
    rows: Rows,
    values: np.ndarray[Any, Any],
    reasons: list[str],
) -> VectorBlock:
    # A number that is too large for single precision becomes infinite, and is found so.
    with np.errstate(over="ignore"):
        vectors = native(values).astype(np.float32)
    there = rows.batch.schema.names
    names = (release.object_id, release.ra, release.dec, *_optional(there, release))
    columns = {each: rows.batch.column(each).to_pylist() for each in names}
    finite = np.asarray(np.isfinite(vectors).all(axis=1))
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1).tolist()
    records, kept, rejects = [], [], []
    for place, reason in enumerate(reasons):
        if not reason and not finite[place]:
            reason = "the vector holds numbers that are not finite in single precision"
        elif not reason and lengths[place] < SMALLEST_LENGTH:
            reason = "the vector has no direction: all its numbers are zero"
        row = {each: _plain(values[place]) for each, values in columns.items()}
        made = _record(release, name, rows.first + place, row, reason)
        if isinstance(made, Reject):
            rejects.append(made)
        else:
            records.append(made)
            kept.append(place)
    return VectorBlock(records, vectors[kept], rejects)


def _record(
    release: ReleaseManifest, name: str, number: int, row: Mapping[str, Any], reason: str
) -> Record | Reject:
    object_id = ""
    try:
        object_id = object_id_text(row[release.object_id])
        if reason:
            raise ValueError(reason)
        ra_deg, dec_deg = on_the_sky(row[release.ra], row[release.dec])
        columns = catalogue_columns(release.columns, row)
    except (ValueError, TypeError) as error:
        return Reject(object_id, name, number, one_line(error))
    return Record(object_id, ra_deg, dec_deg, (), columns, name, number)


def _plain(value: Any) -> Any:
    """Return a value as the rules of columns take it; of structures they know nothing."""
    if isinstance(value, list):
        return np.asarray(value)
    return None if isinstance(value, dict) else value


def _nothing_but(reject: Reject, dim: int) -> VectorBlock:
    return VectorBlock([], np.empty((0, dim), np.float32), [reject])
