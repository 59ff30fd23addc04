"""Graphs over all vectors, held in memory: hnswlib and usearch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale.data import Data, K
from benchmarks.scale.measuring import Search
from indexer.ann import threads

__all__ = ["build_hnswlib", "build_usearch", "open_hnswlib", "open_usearch"]

DEGREE = 16
CONSTRUCTION = 100
"""Width of the search while a graph is built; both libraries have their own, larger default."""

_BLOCK = 50_000
_FILE = "graph.bin"


def build_hnswlib(data: Data, folder: Path) -> Mapping[str, float]:
    """Build a graph over float32 vectors."""
    import hnswlib

    index = hnswlib.Index(space="ip", dim=data.dim)
    index.init_index(max_elements=data.count, M=DEGREE, ef_construction=CONSTRUCTION)
    index.set_num_threads(threads())
    for start, block in _blocks(data):
        index.add_items(block, np.arange(start, start + len(block)))
    index.save_index(str(folder / _FILE))
    return {"degree": DEGREE, "construction": CONSTRUCTION}


def open_hnswlib(data: Data, folder: Path) -> Search:
    """Read the graph into memory."""
    import hnswlib

    index = hnswlib.Index(space="ip", dim=data.dim)
    index.load_index(str(folder / _FILE))
    index.set_num_threads(threads())

    def search(queries: np.ndarray[Any, Any], setting: int) -> np.ndarray[Any, Any]:
        index.set_ef(setting)
        return np.asarray(index.knn_query(queries, k=K)[0]).astype(np.int64)

    return search


def build_usearch(data: Data, folder: Path) -> Mapping[str, float]:
    """Build a graph over float16 vectors."""
    from usearch.index import Index

    index = Index(
        ndim=data.dim,
        metric="ip",
        dtype="f16",
        connectivity=DEGREE,
        expansion_add=CONSTRUCTION,
    )
    for start, block in _blocks(data):
        index.add(np.arange(start, start + len(block)), block, threads=threads())
    index.save(str(folder / _FILE))
    return {"degree": DEGREE, "construction": CONSTRUCTION}


def open_usearch(data: Data, folder: Path) -> Search:
    """Read the graph into memory."""
    from usearch.index import Index

    index = Index(ndim=data.dim, metric="ip", dtype="f16", connectivity=DEGREE)
    index.load(str(folder / _FILE))

    def search(queries: np.ndarray[Any, Any], setting: int) -> np.ndarray[Any, Any]:
        index.expansion_search = setting
        keys = index.search(queries, K, threads=threads()).keys
        return np.asarray(keys).reshape(len(queries), -1).astype(np.int64)

    return search


def _blocks(data: Data) -> Any:
    vectors = data.vectors()
    for start in range(0, data.count, _BLOCK):
        yield start, vectors[start : start + _BLOCK].astype(np.float32)
