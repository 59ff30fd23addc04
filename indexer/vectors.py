"""Vectors on disk in row order: write, map, exact scan, re-rank.

Scores are inner products of unit vectors, so they are cosines. Stored as float16, computed in
float32; the final scores of `exact_scan` and `rerank` are computed pair by pair, so that equal
vectors get equal scores whatever else is searched along with them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Float32, Int64

from indexer.durable import replacing
from indexer.errors import IndexFormatError, SearchError

__all__ = ["PADDING", "exact_scan", "map_vectors", "pair_scores", "rerank", "write_vectors"]

PADDING = -1
"""Fills `rows` beyond a query's count."""

_BLOCK_ROWS = 65536
_MATMUL_ERROR = 1e-5
"""More than float32 matrix products of unit vectors can differ from `pair_scores`."""


def write_vectors(
    path: Path, blocks: Iterable[Float32[np.ndarray, "block dim"]], shape: tuple[int, int]
) -> None:
    """Write unit vectors as one float16 `.npy` file, block after block.

    Raises
    ------
    ValueError
        If the blocks together do not have the stated shape.
    """
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    written = 0
    with replacing(path) as temporary:
        with temporary.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for block in blocks:
                if block.ndim != 2 or block.shape[1] != shape[1]:
                    raise ValueError(f"blocks must be (n, {shape[1]}), got {block.shape}")
                stream.write(np.ascontiguousarray(block, dtype="<f2").tobytes())
                written += len(block)
        if written != shape[0]:
            raise ValueError(f"{shape[0]} vectors were announced, {written} were written")


def map_vectors(path: Path) -> Float16[np.ndarray, "n dim"]:
    """Map the vectors of a segment; nothing is read before it is used.

    Raises
    ------
    IndexFormatError
        If the file is not a float16 matrix.
    """
    try:
        vectors: np.ndarray[Any, Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise IndexFormatError(
            f"{path} must be a .npy file, but cannot be read ({error}); build the index again"
        ) from error
    if vectors.ndim != 2 or vectors.dtype != np.float16:
        raise IndexFormatError(
            f"{path} must hold a float16 matrix, got {vectors.dtype} of shape {vectors.shape}"
        )
    return vectors


def pair_scores(
    vectors: Float16[np.ndarray, "n dim"], query: Float32[np.ndarray, " dim"]
) -> Float32[np.ndarray, " n"]:
    """Return the score of each vector with one query, each computed alone."""
    # einsum sums along each row by itself: unlike a matrix product, a score does not depend on
    # which other vectors are asked for.
    return np.asarray(np.einsum("ij,j->i", vectors.astype(np.float32), query), dtype=np.float32)


def exact_scan(
    vectors: Float16[np.ndarray, "n dim"],
    queries: Float32[np.ndarray, "q dim"],
    k: int,
    *,
    rows: Int64[np.ndarray, " n"],
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
        Ascending row of each vector.
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
    found: list[tuple[np.ndarray, np.ndarray]] = [
        (np.empty(0, np.float32), np.empty(0, np.int64)) for _ in queries
    ]
    for start in range(0, total, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, total)
        chosen = np.arange(start, stop) if positions is None else positions[start:stop]
        block = vectors[start:stop] if positions is None else vectors[chosen]
        rough = queries @ block.astype(np.float32).T
        for number, scores in enumerate(rough):
            all_scores = np.concatenate([found[number][0], scores])
            all_places = np.concatenate([found[number][1], chosen])
            if len(all_scores) > k:
                kth = np.partition(all_scores, len(all_scores) - k)[-k]
                keep = all_scores >= kth - _MATMUL_ERROR
                all_scores, all_places = all_scores[keep], all_places[keep]
            found[number] = (all_scores, all_places)
    counts = np.array([len(places) for _, places in found], dtype=np.int64)
    candidates = np.full((len(queries), max(1, counts.max(initial=1))), PADDING, dtype=np.int64)
    for number, (_, places) in enumerate(found):
        candidates[number, : len(places)] = rows[places]
    return rerank(vectors, queries, candidates, counts, k, rows=rows)


def rerank(
    vectors: Float16[np.ndarray, "n dim"],
    queries: Float32[np.ndarray, "q dim"],
    candidates: Int64[np.ndarray, "q c"],
    counts: Int64[np.ndarray, " q"],
    k: int,
    *,
    rows: Int64[np.ndarray, " n"],
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"], Int64[np.ndarray, " q"]]:
    """Score candidates exactly and return the best k of each query.

    Parameters
    ----------
    candidates, counts
        Rows to look at; the first `counts[i]` of each query.
    rows
        Ascending row of each vector; every candidate must be among them.

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
        scores = pair_scores(vectors[np.searchsorted(rows, wanted)], query)
        # Stable, and the candidates ascend: ties come out by row.
        order = np.argsort(-scores, kind="stable")[: best_counts[number]]
        best_scores[number, : len(order)] = scores[order]
        best_rows[number, : len(order)] = wanted[order]
    return best_scores, best_rows, best_counts
