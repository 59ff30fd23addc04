"""Whitening: the one formula that a checkpoint's statistics and an index's spaces share.

With mean m and covariance S of some vectors of dimension d, and shrinkage a = 0.1,

    S' = (1 - a) S + a (tr S / d) I,    white = S'^(-1/2) (x - m)

With fewer directions kept than there are, the projection is V_k L_k^(-1/2), of the k eigenvectors
V_k of S' with the largest eigenvalues L_k, the largest component of each positive.

The shrinkage keeps directions that carry next to no variance from being blown up to the size of
the others. The symmetric root is taken because it is unique, whatever the signs that an
eigenvalue solver gives its vectors.
"""

import numpy as np
from jaxtyping import Float64

__all__ = ["SHRINKAGE", "whitening"]

SHRINKAGE = 0.1


def whitening(
    vectors: Float64[np.ndarray, "n dim"], keep: int | None = None
) -> tuple[Float64[np.ndarray, " dim"], Float64[np.ndarray, "dim kept"]]:
    """Return mean and projection: ``(x - mean) @ projection`` is centred and whitened.

    Parameters
    ----------
    vectors
        Finite vectors; computed with in float64, whatever they are.
    keep
        How many directions at most; by default all.
    """
    vectors = np.asarray(vectors, np.float64)
    dim = vectors.shape[1]
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    covariance = centred.T @ centred / len(centred)
    typical = float(np.trace(covariance)) / dim
    values, axes = np.linalg.eigh(
        (1.0 - SHRINKAGE) * covariance + SHRINKAGE * typical * np.eye(dim)
    )
    smallest = max(float(values.max()) * 1e-12, 1e-30)
    scaled = axes / np.sqrt(np.maximum(values, smallest))
    if keep is None or keep >= dim:
        return mean, np.asarray(scaled @ axes.T)
    strongest = scaled[:, ::-1][:, :keep]
    largest = np.abs(strongest).argmax(axis=0)
    return mean, np.asarray(strongest * np.sign(strongest[largest, np.arange(keep)]))
