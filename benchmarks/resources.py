"""What a process holds in memory, and how to make it forget what lies on disk."""

import ctypes
import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SAMPLED_EVERY_S = 0.25


def memory_mb() -> dict[str, float]:
    """Return the resident memory of this process in MB: its own, and of mapped files."""
    found = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "anonymous": int(found["RssAnon"].split()[0]) / 1024,
        "mapped": int(found["RssFile"].split()[0]) / 1024,
    }


@dataclass
class Peak:
    """The largest anonymous memory seen, in MB."""

    anonymous: float = 0.0


@contextmanager
def watched() -> Iterator[Peak]:
    """Look at the anonymous memory of this process four times a second."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLED_EVERY_S):
            peak.anonymous = max(peak.anonymous, memory_mb()["anonymous"])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak.anonymous = max(peak.anonymous, memory_mb()["anonymous"])


def forget(paths: Iterable[Path]) -> None:
    """Drop files from memory: from the maps of this process, then from the system's cache.

    A page that a process has mapped is not dropped from the cache, so the maps come first.
    Nothing may have been written to them.
    """
    wanted = [path.resolve() for path in paths]
    names = {str(path) for path in wanted}
    libc = ctypes.CDLL(None, use_errno=True)
    for line in Path("/proc/self/maps").read_text().splitlines():
        where, *rest = line.split(maxsplit=5)
        if rest[-1] in names:
            first, last = (int(each, 16) for each in where.split("-"))
            start, length = ctypes.c_void_p(first), ctypes.c_size_t(last - first)
            if libc.madvise(start, length, mmap.MADV_DONTNEED):
                raise OSError(ctypes.get_errno(), f"{rest[-1]} cannot be dropped from memory")
    for path in wanted:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
