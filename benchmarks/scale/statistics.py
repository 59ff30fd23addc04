"""Statistics of the synthetic vectors, beside those of the recipe that they follow."""

import numpy as np

from benchmarks.scale.data import Data
from indexer.vectors import exact_scan

__all__ = ["STATED", "statistics_of"]

STATED = {
    "mean_norm": 0.676,
    "variance_16": 0.329,
    "variance_64": 0.653,
    "variance_128": 0.860,
    "variance_256": 0.975,
    "distance2_1": 0.338,
    "distance2_10": 0.411,
    "distance2_100": 0.497,
    "distance2_random": 1.09,
}
"""Of one million vectors of 768 dimensions: the norm of their mean, the shares of the variance
that so many principal components keep, and mean squared distances from a query to its nearest
neighbours of these ranks, and to any vector."""

_SAMPLE = 50_000
_QUERIES = 100


def statistics_of(data: Data) -> dict[str, float]:
    """Return the statistics named in `STATED` of some vectors, as far as they have them."""
    vectors = data.vectors()
    sample = vectors[:: max(1, data.count // _SAMPLE)].astype(np.float32)
    mean = sample.mean(axis=0)
    centred = sample - mean
    values = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    shares = np.cumsum(values) / values.sum()
    queries = data.queries()[:_QUERIES]
    scores = exact_scan(vectors, queries, 100, rows=np.arange(data.count))[0]
    found = {"mean_norm": float(np.linalg.norm(mean))}
    for name in STATED:
        kind, _, number = name.partition("_")
        if kind == "variance" and int(number) <= data.dim:
            found[name] = float(shares[int(number) - 1])
        elif kind == "distance2" and number != "random" and int(number) <= scores.shape[1]:
            found[name] = float((2.0 - 2.0 * scores[:, int(number) - 1]).mean())
    found["distance2_random"] = float((2.0 - 2.0 * (queries @ mean)).mean())
    return found
