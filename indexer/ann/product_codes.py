"""Inverted lists of product codes: projection, lists found by a graph, codes, fast scanning.

Inner products throughout. All centroids have one length: then the one with the largest inner
product is the one with the smallest angle, which is what the graph's construction needs, and the
length is the one that leaves the shortest residuals to be coded.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt16

from indexer.ann.kmeans import SEED, two_level_kmeans
from indexer.ann.library import checked, faiss, one_thread

__all__ = [
    "CODES",
    "GRAPH_UP_TO",
    "centres_of",
    "fast_lists_of",
    "inverted_of",
    "list_of_row",
    "lists_of",
    "lists_to_visit",
    "matrix_of",
    "projection",
    "search_lists",
    "trained_lists",
    "turned_for_scanning",
    "with_lists",
]

CODES = 64
_BITS = 4
_CODE_TRAINING = 1024
"""Vectors for each of the 16 values of a code."""

_CODE_ITERATIONS = 10
_LENGTH_SAMPLE = 8192
_BLOCK = 65_536
_GRAPH_DEGREE = 32
_GRAPH_CONSTRUCTION = 100
_GRAPH_ASSIGNMENT = 16
"""Width of the search for the list of a vector: 98.5 % get the nearest one of 65,536."""

GRAPH_UP_TO = 512
"""Lists that are found by the graph; more by comparing with every centre.

Of 65,536 with 128 numbers the graph found 256 in 0.7 ms, 810 in 1.7, 2,560 in 8.8 and 10,240 in 45;
all centres were compared in 1.0 ms (2 cores, float32).
"""


def projection(sample: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "out dim"]:
    """Return the matrix from vectors to what is divided among the codes.

    It keeps the directions that carry most, and then rotates at random, so that every code gets
    the same share of them. How many are kept, a multiple of `CODES`, is what promises the least
    error, with 256 bits for an even distribution over the kept and none for the rest: all
    directions of a whitened space, 128 where these carry 95 % of 192. With all of them kept inner
    products stay what they are.
    """
    dim = sample.shape[1]
    moments = np.zeros((dim, dim))
    # A sample of millions, in twice its precision, need not be in memory as a whole.
    for start in range(0, len(sample), _BLOCK):
        block = sample[start : start + _BLOCK].astype(np.float64)
        moments += block.T @ block
    values, axes = np.linalg.eigh(moments / len(sample))
    values, axes = np.maximum(values[::-1], 0.0), axes[:, ::-1]
    best, least = 0, np.inf
    for out in range(CODES, dim + CODES, CODES):
        kept = values[:out].sum()
        error = values[out:].sum() + kept * 2.0 ** (-2.0 * _BITS * CODES / out)
        if error < least:
            best, least = out, error
    turn = np.linalg.qr(np.random.default_rng(SEED).standard_normal((best, best)))[0]
    kept_axes = axes[:, : min(best, dim)]
    return np.ascontiguousarray(turn[:, : kept_axes.shape[1]] @ kept_axes.T, dtype=np.float32)


def trained_lists(sample: Float32[np.ndarray, "n dim"], lists: int) -> Any:
    """Return empty lists of product codes, trained on a sample."""
    dim = sample.shape[1]
    matrix = projection(sample)
    out = len(matrix)
    linear = faiss.LinearTransform(dim, out, False)
    faiss.copy_array_to_vector(matrix.ravel(), linear.A)
    linear.is_trained = True
    linear.set_is_orthonormal()
    projected = checked(sample @ matrix.T, out)
    centroids = two_level_kmeans(projected, lists)
    metric = faiss.METRIC_INNER_PRODUCT
    with one_thread():
        graph = faiss.IndexHNSWSQ(out, faiss.ScalarQuantizer.QT_fp16, _GRAPH_DEGREE, metric)
        graph.hnsw.efConstruction = _GRAPH_CONSTRUCTION
        graph.hnsw.efSearch = _GRAPH_ASSIGNMENT
        scaled = checked(centroids * _length(projected, centroids), out)
        graph.train(scaled)
        graph.add(scaled)
        inverted = faiss.IndexIVFPQ(graph, out, lists, CODES, _BITS, metric)
        inverted.pq.cp.niter = _CODE_ITERATIONS
        inverted.pq.cp.min_points_per_centroid = 1
        inverted.pq.cp.max_points_per_centroid = _CODE_TRAINING
        inverted.train(projected)
    # A clone owns all of its parts; here each is Python's.
    return faiss.clone_index(faiss.IndexPreTransform(linear, inverted))


def _length(
    sample: Float32[np.ndarray, "n dim"], centroids: Float32[np.ndarray, "lists dim"]
) -> np.float32:
    """Return the mean inner product of vectors with the nearest of some unit centroids."""
    nearest = faiss.IndexFlatIP(sample.shape[1])
    nearest.add(centroids)
    some = np.ascontiguousarray(sample[:: max(1, len(sample) // _LENGTH_SAMPLE)])
    return np.float32(nearest.search(some, 1)[0].mean(dtype=np.float64))


def matrix_of(index: Any) -> Float32[np.ndarray, "out dim"]:
    """Return the projection of an index of product codes."""
    linear = faiss.downcast_VectorTransform(index.chain.at(0))
    return np.asarray(faiss.vector_to_array(linear.A).reshape(linear.d_out, linear.d_in))


def lists_of(index: Any) -> Any | None:
    """Return the inverted lists inside an index of product codes, or None if it is none."""
    if not isinstance(index, faiss.IndexPreTransform):
        return None
    inverted = faiss.downcast_index(index.index)
    codes = (faiss.IndexIVFPQ, faiss.IndexIVFPQFastScan)
    return inverted if isinstance(inverted, codes) else None


def inverted_of(index: Any) -> Any:
    """Return the inverted lists inside an index of product codes, or the index, which is them."""
    return lists_of(index) or index


def centres_of(lists: Any) -> Float32[np.ndarray, "lists out"]:
    """Return the centres of the lists: 32 MB of 65,536 with 128 numbers each."""
    quantizer = faiss.downcast_index(lists.quantizer)
    # The graph of product codes gives its centres slowly, one at a time.
    storage = faiss.downcast_index(getattr(quantizer, "storage", quantizer))
    return np.asarray(storage.reconstruct_n(0, int(lists.nlist)))


def list_of_row(inverted: Sequence[Any], lists: int) -> UInt16[np.ndarray, " rows"]:
    """Return the list of each row, from FAISS's inverted lists; 0 of rows that are in none."""
    found = np.zeros(0, np.uint16)
    for each in inverted:
        for number in range(lists):
            size = each.list_size(number)
            if not size:
                continue
            rows = faiss.rev_swig_ptr(each.get_ids(number), size)
            most = int(rows.max()) + 1
            if most > len(found):
                found = np.pad(found, (0, max(most, 2 * len(found)) - len(found)))
            found[rows] = number
    return found


def lists_to_visit(
    lists: Any,
    queries: Float32[np.ndarray, "q out"],
    parameters: Any,
    centres: Callable[[], Float32[np.ndarray, "lists out"]],
) -> tuple[Float32[np.ndarray, "q nprobe"], Int64[np.ndarray, "q nprobe"]]:
    """Return the scores of the centres of the lists near each query, and which lists these are.

    Few are found by the graph, many by comparing with all centres, each query alone, so that what
    it finds depends on no other.

    The graph may reach fewer than were asked for. FAISS says -1 then and a score of -3.4e38, and as
    fast scanning scales by the scores of all lists, this one would drown all others: the lowest
    true score stands there instead, and nothing is read.
    """
    if parameters.nprobe > GRAPH_UP_TO:
        compared = np.stack([centres() @ query for query in queries])
        found = np.argpartition(-compared, parameters.nprobe - 1, axis=1)[:, : parameters.nprobe]
        return np.take_along_axis(compared, found, axis=1), found.astype(np.int64)
    scores, found = lists.quantizer.search(
        queries, parameters.nprobe, params=parameters.quantizer_params
    )
    lowest = np.min(scores, axis=1, where=found >= 0, initial=np.inf, keepdims=True)
    return np.where(found >= 0, scores, lowest).astype(np.float32), found


def search_lists(
    lists: Any,
    queries: Float32[np.ndarray, "q out"],
    k: int,
    visited: tuple[Float32[np.ndarray, "q nprobe"], Int64[np.ndarray, "q nprobe"]],
    parameters: Any,
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
    """Search the lists that `lists_to_visit` gave; scores and ids as FAISS gives them."""
    # By address, as FAISS's own method in Python takes no parameters: all stay in variables.
    near, found = (np.ascontiguousarray(each) for each in visited)
    scores = np.empty((len(queries), k), np.float32)
    ids = np.empty((len(queries), k), np.int64)
    pointers = [faiss.swig_ptr(each) for each in (found, near, scores, ids)]
    lists.search_preassigned_c(
        len(queries), faiss.swig_ptr(queries), k, *pointers, False, parameters
    )
    return scores, ids


def turned_for_scanning(index: Any) -> Any:
    """Turn ordinary lists of product codes into ones that scan fast, in their place.

    Both are in memory for a moment. The quantizer goes over from one to the other.
    """
    return with_lists(index, fast_lists_of(lists_of(index)))


def fast_lists_of(ordinary: Any) -> Any:
    """Return the same lists, laid out for fast scanning; the quantizer is that of the others."""
    return faiss.IndexIVFPQFastScan(ordinary)


def with_lists(index: Any, fast: Any) -> Any:
    """Put lists that scan fast in the place of the ordinary ones that they were made of."""
    ordinary: Any = lists_of(index)
    ordinary.own_fields, fast.own_fields = False, True
    # The lists replaced are freed with the last name for them, the others by the index.
    ordinary.this.own(True)
    index.index = fast
    index.ntotal = fast.ntotal
    fast.this.own(False)
    return index
