"""Files that stay readable for whoever opened an index, though a later publication removes them."""

import os
from pathlib import Path
from weakref import finalize

__all__ = ["Held", "hold"]

_OPEN_FILES = Path("/dev/fd")


class Held:
    """One file that is read later than the index is opened.

    Parameters
    ----------
    path
        The file.
    handle
        Of the open file; closed with this object.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle
        finalize(self, os.close, handle)

    @property
    def name(self) -> Path:
        """A name under which it can be opened while this object lives."""
        return _OPEN_FILES / str(self._handle) if _OPEN_FILES.is_dir() else self.path


def hold(path: Path) -> Held | None:
    """Return a file that stays readable; None if it is not there."""
    try:
        return Held(path, os.open(path, os.O_RDONLY))
    except FileNotFoundError:
        return None
