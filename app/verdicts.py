"""The verdict in words: how a query lies among the objects of the index. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.presentation import PLURAL
from indexer import Hits, Query
from indexer.verdicts import OUT_PERCENTILE, UNUSUAL_PERCENTILE

__all__ = ["GAUGE", "GAUGE_TICKS", "VerdictWords", "verdict_of", "verdict_warning", "verdict_words"]

IN, UNUSUAL, OUT = "in distribution", "unusual", "out of distribution"

GAUGE = {IN: 64.0, UNUSUAL: 18.0, OUT: 18.0}
"""Widths of the three parts of the scale, in percent: the last five of a hundred must be seen."""

GAUGE_TICKS = {
    "0": 0.0,
    f"{UNUSUAL_PERCENTILE:g}": GAUGE[IN],
    f"{OUT_PERCENTILE:g} %": GAUGE[IN] + GAUGE[UNUSUAL],
}
"""Where percentiles stand on the scale."""

_MARKS = {IN: "✓", UNUSUAL: "!", OUT: "✕"}
_KINDS = {IN: "in", UNUSUAL: "unusual", OUT: "out"}
_TITLES = {IN: "In distribution", UNUSUAL: "Unusual", OUT: "Out of distribution"}
_MEANINGS = {
    IN: "it lies among what the index holds",
    UNUSUAL: "few lie so far apart, so read the neighbours with care",
    OUT: "it is unlike anything the index holds, and its neighbours may mean nothing",
}


@dataclass(frozen=True)
class VerdictWords:
    """A verdict for a person.

    Attributes
    ----------
    kind
        `in`, `unusual`, `out` or `unknown`: for colours, which never stand alone.
    mark, title
        A sign and a word or two that say the same.
    text
        One sentence with the number behind it.
    place
        Where the query stands on the scale `GAUGE`, 0 to 100; NaN where it is unknown.
    """

    kind: str
    mark: str
    title: str
    text: str
    place: float


def verdict_of(query: Query, hits: Hits) -> VerdictWords | None:
    """Return the verdict that an answer carries, or None where it carries none."""
    document = hits.receipt.get("verdict")
    if document is None:
        return None
    own = hits.receipt.get("to") if hits.receipt.get("bridge") == "same" else None
    return verdict_words(document, own or query.modality)


def verdict_words(document: Mapping[str, Any], modality: str) -> VerdictWords:
    """Put a verdict of a query of this modality into words.

    Parameters
    ----------
    document
        As `indexer.Verdict.document` gives it.
    modality
        What the query was compared in.
    """
    level, percentile = str(document["level"]), document["percentile"]
    if level not in _KINDS or percentile is None:
        reason = str(document["text"]).removeprefix("unknown: ")
        return VerdictWords("unknown", "?", "No verdict", _sentence(reason), math.nan)
    text = (
        f"{_percent(float(percentile))} of this index's own {PLURAL.get(modality, modality)} have "
        f"a nearer neighbour than this query: {_MEANINGS[level]}."
    )
    return VerdictWords(
        _KINDS[level], _MARKS[level], _TITLES[level], text, _place(float(percentile))
    )


def verdict_warning(verdict: VerdictWords | None, *, of_file: bool) -> str:
    """Return what must be read before the neighbours are, or nothing.

    Parameters
    ----------
    of_file
        Whether an uploaded file is the query: then it may have been misread.
    """
    if verdict is None or verdict.kind != "out":
        return ""
    check = (
        " Look under “How the file was read” whether units, wavelengths and pixel scale are right."
        if of_file
        else ""
    )
    return (
        "**Out of distribution.** This query is unlike anything the index holds: the neighbours "
        f"below are only the least unlike, and what is read from them may be wrong.{check}"
    )


def _percent(percentile: float) -> str:
    """Return a percentage that is never rounded to none or all."""
    if percentile > 99.9:
        return "More than 99.9 %"
    if percentile < 0.1:
        return "Less than 0.1 %"
    return f"{percentile:.1f} %"


def _place(percentile: float) -> float:
    ends = (0.0, UNUSUAL_PERCENTILE, OUT_PERCENTILE, 100.0)
    start = 0.0
    for low, high, width in zip(ends, ends[1:], GAUGE.values(), strict=False):
        if percentile <= high:
            return round(start + width * (percentile - low) / (high - low), 2)
        start += width
    return 100.0


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
