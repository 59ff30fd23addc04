"""Linked pairs: observations of one source in two modalities or two releases, read where they lie.

Vectors stay in their mapped files; of a pair only its two places, its source and its cell are
kept (40 bytes).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float32, Int64

from aion_encoder.contrastive import PairBlock
from indexer.index_model import NATIVE, modality_of
from indexer.vectors import Vectors

__all__ = [
    "Linked",
    "ReleasePairs",
    "Split",
    "digest_of_pairs",
    "gather_pairs",
    "held_out_cells",
    "split_cells",
    "thinned",
    "with_sources",
]

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.15

_HEALPIX_ORDER = 29
_CELLS_WANTED = 50
_COARSEST, _FINEST = 4, 13
_READ_ROWS = 16_384


class Linked(Protocol):
    """What pairs are gathered from: the segments of an index, or of one that is being made."""

    @property
    def releases(self) -> Sequence[str]:
        """Names of the releases."""

    def places_with(self, release: str, modality: str) -> Int64[np.ndarray, " n"]:
        """Return the rows that have a vector of a modality, ascending: vector i is of the i-th."""

    def partners_of(
        self, release: str, rows: Int64[np.ndarray, " n"], other: str
    ) -> Int64[np.ndarray, " n"]:
        """Return the row of another release that is the same source as each row, or -1."""

    def cells_of(self, release: str) -> Int64[np.ndarray, " n"]:
        """Return the nested HEALPix index of order 29 of every row; -1 without a position."""

    def vectors_of(self, release: str, modality: str) -> Vectors:
        """Map the vectors of a modality in the space of that modality."""


@dataclass(frozen=True, eq=False)
class ReleasePairs:
    """Pairs of observations in two releases, or in one where objects have both modalities.

    Attributes
    ----------
    releases, modalities
        Of the left and the right side.
    vectors
        Mapped vectors of the two sides.
    places
        Where the vectors of each pair stand among these, shape (n,) each.
    rows
        Rows of the objects of each pair, shape (n,) each.
    sources
        Which source each pair is of, shape (n,).
    healpix_29
        Where that source lies: the same for all its pairs, shape (n,).
    """

    releases: tuple[str, str]
    modalities: tuple[str, str]
    vectors: tuple[Vectors, Vectors]
    places: tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]
    rows: tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]
    sources: Int64[np.ndarray, " n"]
    healpix_29: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def name(self) -> str:
        """``release:modality>release:modality``."""
        (a, b), (left, right) = self.releases, self.modalities
        return f"{a}:{left}>{b}:{right}"

    def take(
        self, chosen: Int64[np.ndarray, " m"]
    ) -> tuple[Float32[np.ndarray, "m d1"], Float32[np.ndarray, "m d2"]]:
        """Read the vectors of some pairs."""
        left, right = (
            vectors[places[chosen]].astype(np.float32)
            for vectors, places in zip(self.vectors, self.places, strict=True)
        )
        return left, right

    def blocks(
        self, rows: int = _READ_ROWS
    ) -> Iterator[tuple[Float32[np.ndarray, "m d1"], Float32[np.ndarray, "m d2"]]]:
        """Read all pairs, a bounded number at once."""
        for start in range(0, len(self), rows):
            yield self.take(np.arange(start, min(start + rows, len(self))))

    def only(self, kept: np.ndarray[Any, Any]) -> "ReleasePairs":
        """Return some of the pairs: a mask, or ascending numbers."""
        (a, b), (row_a, row_b) = self.places, self.rows
        return ReleasePairs(
            self.releases,
            self.modalities,
            self.vectors,
            (a[kept], b[kept]),
            (row_a[kept], row_b[kept]),
            self.sources[kept],
            self.healpix_29[kept],
        )

    def block(self) -> PairBlock:
        """Return the pairs as training takes them."""
        return PairBlock(*self.modalities, self.sources, self.take)


def gather_pairs(linked: Linked, modalities: Sequence[str]) -> list[ReleasePairs]:
    """Find all pairs of linked observations in some modalities.

    An object that has two modalities is a pair by itself. Observations of one source in one
    modality but two releases are pairs as well. `NATIVE` counts as a modality beside those that
    are not of spectra: two views of one spectrum are no pair.

    Returns
    -------
    list
        By modalities in the given order, then by releases; none is empty.
    """
    found = []
    names = sorted(linked.releases)
    for i, left in enumerate(modalities):
        for right in modalities[i:]:
            for a in names:
                for b in names:
                    if (left == right and a >= b) or _of_spectra(left, right):
                        continue
                    pairs = _between(linked, (a, b), (left, right))
                    if len(pairs):
                        found.append(pairs)
    return with_sources(found)


def _of_spectra(left: str, right: str) -> bool:
    return NATIVE in (left, right) and modality_of(left) == modality_of(right)


def _between(
    linked: Linked, releases: tuple[str, str], modalities: tuple[str, str]
) -> ReleasePairs:
    a, b = releases
    rows_a, rows_b = (
        linked.places_with(release, modality)
        for release, modality in zip(releases, modalities, strict=True)
    )
    partners = rows_a if a == b else linked.partners_of(a, rows_a, b)
    places_b = np.minimum(np.searchsorted(rows_b, partners), max(len(rows_b) - 1, 0))
    there = np.zeros(0, np.int64)
    if len(rows_a) and len(rows_b):
        there = np.flatnonzero((partners >= 0) & (rows_b[places_b] == partners))
    nothing = np.zeros((0, 1), np.float16)
    vectors = [
        linked.vectors_of(release, modality) if len(there) else nothing
        for release, modality in zip(releases, modalities, strict=True)
    ]
    rows = rows_a[there]
    return ReleasePairs(
        releases,
        modalities,
        (vectors[0], vectors[1]),
        (there.astype(np.int64), places_b[there].astype(np.int64)),
        (rows, partners[there]),
        np.arange(len(there)),
        linked.cells_of(a)[rows],
    )


def with_sources(pairs: Sequence[ReleasePairs]) -> list[ReleasePairs]:
    """Number the sources: pairs that share an object, directly or through others, are one.

    The cell of a source is the smallest of its pairs' cells, so that a source on the border of
    two cells, with all its exposures, is in one of them.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not pairs:
        return []
    number = {name: i for i, name in enumerate(sorted({n for p in pairs for n in p.releases}))}
    # An object is one number: its release above, its row below.
    ends = [
        np.concatenate([(number[each.releases[side]] << 48) + each.rows[side] for each in pairs])
        for side in (0, 1)
    ]
    objects, at = np.unique(np.concatenate(ends), return_inverse=True)
    left, right = at[: len(ends[0])], at[len(ends[0]) :]
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), (len(objects),) * 2)
    _, component = connected_components(graph, directed=False)
    sources = component[left].astype(np.int64)
    cells = np.full(len(objects), np.iinfo(np.int64).max)
    np.minimum.at(cells, sources, np.concatenate([each.healpix_29 for each in pairs]))
    numbered, start = [], 0
    for each in pairs:
        own = sources[start : start + len(each)]
        start += len(each)
        numbered.append(
            ReleasePairs(
                each.releases,
                each.modalities,
                each.vectors,
                each.places,
                each.rows,
                own,
                cells[own],
            )
        )
    return numbered


def thinned(pairs: Sequence[ReleasePairs], at_most: int) -> list[ReleasePairs]:
    """Leave out pairs evenly, so that about `at_most` remain; all if there are no more."""
    count = sum(len(each) for each in pairs)
    if count <= at_most:
        return list(pairs)
    kept = []
    for each in pairs:
        wanted = max(2, int(len(each) * at_most / count))
        chosen = np.unique(np.linspace(0, len(each) - 1, min(wanted, len(each))).astype(np.int64))
        kept.append(each.only(chosen))
    return kept


@dataclass(frozen=True)
class Split:
    """Which cells of the sky serve for what.

    Attributes
    ----------
    order
        HEALPix order of the cells.
    """

    order: int

    def cells(self, healpix_29: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """Return the cell of each position."""
        return healpix_29 >> (2 * (_HEALPIX_ORDER - self.order))

    def parts(self, healpix_29: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """Return what each position serves for: 0 training, 1 validation, 2 test.

        It depends on the cell alone, on no seed and no other position: what was held out once
        stays held out as an index grows.
        """
        # Multiplicative hashing (Knuth 1973): neighbouring cells get unrelated numbers.
        scattered = self.cells(healpix_29).astype(np.uint64) * np.uint64(2654435761)
        share = (scattered % np.uint64(2**32)).astype(np.float64) / 2**32
        held_out = share < TEST_SHARE + VALIDATION_SHARE
        return np.where(share < TEST_SHARE, 2, np.where(held_out, 1, 0)).astype(np.int64)


def split_cells(healpix_29: Int64[np.ndarray, " n"]) -> Split:
    """Choose the cells: the coarsest from order 4 of which at least 50 are occupied.

    Neighbours on the sky, and repeated exposures of one source, must not fall on both sides, so
    whole cells are held out; with 50 of them, a share of the cells is about that share of the
    pairs.
    """
    for order in range(_COARSEST, _FINEST + 1):
        split = Split(order)
        if len(np.unique(split.cells(healpix_29))) >= _CELLS_WANTED:
            break
    return split


def held_out_cells(healpix_29: Int64[np.ndarray, " n"]) -> tuple[Any, int]:
    """Choose which positions are for tests only, by whole cells.

    Returns
    -------
    held_out, order
        Shape (n,), True for a test position; and the order of the cells.
    """
    split = split_cells(healpix_29)
    return split.parts(healpix_29) == 2, split.order


def digest_of_pairs(pairs: Sequence[ReleasePairs]) -> str:
    """Return the SHA-256 over names and rows of all pairs, in their order."""
    digest = hashlib.sha256()
    for each in pairs:
        digest.update(f"{each.name} {len(each)}\n".encode())
        for rows in each.rows:
            digest.update(np.ascontiguousarray(rows, "<i8").tobytes())
    return digest.hexdigest()
