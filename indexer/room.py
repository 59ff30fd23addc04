"""A disk that runs full while something is built: one line that says what must be free."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.errors import BuildError
from indexer.layout import build_dir, next_dir, next_index_file

__all__ = ["bytes_below", "gigabytes", "making_room_known", "standing"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LEAST_BYTES = 100_000_000
"""Asked for at least: what a build needs is an estimate."""


@contextmanager
def making_room_known(index: Path, needed_bytes: int) -> Iterator[None]:
    """Turn a full disk, whichever library meets it, into one line.

    What is published is not touched. What cannot be used again is removed, so that a build that
    failed does not keep the disk full.

    Parameters
    ----------
    index
        Folder of the index that is built.
    needed_bytes
        About how much disk the whole work needs.

    Raises
    ------
    BuildError
        If there was no room, with how much is written, how much is free and how much is needed.
    """
    try:
        yield
    except Exception as error:
        reason = _full(error)
        if reason is None:
            raise
        written = bytes_below(build_dir(index))
        if not next_index_file(index).exists():
            shutil.rmtree(next_dir(index), ignore_errors=True)
        missing = max(needed_bytes - written, _LEAST_BYTES)
        free = shutil.disk_usage(standing(index)).free
        raise BuildError(
            f"no room to build {index} ({reason}): at least {gigabytes(missing)} more must be free "
            f"on its disk, {gigabytes(free)} are; make room and give the same command again, which "
            "goes on where it stopped; what was published before is as it was"
        ) from error


def _full(error: BaseException | None) -> str | None:
    """Return the words in which the system says that there is no room, if the error says so."""
    while error is not None:
        # FAISS and safetensors keep no number, only the words.
        for code in _FULL:
            words = os.strerror(code)
            if getattr(error, "errno", None) == code or words in str(error):
                return words
        error = error.__cause__ or error.__context__
    return None


def bytes_below(folder: Path) -> int:
    """Return the size of all files below a folder, which need not exist; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            # Others may encode there, and rename what they have finished.
            with suppress(FileNotFoundError):
                status = os.lstat(Path(parent) / name)
                # A second name of a published file takes no room.
                total += status.st_size if status.st_nlink == 1 else 0
    return total


def standing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path


def gigabytes(count: int) -> str:
    """Return a number of bytes for a person."""
    return f"{count / 1e9:.1f} GB"
