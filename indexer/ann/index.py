"""Search a FAISS file by inner product: true counts, ties by row, settings with the call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8, UInt16

from indexer.ann.filling import read
from indexer.ann.library import checked, faiss
from indexer.ann.product_codes import (
    centres_of,
    inverted_of,
    list_of_row,
    lists_of,
    lists_to_visit,
    matrix_of,
    search_lists,
)
from indexer.ann.recipes import Recipe
from indexer.errors import IndexFormatError, SearchError
from indexer.layout import numbered
from indexer.vectors import PADDING

__all__ = ["AnnIndex", "load"]

_TIE_MARGIN = 16
_GRAPH_SEARCH = 64
"""Least width of the search for the lists to visit."""


def load(path: Path, *parts: Path) -> "AnnIndex":
    """Map a FAISS file for searching, or the numbered files that stand for one too large.

    Parameters
    ----------
    path
        The file. If it is not there, files with its name and numbers from 0 are looked for.
    parts
        Further files of one index, where all are known.

    Raises
    ------
    IndexFormatError
        If the file is missing or is no FAISS file that this package writes.
    """
    files = [path, *parts]
    if not path.exists() and numbered(path, 0).exists():
        files = list(takewhile(Path.exists, (numbered(path, number) for number in count())))
    first, *more = map(read, files)
    return AnnIndex(first, tuple(more))


@dataclass(frozen=True)
class AnnIndex:
    """A FAISS index of one segment and one space, safe to search from several threads.

    Attributes
    ----------
    index
        FAISS's own, from `indexer.ann.for_serving` or mapped.
    more
        Others with further vectors, filled from the same trained index.
    """

    index: Any
    more: tuple[Any, ...] = ()
    recipe: Recipe = field(init=False)
    _matrix: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codes = lists_of(self.index)
        if isinstance(self.index, faiss.IndexIDMap):
            recipe = Recipe("flat")
        elif isinstance(self.index, faiss.IndexIVFScalarQuantizer):
            recipe = Recipe("ivf_sq8", int(self.index.nlist))
        elif codes is not None:
            recipe = Recipe("ivf_pq4", int(codes.nlist))
        else:
            raise IndexFormatError(
                f"a FAISS file must be flat, ivf_sq8 or ivf_pq4, got {type(self.index).__name__}"
            )
        object.__setattr__(self, "recipe", recipe)
        object.__setattr__(self, "_matrix", None if codes is None else matrix_of(self.index))

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.index.d)

    @property
    def count(self) -> int:
        """Number of vectors."""
        return sum(int(each.ntotal) for each in (self.index, *self.more))

    @property
    def default_nprobe(self) -> int:
        """Lists to visit when the caller names no number: see `Recipe.default_nprobe`."""
        return self.recipe.default_nprobe

    def search(
        self,
        queries: Float32[np.ndarray, "q dim"],
        k: int,
        *,
        nprobe: int | None = None,
        allowed: UInt8[np.ndarray, " bytes"] | None = None,
    ) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"], Int64[np.ndarray, " q"]]:
        """Find neighbours by inner product.

        Parameters
        ----------
        queries
            Unit vectors.
        k
            How many neighbours to return at most.
        nprobe
            Inverted lists to visit; without meaning for ``flat``.
        allowed
            Rows that may be returned, one bit each, as `RowSet.bits` holds them. Default: all.

        Returns
        -------
        scores, rows, counts
            Best first, ties by row. Only the first `counts[i]` columns of row i are answers; the
            others hold NaN and `PADDING`. Scores of inverted lists are approximate.

        Raises
        ------
        SearchError
            If the queries do not fit this index; the message has both numbers.
        """
        if k < 1:
            raise SearchError(f"the number of neighbours must be at least 1, got {k}")
        queries = checked(queries, self.dim)
        width = min(k, self.count)
        if width == 0 or len(queries) == 0 or (allowed is not None and len(allowed) == 0):
            return _empty(len(queries), width)
        # FAISS takes the bits by address: they stay in a variable until the call returns.
        bits = None if allowed is None else np.ascontiguousarray(allowed, dtype=np.uint8)
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        parameters = self._parameters(nprobe, selector)
        if self._matrix is not None:
            # Unlike FAISS's matrix product, each query alone: what it finds depends on no other.
            queries = np.einsum("qd,od->qo", queries, self._matrix)
        found = [
            _best(self._searching(each, queries, parameters), int(each.ntotal), k)
            for each in (self.index, *self.more)
        ]
        scores, rows = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
        return _ordered(scores, rows, width)

    def nearness(
        self, query: Float32[np.ndarray, " dim"], rows: Int64[np.ndarray, " n"]
    ) -> Float32[np.ndarray, " n"]:
        """Return the inner product of a query with the centre of the list of each of some rows.

        The first call reads the rows of all lists, and keeps 2 bytes of each.
        """
        return np.asarray(self._centre_scores(query)[self._list_of_row[rows]])

    def lists_before(
        self,
        query: Float32[np.ndarray, " dim"],
        vectors: Float32[np.ndarray, "n dim"],
        nprobe: int,
    ) -> Int64[np.ndarray, " n"]:
        """Return how many lists a search reads before that of each vector it has found.

        Parameters
        ----------
        vectors
            From lists that a search visits.
        nprobe
            How many it visits. Each vector is taken to lie in that of them with the nearest centre,
            which is true of 98.5 % where the lists are found by a graph.
        """
        near = self._centre_scores(query)
        visited = np.argpartition(-near, nprobe - 1)[:nprobe]
        if self._matrix is not None:
            vectors = vectors @ self._matrix.T
        own = visited[np.argmax(self._centres[visited] @ vectors.T, axis=0)]
        return np.asarray(np.sum(near[visited, None] > near[own], axis=0))

    def _centre_scores(self, query: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        projected = query if self._matrix is None else self._matrix @ query
        return np.asarray(self._centres @ projected)

    def _parameters(self, nprobe: int | None, selector: Any) -> Any:
        if self.recipe.name == "flat":
            return None if selector is None else faiss.SearchParameters(sel=selector)
        lists = self.default_nprobe if nprobe is None else nprobe
        if not 1 <= lists <= self.recipe.lists:
            raise SearchError(
                f"nprobe must be between 1 and the {self.recipe.lists} lists, got {lists}"
            )
        if self.recipe.name == "ivf_sq8":
            return faiss.SearchParametersIVF(nprobe=lists, sel=selector)
        graph = faiss.SearchParametersHNSW(efSearch=max(_GRAPH_SEARCH, lists))
        return faiss.SearchParametersIVF(nprobe=lists, sel=selector, quantizer_params=graph)

    def _searching(self, index: Any, queries: np.ndarray[Any, Any], parameters: Any) -> "_Search":
        codes = lists_of(index)
        if codes is None:
            return lambda fetch: index.search(queries, fetch, params=parameters)
        visited = lists_to_visit(codes, queries, parameters, lambda: self._centres)
        return lambda fetch: search_lists(codes, queries, fetch, visited, parameters)

    @cached_property
    def _centres(self) -> np.ndarray[Any, Any]:
        # Made when they are needed first: few searches visit so many lists.
        return centres_of(inverted_of(self.index))

    @cached_property
    def _list_of_row(self) -> UInt16[np.ndarray, " rows"]:
        inverted = [inverted_of(each).invlists for each in (self.index, *self.more)]
        return list_of_row(inverted, self.recipe.lists)


_Search = Callable[[int], tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]
"""Gives scores and rows of so many neighbours of each query."""


def _best(search: _Search, total: int, k: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return at least the k best of each query, and all that tie with the last of them."""
    fetch = min(total, k + _TIE_MARGIN)
    while True:
        scores, rows = search(fetch)
        if fetch >= total or not _cut_inside_tie(scores, rows, min(k, total)):
            return scores, rows
        # FAISS keeps any of equal scores; all of them are needed to break ties by row.
        fetch = min(total, 4 * fetch)


def _empty(
    queries: int, width: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return (
        np.full((queries, width), np.nan, dtype=np.float32),
        np.full((queries, width), PADDING, dtype=np.int64),
        np.zeros(queries, dtype=np.int64),
    )


def _cut_inside_tie(scores: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], width: int) -> bool:
    """Say whether the last score fetched still equals the last one wanted, for any query."""
    full = rows[:, -1] >= 0
    return bool(np.any(full & (scores[:, -1] == scores[:, width - 1])))


def _ordered(
    scores: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], width: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    true = rows >= 0
    counts = np.minimum(true.sum(axis=1), width).astype(np.int64)
    scores = np.where(true, scores, -np.inf).astype(np.float32)
    order = np.lexsort((rows, -scores), axis=1)[:, :width]
    best_scores = np.take_along_axis(scores, order, axis=1)
    best_rows = np.take_along_axis(rows, order, axis=1).astype(np.int64)
    beyond = np.arange(width)[None, :] >= counts[:, None]
    best_scores[beyond] = np.nan
    best_rows[beyond] = PADDING
    return best_scores, best_rows, counts
