"""Multimodal Universe files, version 1: one HDF5 file per HEALPix cell of nside 16.

What the rows hold is `indexer.readers.mmu_rows`. Arrays may be big-endian.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py

from indexer.manifests import ReleaseManifest
from indexer.readers.columns import native
from indexer.readers.messages import one_line
from indexer.readers.mmu_rows import ARRAYS, BLOCK_ROWS, record_of, wanted_columns
from indexer.readers.records import Record, Reject

__all__ = ["read_mmu_file"]


def read_mmu_file(path: Path, name: str, release: ReleaseManifest) -> Iterator[Record | Reject]:
    """Read every object of one file, in row order.

    Parameters
    ----------
    path
        The file.
    name
        Its path relative to the manifest's root, for the records.
    release
        What its columns mean.

    Yields
    ------
    Record | Reject
        One for each row; or a single reject for a file that cannot be read.
    """
    try:
        with h5py.File(path, "r") as file:
            yield from _rows(file, name, release)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        yield Reject("", name, 0, f"the file cannot be read: {one_line(error)}")


def _rows(file: h5py.File, name: str, release: ReleaseManifest) -> Iterator[Record | Reject]:
    required, optional = wanted_columns(release)
    missing = [column for column in required if column not in file]
    if missing:
        yield Reject("", name, 0, f"the file lacks {', '.join(missing)}")
        return
    wanted = list(dict.fromkeys((*required, *(column for column in optional if column in file))))
    count = len(file[release.object_id])
    uneven = [column for column in wanted if len(file[column]) != count]
    if uneven:
        yield Reject("", name, 0, f"{', '.join(uneven)} do not have the file's {count} rows")
        return
    block_rows = _block_rows(file[ARRAYS[release.modality][0]])
    for start in range(0, count, block_rows):
        stop = min(start + block_rows, count)
        block = {column: native(file[column][start:stop]) for column in wanted}
        for offset in range(stop - start):
            row = {column: values[offset] for column, values in block.items()}
            yield record_of(row, name, start + offset, release)


def _block_rows(dataset: h5py.Dataset) -> int:
    # The chunks of these files span many rows and few pixels: read row by row, every chunk would be
    # unpacked hundreds of times.
    chunk = dataset.chunks[0] if dataset.chunks else 1
    return int(chunk * max(1, BLOCK_ROWS // chunk)) if chunk < 4 * BLOCK_ROWS else BLOCK_ROWS
