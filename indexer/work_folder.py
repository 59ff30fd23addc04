"""The folder in which an output is made: beside it, and for one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.lock import writing

__all__ = ["unfinished_path", "work_beside"]


def unfinished_path(out: Path) -> Path:
    """Return the folder in which an output is made."""
    return out.with_name(f"{out.name}.unfinished")


@contextmanager
def work_beside(out: Path) -> Iterator[Path]:
    """Hold the folder in which an output is made; it is removed if it is left empty.

    Raises
    ------
    LockedError
        If another process holds it; the message names it.
    """
    work = unfinished_path(out)
    try:
        with writing(work):
            yield work
    finally:
        # What is not empty is somebody's: of another process, or to be gone on with.
        with suppress(OSError):
            work.rmdir()
