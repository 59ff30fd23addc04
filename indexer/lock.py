"""Who may write an index: one process at a time."""

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.errors import LockedError
from indexer.layout import LOCK_FILE

__all__ = ["refuse_locked", "writing"]

_TRIES = 5
_BETWEEN_TRIES_S = 0.02


def refuse_locked(index: Path) -> None:
    """Refuse to go on while a build holds the lock.

    Raises
    ------
    LockedError
        If one does; the message names it.
    """
    try:
        handle = os.open(index / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _locked(index, handle) from None
    finally:
        os.close(handle)


def _locked(index: Path, handle: int) -> LockedError:
    holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
    return LockedError(
        f"only one process may build {index} at a time, and {holder} is doing so; "
        "wait until it has finished"
    )


def _taken(handle: int) -> bool:
    # Whoever only looks (`refuse_locked`) holds the lock for an instant, which must not turn a
    # builder away, least of all with the name of a process that is dead.
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return True
    return False


@contextmanager
def writing(index: Path) -> Iterator[None]:
    """Hold the lock of an index while building.

    The kernel drops the lock with its process, so that the lock of a dead process is simply
    taken over. The file names the holder and its machine, and is removed at the end.

    Raises
    ------
    LockedError
        If another process is building this index; the message names it.
    """
    index.mkdir(parents=True, exist_ok=True)
    path = index / LOCK_FILE
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _taken(handle):
            error = _locked(index, handle)
            os.close(handle)
            raise error
        # The holder before us may have removed the file between our open and our lock.
        if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
            break
        os.close(handle)
    try:
        os.ftruncate(handle, 0)
        # A disk that has no room even for this is told of by whatever writes next.
        with suppress(OSError):
            os.write(handle, f"process {os.getpid()} on {platform.node()}\n".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
