"""What every suite works with: one open index, labels, how many queries, and the seed."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from indexer.evaluate.photometry import photometry_of
from indexer.evaluate.pool import Pool
from indexer.evaluate.records import Gallery
from indexer.index_file import Index
from indexer.known_values import Values, is_known, known_values
from indexer.labels import Labels
from indexer.pairs import Split
from indexer.search import Searcher
from indexer.sky_parts import TEST, split_of
from indexer.survey_files import SurveyFiles

__all__ = ["PHOTOMETRY", "QUERIES", "Baseline", "Bench"]

QUERIES = 1000
"""Queries of a kind, at most."""

_INSTEAD = {"z": "redshift", "object_class": "object_class", "mag_r": "magnitude"}
"""Columns of the catalogue that stand in for a label that no table has."""

Baseline = Callable[[Pool], Float64[np.ndarray, "n d"] | None]
"""Gives features of the objects of a pool, one row each, to be compared by Euclidean distance; None
where it has none."""

PHOTOMETRY = "colour, magnitude and size"


@dataclass(frozen=True, eq=False)
class Bench:
    """One evaluation.

    Attributes
    ----------
    index
        Open.
    labels
        What is known of its objects from elsewhere; None without.
    queries
        Of a kind, at most; picked evenly.
    seed
        Of everything that is drawn.
    baselines
        What stands beside the encoder's vectors, by name.
    gallery
        Objects that are searched, at most: for classes and redshifts so many are drawn outside the
        test cells, and partners of test cells stand among so many. By default all that there are.
    files
        The survey files behind the index and its encoder, for what takes pixels; None without.
    """

    index: Index
    labels: Labels | None = None
    queries: int = QUERIES
    seed: int = 0
    baselines: Mapping[str, Baseline] = field(default_factory=lambda: {PHOTOMETRY: photometry_of})
    gallery: int | None = None
    files: SurveyFiles | None = None
    _known: dict[str, Values | None] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.queries < 1:
            raise ValueError(f"an evaluation needs at least one query, got {self.queries}")
        if self.gallery is not None and self.gallery < 1:
            raise ValueError(f"a gallery needs at least one object, got {self.gallery}")

    @property
    def searcher(self) -> Searcher:
        """The searcher that people use."""
        return Searcher(self.index)

    def known(self, name: str) -> Values | None:
        """Return a label of every object, its counterparts' where it has none; None without.

        Redshift, class and magnitude of the catalogues count where no table has them.
        """
        if name not in self._known:
            own = self.labels is not None and name in self.labels.names
            asked = name if own else _INSTEAD.get(name)
            found = None if asked is None else known_values(self.index, asked, self.labels)
            if found is not None and not any(is_known(each).any() for each in found.values()):
                found = None
            self._known[name] = found
        return self._known[name]

    def of(self, pool: Pool, name: str) -> np.ndarray[Any, Any] | None:
        """Return a label of the objects of a pool; None if it is known of none of them."""
        known = self.known(name)
        if known is None or not len(pool):
            return None
        values = pool.flat(known)
        return values if is_known(values).any() else None

    @property
    def split(self) -> Split:
        """Which cells of the sky are for what: as the heads of the index were fitted, if any."""
        return split_of(self.index)

    def test_cells(self, healpix_29: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Return True for positions in cells that are for tests only; False without a position."""
        return np.asarray((self.split.parts(healpix_29) == TEST) & (healpix_29 >= 0))

    def held_out(self, pool: Pool, name: str, **more: Any) -> tuple[Any, Gallery]:
        """Split a pool by whole cells.

        Returns
        -------
        test, gallery
            True for the objects of test cells; and a gallery of all others, under a name.
        """
        test = self.test_cells(pool.healpix_29)
        # An exposure of a source that lies across the border must not be on the other side.
        test &= ~np.isin(pool.sources, pool.sources[~test])
        cells = np.unique(self.split.cells(pool.healpix_29[test]))
        listed = "".join(f"{cell}\n" for cell in cells.tolist())
        return test, Gallery(
            name,
            int((~test).sum()),
            split="queries from test cells, neighbours from all others",
            healpix_order=self.split.order,
            cells_sha256=hashlib.sha256(listed.encode()).hexdigest(),
            **more,
        )

    def drawn(self, candidates: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Return True for `gallery` of the candidates, drawn at random; for all without a limit."""
        candidates = np.asarray(candidates, bool)
        if self.gallery is None or candidates.sum() <= self.gallery:
            return candidates
        numbers = np.random.default_rng(self.seed).permutation(np.flatnonzero(candidates))
        kept = np.zeros(len(candidates), bool)
        kept[numbers[: self.gallery]] = True
        return kept

    def picked(self, numbers: Int64[np.ndarray, " n"], at_most: int | None = None) -> Any:
        """Return some of the numbers, evenly."""
        wanted = min(len(numbers), self.queries if at_most is None else at_most)
        at = np.unique(np.linspace(0, max(len(numbers) - 1, 0), wanted).astype(np.int64))
        return np.asarray(numbers, np.int64)[at] if len(numbers) else np.empty(0, np.int64)
