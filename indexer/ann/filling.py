"""From a sample to a FAISS file: train, fill shards, merge them, make ready, write, read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from indexer.ann.assignment import add_vectors
from indexer.ann.kmeans import two_level_kmeans
from indexer.ann.library import checked, faiss, gpus, one_thread
from indexer.ann.product_codes import lists_of, trained_lists, turned_for_scanning
from indexer.ann.recipes import Recipe
from indexer.durable import replacing
from indexer.errors import IndexFormatError, SearchError

__all__ = ["fill", "for_serving", "load_trained", "merge", "read", "save", "train"]

_BLOCK_BYTES = 1 << 20
_READ_BYTES = 1 << 24
_PRODUCT_CODES = b"IxPT"
"""How the file of an index begins that projects vectors first: product codes, and no other."""

_KMEANS_ITERATIONS = 10
_TWO_LEVELS_FROM = 2048
"""Lists from which k-means in one level would take minutes: 4,096 of 256 dimensions 44 s, not 1.5;
the mean squared error is 1.6 % larger."""

_READ_FLAGS = faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE


def train(recipe: Recipe, sample: Float32[np.ndarray, "n dim"]) -> Any:
    """Return an empty index, trained on a sample, that all shards of a space start from.

    The sample of inverted lists needs at least as many vectors as there are lists; those beyond
    `Recipe.training_vectors` are passed over, evenly. The seed is fixed.
    """
    dim = sample.shape[1]
    metric = faiss.METRIC_INNER_PRODUCT
    if recipe.name == "flat":
        half = faiss.ScalarQuantizer.QT_fp16
        return faiss.IndexIDMap(faiss.IndexScalarQuantizer(dim, half, metric))
    if len(sample) < recipe.lists:
        raise SearchError(
            f"{recipe.lists} lists need at least as many vectors to train on, got {len(sample)}"
        )
    stride = max(1, len(sample) // recipe.training_vectors)
    sample = checked(sample[::stride], dim)
    if recipe.name == "ivf_pq4":
        return trained_lists(sample, recipe.lists)
    index = faiss.index_factory(dim, f"IVF{recipe.lists},SQ8", metric)
    index.cp.niter = _KMEANS_ITERATIONS
    index.cp.min_points_per_centroid = 1
    if gpus() or recipe.lists >= _TWO_LEVELS_FROM:
        # With all centres there FAISS trains the codes alone.
        index.quantizer.add(two_level_kmeans(sample, recipe.lists))
    with one_thread():
        index.train(sample)
    return index


def fill(trained: Any, vectors: Float32[np.ndarray, "n dim"], rows: Int64[np.ndarray, " n"]) -> Any:
    """Return a copy of a trained index that holds these vectors under these rows."""
    if len(vectors) != len(rows):
        raise SearchError(f"each vector needs a row, got {len(vectors)} and {len(rows)}")
    # A clone of an index shares nothing with it, so shards can be filled side by side.
    shard = faiss.clone_index(trained)
    contiguous = checked(vectors, trained.d)
    ids = np.ascontiguousarray(rows, dtype=np.int64)
    add_vectors(shard, contiguous, ids)
    return shard


def merge(shards: Iterable[Any]) -> Any:
    """Return one index with all vectors of the shards; the shards after the first end up empty.

    Shards that are made one after the other need not all be in memory at once.

    Raises
    ------
    SearchError
        If the shards were not filled from one trained index, or are made ready for serving.
    """
    merged: Any = None
    for shard in shards:
        if _scans_fast(shard):
            # FAISS 1.15.1 corrupts the heap where it merges these.
            raise SearchError("shards must be merged before they are made ready for serving")
        if merged is None:
            merged = shard
            continue
        try:
            merged.check_compatible_for_merge(shard)
            _check_same_training(merged, shard)
            merged.merge_from(shard, 0)
        except RuntimeError as error:
            raise SearchError(f"shards must come from one trained index: {error}") from error
    if merged is None:
        raise SearchError("there must be at least one shard to merge, got none")
    return merged


def for_serving(index: Any) -> Any:
    """Return a merged index as it is served; the one given is used up.

    Product codes are laid out for fast scanning; others stay as they are.
    """
    return index if lists_of(index) is None or _scans_fast(index) else turned_for_scanning(index)


def _scans_fast(index: Any) -> bool:
    return isinstance(lists_of(index), faiss.IndexIVFPQFastScan)


def _check_same_training(one: Any, other: Any) -> None:
    """Compare what FAISS, which compares centroids, does not: what codes stand for."""
    if not np.array_equal(_values_of_codes(one), _values_of_codes(other)):
        raise RuntimeError("their codes stand for different values")


def _values_of_codes(index: Any) -> np.ndarray[Any, Any]:
    product = lists_of(index)
    if product is not None:
        return np.asarray(faiss.vector_to_array(product.pq.centroids))
    if isinstance(index, faiss.IndexIDMap):
        return np.empty(0, np.float32)
    return np.asarray(faiss.vector_to_array(index.sq.trained))


def save(index: Any, path: Path) -> None:
    """Write a FAISS file, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        # By itself FAISS only prints that a full disk did not take the end of a file.
        faiss.write_index(index, faiss.PyCallbackIOWriter(stream.write, _BLOCK_BYTES))


def read(path: Path) -> Any:
    """Map a FAISS file.

    Raises
    ------
    IndexFormatError
        If it is missing or damaged.
    """
    try:
        if path.is_file():
            _bring_what_is_copied(path)
        return faiss.read_index(str(path), _READ_FLAGS)
    except RuntimeError as error:
        raise IndexFormatError(
            f"{path} must be a FAISS file, but cannot be read ({error}); build the index again"
        ) from error


def _bring_what_is_copied(path: Path) -> None:
    """Read a file of product codes once, from its beginning to its end.

    FAISS copies their lists into memory from the mapped file, page after page: of 8 GB on a disk
    that took 140 s, and 22 s with the file read before. Others stay mapped, and are not read.
    """
    with path.open("rb", buffering=0) as stream:
        if stream.read(len(_PRODUCT_CODES)) == _PRODUCT_CODES:
            while stream.read(_READ_BYTES):
                pass


def load_trained(path: Path) -> Any:
    """Read a trained, empty index written by `save`."""
    return read(path)
