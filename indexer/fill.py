"""Vectors of segments in a space: written in row order, and filled into FAISS files."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from indexer import ann
from indexer.coded_vectors import CodedVectors, fit_scale
from indexer.drift import LOOKED_AT, drift_of, spread_of, write_drift
from indexer.durable import digest_of
from indexer.layout import (
    numbered,
    segment_ann_file,
    segment_drift_file,
    segment_vectors_file,
)
from indexer.progress import Progress, silent
from indexer.quantizers import Quantizer, positions_of, trained_on
from indexer.vectors import Vectors, map_vectors, write_vectors

__all__ = ["BLOCK_VECTORS", "Filling", "blocks_of", "fill_segment", "train_quantizer"]

BLOCK_VECTORS = 65_536
SHARD_VECTORS = 262_144
"""Vectors that one FAISS shard is filled with before the shards are merged."""

PIECE_VECTORS = 2**22
"""Vectors that are filled in memory. Those of a larger segment are filled in pieces of so many,
each of which is on disk when it is done: a minute or two of work."""

FILE_BYTES = 12 * 2**30
"""Codes and ids of one FAISS file, at most: half the memory of a node of 24 GB. Beyond it a
segment has several files. Eight searched one after the other take five to six times as long as
one, so the limit is as high as a node bears."""

_ID_BYTES = 8
_SCALE_SAMPLE = 100_000


@dataclass(frozen=True)
class Filling:
    """One set of vectors: of a segment, in a space, of a modality.

    Attributes
    ----------
    root, segment
        Folder, and the folder of the segment relative to it.
    """

    root: Path
    segment: str
    space: str
    modality: str

    @property
    def vectors_path(self) -> Path:
        """Where its vectors lie."""
        return self.root / segment_vectors_file(self.segment, self.space, self.modality)

    @property
    def ann_path(self) -> Path:
        """Where its FAISS file lies; see `indexer.layout.numbered` for one that is too large."""
        return self.root / segment_ann_file(self.segment, self.space, self.modality)

    @property
    def drift_path(self) -> Path:
        """Where it lies how its vectors differ from those the lists were trained on."""
        return self.root / segment_drift_file(self.segment, self.space, self.modality)

    @property
    def coded(self) -> bool:
        """Whether 8 bits a dimension of its vectors are kept."""
        return isinstance(self.vectors(), CodedVectors)

    def vectors(self) -> Vectors:
        """Map its vectors."""
        return map_vectors(self.vectors_path)

    def write(
        self,
        count: int,
        dim: int,
        block: Callable[[slice], Float32[np.ndarray, "n dim"]],
        *,
        coded: bool = False,
    ) -> None:
        """Write its vectors, block after block, as `block` gives them.

        Parameters
        ----------
        coded
            Keep 8 bits a dimension in place of float16.
        """
        scale = None
        if coded:
            scale = fit_scale(block(slice(0, count, max(1, count // _SCALE_SAMPLE))))
        blocks = (block(each) for each in blocks_of(count))
        write_vectors(self.vectors_path, blocks, (count, dim), scale=scale)


def blocks_of(count: int, size: int = BLOCK_VECTORS, *, start: int = 0) -> Iterator[slice]:
    """Divide `start` to `count` into slices."""
    for first in range(start, count, size):
        yield slice(first, min(first + size, count))


def train_quantizer(
    root: Path, space: str, fillings: Mapping[str, Filling], *, keep: Path | None = None
) -> Quantizer | None:
    """Train what the inverted lists of a space share, if any of its segments needs them.

    Parameters
    ----------
    root
        Folder that `space` is relative to.
    space
        Folder of the space.
    fillings
        All vectors of the space, in a fixed order.
    keep
        Folder in which the result is kept, and found again by a build that was killed.

    Returns
    -------
    A trained, empty FAISS index, also written as `quantizer.faiss`; None if all are flat.
    """
    vectors = {name: filling.vectors() for name, filling in fillings.items()}
    return trained_on(root, space, vectors, keep=keep)


def fill_segment(
    filling: Filling,
    rows: Int64[np.ndarray, " n"] | None,
    quantizer: Quantizer | None,
    *,
    pieces: Path | None = None,
    progress: Progress = silent,
) -> None:
    """Fill vectors that are written already into their FAISS file.

    The file is the same whether the work was broken off or not, and whatever the size of a piece.

    Parameters
    ----------
    rows
        Row of each vector. None: its position.
    quantizer
        What the inverted lists of the space share; used where a segment is large enough.
    pieces
        Folder in which the pieces of a large segment wait; those that are there, and are of the
        same vectors and the same quantizer, are not filled again. Default: beside the FAISS file.
    progress
        Called with the vectors filled and their number; all are, before pieces are put together.
    """
    vectors = filling.vectors()
    recipe = ann.recipe_for(*vectors.shape)
    if recipe.lists == 0:
        empty = ann.train(recipe, np.asarray(vectors[:1], dtype=np.float32))
    else:
        assert quantizer is not None
        empty = quantizer.index
    whole = slice(0, len(vectors))
    if quantizer is None or recipe.lists == 0 or len(vectors) <= PIECE_VECTORS:
        merged = _filled(empty, vectors, rows, whole)
        ann.save(ann.for_serving(merged), filling.ann_path)
        progress(len(vectors), len(vectors))
    else:
        folder = pieces or filling.ann_path.with_suffix(".pieces")
        paths = []
        for each in blocks_of(len(vectors), PIECE_VECTORS):
            progress(each.start, len(vectors))
            path = folder / f"{each.start}-{_digest(quantizer, vectors, rows, each)}.lists"
            if not path.exists():
                ann.save_piece(_filled(empty, vectors, rows, each), path)
            paths.append(path)
        progress(len(vectors), len(vectors))
        _save_assembled(filling.ann_path, empty, paths, len(vectors))
    if recipe.lists and quantizer is not None and quantizer.facts is not None:
        (some,) = positions_of([len(vectors)], LOOKED_AT)
        found = spread_of(quantizer.index, np.asarray(vectors[some], dtype=np.float32))
        write_drift(filling.drift_path, drift_of(found, quantizer.facts.reference))


def _filled(
    empty: Any, vectors: Vectors, rows: Int64[np.ndarray, " n"] | None, which: slice
) -> Any:
    """Fill some vectors in memory: shards side by side, merged in order as they come."""

    def shard(each: slice) -> Any:
        ids = np.arange(each.start, each.stop) if rows is None else rows[each]
        return ann.fill(empty, np.asarray(vectors[each], dtype=np.float32), ids)

    # Each shard on one thread.
    with ThreadPoolExecutor(ann.threads()) as pool:
        return ann.merge(pool.map(shard, blocks_of(which.stop, SHARD_VECTORS, start=which.start)))


def _save_assembled(path: Path, empty: Any, pieces: Sequence[Path], count: int) -> None:
    """Put pieces together into one file, or into as many as the limit asks."""
    files = -(-count * (ann.code_bytes(empty) + _ID_BYTES) // FILE_BYTES)
    if files == 1:
        ann.save(ann.assembled(empty, pieces), path)
        return
    each = -(-len(pieces) // files)
    for number, start in enumerate(range(0, len(pieces), each)):
        ann.save(ann.assembled(empty, pieces[start : start + each]), numbered(path, number))


def _digest(
    quantizer: Quantizer, vectors: Vectors, rows: Int64[np.ndarray, " n"] | None, which: slice
) -> str:
    """Return what stands for everything that a piece is made from."""
    digest = hashlib.sha256()
    stored = vectors
    if isinstance(vectors, CodedVectors):
        stored = vectors.codes
        for values in (vectors.scale.least, vectors.scale.step):
            digest.update(np.ascontiguousarray(values).data)
    for each in blocks_of(which.stop, start=which.start):
        digest.update(np.ascontiguousarray(stored[each]).data)
        if rows is not None:
            digest.update(np.ascontiguousarray(rows[each]).data)
    return digest_of([quantizer.sha256, rows is None, digest.hexdigest()])[:16]
