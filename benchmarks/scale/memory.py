"""Memory of this process that belongs to it alone: mapped files are the system's to take back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Peak", "anonymous_bytes", "mapped_bytes", "peak"]

_INTERVAL_S = 0.02


def anonymous_bytes() -> int:
    """Return the resident anonymous memory of this process."""
    return _status("RssAnon")


def mapped_bytes() -> int:
    """Return how much of the files that this process maps is in memory."""
    return _status("RssFile")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return 1024 * int(value.split()[0])
    raise RuntimeError(f"/proc/self/status has no {name}: memory can be measured on Linux only")


class Peak:
    """The largest anonymous memory since it began, above what there was then."""

    def __init__(self) -> None:
        self._before = anonymous_bytes()
        self._most = self._before

    @property
    def bytes(self) -> int:
        """As far as it was seen."""
        self.look()
        return self._most - self._before

    def look(self) -> None:
        """Take what there is now into account."""
        self._most = max(self._most, anonymous_bytes())


@contextmanager
def peak() -> Iterator[Peak]:
    """Watch the memory of a block from a thread beside it."""
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
