"""From a finished build to a published index, by renaming.

A build gathers a whole index under ``.build/next``; units that stay as they are appear there as
hard links. Publishing moves the new units to their own, unused names and then renames
`index.json` into place: that one rename is the publication. Units that were listed before stay
where they are until the next build begins its work, for those who are just opening them.
"""

import os
import shutil
from pathlib import Path

from indexer.durable import sync_folder, sync_tree
from indexer.errors import BuildError, IndexFormatError
from indexer.index_file import read_index_file
from indexer.index_model import IndexInfo
from indexer.layout import (
    INDEX_FILE,
    LOCK_FILE,
    build_dir,
    next_dir,
    next_index_file,
    units_on_disk,
)

__all__ = [
    "adopt",
    "collect_garbage",
    "publish",
    "published",
    "refuse_foreign",
    "root_of",
    "sealed",
    "units_of",
]


def published(index: Path) -> IndexInfo | None:
    """Return what is published, or None.

    Raises
    ------
    BuildError
        If it cannot be read, or lacks files.
    """
    path = index / INDEX_FILE
    if not path.exists():
        return None
    try:
        info = read_index_file(path)
    except IndexFormatError as error:
        raise BuildError(
            f"{index} holds an index that cannot be brought up to date: {error}; "
            "remove it or name another folder"
        ) from error
    for name, known in info.files.items():
        file = index / name
        if not file.is_file() or file.stat().st_size != known.bytes:
            raise BuildError(
                f"{index} holds a damaged index: {name} is missing or not whole; "
                "remove it or name another folder"
            )
    return info


def sealed(index: Path) -> IndexInfo | None:
    """Return the build that is finished but not published, or None.

    One that lacks files, as after a power cut, or cannot be read counts as none: it is made again.
    """
    path = next_index_file(index)
    if not path.exists():
        return None
    try:
        info = read_index_file(path)
    except IndexFormatError:
        return None
    for unit in units_of(info):
        root = root_of(index, unit)
        for name, known in info.files.items():
            if name == unit or name.startswith(f"{unit}/"):
                file = root / name
                if not file.is_file() or file.stat().st_size != known.bytes:
                    return None
    return info


def root_of(index: Path, unit: str) -> Path:
    """Return below which folder a unit of the finished build lies.

    A publication that was killed has moved some of them to their places already.
    """
    return next_dir(index) if (next_dir(index) / unit).exists() else index


def refuse_foreign(index: Path) -> None:
    """Refuse to build into a folder that holds something else.

    Raises
    ------
    BuildError
        If the folder is neither an index, nor one being built, nor empty.
    """
    if not index.exists():
        return
    if not index.is_dir():
        raise BuildError(f"{index} must be a folder for the index, but is a file")
    own = {INDEX_FILE, LOCK_FILE, build_dir(index).name}
    names = {path.name for path in index.iterdir()}
    if names and not names & (own - {LOCK_FILE}) and names != {LOCK_FILE}:
        raise BuildError(
            f"{index} is no index but holds {len(names)} other files or folders; "
            "name an empty or a new folder"
        )


def units_of(info: IndexInfo) -> set[str]:
    """Return the units that an index consists of."""
    return {
        info.unclaimed,
        *(release.directory for release in info.releases.values()),
        *(space.directory for space in info.spaces.values()),
        *(links.path for links in info.links),
    }


def adopt(index: Path, unit: str) -> None:
    """Let a published unit appear in the next index, without copying."""
    source, target = index / unit, next_dir(index) / unit
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link)
    else:
        os.link(source, target)


def collect_garbage(index: Path) -> None:
    """Remove units that the published index does not list, and an unfinished next index."""
    info = published(index)
    for unit in units_on_disk(index) - (units_of(info) if info is not None else set()):
        _remove(index / unit)
    _remove(next_dir(index))


def publish(index: Path) -> None:
    """Publish the finished build; may be called again after being killed at any point."""
    info = sealed(index)
    if info is None:
        raise BuildError(f"{index} has no finished build to publish; build it first")
    before = published(index)
    standing = units_of(before) if before is not None else set()
    for unit in sorted(units_of(info) - standing):
        source, target = next_dir(index) / unit, index / unit
        if not source.exists() and target.exists():
            continue
        _remove(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            sync_tree(source)
        source.rename(target)
        sync_folder(target.parent)
    # All units before the file that lists them, whatever order the disk would choose.
    sync_folder(index)
    next_index_file(index).replace(index / INDEX_FILE)
    sync_folder(index)
    _remove(build_dir(index))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
