"""Files that stay readable for whoever opened an index, though a later publication removes them."""

import os
from pathlib import Path
from weakref import finalize

__all__ = ["Held"]

_OPEN_FILES = Path("/dev/fd")


class Held:
    """One file that is read later than the index is opened.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDONLY)
        finalize(self, os.close, self._handle)

    @property
    def name(self) -> Path:
        """A name under which it can be opened while this object lives."""
        return _OPEN_FILES / str(self._handle) if _OPEN_FILES.is_dir() else self.path
