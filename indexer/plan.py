"""What a build has to do, known before its slow part starts."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from indexer.durable import digest_of
from indexer.errors import BuildError
from indexer.index_model import InputsInfo
from indexer.layout import build_dir
from indexer.manifests import Manifest, ReleaseManifest
from indexer.readers.records import Partition
from indexer.remote import RemoteFile, RemoteRoot
from indexer.room import bytes_below, gigabytes, standing
from indexer.tools import Tools

__all__ = ["InputFile", "Plan", "ReleasePlan", "found", "inputs_info", "plan"]

BYTES_PER_OBJECT = {"image": 40_000, "spectrum": 12_000, "xp": 6_000}
"""Disk that a build needs for one object at most: previews, vectors twice, catalogue."""

INPUT_BYTES_PER_OBJECT = {"image": 300_000, "spectrum": 60_000, "xp": 900}
"""Usual size of one object in survey files; only for the estimate of how many there are."""

INPUT_BYTES_PER_NUMBER = 3.5
"""Of a vector, in files: float32 compresses by a tenth or so; few publish halves."""

STAGED_BYTES = 4
"""Disk that a build needs for one number of a vector until it is published: float32."""

KEPT_BYTES = {"float16": 2, "8-bit": 1}
"""Disk that one number of a vector takes for good, beside FAISS."""

CATALOGUE_BYTES = 1_000
"""Disk that a build needs for one object of a release of vectors: its records, its rows, its part
of the catalogue and its key; while they are sorted, all but the catalogue a second time."""

ORDER_BYTES = 50
"""Memory that putting a release in order takes for one object, beside blocks of a fixed size."""

WORKING_MEMORY_BYTES = 2 * 1024**3
"""Encoder, one block of images and the buffers of a build; measured near 1.5 GB."""


@dataclass(frozen=True)
class InputFile:
    """One file to read, as it was found.

    Attributes
    ----------
    path
        Relative to the root of the manifest.
    bytes
        Size.
    changed_ns
        Last change of its content or its place, in nanoseconds since 1970. The change of the
        place counts because a copy may keep the date of its original. 0 of a remote file.
    etag
        Of a remote file, which changes with its content; empty of one on this machine.
    """

    path: str
    bytes: int
    changed_ns: int
    etag: str = ""

    @property
    def listed(self) -> RemoteFile:
        """As a remote file."""
        return RemoteFile(self.bytes, self.etag)


@dataclass(frozen=True)
class ReleasePlan:
    """The work of one release."""

    release: ReleaseManifest
    partitions: tuple[Partition, ...]
    files: tuple[InputFile, ...]

    @property
    def input_bytes(self) -> int:
        """Size of all its files."""
        return sum(file.bytes for file in self.files)

    @property
    def estimated_objects(self) -> int:
        """About how many objects its files hold, from their size."""
        vectors = self.release.vectors
        each = (
            INPUT_BYTES_PER_OBJECT[self.release.modality]
            if vectors is None
            else INPUT_BYTES_PER_NUMBER * vectors.dim
        )
        return max(1, int(self.input_bytes / each))

    @property
    def estimated_bytes(self) -> int:
        """About how much disk its segment needs while it is built."""
        vectors, count = self.release.vectors, self.estimated_objects
        if vectors is None:
            return count * BYTES_PER_OBJECT[self.release.modality]
        numbers = STAGED_BYTES + KEPT_BYTES[self.release.keep_vectors]
        return count * (numbers * vectors.dim + CATALOGUE_BYTES) + faiss_bytes(count, vectors.dim)

    def files_of(self, partition: Partition) -> tuple[InputFile, ...]:
        """Return the files of one partition, in its order."""
        return tuple(self._by_path[path] for path in partition.files)

    @cached_property
    def _by_path(self) -> dict[str, InputFile]:
        # Once for all partitions: a catalogue may have a hundred thousand of them.
        return {file.path: file for file in self.files}

    @property
    def config(self) -> str:
        """SHA-256 of the release's part of the manifest, as far as encoding depends on it."""
        return digest_of(self.release.model_dump(mode="json", exclude={"epoch"}))


@dataclass(frozen=True)
class Plan:
    """The work of a build.

    Attributes
    ----------
    manifest
        What was asked for.
    releases
        Its releases, in the order of the manifest.
    """

    manifest: Manifest
    releases: tuple[ReleasePlan, ...]

    @property
    def partitions(self) -> int:
        """Units of encoding work."""
        return sum(len(release.partitions) for release in self.releases)

    @property
    def files(self) -> int:
        """Files to read."""
        return sum(len(release.files) for release in self.releases)

    @property
    def input_bytes(self) -> int:
        """Size of the files to read."""
        return sum(release.input_bytes for release in self.releases)

    @property
    def estimated_objects(self) -> int:
        """About how many objects there are."""
        return sum(release.estimated_objects for release in self.releases)

    @property
    def estimated_bytes(self) -> int:
        """About how much disk the build needs."""
        return sum(release.estimated_bytes for release in self.releases)

    @property
    def estimated_memory(self) -> int:
        """About how much memory the build needs."""
        largest = max((each.estimated_objects for each in self.releases), default=0)
        return WORKING_MEMORY_BYTES + ORDER_BYTES * largest

    def check_resources(self, index: Path) -> None:
        """Refuse to start what cannot end. What an earlier build left to go on with, counts.

        Raises
        ------
        BuildError
            If the disk of the index has too little room, or the machine too little memory; with
            both numbers.
        """
        place = standing(index)
        free = shutil.disk_usage(place).free
        needed = self.estimated_bytes - bytes_below(build_dir(index))
        if free < needed:
            raise BuildError(
                f"building {self.manifest.name} needs about {gigabytes(needed)} of "
                f"disk, {place} has {gigabytes(free)} free; make room or build elsewhere"
            )
        available, asked = _available_memory(), self.estimated_memory
        if available is not None and available < asked:
            raise BuildError(
                f"building needs about {gigabytes(asked)} of memory, "
                f"{gigabytes(available)} are available; end other programs"
            )


def faiss_bytes(count: int, dim: int) -> int:
    """Return the disk that the FAISS files of a segment need while they are filled.

    Those of many vectors are put together from pieces, which hold the same lists once more.
    """
    # Imported here: FAISS is not needed by whoever only lists the files of a build.
    from indexer.ann import recipe_for
    from indexer.fill import PIECE_VECTORS

    recipe = recipe_for(count, dim)
    in_pieces = recipe.lists > 0 and count > PIECE_VECTORS
    centres = 4 * recipe.lists * dim
    return (2 if in_pieces else 1) * count * recipe.bytes_per_vector(dim) + centres


def _available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


def plan(manifest: Manifest, tools: Tools | None = None) -> Plan:
    """List the work of a build; reads no file's content.

    Raises
    ------
    ManifestError
        If a release has no files.
    """
    tools = tools or Tools()
    releases = []
    for release in manifest.releases:
        partitions = tuple(tools.partitions(manifest, release))
        paths = sorted({path for partition in partitions for path in partition.files})
        files = tuple(found(manifest.root, path) for path in paths)
        releases.append(ReleasePlan(release, partitions, files))
    return Plan(manifest, tuple(releases))


def found(root: Path | RemoteRoot, path: str) -> InputFile:
    """Return a file as it is now."""
    if isinstance(root, RemoteRoot):
        listed = root.file(path)
        return InputFile(path, listed.bytes, 0, listed.etag)
    status = (root / path).stat()
    return InputFile(path, status.st_size, max(status.st_mtime_ns, status.st_ctime_ns))


def inputs_info(files: tuple[InputFile, ...], sha256: Mapping[str, str]) -> InputsInfo:
    """Condense the input files of a release for `index.json`.

    Parameters
    ----------
    files
        As planned.
    sha256
        Of each file, by path.
    """
    return InputsInfo(
        files=len(files),
        bytes=sum(file.bytes for file in files),
        listing=listing_digest(files),
        content=digest_of([[file.path, file.bytes, sha256[file.path]] for file in files]),
        changed=changed_date(files),
    )


def listing_digest(files: tuple[InputFile, ...]) -> str:
    """Return the SHA-256 over the paths and sizes of files."""
    return digest_of([[file.path, file.bytes] for file in files])


def changed_date(files: tuple[InputFile, ...]) -> str:
    """Return the date of the last change of any of the files; of remote ones, a hash of etags."""
    if any(file.etag for file in files):
        return f"etags {digest_of([file.etag for file in files])}"
    nanoseconds = max((file.changed_ns for file in files), default=0)
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def staging_config(release: ReleasePlan, partition: Partition, encoder: str) -> str:
    """Return a digest of all that the encoded form of a partition depends on."""
    values: list[Any] = [
        release.config,
        encoder,
        partition.name,
        [
            [file.path, file.bytes, file.etag or file.changed_ns]
            for file in release.files_of(partition)
        ],
    ]
    return digest_of(values)
