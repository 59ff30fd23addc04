"""Encoded partitions that wait in the folder of a build.

A staged result is a folder that appears whole, by renaming; its `done.json` has the hash of every
file in it and of everything it was made from. A build that was killed takes it up again when all
of that still holds, and makes it anew otherwise. Any number of processes on any number of nodes may
stage at a time, even the same partition.
"""

import errno
import json
import os
import platform
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexer.durable import sha256_of, write_json
from indexer.errors import BuildError
from indexer.layout import spool_dir
from indexer.plan import ReleasePlan, found
from indexer.readers.partitions import needed_part
from indexer.readers.records import Partition
from indexer.remote import Files, RemoteRoot
from indexer.spool import spooled

__all__ = ["Staged", "at_hand", "check_unchanged", "read_staged", "stage"]

_DONE = "done.json"


@dataclass(frozen=True)
class Staged:
    """An encoded partition that waits in the folder of the build.

    Attributes
    ----------
    folder
        Where it lies.
    partition
        Its name.
    read, indexed, rejected
        Objects; ``read = indexed + rejected``.
    vectors
        Vectors per modality.
    inputs
        SHA-256 of the files it was made from, by path.
    found
        Whether it had been there already, from an earlier run.
    """

    folder: Path
    partition: str
    read: int
    indexed: int
    rejected: int
    vectors: dict[str, int]
    inputs: dict[str, str]
    found: bool = False

    def path(self, kind: str) -> Path:
        """Return the file of ``records``, ``rejects`` or ``previews``."""
        return self.folder / f"{kind}.arrow"

    def vectors_path(self, modality: str) -> Path:
        """Return the raw float32 vectors of a modality, in the order of the records with it."""
        return self.folder / f"vectors-{modality}.npy"

    def tokens_path(self, key: str) -> Path:
        """Return the tokens of all records under a token key, where tokens are kept."""
        return self.folder / f"tokens-{key}.npy"


def hashes_of(root: Path, partition: Partition) -> dict[str, str]:
    """Return the SHA-256 of every file of a partition, by path."""
    return {path: sha256_of(root / path) for path in partition.files}


@contextmanager
def at_hand(
    index: Path, root: Path | RemoteRoot, release: ReleasePlan, partition: Partition
) -> Iterator[tuple[Files, Callable[[], dict[str, str]]]]:
    """Give the files of a partition on this machine, remote ones as they come.

    Yields
    ------
    Files, Callable[[], dict[str, str]]
        Where they are; and what gives the SHA-256 of each by path, to be called when all were read.
    """
    if not isinstance(root, RemoteRoot):
        inputs = hashes_of(root, partition)
        yield root, lambda: inputs
        return
    listed = {file.path: file.listed for file in release.files_of(partition)}
    keep = release.release.vectors is not None
    take = needed_part(release.release)
    with spooled(root, partition.files, spool_dir(index), listed, keep=keep, take=take) as spool:
        yield spool, lambda: {name: spool.sha256.get(name, "") for name in partition.files}


def check_unchanged(root: Path | RemoteRoot, release: ReleasePlan, partition: Partition) -> None:
    """See that the files of a partition are still those that were planned.

    Of remote ones nothing is asked again: what came was compared with the listing.

    Raises
    ------
    BuildError
        If one of them was changed while it was read.
    """
    if isinstance(root, RemoteRoot):
        return
    for file in release.files_of(partition):
        if found(root, file.path) != file:
            raise BuildError(
                f"{file.path} changed while it was read; wait until nothing writes to "
                f"{root} and build again"
            )


def stage(
    folder: Path, partition: str, config: str, write: Callable[[Path], dict[str, Any]]
) -> Staged:
    """Write a staged result, whole or not at all.

    Parameters
    ----------
    folder
        Where it is to lie.
    partition
        Its name.
    config
        Digest of all that it depends on.
    write
        Writes its files into a folder and returns the fields of `Staged` that it counts: ``read``,
        ``indexed``, ``rejected``, ``vectors`` and ``inputs``.
    """
    # Containers of one job may have the same name and the same process numbers.
    unique = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = folder.with_name(f"{folder.name}.tmp-{unique}")
    temporary.mkdir(parents=True)
    try:
        done = {"config": config, **write(temporary)}
        done["files"] = {path.name: sha256_of(path) for path in sorted(temporary.iterdir())}
        write_json(temporary / _DONE, done, sync=False)
        return _placed(temporary, folder, partition, config) or _staged(folder, partition, done)
    except BaseException:
        # The next build is another process: it would not find these, and the disk may be full.
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _placed(temporary: Path, folder: Path, partition: str, config: str) -> Staged | None:
    """Rename a finished folder into place; return what somebody else put there meanwhile."""
    while True:
        try:
            temporary.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return None
        first = read_staged(folder, partition, config)
        if first is not None:
            # Two tasks of the same slice make the same, and the first is as good as the second.
            shutil.rmtree(temporary)
            return first
        aside = temporary.with_name(f"{temporary.name}.old")
        with suppress(FileNotFoundError):
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def read_staged(folder: Path, partition: str, config: str) -> Staged | None:
    """Return a staged result if it is whole and made from what `config` says; else None."""
    try:
        done = json.loads((folder / _DONE).read_text())
        if done["config"] != config:
            return None
        if any(sha256_of(folder / name) != digest for name, digest in done["files"].items()):
            return None
        return replace(_staged(folder, partition, done), found=True)
    except (OSError, ValueError, KeyError):
        return None


def _staged(folder: Path, partition: str, done: dict[str, Any]) -> Staged:
    counts = (done[key] for key in ("read", "indexed", "rejected", "vectors", "inputs"))
    return Staged(folder, partition, *counts)
