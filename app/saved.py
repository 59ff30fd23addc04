"""Objects that a person keeps for later, with a tag each: in the browser's session, and in files.

Nothing is stored on the server: the list ends with the session, unless it is taken away.
"""

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from indexer import IndexerError, QueryError, Searcher
from indexer.export import render_table
from indexer.hits import HIT_COLUMNS, HitColumn, described_table
from indexer.receipts import index_identity

__all__ = [
    "LONGEST_TAG",
    "MOST_SAVED",
    "add_list",
    "exported",
    "forget",
    "save",
    "saved",
    "tag",
    "toggle",
]

MOST_SAVED = 500
LONGEST_TAG = 60

_SAVED = "saved_objects"
_TAG = HitColumn("tag", "meta.note", "What the person who saved it wrote of it")
_OF_HITS = {column.name: column for column in HIT_COLUMNS}
_NUMBERS = ("ra_deg", "dec_deg", "redshift", "magnitude")
_COLUMNS = (
    _OF_HITS["key"],
    _TAG,
    *(_OF_HITS[name] for name in ("release", "object_id", *_NUMBERS, "object_class")),
)


def saved() -> Mapping[str, str]:
    """Return the tag of every saved object, by key, in the order in which they were saved."""
    return dict(st.session_state.get(_SAVED, {}))


def save(key: str, words: str = "") -> None:
    """Save an object; beyond `MOST_SAVED` the oldest goes."""
    kept = {**saved(), key: _tag_of(words)}
    st.session_state[_SAVED] = dict(list(kept.items())[-MOST_SAVED:])


def forget(key: str) -> None:
    """Save an object no more."""
    st.session_state[_SAVED] = {name: words for name, words in saved().items() if name != key}


def toggle(key: str) -> None:
    """Save an object, or no more."""
    if key in saved():
        forget(key)
    else:
        save(key)


def tag(key: str, words: str) -> None:
    """Write something of a saved object."""
    if key in saved():
        st.session_state[_SAVED] = {**saved(), key: _tag_of(words)}


def _tag_of(words: str) -> str:
    return " ".join(words.split())[:LONGEST_TAG]


def exported(searcher: Searcher, objects: Mapping[str, str], file_format: str) -> bytes:
    """Return saved objects as the bytes of a file; those that the index lost keep key and tag.

    Parameters
    ----------
    objects
        As `saved` gives them.
    file_format
        One of `indexer.export.FORMATS`, but not JSON.
    """
    known = [_known(searcher, key) for key in objects]
    columns: dict[str, np.ndarray[Any, Any]] = {
        column.name: np.array(
            [each[column.name] for each in known], float if column.name in _NUMBERS else str
        )
        for column in _COLUMNS
        if column is not _TAG
    }
    columns["tag"] = np.array(list(objects.values()), str)
    meta = {"receipt": dict(index_identity(searcher.index))}
    return render_table(described_table(columns, _COLUMNS, meta), file_format)


def _known(searcher: Searcher, key: str) -> dict[str, Any]:
    release, _, object_id = key.partition(":")
    unknown = {**dict.fromkeys(_NUMBERS, np.nan), "object_class": ""}
    try:
        known = searcher.object(key)
    except IndexerError:
        known = {}
    given = {name: known[name] for name in unknown if known.get(name) is not None}
    return {"key": key, "release": release, "object_id": object_id, **unknown, **given}


def add_list(content: bytes) -> int:
    """Save the objects of a CSV file as `exported` writes it; return how many.

    Raises
    ------
    QueryError
        If it is no such file.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise QueryError(f"a list that was saved is a CSV file; this one is not: {error}") from None
    keys = [(row.get("key") or "").strip() for row in rows]
    if not any(":" in key for key in keys):
        raise QueryError("a list that was saved has a column key with release:identifier")
    for key, row in zip(keys, rows, strict=True):
        if ":" in key:
            save(key, row.get("tag") or "")
    return sum(":" in key for key in keys)
