"""Which inverted list a vector belongs to: found as an index finds it, or on a GPU, exactly."""

import threading
from typing import Any

import numpy as np
from faiss.contrib.ivf_tools import add_preassigned
from jaxtyping import Float32, Int64

from indexer.ann.library import checked, faiss, gpus, one_thread
from indexer.ann.product_codes import inverted_of, lists_of, matrix_of
from indexer.spaces import to_unit

__all__ = ["add_vectors", "code_bytes", "lists_in", "nearest_lists"]

# Every index on a GPU takes memory there for itself.
_ON_GPU = threading.Lock()


def nearest_lists(
    trained: Any, vectors: Float32[np.ndarray, "n dim"]
) -> tuple[Int64[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Return the list of each vector, and the cosine of the angle to the centre of that list."""
    inverted, given = _as_coded(trained, checked(vectors, trained.d))
    numbers = _assigned(inverted, given)
    with one_thread():
        centres = inverted.quantizer.reconstruct_batch(numbers)
    cosines = np.einsum("ij,ij->i", to_unit(centres), to_unit(given))
    return numbers, np.asarray(cosines, dtype=np.float32)


def add_vectors(
    shard: Any, vectors: Float32[np.ndarray, "n dim"], ids: Int64[np.ndarray, " n"]
) -> None:
    """Add vectors to an index. Both arrays must have a name until this returns."""
    if not gpus() or isinstance(shard, faiss.IndexIDMap):
        with one_thread():
            shard.add_with_ids(vectors, ids)
        return
    inverted, given = _as_coded(shard, vectors)
    numbers = _assigned(inverted, given)
    with one_thread():
        # FAISS keeps the address of `ids` alone: a temporary would be gone before it is read.
        add_preassigned(inverted, given, numbers, ids)
    shard.ntotal = inverted.ntotal


def _as_coded(index: Any, vectors: np.ndarray[Any, Any]) -> tuple[Any, np.ndarray[Any, Any]]:
    """Return the inverted lists of an index, and vectors as these take them."""
    product = lists_of(index)
    if product is None:
        return index, vectors
    return product, np.ascontiguousarray(vectors @ matrix_of(index).T)


def _assigned(inverted: Any, vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if gpus():
        with _ON_GPU:
            exact = faiss.IndexFlatIP(inverted.d)
            exact.add(inverted.quantizer.reconstruct_n(0, inverted.nlist))
            _, numbers = faiss.index_cpu_to_all_gpus(exact).search(vectors, 1)
    else:
        with one_thread():
            _, numbers = inverted.quantizer.search(vectors, 1)
    return np.ascontiguousarray(numbers[:, 0])


def lists_in(trained: Any) -> int:
    """Return how many inverted lists an index has."""
    return int(inverted_of(trained).nlist)


def code_bytes(trained: Any) -> int:
    """Return how many bytes the code of a vector has."""
    return int(inverted_of(trained).code_size)
