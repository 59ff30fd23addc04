"""Filters: which objects may be found, as values and as text.

The text is what addresses, receipts and the command line hold. Conditions are joined by ``;`` and
must all hold; equal filters have equal texts. See docs/filters.md.

====================================  ============================================================
``redshift>=0.1``                     numbers: ``<``, ``<=``, ``>``, ``>=``
``0.1<=redshift<0.5``                 between two
``object_class=GALAXY,QSO``           texts: one of these; quoted as in JSON where it needs to be
``redshift_ok=true``                  flags
``|b|>=20``                           distance from the Galactic plane in degrees
``has(spectrum)``                     the object, or another of its source, has such an observation
``release=desi-edr``                  of one of these releases
``cone(150.1,2.2,30arcsec)``          around a position, read as positions are
``away(150.1,2.2,15arcmin)``          farther from a position than that
``box(350..10,-5..5)``                right ascension and declination in degrees, through 0h
``galactic_box(350..10,-5..5)``       the same in Galactic longitude and latitude
``moc(5/1-3 8 6/400)``                a coverage map
====================================  ============================================================
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Bool, Shaped

from aion_encoder.observations import MODALITIES
from indexer.errors import QueryError
from indexer.positions import parse_position
from indexer.sky_regions import Box, Cone, Moc, number_text

__all__ = [
    "GALACTIC_LATITUDE",
    "RELEASE",
    "Condition",
    "Filters",
    "Has",
    "OneOf",
    "Range",
    "parse_filters",
]

GALACTIC_LATITUDE = "|b|"
"""Stands for a column in a `Range`: the size of the Galactic latitude, in degrees."""

RELEASE = "release"
"""Stands for a column in a `OneOf`: the release of an object."""

_NAME = r"[A-Za-z_]\w*|\|b\|"
_NUMBER = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_BETWEEN = re.compile(
    rf"^(?P<low>[^<>=]+)(?P<after><=?)\s*(?P<column>{_NAME})\s*(?P<before><=?)(?P<high>[^<>=]+)$"
)
_BEYOND = re.compile(rf"^(?P<column>{_NAME})\s*(?P<sign><=|>=|<|>)(?P<value>[^<>=]+)$")
_EQUAL = re.compile(rf"^(?P<column>{_NAME})\s*=(?P<values>[^=].*)$", re.DOTALL)
_CALL = re.compile(r"^(?P<name>[a-z_]+)\s*\((?P<inner>.*)\)$", re.DOTALL)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_CONDITION = re.compile(rf'(?:[^;"]|{_QUOTED})+', re.DOTALL)
_PLAIN_VALUE = re.compile(r"^[\w.+:/-]+(?: [\w.+:/-]+)*$")
_VALUE = re.compile(rf'\s*({_QUOTED}|[^,"]+?)\s*(?:,|$)', re.DOTALL)
_RADIUS = re.compile(r"^(?P<value>.*?)\s*(?P<unit>arcsec|arcmin|deg|\"|'|\u2033|\u2032|\u00b0)$")
_ARCSEC_OF = {"arcsec": 1.0, "arcmin": 60.0, "deg": 3600.0}
_ARCSEC_OF |= {'"': 1.0, "\u2033": 1.0, "'": 60.0, "\u2032": 60.0, "\u00b0": 3600.0}
_FORMS = (
    "redshift>0.1, 0.1<=redshift<0.5, object_class=GALAXY,QSO, |b|>20, has(spectrum), "
    "release=NAME, cone(RA,DEC,30arcsec), away(RA,DEC,15arcmin), box(RA..RA,DEC..DEC), "
    "galactic_box(L..L,B..B) or moc(5/1-3 8)"
)


@dataclass(frozen=True)
class Range:
    """A column of numbers between two, or on one side of one.

    Attributes
    ----------
    column
        Its name, or `GALACTIC_LATITUDE`.
    low, high
        None for no limit; not both.
    low_counts, high_counts
        Whether the limits themselves pass.
    """

    column: str
    low: float | None = None
    high: float | None = None
    low_counts: bool = True
    high_counts: bool = True

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high)):
            if value is not None and not isfinite(value):
                raise QueryError(f"a limit of {self.column} must be a number, got {value}")
            if value is None:
                # What says nothing must not tell equal ranges apart.
                object.__setattr__(self, f"{name}_counts", True)
        if self.low is None and self.high is None:
            raise QueryError(f"a range of {self.column} needs a limit on one side at least")
        if self.low is not None and self.high is not None:
            both = self.low_counts and self.high_counts
            if self.low > self.high or (self.low == self.high and not both):
                raise QueryError(f"the range {self.text} is empty: no {self.column} can pass")

    @property
    def text(self) -> str:
        """Its canonical text."""
        after, before = ("<=" if counts else "<" for counts in (self.low_counts, self.high_counts))
        if self.low is None:
            return f"{self.column}{before}{number_text(self.high or 0.0)}"
        if self.high is None:
            return f"{self.column}{after.replace('<', '>')}{number_text(self.low)}"
        return f"{number_text(self.low)}{after}{self.column}{before}{number_text(self.high)}"

    def passes(self, values: Shaped[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Say of each number whether it is in the range; NaN never is.

        Limits are rounded to the precision of the values, so that a float32 stored as 0.1 is not
        less, and not more, than 0.1.
        """
        passing = np.isfinite(values)
        if self.low is not None:
            passing &= values >= self.low if self.low_counts else values > self.low
        if self.high is not None:
            passing &= values <= self.high if self.high_counts else values < self.high
        return np.asarray(passing)

    def and_also(self, other: "Range") -> "Range":
        """Return what is in both ranges of one column."""
        lows = [(r.low, not r.low_counts) for r in (self, other) if r.low is not None]
        highs = [(-r.high, not r.high_counts) for r in (self, other) if r.high is not None]
        low, low_open = max(lows, default=(None, False))
        high, high_open = max(highs, default=(None, False))
        return Range(self.column, low, None if high is None else -high, not low_open, not high_open)


@dataclass(frozen=True)
class OneOf:
    """A column of texts or flags that has one of some values; flags are ``true`` and ``false``.

    Attributes
    ----------
    column
        Its name, or `RELEASE`.
    values
        Sorted, without repetition.
    """

    column: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values or "" in self.values:
            raise QueryError(
                f"{self.column}= needs values; an empty text is an unknown one, and never passes"
            )
        object.__setattr__(self, "values", tuple(sorted(set(self.values))))

    @property
    def text(self) -> str:
        """Its canonical text."""
        shown = [
            value if _PLAIN_VALUE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
            for value in self.values
        ]
        return f"{self.column}={','.join(shown)}"


@dataclass(frozen=True)
class Has:
    """Objects that have a modality themselves, or through another object of their source."""

    modality: str

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise QueryError(
                f"has() takes a modality, one of {', '.join(MODALITIES)}; got {self.modality!r}"
            )

    @property
    def text(self) -> str:
        """Its canonical text."""
        return f"has({self.modality})"


Condition = Range | OneOf | Has | Cone | Box | Moc


@dataclass(frozen=True)
class Filters:
    """Conditions that must all hold.

    Attributes
    ----------
    conditions
        In the order of their texts, without repetition; ranges of one column are joined.

    Raises
    ------
    QueryError
        If two ranges of one column have nothing in common.
    """

    conditions: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        ranges: dict[str, Range] = {}
        others: dict[str, Condition] = {}
        for each in self.conditions:
            if isinstance(each, Range):
                earlier = ranges.get(each.column)
                ranges[each.column] = each if earlier is None else earlier.and_also(each)
            else:
                others[each.text] = each
        ordered = sorted([*ranges.values(), *others.values()], key=lambda each: each.text)
        object.__setattr__(self, "conditions", tuple(ordered))

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The canonical text, which `parse_filters` reads; empty if there is no condition."""
        return "; ".join(each.text for each in self.conditions)


def parse_filters(*texts: str) -> Filters:
    """Read filters.

    Parameters
    ----------
    texts
        Conditions, those of one text joined by ``;``. Those of all must hold.

    Raises
    ------
    QueryError
        If a condition cannot be read, or can never hold; the message says how to write one.
    """
    return Filters(tuple(_condition(each) for text in texts for each in _split(text)))


def _split(text: str) -> Iterator[str]:
    parts = _CONDITION.findall(text)
    if sum(map(len, parts)) + text.count(";") < len(text):
        raise QueryError(f'a quotation mark is not closed in {text!r}; write "..." around a text')
    yield from (part.strip() for part in parts if part.strip())


def _condition(text: str) -> Condition:
    call = _CALL.match(text)
    if call is not None:
        return _called(call["name"], call["inner"].strip(), text)
    between = _BETWEEN.match(text)
    if between is not None:
        column = between["column"]
        return Range(
            column,
            _number(between["low"], column),
            _number(between["high"], column),
            between["after"] == "<=",
            between["before"] == "<=",
        )
    beyond = _BEYOND.match(text)
    if beyond is not None:
        limit, counts = _number(beyond["value"], beyond["column"]), beyond["sign"][1:] == "="
        if beyond["sign"].startswith(">"):
            return Range(beyond["column"], low=limit, low_counts=counts)
        return Range(beyond["column"], high=limit, high_counts=counts)
    equal = _EQUAL.match(text)
    if equal is not None:
        return OneOf(equal["column"], tuple(_values(equal["values"], equal["column"])))
    raise QueryError(f"a filter is {_FORMS}; got {text!r}")


def _number(text: str, of: str) -> float:
    cleaned = text.strip().replace("\u2212", "-")
    if not _NUMBER.match(cleaned):
        raise QueryError(
            f"{of} needs a number, got {text.strip()!r}; conditions are joined by a semicolon"
        )
    return float(cleaned)


def _values(text: str, column: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _VALUE.match(text, at)
        value = "" if found is None else found[1]
        quoted = value.startswith('"')
        if found is None or not (quoted or _PLAIN_VALUE.fullmatch(value)):
            raise QueryError(
                f"values of {column} are joined by commas, and stand in quotation marks where "
                f"they hold other than letters, digits, blanks and . + : / - ; got {text[at:]!r}"
            )
        try:
            yield str(json.loads(value)) if quoted else value
        except ValueError as error:
            raise QueryError(f"{value} is no quoted text as in JSON: {error}") from error
        at = found.end()


def _called(name: str, inner: str, text: str) -> Condition:
    if name == "has":
        return Has(inner)
    if name == "moc":
        return Moc(inner)
    if name in ("cone", "away"):
        place, _, size = inner.rpartition(",")
        radius = _RADIUS.match(size.strip())
        if radius is None:
            raise QueryError(
                f"a cone is {name}(RA,DEC,RADIUS) with a radius such as 30arcsec, 2arcmin or "
                f"0.5deg; got {text!r}"
            )
        position = parse_position(place)
        arcsec = _number(radius["value"], "the radius of a cone") * _ARCSEC_OF[radius["unit"]]
        return Cone(position.ra_deg, position.dec_deg, arcsec, outside=name == "away")
    if name in ("box", "galactic_box"):
        lon_from, lon_to, lat_from, lat_to = _sides(inner, text)
        return Box(lon_from, lon_to, lat_from, lat_to, galactic=name == "galactic_box")
    raise QueryError(f"{name}() is no filter; one is {_FORMS}")


def _sides(inner: str, text: str) -> Sequence[float]:
    sides = [side.split("..") for side in inner.split(",")]
    if [len(side) for side in sides] != [2, 2]:
        raise QueryError(f"a box is written as box(350..10,-5..5), in degrees; got {text!r}")
    return [_number(value, "a side of a box") for side in sides for value in side]
