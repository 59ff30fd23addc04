"""This project's own indexes, built and asked as a build and a search do it.

All that these benchmarks know of how a segment is filled and searched is here.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from benchmarks.memory import peak
from benchmarks.scale.data import SPACE, Data, K
from indexer import ann
from indexer.ann import recipes
from indexer.fill import Filling, fill_segment, train_quantizer
from indexer.layout import quantizer_file, segment_unit, space_unit
from indexer.neighbours import best_of
from indexer.row_sets import RowSet
from indexer.vectors import exact_scan, expect_scattered, map_vectors, rerank

__all__ = ["Opened", "build", "chosen", "filling_of", "held_as", "opened"]


@contextmanager
def held_as(recipe: str) -> Iterator[None]:
    """Let a build choose this recipe, ``ivf_sq8`` or ``ivf_pq4``, whatever the number of vectors.

    What a build chooses is decided by two numbers alone.
    """
    before = recipes.EXACT_UP_TO, recipes.EIGHT_BIT_UP_TO
    recipes.EXACT_UP_TO, recipes.EIGHT_BIT_UP_TO = 0, 0 if recipe == "ivf_pq4" else sys.maxsize
    try:
        yield
    finally:
        recipes.EXACT_UP_TO, recipes.EIGHT_BIT_UP_TO = before


def chosen(count: int, dim: int) -> str:
    """Return the recipe that a build chooses."""
    return ann.recipe_for(count, dim).name


def filling_of(data: Data, folder: Path) -> Filling:
    """Return where the vectors lie inside an index in `folder`; they are linked there, not copied.

    A second recipe of the same vectors is a second index.
    """
    filling = Filling(folder, segment_unit(data.name), SPACE, SPACE)
    if not filling.vectors_path.exists():
        filling.vectors_path.parent.mkdir(parents=True, exist_ok=True)
        os.link(data.filling.vectors_path, filling.vectors_path)
    return filling


def build(data: Data, folder: Path, recipe: str) -> dict[str, float]:
    """Train and fill an index below a folder.

    Returns
    -------
    Seconds of both, the largest anonymous memory of both, bytes of the FAISS file and of the part
    of it that is trained, and the number of lists.
    """
    filling, space = filling_of(data, folder), space_unit(SPACE)
    (folder / space).mkdir(parents=True, exist_ok=True)
    with held_as(recipe):
        start = time.perf_counter()
        with peak() as training:
            trained = train_quantizer(folder, space, {SPACE: filling})
        between = time.perf_counter()
        with peak() as fill:
            fill_segment(filling, np.arange(data.count), trained)
        end = time.perf_counter()
        lists = ann.recipe_for(data.count, data.dim).lists
    return {
        "build_s": round(end - start, 2),
        "train_s": round(between - start, 2),
        "fill_s": round(end - between, 2),
        "filled_per_s": round(data.count / (end - between), 1),
        "train_peak_bytes": training.bytes,
        "fill_peak_bytes": fill.bytes,
        "bytes": filling.ann_path.stat().st_size,
        "trained_bytes": (folder / quantizer_file(space)).stat().st_size,
        "lists": lists,
        "threads": ann.threads(),
    }


@dataclass(frozen=True, eq=False)
class Opened:
    """An index that is open, and the vectors that its answers are ranked again with."""

    index: ann.AnnIndex
    vectors: Any
    rows: Int64[np.ndarray, " n"]

    def search(self, queries: np.ndarray[Any, Any], nprobe: int) -> Int64[np.ndarray, "q k"]:
        """Return the rows of the `K` nearest, as a search finds them that visits so many lists."""
        return self._ranked(queries, min(nprobe, self.index.recipe.lists), None)

    def among(self, queries: np.ndarray[Any, Any], allowed: RowSet) -> np.ndarray[Any, Any]:
        """Return the `K` nearest of the allowed rows, as a search with a filter finds them."""
        found = [
            best_of(self.index, self.rows, self.vectors, query, K, allowed) for query in queries
        ]
        return np.stack([each.best(K) for each in found if each is not None])

    def in_lists(self, queries: np.ndarray[Any, Any], allowed: RowSet) -> np.ndarray[Any, Any]:
        """Return the allowed rows that the usual number of lists gives."""
        return self._ranked(queries, self.index.default_nprobe, allowed.bits)

    def scanned(self, queries: np.ndarray[Any, Any], allowed: RowSet) -> np.ndarray[Any, Any]:
        """Return the `K` nearest of the allowed rows, every one being compared."""
        positions = allowed.rows()
        found = exact_scan(self.vectors, queries, K, rows=self.rows, positions=positions)
        return found[1]

    def _ranked(
        self, queries: np.ndarray[Any, Any], nprobe: int, allowed: np.ndarray[Any, Any] | None
    ) -> np.ndarray[Any, Any]:
        fetch = self.index.recipe.candidates(K)
        _, found, counts = self.index.search(queries, fetch, nprobe=nprobe, allowed=allowed)
        return rerank(self.vectors, queries, found, counts, K, rows=self.rows)[1]


def opened(data: Data, folder: Path) -> Opened:
    """Open what `build` made."""
    filling = replace(data.filling, root=folder)
    vectors = map_vectors(filling.vectors_path)
    # As a segment does whose vectors are held in lists.
    expect_scattered(vectors)
    return Opened(ann.load(filling.ann_path), vectors, np.arange(data.count))
