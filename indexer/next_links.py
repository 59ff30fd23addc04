"""Links of the next index: those that still hold are taken over, the others are found."""

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from pathlib import Path

import pyarrow as pa

from indexer.arrow_tables import numpy_column
from indexer.index_model import IndexInfo, LinksInfo
from indexer.layout import links_unit
from indexer.links import (
    LinkEpochs,
    PairLinks,
    Positions,
    link_epochs,
    match,
    read_links,
    write_links,
)
from indexer.proper_motion import motions_of
from indexer.publish import adopt

__all__ = ["NextLinks"]


class NextLinks:
    """Between every two releases, as far as they have been put together.

    Parameters
    ----------
    index
        Folder of the index.
    root
        Of the next index.
    before
        What is published, or None.
    generation
        Of the next index.

    Attributes
    ----------
    tables
        What `index.json` says of each.
    """

    def __init__(self, index: Path, root: Path, before: IndexInfo | None, generation: int) -> None:
        self._index = index
        self._root = root
        self._before = before
        self._generation = generation
        self.tables: list[LinksInfo] = []

    def keep(self, releases: Iterable[str]) -> None:
        """Take over what is published between some releases, which all stay."""
        for pair in combinations(sorted(releases), 2):
            self._keep(pair)

    def find(
        self, rows: Mapping[str, pa.Table], epochs: Mapping[str, float], stay: Collection[str]
    ) -> None:
        """Link every two releases, except those whose links are published and still hold.

        Parameters
        ----------
        rows
            Served columns of each release.
        epochs
            Julian year of the positions of each.
        stay
            Releases that stay as they are published.
        """
        for pair in combinations(sorted(rows), 2):
            a, b = (_positions(rows[name], epochs[name]) for name in pair)
            compared = link_epochs(a, b)
            if all(name in stay for name in pair) and compared == self._published_epochs(pair):
                self._keep(pair)
                continue
            found = PairLinks(pair, *match(a, b), compared)
            if len(found.row_a):
                path = links_unit(*pair, self._generation)
                write_links(self._root / path, found)
                self.tables.append(LinksInfo(releases=pair, path=path, count=len(found.row_a)))

    def between(self, a: str, b: str) -> PairLinks | None:
        """Return the links between two releases, None if there are none."""
        pair = (min(a, b), max(a, b))
        for links in self.tables:
            if links.releases == pair:
                return read_links(self._root / links.path, pair)
        return None

    def _keep(self, pair: tuple[str, str]) -> None:
        published = self._published(pair)
        if published is not None:
            adopt(self._index, published.path)
            self.tables.append(published)

    def _published(self, pair: tuple[str, str]) -> LinksInfo | None:
        assert self._before is not None
        return next((each for each in self._before.links if each.releases == pair), None)

    def _published_epochs(self, pair: tuple[str, str]) -> LinkEpochs | None:
        published = self._published(pair)
        return None if published is None else read_links(self._index / published.path, pair).epochs


def _positions(table: pa.Table, epoch_yr: float) -> Positions:
    ids = table.column("object_id")
    return Positions(
        numpy_column(table, "ra_deg"),
        numpy_column(table, "dec_deg"),
        lambda row: str(ids[row].as_py()),
        epoch_yr,
        motions_of(table),
    )
