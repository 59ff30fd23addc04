"""How to search."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from aion_encoder.observations import MODALITIES
from indexer.errors import QueryError
from indexer.filters import Filters

__all__ = ["LARGEST_K", "Bridge", "SearchOptions"]

Bridge = Literal["auto", "linked", "aligned"]

LARGEST_K = 10_000


@dataclass(frozen=True)
class SearchOptions:
    """Options of one search.

    Attributes
    ----------
    k
        How many neighbours at most, up to `LARGEST_K`.
    to
        Modality to find; by default the query's own.
    bridge
        How another modality than the query's is reached: ``linked`` (through neighbours that have
        a counterpart), ``aligned`` (in the space ``shared``), or ``auto``: aligned where the index
        has that, else linked. Without meaning inside one modality.
    releases
        Where the hits may come from; by default everywhere.
    exclude_source
        Leave out every object of the query's source, not only the query itself.
    filters
        Conditions that every hit meets; they are part of the search, so that k hits come if as
        many objects pass.
    fold_duplicates
        Show only the best of the hits within 2 arcsec of each other, with the keys of the others;
        k sources come.
    """

    k: int = 10
    to: str | None = None
    bridge: Bridge = "auto"
    releases: tuple[str, ...] = ()
    exclude_source: bool = False
    filters: Filters = field(default_factory=Filters)
    fold_duplicates: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int):
            raise QueryError(f"the number of neighbours must be a whole number, got {self.k!r}")
        if not 1 <= self.k <= LARGEST_K:
            raise QueryError(
                f"the number of neighbours must be between 1 and {LARGEST_K}, got {self.k}"
            )
        if self.to is not None and self.to not in MODALITIES:
            raise QueryError(f"a modality is one of {', '.join(MODALITIES)}, got {self.to!r}")
        if self.bridge not in get_args(Bridge):
            raise QueryError(
                f"a bridge is one of {', '.join(get_args(Bridge))}, got {self.bridge!r}"
            )
        object.__setattr__(self, "releases", tuple(self.releases))

    def plain(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return {
            "k": self.k,
            "to": self.to,
            "bridge": self.bridge,
            "releases": list(self.releases),
            "exclude_source": self.exclude_source,
            "filters": self.filters.text,
            "fold_duplicates": self.fold_duplicates,
        }
