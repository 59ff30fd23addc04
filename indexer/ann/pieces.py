"""Pieces of inverted lists on disk, and how they become one index.

A segment too large for memory twice is filled piece by piece. A piece has its lists one after the
other, without what is trained, which FAISS repeats in every file: with 65,536 lists of 128
dimensions 35 MB. From the pieces an index is put together list by list, each with the room that it
needs and no more, in the order of the pieces: the same as if all had been filled at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from indexer.ann.library import faiss
from indexer.ann.product_codes import fast_lists_of, inverted_of, lists_of, with_lists
from indexer.durable import replacing
from indexer.errors import IndexFormatError

__all__ = ["assembled", "save_piece"]

_LISTS_AT_ONCE = 2048
"""Lists that are in memory as they are made and as they are served: one in 32 of the most."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """The lists of some vectors, mapped: those of list l lie from `starts[l]` to the next."""

    starts: Int64[np.ndarray, " lists+1"]
    ids: Int64[np.ndarray, " n"]
    codes: UInt8[np.ndarray, "n bytes"]

    def of(self, number: int) -> slice:
        return slice(int(self.starts[number]), int(self.starts[number + 1]))


def save_piece(filled: Any, path: Path) -> None:
    """Write the inverted lists of a filled index, whole or not at all."""
    index = inverted_of(filled)
    lists, size = index.invlists, int(index.code_size)
    sizes = np.array([lists.list_size(number) for number in range(index.nlist)], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    ids = np.empty(int(starts[-1]), np.int64)
    codes = np.empty((int(starts[-1]), size), np.uint8)
    for number in np.flatnonzero(sizes).tolist():
        count, at = int(sizes[number]), slice(starts[number], starts[number + 1])
        ids[at] = faiss.rev_swig_ptr(lists.get_ids(number), count)
        codes[at] = faiss.rev_swig_ptr(lists.get_codes(number), count * size).reshape(-1, size)
    with replacing(path) as temporary, temporary.open("wb") as stream:
        for array in (starts, ids, codes):
            np.save(stream, array)


def assembled(trained: Any, pieces: Sequence[Path]) -> Any:
    """Return an index as it is served, of pieces that were filled from a trained index.

    At its peak it takes the memory of the result and of a few of its lists.

    Raises
    ------
    IndexFormatError
        If a piece has other lists or other codes than the trained index.
    """
    served = faiss.clone_index(trained)
    index = inverted_of(served)
    mapped = [_mapped(path, index) for path in pieces]
    total = sum(len(each.ids) for each in mapped)
    if lists_of(served) is None:
        for number in range(index.nlist):
            _copy(mapped, number, index.invlists)
        index.ntotal = total
        return served
    fast = fast_lists_of(index)
    for first in range(0, index.nlist, _LISTS_AT_ONCE):
        numbers = range(first, min(first + _LISTS_AT_ONCE, index.nlist))
        for number, count, ids, codes in _turned(index, mapped, numbers):
            fast.invlists.add_entries(number, count, ids, codes)
    fast.ntotal = total
    return with_lists(served, fast)


def _turned(
    index: Any, mapped: Sequence[_Piece], numbers: range
) -> Iterator[tuple[int, int, Any, Any]]:
    """Give number, size, ids and codes, laid out for fast scanning, of some lists."""
    ordinary = faiss.ArrayInvertedLists(index.nlist, index.code_size)
    for number in numbers:
        _copy(mapped, number, ordinary)
    # FAISS itself lays them out; the other lists are empty meanwhile.
    _give(index, ordinary)
    part = fast_lists_of(index)
    for number in numbers:
        if count := part.invlists.list_size(number):
            lists = part.invlists
            yield number, count, lists.get_ids(number), lists.get_codes(number)
    _give(index, faiss.ArrayInvertedLists(index.nlist, index.code_size))


def _give(index: Any, lists: Any) -> None:
    """Let an index have other lists, and free the ones it had."""
    lists.this.disown()
    index.replace_invlists(lists, True)


def _copy(mapped: Sequence[_Piece], number: int, lists: Any) -> None:
    """Put one list together; with its size stated first FAISS takes no more room for it."""
    sizes = [each.starts[number + 1] - each.starts[number] for each in mapped]
    lists.resize(number, int(sum(sizes)))
    done = 0
    for each in mapped:
        at = each.of(number)
        if count := at.stop - at.start:
            # In variables, for FAISS takes addresses.
            ids, codes = np.array(each.ids[at]), np.array(each.codes[at])
            lists.update_entries(number, done, count, faiss.swig_ptr(ids), faiss.swig_ptr(codes))
            done += count


def _mapped(path: Path, index: Any) -> _Piece:
    try:
        with path.open("rb") as stream:
            starts = np.load(stream, allow_pickle=False)
            ids, codes = (_map_next(path, stream) for _ in range(2))
    except (OSError, ValueError) as error:
        raise IndexFormatError(
            f"{path} must be a piece of inverted lists, but cannot be read ({error}); remove it "
            "and build again"
        ) from error
    if (len(starts) - 1, codes.shape[1]) != (index.nlist, index.code_size):
        raise IndexFormatError(
            f"{path} must have {index.nlist} lists of codes of {index.code_size} bytes, got "
            f"{len(starts) - 1} of {codes.shape[1]}; remove it and build again"
        )
    return _Piece(starts, ids, codes)


def _map_next(path: Path, stream: Any) -> np.ndarray[Any, Any]:
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    stream.seek(int(np.prod(shape)) * dtype.itemsize, 1)
    if not int(np.prod(shape)):
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", start, shape)
