"""Nearest objects of an index to one vector, over all releases, exact and in a defined order."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from indexer.index_file import Index, Segment
from indexer.row_sets import RowSet
from indexer.spaces import to_unit
from indexer.vectors import Vectors, exact_scan, pair_scores, places_of

if TYPE_CHECKING:
    from indexer.ann import AnnIndex

__all__ = [
    "Asked",
    "Neighbour",
    "best_of",
    "key_of",
    "lists_to_visit",
    "nearest",
    "vector_of",
]

SPARE = 8
"""Fetched beyond what is wanted: the order of the stored scores can differ in the last digit."""

GROWTH = 4

EXACT_SURVIVORS = 8_000
"""Rows of a segment that pass filters up to which each is scored.

Of eight million vectors of 192 dimensions these took 1 to 3 ms; of 80,000 those took 6 that lie in
the lists nearest to the query, and all of them 29 (docs/scale.md).
"""

NEAR_FIRST_UP_TO = 200_000
"""The same up to which those in the nearest lists are scored; above, lists are visited."""

BEYOND = 2
"""Times the lists that are enough for filters without regard to the vectors are visited."""

STANDS = 0.9
"""Share of the best hits that must lie in the lists that are enough, for the answer to be taken."""

MOST_CANDIDATES = 20_000
"""Candidates of one search beyond which no more are fetched."""

SPREADS = 2.0
"""By so many standard deviations of the codes' errors the worst candidate must score less than the
last of the best, so that none was missed for its code alone."""

ROUNDING = 1e-5
"""More than stored and exact scores of one pair can differ without approximation."""


@dataclass(frozen=True, order=False)
class Neighbour:
    """One object and its score; `modality` says which of its vectors was compared."""

    score: float
    key: str
    release: str
    row: int
    modality: str


def key_of(segment: Segment, row: int) -> str:
    """Return the key of a row, ``release:object_id``."""
    return f"{segment.name}:{segment.object_id(row)}"


def vector_of(
    segment: Segment, space: str, modality: str, row: int
) -> Float32[np.ndarray, " dim"] | None:
    """Return the vector of a row, of unit length again; None if it has none of that modality."""
    if modality not in segment.info.spaces.get(space, ()):
        return None
    rows, vectors = segment.stored(space, modality)
    at = int(row) if rows is None else int(np.searchsorted(rows, row))
    if at >= len(vectors) or (rows is not None and rows[at] != row):
        return None
    return np.asarray(to_unit(np.asarray(vectors[at : at + 1], dtype=np.float64))[0])


def nearest(
    index: Index,
    vector: Float32[np.ndarray, " dim"],
    wanted: int,
    *,
    space: str,
    modality: str,
    releases: Sequence[str],
    skip: Collection[tuple[str, int]] = (),
    allowed: Mapping[str, RowSet] | None = None,
) -> list[Neighbour]:
    """Find the nearest objects.

    Parameters
    ----------
    vector
        Unit vector of that space.
    wanted
        How many at most; fewer come only if there are no more.
    space, modality
        Which vectors are compared.
    releases
        Where to look; releases without such vectors, or without their FAISS file, are passed over.
    skip
        Release and row of objects that do not count.
    allowed
        Rows that do, by release. Default: all.

    Returns
    -------
    list
        Best first, ties by key.
    """
    hidden = Counter(name for name, _ in skip)

    def of(segment: Segment) -> list[Neighbour]:
        if not segment.can_search(space, modality):
            return []
        rows = None if allowed is None else allowed[segment.name]
        return _of_segment(segment, vector, wanted + hidden[segment.name], space, modality, rows)

    found = [each for part in index.each(releases, of) for each in part]
    kept = [each for each in found if (each.release, each.row) not in skip]
    kept.sort(key=lambda each: (-each.score, each.key))
    return kept[:wanted]


def lists_to_visit(ann: "AnnIndex", survivors: int) -> int:
    """Return how many inverted lists are visited at first; 0 where every survivor is scored.

    Parameters
    ----------
    survivors
        Vectors that may be found, of `ann.count`.
    """
    if ann.recipe.name == "flat" or (survivors < ann.count and survivors <= EXACT_SURVIVORS):
        return 0
    if survivors == ann.count:
        return ann.default_nprobe
    return min(ann.recipe.lists, BEYOND * _enough_lists(ann, survivors))


def _enough_lists(ann: "AnnIndex", survivors: int) -> int:
    """Return how many lists hold the best: the more, the fewer vectors of each may be found.

    In proportion to the inverse square root, which kept 0.95 of the true ten nearest from one half
    down to a thousandth where what passed was random.
    """
    return min(ann.recipe.lists, ceil(sqrt(ann.count / survivors) * ann.default_nprobe))


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of one segment: at least the `wanted` best, and all that tie with the last."""

    ann: "AnnIndex"
    rows: np.ndarray[Any, Any] | None
    vectors: Vectors
    vector: np.ndarray[Any, Any]
    wanted: int
    survivors: int
    bits: np.ndarray[Any, Any] | None

    def scored(self, fetch: int, nprobe: int | None = None) -> "Scored":
        """Return what FAISS finds, scored exactly."""
        stored, found, counts = self.ann.search(
            self.vector[None, :], fetch, nprobe=nprobe, allowed=self.bits
        )
        count = int(counts[0])
        chosen = found[0, :count]
        scores = pair_scores(self.vectors[places_of(self.rows, chosen)], self.vector)
        # Where fewer were found than were asked for, there are no others in these lists.
        all_found = count < fetch or count >= self.survivors
        worst = -np.inf if all_found else float(stored[0, count - 1])
        spread = float(np.std(scores - stored[0, :count])) if count else 0.0
        return Scored(chosen, _at_most_1(scores), worst, spread)

    def compared(self) -> "Scored":
        """Compare with every vector that may be found, as FAISS holds it."""
        fetch = self.wanted + SPARE
        while True:
            found = self.scored(fetch)
            # What was not fetched scores at most the last stored score; a tie may lie beyond it.
            if found.worst < found.last(self.wanted) - ROUNDING:
                return found
            fetch *= GROWTH

    def scanned(self, positions: np.ndarray[Any, Any]) -> "Scored":
        """Score every vector at some positions."""
        fetch = self.wanted + SPARE
        while True:
            scores, rows, counts = exact_scan(
                self.vectors, self.vector[None, :], fetch, rows=self.rows, positions=positions
            )
            count = int(counts[0])
            capped = _at_most_1(scores[0, :count])
            worst = float(capped[-1]) if count < len(positions) else -np.inf
            found = Scored(rows[0, :count], capped, worst, 0.0)
            if found.worst < found.last(self.wanted):
                return found
            fetch *= GROWTH

    def in_lists(self) -> "Scored":
        """Visit inverted lists, more where these hold too few."""
        fetch = self.ann.recipe.candidates(self.wanted) + SPARE
        nprobe = self.ann.default_nprobe
        while True:
            found = self.scored(fetch, nprobe)
            if len(found.rows) >= self.wanted or nprobe >= self.ann.recipe.lists:
                return found
            nprobe = min(self.ann.recipe.lists, GROWTH * nprobe)

    def near_first(self, positions: np.ndarray[Any, Any]) -> "Scored":
        """Score what may be found and lies in the lists nearest to the query; more until it stands.

        Parameters
        ----------
        positions
            Where those that may be found stand.
        """
        rows = positions if self.rows is None else np.asarray(self.rows[positions])
        far = -self.ann.nearness(self.vector, rows)
        lists = _enough_lists(self.ann, self.survivors)
        enough = ceil(self.survivors * lists / self.ann.recipe.lists) + self.wanted
        while BEYOND * enough < self.survivors:
            order = np.argpartition(far, [enough, BEYOND * enough])
            found = self.scanned(np.sort(positions[order[: BEYOND * enough]]))
            best = np.searchsorted(rows, found.best(self.wanted))
            if np.sum(far[best] <= far[order[enough]]) >= STANDS * self.wanted:
                return found
            enough *= GROWTH
        return self.scanned(positions)

    def in_more_lists(self) -> "Scored":
        """Visit the inverted lists of vectors of which not all may be found.

        Those that may can lie in other lists than those near the query: then the first lists hold
        some, but not the best. They can also all be so far from it that their codes do not tell
        them apart. So `BEYOND` times the lists are visited that are enough where what may be found
        is spread evenly, and the answer is taken when these would have given it too, and no
        candidate was nearly as good as the best.
        """
        every = self.ann.recipe.lists
        fetch = min(self.survivors, self.ann.recipe.candidates(self.wanted) + SPARE)
        enough = _enough_lists(self.ann, self.survivors)
        while True:
            nprobe = min(every, BEYOND * enough)
            found = self.scored(fetch, nprobe)
            deep = found.is_deep(self.wanted) or fetch >= self.survivors
            stands = nprobe >= every or self._stands(found, enough, nprobe)
            # What is missed at so many candidates is as near as what is found, to the third digit.
            if stands and (deep or fetch > MOST_CANDIDATES):
                return found
            if not deep:
                fetch = min(self.survivors, GROWTH * fetch)
            if not stands:
                enough *= GROWTH

    def _stands(self, found: "Scored", enough: int, nprobe: int) -> bool:
        """Say whether so many lists hold enough of the best that `nprobe` of them hold."""
        if len(found.rows) < self.wanted:
            return False
        best = self.vectors[places_of(self.rows, found.best(self.wanted))]
        before = self.ann.lists_before(self.vector, np.asarray(best, np.float32), nprobe)
        return bool(np.sum(before < enough) >= STANDS * self.wanted)


@dataclass(frozen=True, eq=False)
class Scored:
    """Rows with their exact scores.

    Attributes
    ----------
    worst
        Stored score of the last of them, which what was not fetched has at most; -inf if there is
        nothing else.
    spread
        Standard deviation of stored scores about exact ones.
    """

    rows: np.ndarray[Any, Any]
    scores: np.ndarray[Any, Any]
    worst: float
    spread: float

    def is_deep(self, wanted: int) -> bool:
        """Say whether what was not fetched is worse than the best by more than codes err."""
        if len(self.rows) < wanted:
            return False
        return self.worst + SPREADS * self.spread <= self.last(wanted)

    def best(self, wanted: int) -> np.ndarray[Any, Any]:
        """Return the rows of the best."""
        return np.asarray(self.rows[np.argsort(-self.scores, kind="stable")[:wanted]])

    def last(self, wanted: int) -> float:
        """Return the score of the last of the best."""
        return float(-np.partition(-self.scores, wanted - 1)[wanted - 1])


def _at_most_1(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # Rounding to float16 leaves lengths a little off 1; no cosine is more than 1.
    return np.asarray(np.minimum(scores, 1.0))


def best_of(
    ann: "AnnIndex",
    rows: np.ndarray[Any, Any] | None,
    vectors: Vectors,
    vector: Float32[np.ndarray, " dim"],
    wanted: int,
    allowed: RowSet | None = None,
) -> Scored | None:
    """Search one FAISS index in the way that suits it and how many rows may be found.

    Parameters
    ----------
    rows, vectors
        What the index holds: ascending rows, None if each row has a vector, and their vectors.
    vector
        Unit vector.
    allowed
        Rows that may be found. Default: all.

    Returns
    -------
    At least the `wanted` best, and all that tie with the last of them; None if nothing may be
    found.
    """
    survivors, positions = ann.count, None
    if allowed is not None:
        survivors, positions = allowed.among(rows, NEAR_FIRST_UP_TO)
    wanted = min(wanted, survivors)
    if not wanted:
        return None
    bits = None if allowed is None or survivors == ann.count else allowed.bits
    asked = Asked(ann, rows, vectors, vector, wanted, survivors, bits)
    if ann.recipe.name == "flat":
        return asked.compared()
    if bits is None:
        return asked.in_lists()
    if positions is None:
        return asked.in_more_lists()
    if lists_to_visit(ann, survivors) == 0:
        return asked.scanned(positions)
    return asked.near_first(positions)


def _of_segment(
    segment: Segment,
    vector: np.ndarray[Any, Any],
    wanted: int,
    space: str,
    modality: str,
    allowed: RowSet | None,
) -> list[Neighbour]:
    """Return at least the `wanted` best of a segment, and all that tie with the last of them."""
    ann = segment.ann(space, modality)
    found = best_of(ann, *segment.stored(space, modality), vector, wanted, allowed)
    if found is None:
        return []
    order = np.argsort(-found.scores, kind="stable")
    if len(order) > wanted:
        last = found.scores[order[wanted - 1]]
        order = order[found.scores[order] >= last]
    return [
        Neighbour(
            float(found.scores[at]),
            key_of(segment, int(found.rows[at])),
            segment.name,
            int(found.rows[at]),
            modality,
        )
        for at in order
    ]
