"""FAISS files: train, fill, merge, save, map and search. The only module that imports faiss.

FAISS ids are the rows of a segment; survey identifiers never reach FAISS, and its padding never
leaves this module as data: results carry true counts. Settings go with the call, so that one
open index serves any number of threads.

What FAISS 1.15 does in silence, and what guards against it here: it takes ids by address, so
they stay in a variable until the call returns; a wrong dimension raises an empty assertion, so
shapes are checked before; float64 is accepted and cast, so the type is checked; reading can
build large precomputed tables, so they are skipped; on-disk lists prefetch with 32 threads on
every search, so files are mapped as plain arrays instead.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
from jaxtyping import Float32, Int64

from indexer.durable import replacing
from indexer.errors import IndexFormatError, SearchError
from indexer.vectors import PADDING

faiss: Any = _faiss
"""Untyped: its type stubs know less than the module."""

__all__ = [
    "EXACT_UP_TO",
    "AnnIndex",
    "Recipe",
    "fill",
    "load",
    "load_trained",
    "merge",
    "recipe_for",
    "save",
    "train",
]

EXACT_UP_TO = 50_000
"""Vectors of one segment up to which every one is compared; inverted lists above."""

TRAINING_VECTORS_PER_LIST = 64
_KMEANS_ITERATIONS = 10
_READ_FLAGS = faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE
_TIE_MARGIN = 16


@dataclass(frozen=True)
class Recipe:
    """How the vectors of a segment are held.

    Attributes
    ----------
    name
        ``flat``: float16, every vector compared. ``ivf_sq8``: inverted lists of 8-bit vectors,
        to be re-ranked with the float16 originals.
    lists
        Number of inverted lists; 0 for ``flat``.
    """

    name: str
    lists: int = 0

    def __post_init__(self) -> None:
        if (self.name, self.lists > 0) not in (("flat", False), ("ivf_sq8", True)):
            raise ValueError(
                f"a recipe is 'flat' without lists or 'ivf_sq8' with lists, got {self.name!r} "
                f"with {self.lists}"
            )


def recipe_for(count: int) -> Recipe:
    """Return how to hold `count` vectors: flat, or about four times the square root in lists."""
    if count <= EXACT_UP_TO:
        return Recipe("flat")
    return Recipe("ivf_sq8", 2 ** round(math.log2(4.0 * math.sqrt(count))))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Train and fill on one thread: the same bytes whatever the machine."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _checked(vectors: np.ndarray[Any, Any], dim: int) -> np.ndarray[Any, Any]:
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise SearchError(f"vectors must have {dim} dimensions, got the shape {vectors.shape}")
    if vectors.dtype != np.float32:
        raise SearchError(f"vectors must be float32, got {vectors.dtype}")
    if not np.isfinite(vectors).all():
        raise SearchError("vectors must be finite, got NaN or infinity")
    return np.ascontiguousarray(vectors)


def train(recipe: Recipe, sample: Float32[np.ndarray, "n dim"]) -> Any:
    """Return an empty index, trained on a sample, that all shards of a space start from.

    The sample of ``ivf_sq8`` needs at least as many vectors as there are lists; those beyond
    `TRAINING_VECTORS_PER_LIST` for each are passed over, evenly. The seed is fixed.
    """
    dim = sample.shape[1]
    metric = faiss.METRIC_INNER_PRODUCT
    if recipe.name == "flat":
        half = faiss.ScalarQuantizer.QT_fp16
        return faiss.IndexIDMap(faiss.IndexScalarQuantizer(dim, half, metric))
    if len(sample) < recipe.lists:
        raise SearchError(
            f"{recipe.lists} lists need at least as many vectors to train on, got {len(sample)}"
        )
    stride = max(1, len(sample) // (recipe.lists * TRAINING_VECTORS_PER_LIST))
    sample = _checked(sample[::stride], dim)
    index = faiss.index_factory(dim, f"IVF{recipe.lists},SQ8", metric)
    index.cp.niter = _KMEANS_ITERATIONS
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = 4 * TRAINING_VECTORS_PER_LIST
    with _one_thread():
        index.train(sample)
    return index


def fill(trained: Any, vectors: Float32[np.ndarray, "n dim"], rows: Int64[np.ndarray, " n"]) -> Any:
    """Return a copy of a trained index that holds these vectors under these rows."""
    if len(vectors) != len(rows):
        raise SearchError(f"each vector needs a row, got {len(vectors)} and {len(rows)}")
    # A clone of an index shares nothing with it, so shards can be filled side by side.
    shard = faiss.clone_index(trained)
    contiguous = _checked(vectors, trained.d)
    ids = np.ascontiguousarray(rows, dtype=np.int64)
    with _one_thread():
        shard.add_with_ids(contiguous, ids)
    return shard


def merge(shards: Sequence[Any]) -> Any:
    """Return one index with all vectors of the shards; the shards after the first end up empty.

    Raises
    ------
    SearchError
        If the shards were not filled from one trained index.
    """
    if not shards:
        raise SearchError("there must be at least one shard to merge, got none")
    merged = shards[0]
    for shard in shards[1:]:
        try:
            merged.check_compatible_for_merge(shard)
            merged.merge_from(shard, 0)
        except RuntimeError as error:
            raise SearchError(f"shards must come from one trained index: {error}") from error
    return merged


def save(index: Any, path: Path) -> None:
    """Write a FAISS file, whole or not at all."""
    with replacing(path) as temporary:
        faiss.write_index(index, str(temporary))


def _read(path: Path) -> Any:
    try:
        return faiss.read_index(str(path), _READ_FLAGS)
    except RuntimeError as error:
        raise IndexFormatError(
            f"{path} must be a FAISS file, but cannot be read ({error}); build the index again"
        ) from error


def load_trained(path: Path) -> Any:
    """Read a trained, empty index written by `save`."""
    return _read(path)


def load(path: Path) -> "AnnIndex":
    """Map a FAISS file for searching.

    Raises
    ------
    IndexFormatError
        If the file is missing or is no FAISS file that this module writes.
    """
    return AnnIndex(_read(path))


@dataclass(frozen=True)
class AnnIndex:
    """A FAISS index of one segment and one space, safe to search from several threads."""

    index: Any
    recipe: Recipe = field(init=False)

    def __post_init__(self) -> None:
        if isinstance(self.index, faiss.IndexIDMap):
            recipe = Recipe("flat")
        elif isinstance(self.index, faiss.IndexIVFScalarQuantizer):
            recipe = Recipe("ivf_sq8", int(self.index.nlist))
        else:
            raise IndexFormatError(
                f"a FAISS file must be flat or ivf_sq8, got {type(self.index).__name__}"
            )
        object.__setattr__(self, "recipe", recipe)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.index.d)

    @property
    def count(self) -> int:
        """Number of vectors."""
        return int(self.index.ntotal)

    @property
    def default_nprobe(self) -> int:
        """Lists to visit when the caller names no number: a thirty-second of all, at least 48.

        Queries of another modality lie off the centres of the lists: with 16 of 256 lists they
        found 0.96 of their true ten nearest, with 48 of them 0.992 (docs/decisions.md).
        """
        return min(self.recipe.lists, max(48, self.recipe.lists // 32))

    def search(
        self,
        queries: Float32[np.ndarray, "q dim"],
        k: int,
        *,
        nprobe: int | None = None,
        allowed: Int64[np.ndarray, " m"] | None = None,
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
            Rows that may be returned. Default: all.

        Returns
        -------
        scores, rows, counts
            Best first, ties by row. Only the first `counts[i]` columns of row i are answers; the
            others hold NaN and `PADDING`. Scores of ``ivf_sq8`` are approximate.

        Raises
        ------
        SearchError
            If the queries do not fit this index; the message has both numbers.
        """
        if k < 1:
            raise SearchError(f"the number of neighbours must be at least 1, got {k}")
        queries = _checked(queries, self.dim)
        width = min(k, self.count)
        if width == 0 or len(queries) == 0 or (allowed is not None and len(allowed) == 0):
            return _empty(len(queries), width)
        keep_alive = None if allowed is None else _bitmap(allowed)
        selector = None if keep_alive is None else faiss.IDSelectorBitmap(keep_alive)
        fetch = min(self.count, k + _TIE_MARGIN)
        while True:
            parameters = self._parameters(nprobe, selector)
            scores, rows = self.index.search(queries, fetch, params=parameters)
            if fetch >= self.count or not _cut_inside_tie(scores, rows, width):
                break
            # FAISS keeps any of equal scores; all of them are needed to break ties by row.
            fetch = min(self.count, 4 * fetch)
        return _ordered(scores, rows, width)

    def _parameters(self, nprobe: int | None, selector: Any) -> Any:
        if self.recipe.name == "flat":
            return None if selector is None else faiss.SearchParameters(sel=selector)
        lists = self.default_nprobe if nprobe is None else nprobe
        if not 1 <= lists <= self.recipe.lists:
            raise SearchError(
                f"nprobe must be between 1 and the {self.recipe.lists} lists, got {lists}"
            )
        return faiss.SearchParametersIVF(nprobe=lists, sel=selector)


def _bitmap(allowed: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    bits = np.zeros(int(allowed.max()) + 1, dtype=bool)
    bits[allowed] = True
    return np.packbits(bits, bitorder="little")


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
