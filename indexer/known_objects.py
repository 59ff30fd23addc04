"""What an index knows of its objects, without a question of similarity."""

from typing import Any

import numpy as np

from indexer.answers import links_out
from indexer.errors import QueryError
from indexer.index_file import Index, Segment
from indexer.neighbours import key_of
from indexer.resolve import modalities_of, resolve_key

__all__ = ["counterparts_of", "known_of_object", "place_of", "random_keys"]


def place_of(index: Index, key: str) -> tuple[Segment, int]:
    """Return segment and row of a key.

    Raises
    ------
    QueryError
        If it names nothing.
    """
    release, separator, object_id = key.partition(":")
    if not separator:
        raise QueryError(f"a key is release:object_id, got {key!r}")
    return resolve_key(index, release, object_id)


def known_of_object(index: Index, key: str) -> dict[str, Any]:
    """Return the columns of an object and what its release says of itself."""
    segment, row = place_of(index, key)
    return {
        "key": key,
        "release": segment.name,
        **segment.rows.slice(row, 1).to_pylist()[0],
        "modalities": modalities_of(segment, row),
        "title": segment.info.title,
        "survey": segment.info.survey,
        "licence": segment.info.licence,
        "links": links_out(segment, row),
    }


def counterparts_of(index: Index, key: str) -> list[str]:
    """Return the keys of the other objects of the same source, sorted."""
    segment, row = place_of(index, key)
    return sorted(
        key_of(index.segment(name), other)
        for name, other in index.links.source(segment.name, row)
        if (name, other) != (segment.name, row)
    )


def random_keys(index: Index, count: int, seed: int) -> list[str]:
    """Return some keys, drawn evenly over all objects; the same seed draws the same."""
    segments = [index.segment(name) for name in index.releases]
    ends = np.cumsum([0, *(each.info.indexed for each in segments)])
    drawn = np.random.default_rng(seed).choice(
        ends[-1], size=min(count, int(ends[-1])), replace=False
    )
    at = np.searchsorted(ends, drawn, side="right") - 1
    return [
        key_of(segments[place], row)
        for place, row in zip(at.tolist(), (drawn - ends[at]).tolist(), strict=True)
    ]
