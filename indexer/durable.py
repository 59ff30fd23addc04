"""Files that are either whole or absent: temporary name, sync, rename, hash."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "canonical_json",
    "digest_of",
    "json_text",
    "replacing",
    "sha256_of",
    "sync_folder",
    "sync_tree",
    "write_json",
]

_BLOCK_BYTES = 1 << 20


@contextmanager
def replacing(path: Path, *, sync: bool = True, keep: bool = False) -> Iterator[Path]:
    """Give a temporary name to write to, which takes the place of `path` on success.

    What was written is removed otherwise: a file that the disk could not hold must not fill it.

    Parameters
    ----------
    path
        The file to write; its folder is made.
    sync
        Wait until the bytes are on the disk. Off for staged work, whose hashes are checked.
    keep
        Do not remove it: a later call goes on with it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        yield temporary
        # Some libraries make files that only their owner may read; an index is for everybody.
        temporary.chmod(0o644)
        if sync:
            _sync(temporary)
        temporary.replace(path)
    except BaseException:
        if not keep:
            temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    _sync(folder)


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


def json_text(value: object) -> str:
    """Return a JSON value, indented, in its own order: equal values give equal texts."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def write_json(path: Path, value: object, *, sync: bool = True) -> None:
    """Write a JSON value as `json_text` spells it."""
    with replacing(path, sync=sync) as temporary:
        temporary.write_text(json_text(value))
