"""What a process holds in memory, and how to make it forget what lies on disk."""

import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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


def forget(paths: Iterable[Path], maps: Iterable[np.ndarray] = ()) -> None:
    """Drop files from memory: from the maps of this process, then from the system's cache.

    A page that a process has mapped is not dropped from the cache, so the maps come first.
    """
    for each in maps:
        held = each._mmap if isinstance(each, np.memmap) else None
        if held is not None:
            held.madvise(mmap.MADV_DONTNEED)
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
