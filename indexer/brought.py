"""Vectors that somebody else made, on their way into a segment.

They are staged like encoded ones, one file at a time and block by block; what is worth knowing of
them (their lengths, how many are equal) goes into `vectors.json` of the segment.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int64
from pydantic import BaseModel, ConfigDict, Field

from aion_encoder.identity import Identity, named
from indexer.arrow_tables import map_table, numpy_column, write_arrow
from indexer.durable import write_json
from indexer.errors import IndexFormatError
from indexer.index_model import MODALITY_BITS
from indexer.layout import brought_file, staged_partition_dir
from indexer.manifests import Manifest
from indexer.plan import ReleasePlan, staging_config
from indexer.previews import preview_table
from indexer.readers.records import Partition, Reject
from indexer.readers.vector_files import read_vectors
from indexer.record_table import concatenated, record_table, reject_table
from indexer.remote import Files
from indexer.staging import Staged, at_hand, check_unchanged, read_staged, stage
from indexer.vector_releases import BroughtVectors

__all__ = ["BroughtFacts", "read_facts", "stage_vectors", "write_facts"]

UNIT_TOLERANCE = 1e-3
"""Vectors whose length differs from 1 by less are normalised: halves round by as much."""


class BroughtFacts(BaseModel):
    """`vectors.json`: what is known of the vectors of a segment that were not made here.

    Attributes
    ----------
    encoder
        Who is declared to have made them.
    modality, dim
        Of the vectors, as they were brought.
    vectors
        How many are indexed.
    unit_length
        How many of them have the length 1.
    shortest, longest
        Lengths.
    identical
        How many are equal, number by number, to that of another object.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: Identity
    modality: str
    dim: int = Field(gt=0)
    vectors: int = Field(ge=0)
    unit_length: int = Field(ge=0)
    shortest: float
    longest: float
    identical: int = Field(ge=0)

    def note(self, release: str) -> str:
        """Say it in a sentence, for whoever reads the index."""
        if self.unit_length == self.vectors:
            lengths = "all of unit length"
        elif self.unit_length == 0:
            lengths = f"not normalised (lengths {self.shortest:.3g} to {self.longest:.3g})"
        else:
            lengths = (
                f"{self.unit_length:,} of unit length, the others not "
                f"(lengths {self.shortest:.3g} to {self.longest:.3g})"
            )
        equal = f", {self.identical:,} equal to that of another object" if self.identical else ""
        return (
            f"{release}: {self.vectors:,} {self.modality} vectors were brought, declared to be of "
            f"{named(self.encoder)}; {lengths}{equal}"
        )


def stage_vectors(
    index: Path,
    release: ReleasePlan,
    partition: Partition,
    *,
    manifest: Manifest,
    on_file: Callable[[], None] = lambda: None,
) -> Staged:
    """Check and stage one file of vectors, unless a valid staged result is already there.

    Parameters
    ----------
    index
        Folder of the index; the result lies in its build folder.
    release, partition, manifest
        What is read.
    on_file
        Called for each input file that is done.
    """
    brought = release.release.vectors
    assert brought is not None
    config = staging_config(release, partition, brought.identity.digest)
    folder = staged_partition_dir(index, release.release.name, partition.name)
    staged = read_staged(folder, partition.name, config)
    if staged is None:

        def write(at: Path) -> dict[str, Any]:
            with at_hand(index, manifest.root, release, partition) as (files, hashes):
                counts = _write(at, files, release, partition, brought)
                inputs = hashes()
            check_unchanged(manifest.root, release, partition)
            return {**counts, "inputs": inputs}

        staged = stage(folder, partition.name, config, write)
    for _ in partition.files:
        on_file()
    return staged


def _write(
    folder: Path, root: Files, release: ReleasePlan, partition: Partition, brought: BroughtVectors
) -> dict[str, Any]:
    bit = MODALITY_BITS[brought.modality]
    tables, facts = [record_table([], [])], [_facts(np.empty((0, brought.dim), np.float32))]
    rejects: list[tuple[Reject, str]] = []
    path = folder / f"vectors-{brought.modality}.npy"
    with path.open("wb") as stream:
        _write_header(stream, 0, brought.dim)
        for block in read_vectors(root, release.release, partition):
            tables.append(record_table(block.records, [bit] * len(block.records)))
            facts.append(_facts(block.vectors))
            rejects += [(reject, "") for reject in block.rejects]
            stream.write(np.ascontiguousarray(block.vectors, "<f4").tobytes())
        records = concatenated(tables)
        stream.seek(0)
        _write_header(stream, len(records), brought.dim)
    write_arrow(records, folder / "records.arrow", sync=False)
    write_arrow(pa.concat_tables(facts), folder / "facts.arrow", sync=False)
    write_arrow(reject_table(rejects, partition.name), folder / "rejects.arrow", sync=False)
    write_arrow(preview_table([], []), folder / "previews.arrow", sync=False)
    return {
        "read": len(records) + len(rejects),
        "indexed": len(records),
        "rejected": len(rejects),
        "vectors": {brought.modality: len(records)} if len(records) else {},
    }


def _write_header(stream: BinaryIO, count: int, dim: int) -> None:
    # NumPy leaves room in it for any count, so that it can be written again when that is known.
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
    np.lib.format.write_array_header_1_0(stream, header)


def _facts(vectors: Float32[np.ndarray, "n dim"]) -> pa.Table:
    hashes = [hashlib.blake2b(each.tobytes(), digest_size=8).digest() for each in vectors]
    return pa.table(
        {
            "hash": pa.array(np.frombuffer(b"".join(hashes), "<u8"), pa.uint64()),
            "length": pa.array(np.linalg.norm(vectors.astype(np.float64), axis=1), pa.float64()),
        }
    )


def write_facts(
    root: Path,
    segment: str,
    brought: BroughtVectors,
    staged: Sequence[Staged],
    origin: Int64[np.ndarray, " n"],
) -> None:
    """Write `vectors.json` of a segment.

    Parameters
    ----------
    root
        Folder that `segment` is relative to.
    staged
        Its partitions, in their order.
    origin
        For each row of the segment, which of the staged records it is.
    """
    lengths = _facts_of(staged, "length", origin)
    known = BroughtFacts(
        encoder=brought.identity,
        modality=brought.modality,
        dim=brought.dim,
        vectors=len(origin),
        unit_length=int((np.abs(lengths - 1.0) < UNIT_TOLERANCE).sum()),
        shortest=float(lengths.min(initial=np.inf)) if len(origin) else 0.0,
        longest=float(lengths.max(initial=0.0)),
        identical=_identical(_facts_of(staged, "hash", origin)),
    )
    write_json(root / brought_file(segment), known.model_dump(mode="json"))


def _facts_of(
    staged: Sequence[Staged], name: str, origin: Int64[np.ndarray, " n"]
) -> np.ndarray[Any, Any]:
    columns = [numpy_column(map_table(each.path("facts")), name) for each in staged]
    return np.asarray(np.concatenate(columns)[origin])


def _identical(hashes: np.ndarray[Any, Any]) -> int:
    """Return how many share their hash with another; they are put in order."""
    hashes.sort()
    same = np.concatenate([[False], hashes[1:] == hashes[:-1], [False]])
    # With the one before, or with the one after.
    return int(np.count_nonzero(same[1:] | same[:-1]))


def read_facts(root: Path, segment: str) -> BroughtFacts | None:
    """Return what is known of the vectors of a segment; None if they were made here.

    Raises
    ------
    IndexFormatError
        If the file is damaged.
    """
    path = root / brought_file(segment)
    if not path.exists():
        return None
    try:
        return BroughtFacts.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise IndexFormatError(f"{path} cannot be read ({error}); build the index again") from error
