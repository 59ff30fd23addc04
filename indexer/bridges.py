"""How a query in one modality reaches another: through links, or through the space ``shared``."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from indexer.errors import SearchError
from indexer.index_file import Index
from indexer.index_model import bits_of, modality_of
from indexer.neighbours import Neighbour, key_of, nearest
from indexer.queries import Query
from indexer.row_sets import RowSet

__all__ = [
    "FIRST_BATCH_PER_HIT",
    "GROWTH",
    "Found",
    "Reached",
    "chosen_bridge",
    "linked",
    "partner_rows",
    "partners_in",
]

FIRST_BATCH_PER_HIT = 4
GROWTH = 4


@dataclass(frozen=True)
class Reached:
    """Where a linked hit comes from.

    Attributes
    ----------
    score
        Of the neighbour, or 1 for a counterpart of the query itself.
    via
        Key of that neighbour or of the query; empty for an uploaded file.
    release
        Release of the neighbour, for calibration; empty for the query itself.
    """

    score: float
    via: str
    release: str


@dataclass(frozen=True)
class Found:
    """One object that was found, and how.

    Attributes
    ----------
    modality
        The one that was asked for.
    reached
        Where a linked hit comes from.
    folded
        Keys of the other hits at its place that it stands for, the best first.
    """

    key: str
    release: str
    row: int
    modality: str
    score: float
    reached: Reached | None = None
    folded: tuple[str, ...] = ()


def partners_in(
    index: Index, release: str, rows: Sequence[int], to: str, modality: str
) -> list[int | None]:
    """Return, for each row, the row of release `to` that is the same source and has a modality.

    An object that has the modality itself is its own partner in its own release.
    """
    found = partner_rows(index, release, np.asarray(rows, dtype=np.int64), to, modality)
    return [int(row) if row >= 0 else None for row in found]


def partner_rows(
    index: Index, release: str, rows: Int64[np.ndarray, " n"], to: str, modality: str
) -> Int64[np.ndarray, " n"]:
    """Return the same as `partners_in`, with -1 where there is none."""
    found = rows if to == release else index.links.partners(release, rows, to)
    bits = index.segment(to).column("modalities")[np.maximum(found, 0)]
    return np.where((found >= 0) & ((bits & bits_of(modality)) > 0), found, -1)


def linked(
    index: Index,
    vector: Float32[np.ndarray, " dim"],
    wanted: int,
    *,
    own: str,
    space: str,
    to: str,
    releases: Sequence[str],
    direct: Sequence[Found],
    skip: Collection[tuple[str, int]],
    banned: Collection[tuple[str, int]],
    allowed: Mapping[str, RowSet] | None = None,
    passes: Callable[[Found], bool] = lambda _: True,
) -> list[Found]:
    """Find objects of another modality through neighbours in the query's own.

    Neighbours are fetched in growing batches until enough of them have a counterpart, or until
    there are no more. A counterpart counts once, through its best neighbour.

    Parameters
    ----------
    vector
        The query in a space of its own modality.
    own, to
        The two modalities.
    space
        In which the query is compared with its own kind.
    releases
        Where the counterparts may be; neighbours may be anywhere.
    direct
        Counterparts of the query itself; they come first.
    skip
        Neighbours that do not count: the query itself.
    banned
        Objects that may be neither neighbour nor hit.
    allowed
        Rows that may be neighbours, by release; those whose counterparts all do not pass need not
        be. Default: all.
    passes
        Says whether a counterpart may be a hit.

    Returns
    -------
    list
        Best first, those of the query itself before all others, ties by key.
    """
    own_releases = [name for name in index.releases if own in _modalities(index, name)]
    total = sum(index.segment(name).info.vectors.get(own, 0) for name in own_releases)
    fetch = FIRST_BATCH_PER_HIT * wanted
    while True:
        neighbours = nearest(
            index,
            vector,
            fetch,
            space=space,
            modality=own,
            releases=own_releases,
            skip=set(skip) | set(banned),
            allowed=allowed,
        )
        found = {(hit.release, hit.row): hit for hit in direct}
        for hit in _counterparts(index, neighbours, to, releases):
            place = (hit.release, hit.row)
            if place not in found and place not in banned and passes(hit):
                found[place] = hit
        first = {(hit.release, hit.row) for hit in direct}
        ranked = sorted(
            found.values(),
            key=lambda hit: (-hit.score, (hit.release, hit.row) not in first, hit.key),
        )
        # A neighbour that was not fetched could still tie with the last hit.
        enough = len(ranked) >= wanted and (
            not neighbours or neighbours[-1].score < ranked[wanted - 1].score
        )
        if enough or len(neighbours) < fetch or fetch >= total:
            return ranked[:wanted]
        fetch *= GROWTH


def _modalities(index: Index, release: str) -> Collection[str]:
    return [name for name, count in index.segment(release).info.vectors.items() if count]


def _counterparts(
    index: Index, neighbours: Sequence[Neighbour], to: str, releases: Sequence[str]
) -> Iterator[Found]:
    """Give the counterparts of neighbours, in the order of the neighbours, then by key."""
    by_release: dict[str, list[int]] = {}
    for each in neighbours:
        by_release.setdefault(each.release, []).append(each.row)
    partners: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for release, rows in by_release.items():
        for target in releases:
            if to not in _modalities(index, target):
                continue
            for row, partner in zip(
                rows, partners_in(index, release, rows, target, to), strict=True
            ):
                if partner is not None:
                    partners.setdefault((release, row), []).append((target, partner))
    for each in neighbours:
        for target, row in partners.get((each.release, each.row), ()):
            yield Found(
                key_of(index.segment(target), row),
                target,
                row,
                to,
                each.score,
                Reached(each.score, each.key, each.release),
            )


def chosen_bridge(index: Index, query: Query, asked: str, to: str) -> tuple[str, str]:
    """Choose the bridge, and which side of the query goes over it.

    A side is a modality, compared in its own space, or ``spectrum_native``.

    Parameters
    ----------
    asked
        A bridge, or ``auto``.
    to
        The modality that is to be reached.

    Raises
    ------
    SearchError
        If the aligned one was asked for, and there is none.
    """
    sides = (query.space,) if query.space else query.modalities
    if to in map(modality_of, sides):
        return "same", query.space or to
    aligned = [
        side for side in sides if index.heads(side) is not None and index.heads(to) is not None
    ]
    if asked == "aligned" and not aligned and query.space:
        raise SearchError(
            f"the space {query.space!r} is not aligned with {to}: use the bridge 'linked', or "
            "fit heads with `python -m indexer align`"
        )
    if asked == "aligned" and not aligned:
        reasons = [note for note in index.info.notes if "align" in note]
        raise SearchError(
            f"this index has no aligned space from {query.modality} to {to}: use the bridge "
            "'linked'" + (f" ({'; '.join(reasons)})" if reasons else "")
        )
    if asked != "linked" and aligned:
        return "aligned", aligned[0]
    return "linked", query.home
