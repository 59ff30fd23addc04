"""Remote files on their way through the disk: fetched ahead, read once, and removed."""

import os
import platform
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import IndexerError
from indexer.remote import RemoteFile, RemoteRoot, Take

__all__ = ["SPOOL_BYTES", "Spool", "spooled"]

SPOOL_BYTES = 4 * 1024**3
"""Fetched and not yet read, at most, in each process; a larger file comes by itself."""


class Spool:
    """Files of a remote folder, in their order; ``spool / name`` waits until that one is there.

    A thread fetches ahead of the reader as far as there is room. When a file is asked for, those
    that were asked for before are removed, unless they are kept.

    Parameters
    ----------
    root, names
        Which files, in the order in which they will be asked for.
    folder
        Where they lie meanwhile.
    listed
        What was listed of them, as far as it was.
    keep
        Keep them all to the end: they are read side by side.
    take
        Copies what is needed of each; else they come whole.

    Attributes
    ----------
    sha256
        Of each file that came; of one that did not, empty.
    """

    def __init__(
        self,
        root: RemoteRoot,
        names: Sequence[str],
        folder: Path,
        listed: Mapping[str, RemoteFile] | None = None,
        *,
        keep: bool = False,
        take: Take | None = None,
        most_bytes: int = SPOOL_BYTES,
    ) -> None:
        self.sha256: dict[str, str] = {}
        self._root, self._folder = root, folder
        self._places = {name: place for place, name in enumerate(names)}
        self._listed, self._keep, self._most = listed or {}, keep, most_bytes
        self._take = take
        self._held: dict[str, int] = {}
        self._failed: dict[str, Exception] = {}
        self._taken, self._ended = "", False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._fetch_all, daemon=True)

    def __truediv__(self, name: str) -> Path:
        """Return where a file is, once it is there.

        Raises
        ------
        ReadError
            If it cannot be had, but others may.
        BuildError
            If the server cannot be reached.
        """
        with self._changed:
            if name not in self._places:
                return self._folder / name
            if not self._keep and self._taken not in ("", name):
                self._remove(self._taken)
            self._taken = name
            self._changed.notify_all()
            self._changed.wait_for(lambda: name in self.sha256 or name in self._failed)
            if name in self._failed:
                raise self._failed[name]
        return self._folder / name

    def start(self) -> None:
        """Begin to fetch."""
        self._thread.start()

    def end(self) -> None:
        """Fetch nothing more and remove everything; a file that is on its way is waited for."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)
        self._held.pop(name, None)

    def _fetch_all(self) -> None:
        for name in self._places:
            expected = self._listed.get(name)
            size = 0 if expected is None else expected.bytes
            with self._changed:
                self._changed.wait_for(lambda: self._may(name, size))  # noqa: B023
                if self._ended:
                    return
                self._held[name] = size
            digest, failed = "", None
            try:
                digest = self._root.fetch(name, self._folder / name, expected, self._take)
            except (IndexerError, OSError) as error:
                # Told to whoever asks for the file: this thread has nobody to tell.
                failed = error
            with self._changed:
                self.sha256[name] = digest
                if failed is not None:
                    self._failed[name] = failed
                    self._remove(name)
                self._changed.notify_all()

    def _may(self, name: str, size: int) -> bool:
        room = sum(self._held.values()) + size <= self._most
        # What the reader waits for comes in any case, or both would wait for ever.
        return self._ended or room or not self._held or self._is_waited_for(name)

    def _is_waited_for(self, name: str) -> bool:
        return self._places[name] <= self._places.get(self._taken, -1)


@contextmanager
def spooled(
    root: RemoteRoot,
    names: Sequence[str],
    parent: Path,
    listed: Mapping[str, RemoteFile] | None = None,
    *,
    keep: bool = False,
    take: Take | None = None,
) -> Iterator[Spool]:
    """Give files of a remote folder in a folder of their own below `parent`, which is removed."""
    unique = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
    spool = Spool(root, names, parent / unique, listed, keep=keep, take=take)
    spool.start()
    try:
        yield spool
    finally:
        spool.end()
