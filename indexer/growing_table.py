"""A table that grows on disk, block after block, and is mapped as one record batch.

Only one record batch maps its columns without a copy, and a batch is written at once: a table that
no memory holds has to lie somewhere before.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["GrowingTable"]


class GrowingTable:
    """Numbers, flags, `large_string` and dictionaries of text.

    Parameters
    ----------
    folder
        That is made for it; the table is good for as long as its files.
    schema
        Of the table.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(parents=True)
        self.schema = schema
        self._columns = [
            _kind_of(each.type)(folder / str(number), each.type)
            for number, each in enumerate(schema)
        ]

    def append(self, table: pa.Table) -> None:
        """Append rows; columns as in the schema."""
        for grown, column in zip(self._columns, table.cast(self.schema).columns, strict=True):
            for chunk in column.chunks:
                grown.append(chunk)

    def mapped(self) -> pa.Table:
        """Return the table, mapped, each column in one chunk; it grows no more."""
        return pa.table([each.mapped() for each in self._columns], schema=self.schema)


class _Bytes:
    """A file that grows, then is mapped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def write(self, values: np.ndarray[Any, Any]) -> None:
        # Opened for each block, so that nothing is left open where a build breaks off.
        with self._path.open("ab") as file:
            file.write(np.ascontiguousarray(values).view(np.uint8).data)

    def mapped(self) -> pa.Buffer:
        if not self._path.stat().st_size:
            return pa.py_buffer(b"")
        return pa.memory_map(str(self._path)).read_buffer()


class _Numbers:
    """A column of numbers of a fixed size."""

    def __init__(self, path: Path, kind: pa.DataType) -> None:
        self._values = _Bytes(path)
        self._kind = kind
        self._known: list[np.ndarray[Any, Any]] = []
        self._null = 0

    def append(self, chunk: pa.Array) -> None:
        self._null += chunk.null_count
        # Most columns have no nulls, and need no memory for that.
        self._known.append(_ones(len(chunk)) if not chunk.null_count else _known(chunk))
        self._write(chunk.fill_null(self._nothing) if chunk.null_count else chunk)

    def mapped(self) -> pa.Array:
        length = sum(len(each) for each in self._known)
        bitmap = None
        if self._null:
            bitmap = pa.py_buffer(np.packbits(np.concatenate(self._known), bitorder="little"))
        return self._array(length, bitmap)

    _nothing: Any = 0

    def _write(self, chunk: pa.Array) -> None:
        self._values.write(chunk.to_numpy())

    def _array(self, length: int, bitmap: pa.Buffer | None) -> pa.Array:
        return pa.Array.from_buffers(self._kind, length, [bitmap, self._values.mapped()])


def _ones(count: int) -> np.ndarray[Any, Any]:
    # One True, seen as many: no memory of its own.
    return np.broadcast_to(np.True_, (count,))


def _known(chunk: pa.Array) -> np.ndarray[Any, Any]:
    return np.asarray(chunk.is_valid().to_numpy(zero_copy_only=False))


class _Flags(_Numbers):
    """Bits in Arrow, bytes while they grow."""

    _nothing = False

    def _write(self, chunk: pa.Array) -> None:
        self._values.write(chunk.to_numpy(zero_copy_only=False))

    def _array(self, length: int, bitmap: pa.Buffer | None) -> pa.Array:
        flags = np.frombuffer(self._values.mapped(), np.uint8)
        bits = pa.py_buffer(np.packbits(flags, bitorder="little"))
        return pa.Array.from_buffers(self._kind, length, [bitmap, bits])


class _Texts(_Numbers):
    """Texts, and where each ends: with 64 bits."""

    _nothing = ""

    def __init__(self, path: Path, kind: pa.DataType) -> None:
        super().__init__(path, kind)
        self._ends = _Bytes(path.with_name(f"{path.name}.ends"))
        self._ends.write(np.zeros(1, np.int64))
        self._size = 0

    def _write(self, chunk: pa.Array) -> None:
        if not len(chunk):
            return
        _, offsets, data = chunk.buffers()
        ends = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if ends[-1] > ends[0]:
            self._values.write(np.frombuffer(data, np.uint8)[ends[0] : ends[-1]])
        self._ends.write(ends[1:] - ends[0] + self._size)
        self._size += int(ends[-1] - ends[0])

    def _array(self, length: int, bitmap: pa.Buffer | None) -> pa.Array:
        buffers = [bitmap, self._ends.mapped(), self._values.mapped()]
        return pa.Array.from_buffers(self._kind, length, buffers)


class _Codes(_Numbers):
    """Places in a dictionary of texts, which grows with them; in the order of their first use."""

    def __init__(self, path: Path, kind: pa.DataType) -> None:
        super().__init__(path, kind.index_type)
        self._of: dict[str, int] = {}
        self._texts = kind.value_type

    def append(self, chunk: pa.Array) -> None:
        texts = chunk.dictionary.to_pylist()
        codes = [self._of.setdefault(each, len(self._of)) for each in texts]
        super().append(pa.array(codes, self._kind).take(chunk.indices))

    def mapped(self) -> pa.Array:
        return pa.DictionaryArray.from_arrays(
            super().mapped(), pa.array(list(self._of), self._texts)
        )


def _kind_of(kind: pa.DataType) -> type[_Numbers]:
    if pa.types.is_dictionary(kind):
        return _Codes
    if pa.types.is_large_string(kind):
        return _Texts
    return _Flags if pa.types.is_boolean(kind) else _Numbers
