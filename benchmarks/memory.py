"""Memory of this process, its own and of mapped files, and how to make it forget what is on disk.

What belongs to it alone is anonymous; mapped files are the system's to take back.
"""

import ctypes
import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

__all__ = ["Peak", "anonymous_bytes", "forget", "growth", "mapped_bytes", "peak"]

_INTERVAL_S = 0.02


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def anonymous_bytes(pid: int | None = None) -> int:
    """Return the resident anonymous memory of a process; by default of this one."""
    return _status("RssAnon", pid)


def mapped_bytes() -> int:
    """Return how much of the files that this process maps is in memory."""
    return _status("RssFile")


def _status(name: str, pid: int | None = None) -> int:
    path = Path("/proc", "self" if pid is None else str(pid), "status")
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return 1024 * int(value.split()[0])
    raise RuntimeError(f"{path} has no {name}: memory can be measured on Linux only")


class Peak:
    """The largest anonymous memory since it began.

    Attributes
    ----------
    most
        As far as it was seen.
    """

    def __init__(self) -> None:
        self._before = anonymous_bytes()
        self.most = self._before

    @property
    def bytes(self) -> int:
        """Above what there was at first."""
        self.look()
        return self.most - self._before

    def look(self) -> None:
        """Take what there is now into account."""
        self.most = max(self.most, anonymous_bytes())


@contextmanager
def peak() -> Iterator[Peak]:
    """Watch the memory of a block from a thread beside it.

    What the allocator kept of earlier work goes back to the system first: a block that is served
    from it would seem to take nothing.
    """
    if hasattr(libc := _libc(), "malloc_trim"):
        libc.malloc_trim(0)
    seen, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(_INTERVAL_S):
            seen.look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def forget(paths: Iterable[Path]) -> None:
    """Drop files from memory: from the maps of this process, then from the system's cache.

    A page that a process has mapped is not dropped from the cache, so the maps come first.
    Nothing may have been written to them.
    """
    wanted = [path.resolve() for path in paths]
    names = {str(path) for path in wanted}
    libc = _libc()
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


def growth(held: Iterable[tuple[float, int]], since: float) -> float:
    """Return how many bytes memory grows for each unit of time, or of work, by a line.

    Parameters
    ----------
    held
        When memory was looked at, and bytes.
    since
        Only what was held from then on counts: before it, the process warmed up.
    """
    when, size = np.array([each for each in held if each[0] >= since], float).reshape(-1, 2).T
    return float(np.polyfit(when, size, 1)[0])
