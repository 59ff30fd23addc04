"""Who may write an index: one builder at a time, or any number that encode for a later build."""

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.errors import LockedError
from indexer.layout import LOCK_FILE

__all__ = ["encoding", "writing"]

_TRIES = 5
_BETWEEN_TRIES_S = 0.02
_ENCODING = "encoding: "


def _locked(index: Path, handle: int) -> LockedError:
    # Of several that encode, each wrote over what was there.
    said = os.pread(handle, 200, 0).decode(errors="replace").partition("\n")[0]
    holder = said.removeprefix(_ENCODING) or "another process"
    if said.startswith(_ENCODING):
        return LockedError(
            f"partitions are being encoded for {index} by tasks of a job array, such as {holder}; "
            "wait until all of them have ended"
        )
    return LockedError(
        f"only one process may build {index} at a time, and {holder} is doing so; "
        "wait until it has finished"
    )


def _taken(handle: int, mode: int) -> bool:
    # Whoever ends its encoding looks for an instant whether it was the last.
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return True
    return False


def _held(index: Path, mode: int) -> int:
    """Return the handle of the lock file of an index, locked."""
    index.mkdir(parents=True, exist_ok=True)
    path = index / LOCK_FILE
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _taken(handle, mode):
            error = _locked(index, handle)
            os.close(handle)
            raise error
        # The holder before us may have removed the file between our open and our lock.
        with suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        os.close(handle)


def _sign(handle: int, as_what: str = "") -> None:
    # A disk that has no room even for this is told of by whatever writes next.
    with suppress(OSError):
        os.pwrite(handle, f"{as_what}process {os.getpid()} on {platform.node()}\n".encode(), 0)


@contextmanager
def writing(index: Path) -> Iterator[None]:
    """Hold the lock of an index while building.

    The kernel drops the lock with its process, so that the lock of a dead process is simply
    taken over. The file names the holder and its machine, and is removed at the end.

    Raises
    ------
    LockedError
        If another process is building this index, or some are encoding for it; the message names
        it.
    """
    handle = _held(index, fcntl.LOCK_EX)
    try:
        os.ftruncate(handle, 0)
        _sign(handle)
        yield
    finally:
        (index / LOCK_FILE).unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def encoding(index: Path) -> Iterator[None]:
    """Hold the lock of an index together with all that encode for it, while nobody builds it.

    The last of them removes the file.

    Raises
    ------
    LockedError
        If a process is building this index; the message names it.
    """
    handle = _held(index, fcntl.LOCK_SH)
    try:
        _sign(handle, _ENCODING)
        yield
    finally:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (index / LOCK_FILE).unlink(missing_ok=True)
        os.close(handle)
