"""What is in memory, and how it is forgotten."""

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np

from benchmarks.memory import forget

MEGABYTES = 24


def _resident(array: np.memmap) -> int:
    """Return how many pages of a mapped file the system holds (mincore)."""
    start = array.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
    length = array.ctypes.data + array.nbytes - start
    pages = (ctypes.c_ubyte * -(-length // mmap.PAGESIZE))()
    status = ctypes.CDLL(None).mincore(ctypes.c_void_p(start), ctypes.c_size_t(length), pages)
    assert status == 0
    return sum(each & 1 for each in pages)


def test_what_was_read_is_forgotten(tmp_path: Path):
    path, other = tmp_path / "a.npy", tmp_path / "b.npy"
    for each in (path, other):
        with each.open("wb") as stream:
            np.save(stream, np.arange(MEGABYTES << 17))
            stream.flush()
            # Only what is on the disk can be dropped.
            os.fsync(stream.fileno())
    mapped, beside = (np.load(each, mmap_mode="r") for each in (path, other))
    expected = int(mapped.sum())
    assert int(beside.sum()) == expected
    before = _resident(mapped)
    forget([path])
    # The system may hold on to a part while it is busy.
    assert _resident(mapped) < before / 2
    assert _resident(beside) > before / 2
    assert int(mapped.sum()) == expected
