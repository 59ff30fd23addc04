"""Answers as JSON documents -> the same `Hits` again, on another machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from indexer.examples import AGAINST_WEIGHT, Examples
from indexer.hits import HIT_COLUMNS, Hits
from indexer.queries import Query

__all__ = ["ToldQuery", "hits_of", "values_of"]

_DTYPES = {
    "rank": "i8",
    "folded": "i8",
    "score": "f4",
    "redshift": "f4",
    "magnitude": "f4",
    "percentile": "f8",
    "ra_deg": "f8",
    "dec_deg": "f8",
    "separation_arcsec": "f8",
}
"""Of the numbers; all else is text."""


@dataclass(frozen=True, eq=False)
class ToldQuery(Query):
    """A question that was answered elsewhere: what its summary says. Its vectors stayed there."""

    def __post_init__(self) -> None:
        # Unlike a query that can be searched, it needs neither a row nor a vector.
        object.__setattr__(self, "modalities", self.modalities or (self.modality,))


def hits_of(document: Mapping[str, Any]) -> Hits:
    """Return the answer that `Hits.document` wrote.

    Raises
    ------
    ValueError
        If it is no such document.
    """
    try:
        columns = values_of(document["hits"], [column.name for column in HIT_COLUMNS])
        return Hits(
            query=_query_of(document["query"]), receipt=dict(document["receipt"]), **columns
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"an answer has query, receipt and hits with all their columns; {error!r} is missing "
            "or of another kind"
        ) from error


def values_of(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Return the columns of records; a number that is None is NaN.

    Raises
    ------
    KeyError
        If a record lacks one.
    """
    columns = {}
    for name in names:
        values = [record[name] for record in records]
        dtype = _DTYPES.get(name)
        if dtype is None:
            columns[name] = np.array([str(value) for value in values], dtype=str)
        else:
            columns[name] = np.array([nan if value is None else value for value in values], dtype)
    return columns


def _query_of(summary: Mapping[str, Any]) -> Query:
    key = summary["key"]
    examples = summary.get("examples")
    return ToldQuery(
        kind=summary["kind"],
        text=summary["text"],
        modality=summary["modality"],
        key=key,
        release=None if key is None else key.partition(":")[0],
        space=summary.get("space", ""),
        answered=summary.get("answered", ""),
        survey=summary["survey"],
        object_id=summary["object_id"],
        ra_deg=_number(summary["ra_deg"]),
        dec_deg=_number(summary["dec_deg"]),
        redshift=_number(summary["redshift"]),
        object_class=summary["object_class"],
        assumptions=dict(summary["assumptions"]),
        notes=tuple(summary["notes"]),
        file_name=summary["file_name"],
        sha256=summary["sha256"],
        examples=None if examples is None else _examples_of(examples),
    )


def _examples_of(summary: Mapping[str, Any]) -> Examples:
    weight = summary["against_weight"]
    return Examples(
        positives=tuple(map(_query_of, summary["for"])),
        negatives=tuple(map(_query_of, summary["against"])),
        method=summary["method"],
        against_weight=AGAINST_WEIGHT if weight is None else weight,
    )


def _number(value: float | None) -> float:
    return nan if value is None else value
