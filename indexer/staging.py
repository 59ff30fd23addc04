"""Encoded partitions that wait in the folder of a build.

A staged result is a folder that appears whole, by renaming; its `done.json` has the hash of every
file in it and of everything it was made from. A build that was killed takes it up again when all
of that still holds, and makes it anew otherwise.
"""

import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.durable import sha256_of, write_json
from indexer.errors import BuildError
from indexer.plan import ReleasePlan
from indexer.readers.records import Partition

__all__ = ["Staged", "check_unchanged", "hashes_of", "read_staged", "stage"]

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
    """

    folder: Path
    partition: str
    read: int
    indexed: int
    rejected: int
    vectors: dict[str, int]
    inputs: dict[str, str]

    def path(self, kind: str) -> Path:
        """Return the file of ``records``, ``rejects`` or ``previews``."""
        return self.folder / f"{kind}.arrow"

    def vectors_path(self, modality: str) -> Path:
        """Return the raw float32 vectors of a modality, in the order of the records with it."""
        return self.folder / f"vectors-{modality}.npy"


def hashes_of(root: Path, partition: Partition) -> dict[str, str]:
    """Return the SHA-256 of every file of a partition, by path."""
    return {path: sha256_of(root / path) for path in partition.files}


def check_unchanged(root: Path, release: ReleasePlan, partition: Partition) -> None:
    """See that the files of a partition are still those that were planned.

    Raises
    ------
    BuildError
        If one of them was changed while it was read.
    """
    for file in release.files_of(partition):
        status = (root / file.path).stat()
        now = (status.st_size, max(status.st_mtime_ns, status.st_ctime_ns))
        if now != (file.bytes, file.changed_ns):
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
    temporary = folder.with_name(f"{folder.name}.tmp-{platform.node()}-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        done = {"config": config, **write(temporary)}
        done["files"] = {path.name: sha256_of(path) for path in sorted(temporary.iterdir())}
        write_json(temporary / _DONE, done, sync=False)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except BaseException:
        # The next build is another process: it would not find these, and the disk may be full.
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    staged = read_staged(folder, partition, config)
    assert staged is not None
    return staged


def read_staged(folder: Path, partition: str, config: str) -> Staged | None:
    """Return a staged result if it is whole and made from what `config` says; else None."""
    try:
        done = json.loads((folder / _DONE).read_text())
        if done["config"] != config:
            return None
        if any(sha256_of(folder / name) != digest for name, digest in done["files"].items()):
            return None
        return Staged(
            folder,
            partition,
            *(done[key] for key in ("read", "indexed", "rejected", "vectors", "inputs")),
        )
    except (OSError, ValueError, KeyError):
        return None
