"""k-means in two levels: clusters, each divided again in proportion to its size.

The square root of the work of one level. Of 100,000 vectors 1,024 clusters took 11 s in place of
207 s, and the mean cosine with the nearest was 0.795 in place of 0.804.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from indexer.ann.library import faiss, gpus, one_thread
from indexer.spaces import to_unit

__all__ = ["SEED", "shares", "two_level_kmeans"]

SEED = 1234
_ITERATIONS = 10


def two_level_kmeans(
    sample: Float32[np.ndarray, "n dim"], clusters: int
) -> Float32[np.ndarray, "clusters dim"]:
    """Find unit vectors so that each of a sample has a large inner product with one of them.

    On one thread, from a fixed seed; on the GPUs that FAISS can use, if there are any.

    Parameters
    ----------
    sample
        At least as many vectors as clusters are wanted.
    """
    with one_thread():
        first = _kmeans(sample, max(1, round(math.sqrt(clusters))))
        _, nearest = first.index.search(sample, 1)
        sizes = np.bincount(nearest[:, 0], minlength=first.k)
        centroids = []
        for number, share in enumerate(shares(sizes, clusters).tolist()):
            if share:
                members = np.ascontiguousarray(sample[nearest[:, 0] == number])
                centroids.append(_kmeans(members, share).centroids)
    # FAISS takes a cluster's only member as it is.
    return to_unit(np.concatenate(centroids))


def shares(sizes: Int64[np.ndarray, " n"], total: int) -> Int64[np.ndarray, " n"]:
    """Divide a total in proportion to sizes: none above its size, none of a size left out.

    The total must be at least the number of sizes above zero, and at most their sum.
    """
    divided = np.where(sizes > 0, np.maximum(1, total * sizes // sizes.sum()), 0)
    # What rounding left over goes where it is missed most; ties go by number.
    while (rest := total - int(divided.sum())) != 0:
        step = 1 if rest > 0 else -1
        possible = divided < sizes if rest > 0 else divided > 1
        missed = step * (total * sizes / sizes.sum() - divided)
        order = np.argsort(np.where(possible, -missed, np.inf), kind="stable")
        chosen = order[: min(abs(rest), int(possible.sum()))]
        divided[chosen] += step
    return divided


def _kmeans(vectors: Float32[np.ndarray, "n dim"], clusters: int) -> Any:
    found = faiss.Kmeans(
        vectors.shape[1],
        clusters,
        niter=_ITERATIONS,
        spherical=True,
        seed=SEED,
        min_points_per_centroid=1,
        gpu=gpus() > 0,
    )
    found.train(vectors)
    return found
