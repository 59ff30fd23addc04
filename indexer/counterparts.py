"""The observations of a query's own source in another modality."""

from collections.abc import Sequence

from indexer.bridges import Found, Reached, partners_in
from indexer.index_file import Index
from indexer.neighbours import key_of
from indexer.queries import Query
from indexer.self_matches import Places, here

__all__ = ["own_counterparts"]


def own_counterparts(
    index: Index, query: Query, selves: Places, to: str, releases: Sequence[str], banned: Places
) -> list[Found]:
    """Return the query's own counterparts of a modality, each with the score 1.

    Parameters
    ----------
    selves
        The indexed objects that are the query.
    to, releases
        Modality that is sought, and where.
    banned
        Objects that are left out.
    """
    if query.examples is not None:
        # Of several examples none is the query, and those against are not sought at all.
        return []
    found: dict[tuple[str, int], str] = {}
    for name, row in sorted(selves):
        via = key_of(index.segment(name), row)
        for target in releases:
            partner = partners_in(index, name, [row], target, to)[0]
            if partner is not None and (target, partner) not in selves:
                found.setdefault((target, partner), via)
    if query.brought:
        for target, row in sorted(here(index, query)):
            if target not in releases:
                continue
            if partners_in(index, target, [row], target, to)[0] is not None:
                found.setdefault((target, row), "")
    return [
        Found(key_of(index.segment(name), row), name, row, to, 1.0, Reached(1.0, via, ""))
        for (name, row), via in found.items()
        if (name, row) not in banned
    ]
