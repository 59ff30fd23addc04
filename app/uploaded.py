"""Files that a stranger sent, as files of a folder of our own that is gone afterwards."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["own_name", "written"]

_LONGEST = 150
"""Bytes of a name; file systems take 255."""


def own_name(name: str) -> str:
    """Return what a file may be called here: the last part of its name, if that names a file."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in last if letter.isprintable()).strip()
    kept = shown.encode("utf-8", "ignore")[-_LONGEST:].decode("utf-8", "ignore")
    return "upload" if kept in ("", ".", "..") else kept


@contextmanager
def written(files: Sequence[tuple[str, bytes]]) -> Iterator[list[Path]]:
    """Give paths of files, by name and content; each lies alone in its folder."""
    with tempfile.TemporaryDirectory(prefix="aion-search-") as folder:
        paths = []
        for number, (name, content) in enumerate(files):
            path = Path(folder) / str(number) / own_name(name)
            path.parent.mkdir()
            path.write_bytes(content)
            paths.append(path)
        yield paths
