"""What a person types -> a query: one object of the index, or a reason in words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from aion_encoder.observations import MODALITIES
from indexer.errors import AmbiguousError, QueryError, SearchError, UnknownObjectError
from indexer.identifiers import find_objects
from indexer.index_file import Index, Segment
from indexer.index_model import NATIVE, bit_of, bits_of
from indexer.native_queries import model_of
from indexer.neighbours import key_of
from indexer.positions import Position, parse_position
from indexer.queries import DEFAULT_RADIUS_ARCSEC, Query, QueryKind

__all__ = [
    "LARGEST_RADIUS_ARCSEC",
    "around",
    "checked_radius",
    "indexed_query",
    "modalities_of",
    "releases_in",
    "releases_with",
    "resolve_key",
    "resolve_object",
    "resolve_place",
    "resolve_position",
    "resolve_text",
]

LARGEST_RADIUS_ARCSEC = 3600.0
LOOK_FURTHER_ARCSEC = 120.0
"""How far the nearest object is looked for, to name it, when none is inside the radius."""

SHOWN_CANDIDATES = 5


class SortedIds(Sequence[str]):
    """The sorted ids of a segment as texts, read one at a time from the mapped file."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            return [str(each.as_py()) for each in self._column[at]]
        return str(self._column[at].as_py())


@dataclass(frozen=True)
class SegmentDirectory:
    """A segment as `indexer.identifiers` wants to see it."""

    segment: Segment

    @property
    def release(self) -> str:
        """Name of the release."""
        return self.segment.name

    @property
    def survey(self) -> str:
        """Short name of its survey."""
        return self.segment.info.survey

    @property
    def sorted_ids(self) -> Sequence[str]:
        """Every object id, sorted."""
        return SortedIds(self.segment.sorted_ids)


def modalities_of(segment: Segment, row: int) -> tuple[str, ...]:
    """Return the modalities that an object has, in their fixed order."""
    mask = int(segment.column("modalities")[row])
    return tuple(name for name in MODALITIES if mask & bits_of(name))


def resolve_key(index: Index, release: str, object_id: str) -> tuple[Segment, int]:
    """Return the segment and the row of a key.

    Raises
    ------
    UnknownObjectError
        If there is no such release or object.
    """
    if release not in index.releases:
        raise UnknownObjectError(
            f"{release!r} is no release of this index; it has: {', '.join(index.releases)}"
        )
    segment = index.segment(release)
    row = segment.row_of(object_id)
    if row is None:
        raise UnknownObjectError(f"release {release!r} has no object {object_id!r}")
    return segment, row


def resolve_object(index: Index, text: str) -> Query:
    """Find the one object that an identifier names.

    Raises
    ------
    UnknownObjectError
        If none has that name.
    AmbiguousError
        If several have; they are in `candidates`.
    """
    directories = [SegmentDirectory(index.segment(name)) for name in index.releases]
    found = find_objects(text, directories)
    if not found:
        raise UnknownObjectError(f"no object of this index is called {text.strip()!r}")
    if len(found) > 1:
        keys = [f"{release}:{object_id}" for release, object_id in found]
        shown = ", ".join(keys[:SHOWN_CANDIDATES])
        more = f" and {len(keys) - SHOWN_CANDIDATES} more" if len(keys) > SHOWN_CANDIDATES else ""
        raise AmbiguousError(
            f"{text.strip()!r} can be {len(keys)} objects; give one of {shown}{more}", keys
        )
    segment, row = resolve_key(index, *found[0])
    key = f"{found[0][0]}:{found[0][1]}"
    read_as = {} if text.strip() == key else {"identifier": f"{text.strip()!r} is {key}"}
    return indexed_query(index, segment, row, "object", text, read_as)


def resolve_position(index: Index, text: str, radius_arcsec: float | None = None) -> Query:
    """Find the object nearest to a position.

    Parameters
    ----------
    radius_arcsec
        How far it may lie; by default `DEFAULT_RADIUS_ARCSEC`, or what the digits of a name
        allow where that is more.

    Raises
    ------
    QueryError
        If the text is no position, or no object lies inside the radius; the nearest is named.
    """
    return resolve_place(index, text, parse_position(text), radius_arcsec)


def resolve_place(
    index: Index, text: str, position: Position, radius_arcsec: float | None = None
) -> Query:
    """Find the object nearest to a place, as `resolve_position`; `text` is how it was asked."""
    radius = radius_arcsec
    if radius is None:
        radius = max(DEFAULT_RADIUS_ARCSEC, position.precision_arcsec)
    checked_radius(radius)
    near = list(around(index, position.ra_deg, position.dec_deg, max(radius, LOOK_FURTHER_ARCSEC)))
    inside = [each for each in near if each[0] <= radius]
    if not inside:
        raise UnknownObjectError(_nothing_near(position, radius, near))
    away, key, segment, row = inside[0]
    read_as = {
        "position": f"{position.ra_deg:.6f} {position.dec_deg:+.6f}, read as {position.notation}",
        "nearest object": f"{key}, {away:.2f} arcsec away (radius {radius:g} arcsec)",
    }
    if len(inside) > 1:
        others = ", ".join(other for _, other, _, _ in inside[1 : SHOWN_CANDIDATES + 1])
        read_as["also here"] = others
    return indexed_query(index, segment, row, "position", text, read_as)


def resolve_text(
    index: Index, text: str, place_of_name: Callable[[str], Position] | None = None
) -> Query:
    """Understand what stands in the one search box: an identifier, else a position, else a name.

    Parameters
    ----------
    place_of_name
        Looks names up elsewhere. None: that is not allowed.

    Raises
    ------
    QueryError
        If it is neither, or names nothing in the index.
    """
    try:
        return resolve_object(index, text)
    except AmbiguousError:
        raise
    except QueryError as error:
        not_an_object = error
    try:
        parse_position(text)
    except QueryError as not_a_position:
        # A position that is out of range says so; anything else was meant as a name.
        looks_like_one = any(
            word in str(not_a_position) for word in ("must lie", "must be", "can have decimals")
        )
        if looks_like_one and " " in text.strip():
            raise not_a_position from None
        if place_of_name is None or not any(letter.isalpha() for letter in text):
            raise not_an_object from None
        return resolve_place(index, text, place_of_name(text))
    return resolve_position(index, text)


def checked_radius(arcsec: float) -> float:
    """Return a radius on the sky.

    Raises
    ------
    QueryError
        If it is not between 0 and a degree.
    """
    if not 0.0 < arcsec <= LARGEST_RADIUS_ARCSEC:
        raise QueryError(
            f"the radius must be more than 0 and at most {LARGEST_RADIUS_ARCSEC:g} arcsec, got "
            f"{arcsec:g}"
        )
    return arcsec


def around(
    index: Index, ra_deg: float, dec_deg: float, radius_arcsec: float
) -> Iterator[tuple[float, str, Segment, int]]:
    """Give every object within a radius: separation in arcseconds, key, segment and row.

    Nearest first, ties by key.
    """
    found = []
    for name in index.releases:
        segment = index.segment(name)
        rows, separations = segment.cone(ra_deg, dec_deg, radius_arcsec)
        for row, separation in zip(rows, separations, strict=True):
            found.append((float(separation), key_of(segment, int(row)), segment, int(row)))
    # Positions of one source in two releases agree to less than catalogues print.
    yield from sorted(found, key=lambda each: (round(each[0], 4), each[1]))


def _nothing_near(
    position: Position, radius: float, near: Sequence[tuple[float, str, Segment, int]]
) -> str:
    place = f"{position.ra_deg:.6f} {position.dec_deg:+.6f} (read as {position.notation})"
    if near:
        away, key, _, _ = near[0]
        return (
            f"no object within {radius:g} arcsec of {place}; the nearest is {key}, {away:.1f} "
            "arcsec away: give a larger radius or its key"
        )
    return f"no object of this index within {max(radius, LOOK_FURTHER_ARCSEC):g} arcsec of {place}"


def indexed_query(
    index: Index, segment: Segment, row: int, kind: QueryKind, text: str, read_as: dict[str, str]
) -> Query:
    """Return the query of an object that was found; `read_as` says how its name was read."""
    modalities = modalities_of(segment, row)
    own = bit_of(modalities[0], modalities[0])
    # A spectrum without a vector in its own space has one of the tokenizer.
    space = "" if int(segment.column("modalities")[row]) & own else NATIVE
    answered = ""
    if space:
        answered = (
            f"answered in {NATIVE!r} by {model_of(index, NATIVE)}; the index has no vector by "
            "AION-1 of this spectrum"
        )
    return Query(
        kind=kind,
        text=text,
        modality=modalities[0],
        key=key_of(segment, row),
        release=segment.name,
        row=row,
        modalities=modalities,
        space=space,
        answered=answered,
        survey=segment.info.survey,
        object_id=segment.object_id(row),
        ra_deg=float(segment.column("ra_deg")[row]),
        dec_deg=float(segment.column("dec_deg")[row]),
        redshift=float(np.float64(str(segment.column("redshift")[row]))),
        object_class=str(segment.rows.column("object_class")[row].as_py()),
        assumptions=read_as,
    )


def releases_in(index: Index, releases: Sequence[str], space: str, modality: str) -> list[str]:
    """Return those of the releases that have vectors of a modality in a space to search.

    Raises
    ------
    SearchError
        If none has, or their FAISS files are missing.
    """
    chosen = [name for name in releases if index.segment(name).can_search(space, modality)]
    missing = [
        each
        for segment in map(index.segment, releases)
        for each in segment.missing.get((space, modality), ())
    ]
    if not chosen and missing:
        raise SearchError(
            f"nothing is left to search: {', '.join(missing)} is missing; bring it back or build "
            "the index again"
        )
    if not chosen:
        there = sorted({each for name in releases for each in index.segment(name).info.spaces})
        raise SearchError(
            f"release {', '.join(releases)} has no {modality} vectors in the space {space!r}, "
            f"only in {', '.join(there)}"
        )
    return chosen


def releases_with(index: Index, asked: Sequence[str], to: str) -> list[str]:
    """Return the releases to search: those asked for, as far as they have the modality.

    Raises
    ------
    QueryError
        If there is no such modality or release.
    SearchError
        If none of them has it.
    """
    if to not in MODALITIES:
        raise QueryError(f"a modality is one of {', '.join(MODALITIES)}, got {to!r}")
    unknown = [name for name in asked if name not in index.releases]
    if unknown:
        raise QueryError(
            f"{', '.join(unknown)} is no release of this index; it has: {', '.join(index.releases)}"
        )
    having = [name for name in index.releases if index.segment(name).info.vectors.get(to, 0)]
    chosen = [name for name in having if not asked or name in asked]
    if not chosen:
        where = f"release {', '.join(asked)} has" if asked and having else "this index has"
        there = {
            modality
            for name in (asked if asked and having else index.releases)
            for modality, count in index.segment(name).info.vectors.items()
            if count
        }
        raise SearchError(f"{where} no {to} vectors, only {', '.join(sorted(there)) or 'none'}")
    return chosen
