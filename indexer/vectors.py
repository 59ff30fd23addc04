"""Vectors on disk in row order: write, map, exact scan, re-rank.

Scores are inner products of unit vectors, so they are cosines. Stored as float16, or as codes of
8 bits where a manifest says so; computed in float32. The final scores of `exact_scan` and `rerank`
are computed pair by pair, so that equal vectors get equal scores whatever else is searched along
with them.
"""

import mmap
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float16, Float32, Int64

from indexer.coded_vectors import CodedVectors, Scale, read_scale, write_scale
from indexer.durable import replacing
from indexer.errors import IndexFormatError, SearchError
from indexer.halves import singles

__all__ = [
    "PADDING",
    "Nearest",
    "Vectors",
    "exact_scan",
    "expect_scattered",
    "map_vectors",
    "pair_scores",
    "places_of",
    "rerank",
    "write_vectors",
]

Vectors: TypeAlias = Float16[np.ndarray, "n dim"] | CodedVectors
"""Vectors as they are stored: slices and positions of either give unit vectors."""

PADDING = -1
"""Fills `rows` beyond a query's count."""

_BLOCK_ROWS = 65536
_MATMUL_ERROR = 1e-5
"""More than float32 matrix products of unit vectors can differ from `pair_scores`."""


def write_vectors(
    path: Path,
    blocks: Iterable[Float32[np.ndarray, "block dim"]],
    shape: tuple[int, int],
    *,
    scale: Scale | None = None,
    start: int = 0,
    written: Callable[[int], None] | None = None,
) -> None:
    """Write unit vectors as one `.npy` file, block after block.

    Parameters
    ----------
    scale
        Keep codes of 8 bits that stand for these values. Default: float16.
    start
        Rows that an earlier call, which was broken off, has reported as written: it is gone on
        with, and `blocks` begin after them.
    written
        Called after each block with the number of rows that are safe on the disk. Then these stay
        there when writing is broken off.

    Raises
    ------
    ValueError
        If the blocks together do not have the stated shape.
    """
    descr = "<f2" if scale is None else "|u1"
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    if scale is not None:
        write_scale(path, scale)
    with replacing(path, keep=written is not None) as temporary:
        with temporary.open("r+b" if start else "wb") as stream:
            if start:
                np.lib.format.read_magic(stream)
                np.lib.format.read_array_header_1_0(stream)
                stream.seek(start * shape[1] * np.dtype(descr).itemsize, os.SEEK_CUR)
                stream.truncate()
            else:
                np.lib.format.write_array_header_1_0(stream, header)
            rows = start
            for block in blocks:
                if block.ndim != 2 or block.shape[1] != shape[1]:
                    raise ValueError(f"blocks must be (n, {shape[1]}), got {block.shape}")
                kept = block.astype("<f2") if scale is None else scale.codes(block)
                stream.write(np.ascontiguousarray(kept).data)
                rows += len(block)
                if written is not None:
                    stream.flush()
                    os.fsync(stream.fileno())
                    written(rows)
        if rows != shape[0]:
            raise ValueError(f"{shape[0]} vectors were announced, {rows} were written")


def map_vectors(path: Path) -> Vectors:
    """Map the vectors of a segment; nothing is read before it is used.

    Raises
    ------
    IndexFormatError
        If the file is neither a float16 matrix nor one of codes with their values beside it.
    """
    try:
        vectors: np.ndarray[Any, Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise IndexFormatError(
            f"{path} must be a .npy file, but cannot be read ({error}); build the index again"
        ) from error
    if vectors.ndim == 2 and vectors.dtype == np.uint8:
        return CodedVectors(vectors, read_scale(path, vectors.shape[1]))
    if vectors.ndim != 2 or vectors.dtype != np.float16:
        raise IndexFormatError(
            f"{path} must hold a float16 matrix, got {vectors.dtype} of shape {vectors.shape}"
        )
    return vectors


def expect_scattered(vectors: Vectors) -> None:
    """Tell the system that mapped vectors are taken here and there: nothing is read ahead.

    A search ranks a few hundred candidates again, which lie anywhere in the file: of 200 million
    vectors each brought the 2 MB around it from the disk, and drove others out of memory.
    """
    mapped: Any = vectors.codes.base if isinstance(vectors, CodedVectors) else vectors.base
    if isinstance(mapped, mmap.mmap):
        mapped.madvise(mmap.MADV_RANDOM)


def pair_scores(
    vectors: Float16[np.ndarray, "n dim"] | Float32[np.ndarray, "n dim"],
    query: Float32[np.ndarray, " dim"],
) -> Float32[np.ndarray, " n"]:
    """Return the score of each vector with one query, each computed alone."""
    # einsum sums along each row by itself: unlike a matrix product, a score does not depend on
    # which other vectors are asked for.
    return np.asarray(np.einsum("ij,j->i", singles(vectors), query), dtype=np.float32)


class Nearest:
    """The k nearest of all vectors looked at so far, of several queries at once.

    Those are kept, too, that miss by no more than the error of a matrix product.

    Parameters
    ----------
    queries
        Unit vectors.
    k
        How many are wanted of each.
    """

    def __init__(self, queries: Float32[np.ndarray, "q dim"], k: int) -> None:
        self._queries = queries
        self._k = k
        self._found: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = [
            (np.empty(0, np.float32), np.empty(0, np.int64)) for _ in queries
        ]
        self._least = np.full(len(queries), -np.inf, dtype=np.float32)

    def look_at(self, block: Float32[np.ndarray, "n dim"], places: Int64[np.ndarray, " n"]) -> None:
        """Look at some more vectors, which lie at these places."""
        rough = self._queries @ block.T
        # Of many vectors few come near: the loop is over those alone.
        asking, at = np.nonzero(rough >= self._least[:, None])
        for number, start, count in zip(*np.unique(asking, True, False, True), strict=True):
            chosen = at[start : start + count]
            self._add(number, rough[number, chosen], places[chosen])

    def _add(self, number: int, scores: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> None:
        all_scores = np.concatenate([self._found[number][0], scores])
        all_places = np.concatenate([self._found[number][1], places])
        if len(all_scores) >= self._k:
            kth = np.partition(all_scores, len(all_scores) - self._k)[-self._k]
            self._least[number] = kth - _MATMUL_ERROR
            keep = all_scores >= self._least[number]
            all_scores, all_places = all_scores[keep], all_places[keep]
        self._found[number] = (all_scores, all_places)

    def found(
        self,
    ) -> tuple[Float32[np.ndarray, "q c"], Int64[np.ndarray, "q c"], Int64[np.ndarray, " q"]]:
        """Return scores and places in any order: the first `counts[i]` columns of each query."""
        counts = np.array([len(places) for _, places in self._found], dtype=np.int64)
        width = max(1, counts.max(initial=1))
        scores = np.full((len(counts), width), np.nan, dtype=np.float32)
        places = np.full((len(counts), width), PADDING, dtype=np.int64)
        for number, each in enumerate(self._found):
            scores[number, : counts[number]], places[number, : counts[number]] = each
        return scores, places, counts

    def resume(
        self,
        scores: Float32[np.ndarray, "q c"],
        places: Int64[np.ndarray, "q c"],
        counts: Int64[np.ndarray, " q"],
    ) -> None:
        """Take over what `found` returned of the vectors that need not be looked at again."""
        for number, count in enumerate(counts.tolist()):
            self._add(number, scores[number, :count], places[number, :count])


def exact_scan(
    vectors: Vectors,
    queries: Float32[np.ndarray, "q dim"],
    k: int,
    *,
    rows: Int64[np.ndarray, " n"] | None = None,
    positions: Int64[np.ndarray, " m"] | None = None,
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"], Int64[np.ndarray, " q"]]:
    """Find the k nearest of all vectors, or of those at some positions, without approximation.

    Parameters
    ----------
    vectors
        Unit vectors; memory-mapped ones are read block by block.
    queries
        Unit vectors.
    rows
        Ascending row of each vector. Default: its position.
    positions
        Ascending positions in `vectors` to look at. Default: all.

    Returns
    -------
    scores, rows, counts
        Best first, ties by row; the first `counts[i]` columns of row i are true, the others hold
        NaN and `PADDING`.
    """
    if k < 1:
        raise SearchError(f"the number of neighbours must be at least 1, got {k}")
    total = len(vectors) if positions is None else len(positions)
    nearest = Nearest(queries, k)
    for start in range(0, total, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, total)
        chosen = np.arange(start, stop) if positions is None else positions[start:stop]
        block = vectors[start:stop] if positions is None else vectors[chosen]
        nearest.look_at(singles(block), chosen)
    _, candidates, counts = nearest.found()
    if rows is not None and total:
        candidates = np.where(candidates == PADDING, PADDING, rows[candidates])
    return rerank(vectors, queries, candidates, counts, k, rows=rows)


def rerank(
    vectors: Vectors,
    queries: Float32[np.ndarray, "q dim"],
    candidates: Int64[np.ndarray, "q c"],
    counts: Int64[np.ndarray, " q"],
    k: int,
    *,
    rows: Int64[np.ndarray, " n"] | None = None,
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"], Int64[np.ndarray, " q"]]:
    """Score candidates exactly and return the best k of each query.

    Parameters
    ----------
    candidates, counts
        Rows to look at; the first `counts[i]` of each query.
    rows
        Ascending row of each vector; every candidate must be among them. Default: its position.

    Returns
    -------
    scores, rows, counts
        As `exact_scan`.
    """
    width = min(k, candidates.shape[1])
    best_scores = np.full((len(queries), width), np.nan, dtype=np.float32)
    best_rows = np.full((len(queries), width), PADDING, dtype=np.int64)
    best_counts = np.minimum(counts, width).astype(np.int64)
    for number, query in enumerate(queries):
        wanted = np.sort(candidates[number, : counts[number]])
        scores = pair_scores(vectors[places_of(rows, wanted)], query)
        # Stable, and the candidates ascend: ties come out by row.
        order = np.argsort(-scores, kind="stable")[: best_counts[number]]
        best_scores[number, : len(order)] = scores[order]
        best_rows[number, : len(order)] = wanted[order]
    return best_scores, best_rows, best_counts


def places_of(
    rows: Int64[np.ndarray, " n"] | None, wanted: Int64[np.ndarray, " m"]
) -> Int64[np.ndarray, " m"]:
    """Return where the vectors of some rows are, which all have one.

    Parameters
    ----------
    rows
        Ascending row of each vector. None: its position.
    """
    return wanted if rows is None else np.searchsorted(rows, wanted)
