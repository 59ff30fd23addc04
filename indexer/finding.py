"""From the vector of a query to what is found, over the bridge that was chosen."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from indexer.bridges import Found, linked
from indexer.counterparts import own_counterparts
from indexer.index_file import Index
from indexer.index_model import modality_of
from indexer.neighbours import nearest
from indexer.passing import Passing
from indexer.queries import Query
from indexer.routes import Route
from indexer.row_sets import RowSet
from indexer.self_matches import Places

__all__ = ["Search"]


@dataclass(frozen=True, eq=False)
class Search:
    """One search, ready to run.

    Attributes
    ----------
    query, vector
        What is asked, and its unit vector in the space of the route.
    route
        What is looked for, and how it is reached.
    selves, hidden
        Objects that are the query, and all that may be no hit.
    exclude_source
        Whether what is hidden may not lead to a hit, either.
    passing
        Which objects may be hits; None for all.
    """

    index: Index
    query: Query
    vector: Float32[np.ndarray, " dim"]
    route: Route
    selves: Places
    hidden: Places
    exclude_source: bool
    passing: Passing | None

    @property
    def compared(self) -> dict[str, RowSet] | None:
        """Rows whose vectors are compared, by release; None for all.

        Through links these are the objects that have a counterpart that passes.
        """
        if self.passing is None:
            return None
        if self.route.bridge != "linked":
            return self.passing.within(self.route.releases)
        return {
            name: self.passing.reaching(name, self.route.to, self.route.releases)
            for name in self.index.releases
        }

    def find(self, wanted: int) -> list[Found]:
        """Return the best hits; fewer only if there are no more."""
        route = self.route
        if route.bridge != "linked":
            near = nearest(
                self.index,
                self.vector,
                wanted,
                space=route.space,
                modality=route.to,
                releases=route.releases,
                skip=self.hidden,
                allowed=self.compared,
            )
            return [Found(each.key, each.release, each.row, route.to, each.score) for each in near]
        direct = own_counterparts(
            self.index,
            self.query,
            self.selves,
            route.to,
            route.releases,
            banned=self.hidden,
        )
        return linked(
            self.index,
            self.vector,
            wanted,
            own=modality_of(route.side),
            space=route.space,
            to=route.to,
            releases=route.releases,
            direct=[each for each in direct if self._passes(each)],
            skip=self.selves,
            banned=self.hidden if self.exclude_source else frozenset(),
            allowed=self.compared,
            passes=self._passes,
        )

    def _passes(self, found: Found) -> bool:
        if self.passing is None:
            return True
        return bool(self.passing.rows(found.release).holds(np.array([found.row]))[0])
