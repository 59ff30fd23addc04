"""Neighbours of many objects of an index at once, the same that `Searcher.search` finds for each.

No verdict and no receipt is made for an object: what all answers have in common is in
`indexer.receipts.index_receipt`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from indexer.errors import IndexerError
from indexer.index_file import Index, Segment
from indexer.index_model import NATIVE, modality_of
from indexer.linked_block import linked_of_block
from indexer.nearest_block import HIT, Hitlist, hits_of, nearest_of_block
from indexer.options import SearchOptions
from indexer.resolve import indexed_query
from indexer.routes import Route, route_of
from indexer.search import Searcher
from indexer.spaces import to_unit
from indexer.vectors import places_of

__all__ = ["NOTHING_FOUND", "Answers", "BatchSearcher", "block_size"]

NOTHING_FOUND = "it has no neighbour of the kind asked for"

_KNOWN = frozenset({"k", "to", "bridge", "releases", "exclude_source"})
"""Options that are honoured here."""

_COLUMNS: dict[str, Any] = {
    "percentile": float,
    "bridge": str,
    "modality": str,
    "folded": np.int64,
    "folded_keys": str,
}
"""What is told of every hit beside its place."""

_BLOCK = 256
_NEIGHBOURS_AT_ONCE = 1 << 20


def block_size(k: int) -> int:
    """Return how many objects are asked at once, so that what is found stays small."""
    return max(1, min(_BLOCK, _NEIGHBOURS_AT_ONCE // k))


@dataclass(frozen=True, eq=False)
class Answers:
    """Neighbours of some objects of one release, in the order in which they were asked.

    Attributes
    ----------
    hits
        By object, best first; `query` is the place of the object among those asked.
    rank
        From 1.
    percentile
        As in `indexer.hits.Hits`.
    bridge, modality
        How each was reached, and the modality that was found.
    folded, folded_keys
        As in `indexer.hits.Hits`.
    refused
        Reason by place, for every object without any hit.
    """

    hits: Hitlist
    rank: Int64[np.ndarray, " n"]
    percentile: Float64[np.ndarray, " n"]
    bridge: Shaped[np.ndarray, " n"]
    modality: Shaped[np.ndarray, " n"]
    folded: Int64[np.ndarray, " n"]
    folded_keys: Shaped[np.ndarray, " n"]
    refused: Mapping[int, str]


class BatchSearcher:
    """Answers for many objects of one index with the same options.

    Options that blocks do not know are answered all the same, one object after another.

    Parameters
    ----------
    index
        From `indexer.open_index`.
    options
        Of every search.
    """

    def __init__(self, index: Index, options: SearchOptions) -> None:
        self.index = index
        self.options = options
        self._searcher = Searcher(index)
        self._routes: dict[tuple[str, int], Route | str] = {}
        self._codes = {name: code for code, name in enumerate(index.releases)}
        usual = type(options)()
        self._in_blocks = all(
            field.name in _KNOWN or getattr(options, field.name) == getattr(usual, field.name)
            for field in fields(options)
        )

    def search(self, release: str, rows: Int64[np.ndarray, " q"]) -> Answers:
        """Find the neighbours of some objects.

        Parameters
        ----------
        release, rows
            The objects. Time and memory go with their number: ask blocks of `block_size`.
        """
        if not self._in_blocks:
            return self._one_by_one(release, rows)
        segment = self.index.segment(release)
        bits = segment.column("modalities")[rows]
        refused: dict[int, str] = {}
        parts: list[tuple[Hitlist, np.ndarray[Any, Any], Route]] = []
        for kind in np.unique(bits).tolist():
            places = np.flatnonzero(bits == kind)
            route = self._route(segment, kind, int(rows[places[0]]))
            if isinstance(route, str):
                refused.update(dict.fromkeys(places.tolist(), route))
                continue
            vectors, there = self._vectors(segment, rows[places], route)
            for place in places[~there].tolist():
                key = f"{release}:{segment.object_id(int(rows[place]))}"
                refused[place] = f"{key} has no {modality_of(route.side)} vector in the space " + (
                    repr(NATIVE if route.side == NATIVE else route.space)
                )
            places = places[there]
            hits = self._found(release, rows[places], vectors[there], route)
            percentile = self._percentiles(release, hits, rows[places], route)
            hits["query"] = places[hits["query"]]
            parts.append((hits, percentile, route))
        hits = np.concatenate([np.empty(0, HIT), *(part[0] for part in parts)])
        counts = [len(part[0]) for part in parts]
        columns = {
            "percentile": np.concatenate([np.empty(0), *(part[1] for part in parts)]),
            "bridge": np.repeat(np.array([route.bridge for *_, route in parts], str), counts),
            "modality": np.repeat(np.array([route.to for *_, route in parts], str), counts),
            "folded": np.zeros(len(hits), np.int64),
            "folded_keys": np.zeros(len(hits), str),
        }
        order = np.argsort(hits["query"], kind="stable")
        ordered = {name: column[order] for name, column in columns.items()}
        return _answers(hits[order], len(rows), refused, ordered)

    def _one_by_one(self, release: str, rows: Int64[np.ndarray, " q"]) -> Answers:
        segment = self.index.segment(release)
        parts, refused = [np.empty(0, HIT)], {}
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for place, row in enumerate(rows.tolist()):
            query = indexed_query(self.index, segment, row, "object", "", {})
            try:
                found = self._searcher.search(query, self.options)
            except IndexerError as error:
                refused[place] = str(error)
                continue
            hits = hits_of(np.full(len(found), place), -1, np.empty(len(found), int), found.score)
            for name, keys in (("", found.key), ("via_", found.via)):
                places = [self._place(key) for key in keys.tolist()]
                hits[f"{name}release"], hits[f"{name}row"] = np.array(places).reshape(-1, 2).T
            parts.append(hits)
            for name, values in columns.items():
                values.extend(getattr(found, name).tolist())
        hits = np.concatenate(parts)
        return _answers(
            hits,
            len(rows),
            refused,
            {name: np.array(columns[name], dtype) for name, dtype in _COLUMNS.items()},
        )

    def _place(self, key: str) -> tuple[int, int]:
        """Return release and row of a key, -1 and -1 where it is empty."""
        release, _, object_id = key.partition(":")
        row = self.index.segment(release).row_of(object_id) if key else None
        return (-1, -1) if row is None else (self._codes[release], row)

    def _route(self, segment: Segment, bits: int, row: int) -> Route | str:
        """Return how objects with some kinds of vectors are asked, or why they cannot be."""
        known = self._routes.get((segment.name, bits))
        if known is None:
            try:
                known = self._chosen(segment, row)
            except IndexerError as error:
                known = str(error)
            self._routes[segment.name, bits] = known
        return known

    def _chosen(self, segment: Segment, row: int) -> Route:
        query = indexed_query(self.index, segment, row, "object", "", {})
        return route_of(self.index, query, self.options)

    def _vectors(
        self, segment: Segment, rows: np.ndarray[Any, Any], route: Route
    ) -> tuple[Float32[np.ndarray, "q dim"], np.ndarray[Any, Any]]:
        """Return the unit vector of each object as it is compared, and which objects have one."""
        lies_in = NATIVE if route.side == NATIVE else route.space
        own = modality_of(route.side)
        if own not in segment.info.spaces.get(lies_in, ()):
            return np.empty((len(rows), 1), np.float32), np.zeros(len(rows), dtype=bool)
        stored_rows, stored = segment.stored(lies_in, own)
        at = np.minimum(places_of(stored_rows, rows), len(stored) - 1)
        there = (at if stored_rows is None else stored_rows[at]) == rows
        vectors = to_unit(np.asarray(stored[at], dtype=np.float64))
        if lies_in != route.space and len(vectors):
            # One at a time: a matrix product of several rounds differently.
            each = [self.index.to_shared(route.side, vector[None, :]) for vector in vectors]
            vectors = np.concatenate(each)
        return np.asarray(vectors, np.float32), there

    def _found(
        self,
        release: str,
        rows: np.ndarray[Any, Any],
        vectors: Float32[np.ndarray, "q dim"],
        route: Route,
    ) -> Hitlist:
        number = np.arange(len(rows))
        selves = hits_of(number, self._codes[release], rows, 1.0)
        source = [np.empty(0, HIT)]
        if self.options.exclude_source:
            for other, code in self._codes.items():
                partner = self.index.links.partners(release, rows, other)
                source.append(hits_of(number, code, partner, 1.0)[partner >= 0])
        others = np.concatenate(source)
        if route.bridge == "linked":
            return linked_of_block(
                self.index,
                vectors,
                self.options.k,
                own=modality_of(route.side),
                space=route.space,
                to=route.to,
                releases=route.releases,
                selves=selves,
                banned=np.append(others, selves) if self.options.exclude_source else others,
            )
        return nearest_of_block(
            self.index,
            vectors,
            self.options.k,
            space=route.space,
            modality=route.to,
            releases=route.releases,
            skip=np.append(selves, others),
        )

    def _percentiles(
        self, release: str, hits: Hitlist, rows: np.ndarray[Any, Any], route: Route
    ) -> np.ndarray[Any, Any]:
        """Return the same as `indexer.answers` says of one answer."""
        calibration = self.index.calibration(route.space)
        linked = route.bridge == "linked"
        scored = hits["via_release"] if linked else hits["release"]
        own = self._codes[release]
        itself = linked & (hits["via_release"] == own) & (hits["via_row"] == rows[hits["query"]])
        percentiles = np.full(len(hits), 100.0)
        for code in np.unique(scored[~itself]).tolist():
            at = np.flatnonzero((scored == code) & ~itself)
            side = (self.index.releases[code], route.own if linked else route.to)
            percentiles[at] = calibration.percentile(hits["score"][at], (release, route.own), side)
        return np.round(percentiles, 3)


def _answers(
    hits: Hitlist,
    asked: int,
    refused: Mapping[int, str],
    columns: Mapping[str, Any],
) -> Answers:
    """Return answers whose hits are in order, with their ranks, and a reason for each without.

    The columns are those of `_COLUMNS`.
    """
    rank = 1 + np.arange(len(hits)) - np.searchsorted(hits["query"], hits["query"])
    without = np.setdiff1d(np.arange(asked), hits["query"]).tolist()
    reasons = {place: refused.get(place, NOTHING_FOUND) for place in without}
    return Answers(hits, rank, refused=reasons, **columns)
