"""Searches among a part of the rows: how much of the truth they find, and how long they take."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from benchmarks.scale.data import Data, K
from benchmarks.scale.measuring import curve
from benchmarks.scale.product import opened
from indexer.row_sets import RowSet
from indexer.vectors import exact_scan

__all__ = ["KINDS", "SELECTIVITIES", "allowed_rows", "filtered"]

SELECTIVITIES = (0.5, 0.1, 0.01, 0.001)
KINDS = ("random", "correlated")
"""How rows are chosen: without regard to the vectors, or those on one side of them all."""

_BLOCK = 262_144
_ALL = 0
"""Stands for the setting, which a search with a filter does not have."""


def allowed_rows(
    vectors: Any, share: float, kind: str, direction: Float32[np.ndarray, " dim"], seed: int
) -> Int64[np.ndarray, " m"]:
    """Return the rows that may be found, ascending.

    Parameters
    ----------
    share
        Of all rows.
    kind
        Of `KINDS`; correlated are those with the largest inner products with `direction`.
    """
    count = len(vectors)
    wanted = max(1, round(share * count))
    if kind == "random":
        values = np.random.default_rng((seed, wanted)).random(count)
    else:
        values = np.empty(count)
        for start in range(0, count, _BLOCK):
            block = vectors[start : start + _BLOCK].astype(np.float32)
            values[start : start + len(block)] = block @ direction
    return np.sort(np.argpartition(-values, wanted - 1)[:wanted]).astype(np.int64)


def filtered(
    data: Data, folder: Path, selectivities: Sequence[float], *, seconds: float = 10.0
) -> list[dict[str, Any]]:
    """Ask with each filter: as the product does, by lists alone, and by comparing all that pass.

    The last of the queries gives the direction of the correlated filters, and is not asked.
    """
    index = opened(data, folder)
    ways = {"product": index.among, "lists": index.in_lists, "scan": index.scanned}
    *_, direction = data.queries()
    queries = data.queries()[:-1]
    rows = []
    for share, kind, allowed in _filters(data, selectivities, direction):
        kept = RowSet.of(allowed, data.count)
        truth = exact_scan(index.vectors, queries, K, rows=index.rows, positions=allowed)[1]
        for way, search in ways.items():

            def asked(
                some: np.ndarray[Any, Any],
                _: int,
                search: Any = search,
                allowed: RowSet = kept,
            ) -> np.ndarray[Any, Any]:
                found: np.ndarray[Any, Any] = search(some, allowed)
                return found

            (point,) = curve(asked, queries, truth, [_ALL], seconds=seconds)
            point.pop("setting")
            rows.append(
                {"selectivity": share, "kind": kind, "way": way, "passing": len(allowed), **point}
            )
    return rows


def _filters(
    data: Data, selectivities: Sequence[float], direction: np.ndarray[Any, Any]
) -> Iterator[tuple[float, str, np.ndarray[Any, Any]]]:
    for share in selectivities:
        for kind in KINDS:
            yield share, kind, allowed_rows(data.vectors(), share, kind, direction, data.seed)
