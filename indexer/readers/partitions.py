"""Which files belong to which unit of work, and what belongs to none."""

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from indexer.errors import ManifestError, ReadError
from indexer.manifests import Manifest, ReleaseManifest
from indexer.readers.loose_files import read_loose_files
from indexer.readers.mmu_hats import keep_needed, read_hats_file
from indexer.readers.mmu_hdf5 import read_mmu_file
from indexer.readers.records import Partition, Record, Reject
from indexer.readers.vector_files import read_vectors, table_beside
from indexer.remote import Files, RemoteRoot, Take
from indexer.spool import spooled

__all__ = ["ignored_files", "needed_part", "partitions", "read_partition"]

NO_RELEASE = "no release claims this file"

_READS = {"mmu_hdf5": read_mmu_file, "mmu_hats": read_hats_file}
"""Files of many objects each, one after the other."""

_CELL = re.compile(r"(?:^|/)healpix=(\d+)/")
_HATS_CELL = re.compile(r"(?:^|/)Norder=(\d+)/(?:Dir=\d+/)?Npix=(\d+)[./]")


def partitions(manifest: Manifest, release: ReleaseManifest) -> list[Partition]:
    """List the units of work of one release, in the order in which they are encoded.

    A partition of Multimodal Universe files is a HEALPix cell (all its files); files that lie in no
    cell's place, and loose files, make up one partition, so that two files of one object can
    be told apart. Every file of vectors is one, with the table beside it if it is an array.

    Raises
    ------
    ManifestError
        If the folder is not there, or holds no file of this release, or no table beside an array.
    """
    files = _claimed(manifest, release)
    if not files:
        raise ManifestError(
            f"release {release.name} has no files: nothing under {manifest.root} matches "
            f"{', '.join(release.files)}"
        )
    if release.vectors is not None:
        return [_vectors_partition(manifest.root, release, name) for name in files]
    cells: dict[str, list[str]] = defaultdict(list)
    for name in files:
        cells[_cell(release.reader, name)].append(name)
    return [Partition(release.name, cell, tuple(names)) for cell, names in sorted(cells.items())]


def read_partition(
    manifest: Manifest, release: ReleaseManifest, partition: Partition
) -> Iterator[Record | Reject]:
    """Read one unit of work, in a fixed order.

    Bad data never raise: what cannot be indexed is yielded as a reject with its reason, and an
    unreadable file as a single one. An identifier that appears again inside a partition of
    Multimodal Universe files is a reject too. Of vectors, records come without observations; who
    needs the vectors, too, calls `read_vectors`. Remote files are fetched one after the other and
    removed again.
    """
    root = manifest.root
    if isinstance(root, RemoteRoot):
        names, keep = partition.files, release.vectors is not None
        with (
            tempfile.TemporaryDirectory(prefix="spool-") as folder,
            spooled(root, names, Path(folder), keep=keep, take=needed_part(release)) as files,
        ):
            yield from _read(files, release, partition)
        return
    yield from _read(root, release, partition)


def _read(root: Files, release: ReleaseManifest, partition: Partition) -> Iterator[Record | Reject]:
    if release.vectors is not None:
        for block in read_vectors(root, release, partition):
            yield from block.records
            yield from block.rejects
        return
    if release.reader not in _READS:
        yield from read_loose_files(root, release, partition.files)
        return
    seen: dict[str, str] = {}
    for name in partition.files:
        try:
            path = root / name
        except ReadError as error:
            yield Reject("", name, 0, str(error))
            continue
        for each in _READS[release.reader](path, name, release):
            if isinstance(each, Record):
                place = f"{each.source_file} row {each.source_row}"
                first = seen.setdefault(each.object_id, place)
                if first != place:
                    reason = f"the identifier appears before, in {first}; the first is kept"
                    yield Reject(each.object_id, each.source_file, each.source_row, reason)
                    continue
            yield each


def needed_part(release: ReleaseManifest) -> Take | None:
    """Return what copies as much of a remote file as is read; None where all of it is."""
    return partial(keep_needed, release=release) if release.reader == "mmu_hats" else None


def _cell(reader: str, name: str) -> str:
    """Return the name of the partition that a file belongs to; numbers sort as they count."""
    if reader == "mmu_hdf5" and (found := _CELL.search(name)):
        return f"healpix={int(found[1]):04d}"
    if reader == "mmu_hats" and (found := _HATS_CELL.search(name)):
        return f"Norder={int(found[1]):02d}/Npix={int(found[2]):010d}"
    return "files"


def ignored_files(manifest: Manifest) -> list[Reject]:
    """List the files under the root that are no observations, each with its reason.

    A file that neither a release nor an ``[[ignored]]`` pattern matches is listed too, if the
    manifest asks for every file to be accounted for. Hidden files are left out.

    Raises
    ------
    ManifestError
        If the folder is not there.
    """
    root = _existing_root(manifest)
    if not manifest.every_file and not manifest.ignored:
        # Not listed again: elsewhere that takes a request for each folder.
        return []
    claimed = {
        file
        for release in manifest.releases
        for name in _claimed(manifest, release)
        for file in _with_table(release, name)
    }
    reasons: dict[str, str] = {}
    for ignored in manifest.ignored:
        for name in _matches(root, ignored.pattern):
            reasons.setdefault(name, ignored.reason)
    if manifest.every_file:
        for name in _walk(root):
            reasons.setdefault(name, NO_RELEASE)
    return [
        Reject("", name, 0, reason)
        for name, reason in sorted(reasons.items())
        if name not in claimed
    ]


def _existing_root(manifest: Manifest) -> Path | RemoteRoot:
    root = manifest.root
    if not isinstance(root, RemoteRoot) and not root.is_dir():
        raise ManifestError(f"the folder of manifest {manifest.name!r} is not there: {root}")
    return root


def _claimed(manifest: Manifest, release: ReleaseManifest) -> list[str]:
    root = _existing_root(manifest)
    return sorted({name for pattern in release.files for name in _matches(root, pattern)})


def _vectors_partition(root: Path | RemoteRoot, release: ReleaseManifest, name: str) -> Partition:
    files = _with_table(release, name)
    for table in files[1:]:
        if not list(_matches(root, table)):
            raise ManifestError(
                f"release {release.name}: there is no table {table} beside the array {name}"
            )
    return Partition(release.name, name, files)


def _with_table(release: ReleaseManifest, name: str) -> tuple[str, ...]:
    """Return a file, and the table of identifiers beside it where it is an array of vectors."""
    if release.vectors is None or not release.vectors.table:
        return (name,)
    return name, table_beside(name, release.vectors)


def _matches(root: Path | RemoteRoot, pattern: str) -> Iterator[str]:
    if isinstance(root, RemoteRoot):
        yield from (name for name in root.matching(pattern) if not _is_hidden(name))
        return
    for path in root.glob(pattern):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not _is_hidden(name):
            yield name


def _walk(root: Path | RemoteRoot) -> Iterator[str]:
    if isinstance(root, RemoteRoot):
        yield from _matches(root, "**")
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            relative = (Path(folder) / name).relative_to(root).as_posix()
            if not _is_hidden(relative):
                yield relative


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
