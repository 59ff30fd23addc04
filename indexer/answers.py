"""What was found -> hits: catalogue columns, percentiles, addresses."""

import math
import string
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

import numpy as np

from indexer.bridges import Found
from indexer.hits import Hits
from indexer.index_file import Index, Segment
from indexer.index_model import LinkOutInfo
from indexer.queries import Query

__all__ = ["assemble", "known_of", "links_out", "pages_of"]


def links_out(segment: Segment, row: int) -> list[dict[str, str]]:
    """Return the pages elsewhere about an object, the best first, each with `label` and `url`.

    Addresses that need a position are left out where there is none.
    """
    ra_deg, dec_deg = float(segment.column("ra_deg")[row]), float(segment.column("dec_deg")[row])
    return list(pages_of(segment.info.links, segment.object_id(row), ra_deg, dec_deg))


def pages_of(
    links: Sequence[LinkOutInfo], object_id: str, ra_deg: float, dec_deg: float
) -> Iterator[dict[str, str]]:
    """Give the same as `links_out` for what is known of an object."""
    values = {"object_id": quote(object_id, safe="")}
    if math.isfinite(ra_deg) and math.isfinite(dec_deg):
        values |= {"ra": f"{ra_deg:.6f}", "dec": f"{dec_deg:.6f}"}
    for page in links:
        if _needed(page.url) <= values.keys():
            yield {"label": page.label, "url": page.url.format(**values)}


@cache
def _needed(url: str) -> frozenset[str]:
    """Return which values an address is filled in with."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(url) if name)


def known_of(segments: Mapping[str, Segment], found: Sequence[Found]) -> dict[str, Any]:
    """Return what the catalogue knows of objects that were found: columns of `Hits`.

    Parameters
    ----------
    segments
        By release; those of all that was found.
    """

    def numbers(name: str, dtype: str) -> np.ndarray[Any, Any]:
        return np.array([segments[each.release].column(name)[each.row] for each in found], dtype)

    pages = [links_out(segments[each.release], each.row) for each in found]
    return {
        "object_id": _texts([segments[each.release].object_id(each.row) for each in found]),
        "ra_deg": numbers("ra_deg", "f8"),
        "dec_deg": numbers("dec_deg", "f8"),
        "redshift": numbers("redshift", "f4"),
        "magnitude": numbers("magnitude", "f4"),
        "object_class": _texts(
            [segments[e.release].rows.column("object_class")[e.row].as_py() for e in found]
        ),
        "link": _texts([page[0]["url"] if page else "" for page in pages]),
    }


def assemble(
    index: Index,
    query: Query,
    found: Sequence[Found],
    receipt: Mapping[str, Any],
    *,
    bridge: str,
    own: str,
    space: str,
) -> Hits:
    """Return the answer.

    Parameters
    ----------
    found
        What was found, best first.
    bridge, own, space
        How; `own` is the modality of the query that was compared.
    """
    segments = {name: index.segment(name) for name in {each.release for each in found}}
    return Hits(
        query=query,
        receipt=receipt,
        key=_texts([each.key for each in found]),
        release=_texts([each.release for each in found]),
        rank=np.arange(1, len(found) + 1, dtype=np.int64),
        score=np.array([each.score for each in found], np.float32),
        percentile=_percentiles(index, query, found, own, space),
        bridge=_texts([bridge] * len(found)),
        via=_texts([each.reached.via if each.reached else "" for each in found]),
        modality=_texts([each.modality for each in found]),
        folded=np.array([len(each.folded) for each in found], np.int64),
        folded_keys=_texts([";".join(each.folded) for each in found]),
        **known_of(segments, found),
    )


def _texts(values: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=str)


def _percentiles(
    index: Index, query: Query, found: Sequence[Found], own: str, space: str
) -> np.ndarray[Any, Any]:
    """Return the percentage of random pairs below each score, to 0.001.

    A linked hit has the score of a neighbour in the query's own modality, and its percentile; a
    counterpart of the query itself has 100.
    """
    calibration = index.calibration(space)
    asked = (query.release or "", own)
    percentiles = np.full(len(found), 100.0)
    sides = [
        (each.release, each.modality) if each.reached is None else (each.reached.release, own)
        for each in found
    ]
    scores = np.array([each.score for each in found], np.float32)
    for side in {side for side in sides if side[0]}:
        at = [number for number, other in enumerate(sides) if other == side]
        percentiles[at] = calibration.percentile(scores[at], asked, side)
    return np.round(percentiles, 3)
