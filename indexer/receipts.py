"""Receipts: everything needed to run an answer again, in plain values that JSON can hold."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from aion_encoder.identity import Identity
from indexer.finding import Search
from indexer.index_file import Index
from indexer.neighbours import NEAR_FIRST_UP_TO, lists_to_visit
from indexer.options import SearchOptions
from indexer.queries import Query
from indexer.software import software_version
from indexer.spaces import SHARED
from indexer.verdicts import Verdict

__all__ = ["index_identity", "index_receipt", "receipt_of"]


def index_identity(index: Index) -> dict[str, Any]:
    """Return what every answer of an index says of the program, the index and its encoder."""
    return {
        "software": software_version(),
        "index": {
            "id": _index_id(index),
            "name": index.info.name,
            "created": index.info.created,
            "format_version": index.info.format_version,
        },
        "encoder": _encoder(index.info.encoder),
        "metric": "cosine",
    }


def index_receipt(index: Index, options: SearchOptions) -> dict[str, Any]:
    """Return what all answers of one index with the same options have in common."""
    missing = {"missing": list(index.missing)} if index.missing else {}
    return {**index_identity(index), **missing, "options": options.plain()}


@lru_cache(maxsize=8)
def _index_id(index: Index) -> str:
    # Hashes the list of all files, which takes longer than a search.
    return index.info.index_id


def receipt_of(
    index: Index,
    search: Search,
    options: SearchOptions,
    *,
    left_out: Sequence[str],
    verdict: Verdict,
) -> dict[str, Any]:
    """Return the receipt of one answer.

    Parameters
    ----------
    search
        What the options came to.
    left_out
        Keys of objects that could not, being the query or its source.
    verdict
        Whether the query is like what the index holds.
    """
    query, route = search.query, search.route
    space = route.space
    # Through links, neighbours come from every release of the query's own modality.
    compared = route.to if route.bridge != "linked" else query.modality
    where = route.releases if route.bridge != "linked" else index.releases
    rows = search.compared
    recipes = {}
    for release in where:
        segment = index.segment(release)
        if segment.can_search(space, compared):
            ann = segment.ann(space, compared)
            recipes[release] = {
                "recipe": ann.recipe.name,
                "vectors": ann.count,
                "lists": ann.recipe.lists,
                "nprobe": ann.default_nprobe,
            }
            if rows is not None:
                there, _ = segment.stored(space, compared)
                survivors = rows[release].among(there, NEAR_FIRST_UP_TO)[0]
                recipes[release] |= {
                    "passing": survivors,
                    "nprobe": lists_to_visit(ann, survivors),
                }
    return {
        **index_receipt(index, options),
        "to": route.to,
        "bridge": route.bridge,
        "spaces": [space],
        **_space_encoder(index, query, space),
        "space_methods": {space: _method(index, space)},
        "releases": list(route.releases),
        "searched": recipes,
        "read_as": dict(query.assumptions),
        "file_sha256": query.sha256,
        "left_out": list(left_out),
        "verdict": verdict.document(),
        **({} if query.examples is None else {"examples": query.examples.named()}),
    }


def _space_encoder(index: Index, query: Query, space: str) -> dict[str, Any]:
    """Return whose vector asked, where it is not of the index's encoder."""
    own = index.info.encoder
    for identity in map(index.encoder_of, (space, query.home)):
        # Most often it is the same value, and a digest is hashed anew each time.
        if identity is not own and identity.digest != own.digest:
            return {"space_encoder": _encoder(identity)}
    return {}


def _encoder(identity: Identity) -> dict[str, Any]:
    return {
        "digest": identity.digest,
        "repository": identity.repository,
        "revision": identity.revision,
        "pooling": str(identity.pooling),
        "preprocessing": identity.preprocessing,
    }


def _method(index: Index, space: str) -> str:
    return "heads" if space == SHARED else index.space(space).description.method
