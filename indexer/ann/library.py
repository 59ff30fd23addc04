"""FAISS itself, how many threads it may use, on what it works, and what may be given to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faiss as _faiss
import numpy as np

from indexer.errors import SearchError

__all__ = ["checked", "device", "faiss", "gpus", "one_thread", "threads"]

faiss: Any = _faiss
"""Untyped: its type stubs know less than the module."""


def threads() -> int:
    """Return on how many threads FAISS would work: ``OMP_NUM_THREADS``, or all cores."""
    return int(faiss.omp_get_max_threads())


def gpus() -> int:
    """Return how many GPUs FAISS can use: none where it was built without."""
    return int(faiss.get_num_gpus()) if hasattr(faiss, "get_num_gpus") else 0


def device() -> str:
    """Return on what lists are trained and vectors are assigned to them."""
    return "gpu" if gpus() else "cpu"


@contextmanager
def one_thread() -> Iterator[None]:
    """Train and fill on one thread: the same bytes whatever the machine.

    The setting is the calling thread's own.
    """
    before = threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def checked(vectors: np.ndarray[Any, Any], dim: int) -> np.ndarray[Any, Any]:
    """Return vectors as FAISS may take them, or say what is wrong with them."""
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise SearchError(f"vectors must have {dim} dimensions, got the shape {vectors.shape}")
    if vectors.dtype != np.float32:
        raise SearchError(f"vectors must be float32, got {vectors.dtype}")
    if not np.isfinite(vectors).all():
        raise SearchError("vectors must be finite, got NaN or infinity")
    return np.ascontiguousarray(vectors)
