"""Vectors of segments in a space: written in row order, and filled into FAISS files."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Float32, Int64

from indexer import ann
from indexer.layout import quantizer_file, segment_ann_file, segment_vectors_file
from indexer.vectors import map_vectors, write_vectors

__all__ = ["BLOCK_VECTORS", "Filling", "blocks_of", "fill_segment", "train_quantizer"]

BLOCK_VECTORS = 65_536
SHARD_VECTORS = 262_144
"""Vectors that one FAISS shard is filled with before the shards are merged."""


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
        """Where its FAISS file lies."""
        return self.root / segment_ann_file(self.segment, self.space, self.modality)

    def vectors(self) -> Float16[np.ndarray, "n dim"]:
        """Map its vectors."""
        return map_vectors(self.vectors_path)

    def write(
        self,
        count: int,
        dim: int,
        block: Callable[[slice], Float32[np.ndarray, "n dim"]],
    ) -> None:
        """Write its vectors, block after block, as `block` gives them."""
        write_vectors(self.vectors_path, (block(each) for each in blocks_of(count)), (count, dim))


def blocks_of(count: int, size: int = BLOCK_VECTORS) -> Iterator[slice]:
    """Divide 0 to count into slices."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def train_quantizer(root: Path, space: str, fillings: Mapping[str, Filling]) -> Any | None:
    """Train what the inverted lists of a space share, if any of its segments needs them.

    Parameters
    ----------
    root
        Folder that `space` is relative to.
    space
        Folder of the space.
    fillings
        All vectors of the space, in a fixed order.

    Returns
    -------
    A trained, empty FAISS index, also written as `quantizer.faiss`; None if all are flat.
    """
    vectors = [filling.vectors() for filling in fillings.values()]
    recipe = ann.recipe_for(max(len(each) for each in vectors), vectors[0].shape[1])
    if recipe.name == "flat":
        return None
    stride = max(1, sum(len(each) for each in vectors) // recipe.training_vectors)
    sample = np.concatenate([each[::stride] for each in vectors]).astype(np.float32)
    trained = ann.train(recipe, sample)
    ann.save(trained, root / quantizer_file(space))
    return trained


def fill_segment(filling: Filling, rows: Int64[np.ndarray, " n"], trained: Any | None) -> None:
    """Fill vectors that are written already into one FAISS file.

    Parameters
    ----------
    rows
        Row of each vector.
    trained
        What the inverted lists of the space share; used where a segment is large enough.
    """
    vectors = filling.vectors()
    recipe = ann.recipe_for(*vectors.shape)
    empty = ann.train(recipe, vectors[:1].astype(np.float32)) if recipe.lists == 0 else trained
    assert empty is not None

    def shard(each: slice) -> Any:
        return ann.fill(empty, vectors[each].astype(np.float32), rows[each])

    # Side by side, each on one thread; merged in order as they come.
    with ThreadPoolExecutor(ann.threads()) as pool:
        merged = ann.merge(pool.map(shard, blocks_of(len(vectors), SHARD_VECTORS)))
    ann.save(ann.for_serving(merged), filling.ann_path)
