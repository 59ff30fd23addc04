"""Files that are either whole or absent: temporary name, sync, rename, hash."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["canonical_json", "digest_of", "replacing", "sha256_of", "sync_tree", "write_json"]

_BLOCK_BYTES = 1 << 20


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Give a temporary name to write to, which takes the place of `path` on success.

    Parameters
    ----------
    path
        The file to write; its folder is made.
    sync
        Wait until the bytes are on the disk. Off for staged work, whose hashes are checked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    yield temporary
    # Some libraries make files that only their owner may read; an index is for everybody.
    temporary.chmod(0o644)
    if sync:
        _sync(temporary)
    temporary.replace(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Wait until every file and folder below (and including) `folder` is on the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        _sync(path)
    _sync(folder)


def canonical_json(value: object) -> str:
    """Return the one spelling of a JSON value that digests are taken over."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest_of(value: object) -> str:
    """Return the sha256 of a JSON value, as 64 hexadecimal characters."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, as 64 hexadecimal characters."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, value: object, *, sync: bool = True) -> None:
    """Write a JSON value, indented, in its own order: equal values give equal bytes."""
    with replacing(path, sync=sync) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")
