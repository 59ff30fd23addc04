"""Columns of many answers as Arrow arrays: what `Hits` has, gathered from the catalogues."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64, Shaped

from indexer.answers import pages_of
from indexer.batched import Answers
from indexer.index_file import Index, Segment

__all__ = ["hit_columns", "ids_of", "keys_of", "numbers_of", "releases_of"]

Codes = Shaped[np.ndarray, " n"]
"""Places of releases in `Index.releases`; -1 where there is no object."""


def ids_of(index: Index, codes: Codes, rows: Int64[np.ndarray, " n"]) -> pa.Array:
    """Return the survey's own identifier of each object."""
    return _gathered(index, codes, rows, _ids)


def keys_of(index: Index, codes: Codes, rows: Int64[np.ndarray, " n"]) -> pa.Array:
    """Return the key of each object, empty where there is none."""

    def keys(segment: Segment, its_rows: np.ndarray[Any, Any]) -> pa.Array:
        return pc.binary_join_element_wise(segment.name, _ids(segment, its_rows), ":")

    return _gathered(index, codes, rows, keys)


def numbers_of(
    index: Index, codes: Codes, rows: Int64[np.ndarray, " n"], name: str
) -> Shaped[np.ndarray, " n"]:
    """Return a column of numbers of `rows.arrow` for each object."""
    numbers = np.empty(len(rows), index.segment(index.releases[0]).column(name).dtype)
    for code in np.unique(codes).tolist():
        at = codes == code
        numbers[at] = index.segment(index.releases[code]).column(name)[rows[at]]
    return numbers


def hit_columns(index: Index, answers: Answers) -> dict[str, pa.Array]:
    """Return the columns of all answers, by their names in `indexer.hits.HIT_COLUMNS`."""
    hits = answers.hits
    codes, rows = hits["release"], hits["row"]
    classes = _gathered(index, codes, rows, lambda of, its: _texts(of, its, "object_class"))
    plain = {
        "rank": answers.rank,
        "score": hits["score"],
        "percentile": answers.percentile,
        "folded": answers.folded,
        **{
            name: numbers_of(index, codes, rows, name)
            for name in ("ra_deg", "dec_deg", "redshift", "magnitude")
        },
    }
    return {
        **{name: pa.array(values) for name, values in plain.items()},
        "key": keys_of(index, codes, rows),
        "release": releases_of(index, codes),
        "object_id": ids_of(index, codes, rows),
        "bridge": pa.array(answers.bridge.tolist(), pa.string()),
        "via": keys_of(index, hits["via_release"], hits["via_row"]),
        "object_class": classes,
        "modality": pa.array(answers.modality.tolist(), pa.string()),
        "folded_keys": pa.array(answers.folded_keys.tolist(), pa.string()),
        "link": _gathered(index, codes, rows, _links),
    }


def releases_of(index: Index, codes: Codes) -> pa.Array:
    """Return the name of each release."""
    return pa.array(index.releases, pa.string()).take(pa.array(codes))


def _ids(segment: Segment, rows: np.ndarray[Any, Any]) -> pa.Array:
    return _texts(segment, rows, "object_id")


def _texts(segment: Segment, rows: np.ndarray[Any, Any], name: str) -> pa.Array:
    taken = segment.rows.column(name).take(pa.array(rows))
    # Segments of an older index have texts with offsets of 32 bits, newer ones of 64.
    return taken.cast(pa.string()).combine_chunks()


def _links(segment: Segment, rows: np.ndarray[Any, Any]) -> pa.Array:
    positions = (segment.column(name)[rows].tolist() for name in ("ra_deg", "dec_deg"))
    links = []
    for known in zip(_ids(segment, rows).to_pylist(), *positions, strict=True):
        page = next(pages_of(segment.info.links, *known), None)
        links.append("" if page is None else page["url"])
    return pa.array(links, pa.string())


def _gathered(
    index: Index,
    codes: Codes,
    rows: np.ndarray[Any, Any],
    of: Callable[[Segment, np.ndarray[Any, Any]], pa.Array],
) -> pa.Array:
    """Return a text for each object, made release by release; empty where there is no object."""
    parts = [pa.array([], pa.string())]
    for code in np.unique(codes).tolist():
        its_rows = rows[codes == code]
        if code < 0:
            parts.append(pa.array([""] * len(its_rows), pa.string()))
        else:
            parts.append(of(index.segment(index.releases[code]), its_rows))
    place = np.empty(len(codes), np.int64)
    place[np.argsort(codes, kind="stable")] = np.arange(len(codes))
    return pa.concat_arrays(parts).take(pa.array(place))
