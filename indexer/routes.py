"""Which way a query is answered: what is looked for, where, in which space, over which bridge."""

from dataclasses import dataclass

from indexer.bridges import chosen_bridge
from indexer.index_file import Index
from indexer.index_model import modality_of
from indexer.options import SearchOptions
from indexer.passing import Passing
from indexer.queries import Query
from indexer.resolve import releases_in, releases_with
from indexer.spaces import SHARED

__all__ = ["Route", "route_of"]


@dataclass(frozen=True)
class Route:
    """What a query and its options come to.

    Attributes
    ----------
    to, releases
        Modality of the hits, and where they may be.
    bridge, side, space
        How they are reached: see `indexer.bridges.chosen_bridge`.
    """

    to: str
    releases: tuple[str, ...]
    bridge: str
    side: str
    space: str

    @property
    def own(self) -> str:
        """The modality that is compared, or ``spectrum_native``, for calibration."""
        return self.side if self.bridge == "aligned" else modality_of(self.side)


def route_of(
    index: Index, query: Query, options: SearchOptions, passing: Passing | None = None
) -> Route:
    """Choose the way of a query.

    Parameters
    ----------
    passing
        What passes the filters of the options; None for everything.

    Raises
    ------
    QueryError
        If an option names a modality or a release that the index does not have, or the filters
        choose none of the releases.
    SearchError
        If the index lacks the bridge.
    """
    to = options.to or query.modality
    releases = releases_with(index, options.releases, to)
    if passing is not None:
        releases = passing.chosen(releases)
    bridge, side = chosen_bridge(index, query, options.bridge, to)
    space = SHARED if bridge == "aligned" else side
    if bridge != "linked":
        releases = releases_in(index, releases, space, to)
    return Route(to, tuple(releases), bridge, side, space)
