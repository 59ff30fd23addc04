"""Multimodal Universe files, version 1.5: a HATS catalogue, with arrays as nested lists in Parquet.

What the rows hold is `indexer.readers.mmu_rows`; here their columns get the names of version 1.
Only what is needed is read, and of a remote file only that is fetched.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from indexer.errors import ReadError
from indexer.manifests import ReleaseManifest
from indexer.readers.messages import one_line
from indexer.readers.mmu_rows import BLOCK_ROWS, record_of, wanted_columns
from indexer.readers.parquet_blocks import Unreadable, opened_parquet, parquet_rows
from indexer.readers.records import Record, Reject

__all__ = ["keep_needed", "read_hats_file"]

_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "image_array": "image.flux",
        "image_mask": "image.mask",
        "image_band": "image.band",
        "image_scale": "image.scale",
        "spectrum_lambda": "spectrum.lambda",
        "spectrum_flux": "spectrum.flux",
        "spectrum_ivar": "spectrum.ivar",
        "spectrum_mask": "spectrum.mask",
        "coeff": "spectral_coefficients.coeff",
    }
)
"""Where the arrays are, by their names in version 1 (UniverseTBD/mmu-hdf-to-hats, bc467bd)."""


def read_hats_file(path: Path, name: str, release: ReleaseManifest) -> Iterator[Record | Reject]:
    """Read every object of one Parquet file, in row order.

    Parameters
    ----------
    path
        The file.
    name
        Its path relative to the manifest's root, for the records.
    release
        What its columns mean. A column is named as it is, by its path (``photometry.phot_g``), or
        without the struct that it lies in if there is only one of that name.

    Yields
    ------
    Record | Reject
        One for each row; or a single reject for a file, or a part of it, that cannot be read.
    """
    try:
        with opened_parquet(path) as file:
            yield from _rows(file, name, release)
    except (OSError, ValueError, TypeError, ReadError, pa.ArrowException) as error:
        yield Reject("", name, 0, f"the file cannot be read: {one_line(error)}")


def keep_needed(source: Any, to: Path, release: ReleaseManifest) -> None:
    """Copy those columns of a Parquet file that are read.

    Parameters
    ----------
    source
        An open file, of which no more than that is asked.
    to
        The copy, with the same rows in the same groups.
    release
        What its columns mean.

    Raises
    ------
    ReadError
        If a column is missing.
    OSError, pyarrow.ArrowException
        If the file cannot be read.
    """
    with opened_parquet(source, ahead=True) as file:
        columns = sorted({".".join(each) for each in _paths(file.schema_arrow, release).values()})
        schema = file.read_row_groups([], columns=columns).schema
        # What was measured does not repeat itself, and the copy is read once.
        options = {"use_dictionary": False, "compression": "none", "write_page_checksum": True}
        with pq.ParquetWriter(to, schema, **options) as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=columns, use_threads=False)
                writer.write_table(table, row_group_size=max(1, len(table)))


def _rows(file: pq.ParquetFile, name: str, release: ReleaseManifest) -> Iterator[Record | Reject]:
    paths = _paths(file.schema_arrow, release)
    required, _ = wanted_columns(release)
    needed = [column for column in required if column != release.object_id]
    columns = list(dict.fromkeys(".".join(path) for path in paths.values()))
    for rows in parquet_rows(file, BLOCK_ROWS, columns):
        if isinstance(rows, Unreadable):
            yield rows.reject(name)
            continue
        block = {column: _Column(_found(rows.batch, path)) for column, path in paths.items()}
        for offset in range(rows.batch.num_rows):
            yield _record(block, offset, needed, name, rows.first + offset, release)


def _record(
    block: Mapping[str, "_Column"],
    offset: int,
    needed: Sequence[str],
    name: str,
    number: int,
    release: ReleaseManifest,
) -> Record | Reject:
    row: dict[str, Any] = {}
    for column, values in block.items():
        try:
            value = values[offset]
        except ValueError as error:
            return Reject("", name, number, f"{_FIELDS.get(column, column)}: {error}")
        if value is not None:
            row[column] = value
    lacking = [_FIELDS.get(column, column) for column in needed if column not in row]
    if lacking:
        told = ", ".join(lacking)
        return Reject("", name, number, f"the object has no {told}")
    row.setdefault(release.object_id, None)
    return record_of(row, name, number, release)


def _paths(schema: pa.Schema, release: ReleaseManifest) -> dict[str, tuple[str, ...]]:
    """Return where each column is that is there, by the name that `record_of` knows it by."""
    required, optional = wanted_columns(release)
    paths, missing = {}, []
    for column in dict.fromkeys((*required, *optional)):
        path = _path(schema, _FIELDS.get(column, column))
        if path is not None:
            paths[column] = path
        elif column in required:
            missing.append(_FIELDS.get(column, column))
    if missing:
        raise ReadError(f"it lacks {', '.join(missing)}")
    return paths


def _path(schema: pa.Schema, name: str) -> tuple[str, ...] | None:
    if name in schema.names:
        return (name,)
    above, _, last = name.rpartition(".")
    structs = [field for field in schema if pa.types.is_struct(field.type)]
    inside = [
        (field.name, last)
        for field in structs
        if above in ("", field.name) and field.type.get_field_index(last) >= 0
    ]
    return inside[0] if len(inside) == 1 else None


def _found(batch: pa.RecordBatch, path: tuple[str, ...]) -> pa.Array:
    column = batch.column(path[0])
    # Not `field`, which does not know that a struct itself is missing.
    return pc.struct_field(column, path[1]) if len(path) > 1 else column


class _Column:
    """The values of a column: an array where it holds lists, None where it holds nothing."""

    def __init__(self, column: pa.Array) -> None:
        self._lists = column if _is_list(column.type) else None
        if self._lists is not None:
            return
        plain = pa.types.is_primitive(column.type) and not column.null_count
        # With gaps, NumPy would make whole numbers floating-point ones.
        self._values = column.to_numpy(zero_copy_only=False) if plain else column.to_pylist()

    def __getitem__(self, row: int) -> Any:
        return self._values[row] if self._lists is None else _array(self._lists, row)


def _array(lists: pa.Array, row: int) -> np.ndarray[Any, Any] | None:
    if not lists[row].is_valid:
        return None
    values = lists[row].values
    shape = [len(values)]
    while _is_list(values.type):
        lengths = np.unique(np.asarray(pc.fill_null(pc.list_value_length(values), -1)))
        if len(lengths) > 1 or -1 in lengths:
            raise ValueError("its lists have different lengths")
        shape.append(int(lengths[0]) if len(lengths) else 0)
        values = values.flatten()
    if values.null_count and not pa.types.is_floating(values.type):
        raise ValueError("it has gaps")
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(shape)


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
