"""Filters as the controls of the page show them: taken apart, and put together again. Pure.

What no control can show, such as a box or a limit that does not count itself, stays as text, so
that nothing is lost on the way.
"""

from dataclasses import dataclass
from math import isfinite

from indexer import Filters, parse_filters
from indexer.filters import GALACTIC_LATITUDE, RELEASE, Condition, Has, OneOf, Range
from indexer.sky_regions import Cone, Moc

__all__ = [
    "ALIKE_BRIGHTNESS_MAG",
    "ALIKE_REDSHIFT",
    "Narrowing",
    "alike",
    "elsewhere",
    "filters_of",
    "narrowing_of",
    "without",
]

ALIKE_REDSHIFT = 0.02
"""Half the width of "at similar redshift", in units of 1 + z."""

ALIKE_BRIGHTNESS_MAG = 0.5
"""Half the width of "at similar brightness"."""

FIELD_ARCSEC = 15.0 * 60.0
"""A brick of the Legacy Surveys, and most of what an exposure shares, lies within it."""

CLASS = "object_class"
GOOD_REDSHIFT = "redshift_ok"
_CONTROLLED = ("redshift", "magnitude")


@dataclass(frozen=True)
class Narrowing:
    """One field a control; an empty one asks for nothing.

    Attributes
    ----------
    releases, modalities, classes
        Of which one must hold; of modalities each.
    redshift, magnitude
        Lowest and highest value, both of which count; None for no limit.
    good_redshift
        Only redshifts without a warning.
    latitude_deg
        Smallest distance from the Galactic plane.
    cone, moc, more
        Texts of filters: a cone without its ``cone()``, a coverage map without its ``moc()``, and
        conditions of every other form.
    """

    releases: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    redshift: tuple[float | None, float | None] = (None, None)
    magnitude: tuple[float | None, float | None] = (None, None)
    good_redshift: bool = False
    latitude_deg: float | None = None
    cone: str = ""
    moc: str = ""
    more: str = ""


def narrowing_of(filters: Filters) -> Narrowing:
    """Take filters apart; `filters_of` gives the same filters again."""
    known: dict[str, object] = {}
    modalities: list[str] = []
    rest: list[Condition] = []
    for each in filters.conditions:
        match each:
            case Has(modality=modality):
                modalities.append(modality)
            case OneOf(column=column, values=values) if column == RELEASE and (
                "releases" not in known
            ):
                known["releases"] = values
            case OneOf(column=column, values=values) if column == CLASS and "classes" not in known:
                known["classes"] = values
            case OneOf(column=column, values=("true",)) if column == GOOD_REDSHIFT:
                known["good_redshift"] = True
            case Range(column=column, low_counts=True, high_counts=True) if column in _CONTROLLED:
                known[column] = (each.low, each.high)
            case Range(column=column, low_counts=True, high=None) if column == GALACTIC_LATITUDE:
                known["latitude_deg"] = each.low
            case Cone(outside=False) if "cone" not in known:
                known["cone"] = _inside(each.text)
            case Moc() if "moc" not in known:
                known["moc"] = _inside(each.text)
            case _:
                rest.append(each)
    return Narrowing(
        modalities=tuple(modalities),
        more=Filters(tuple(rest)).text,
        **known,  # type: ignore[arg-type]
    )


def filters_of(narrowing: Narrowing) -> Filters:
    """Put filters together.

    Raises
    ------
    QueryError
        If one of the texts cannot be read, or a range is empty.
    """
    conditions: list[Condition] = [Has(name) for name in narrowing.modalities]
    for column, values in ((RELEASE, narrowing.releases), (CLASS, narrowing.classes)):
        if values:
            conditions.append(OneOf(column, values))
    if narrowing.good_redshift:
        conditions.append(OneOf(GOOD_REDSHIFT, ("true",)))
    for column in _CONTROLLED:
        low, high = getattr(narrowing, column)
        if (low, high) != (None, None):
            conditions.append(Range(column, low, high))
    if narrowing.latitude_deg is not None:
        conditions.append(Range(GALACTIC_LATITUDE, low=narrowing.latitude_deg))
    texts = [
        f"{name}({text.strip()})"
        for name, text in (("cone", narrowing.cone), ("moc", narrowing.moc))
        if text.strip()
    ]
    return Filters((*conditions, *parse_filters(*texts, narrowing.more).conditions))


def elsewhere(filters: Filters, ra_deg: float, dec_deg: float) -> Filters:
    """Return filters that leave the field around a place out."""
    away = Cone(round(ra_deg % 360.0, 5) % 360.0, round(dec_deg, 5), FIELD_ARCSEC, outside=True)
    others = [each for each in filters.conditions if not (isinstance(each, Cone) and each.outside)]
    return Filters((*others, away))


def without(filters: Filters, condition: str) -> Filters:
    """Return filters without the condition of this text."""
    return Filters(tuple(each for each in filters.conditions if each.text != condition))


def alike(value: float, half_width: float) -> tuple[float, float] | None:
    """Return the range around a value, rounded as people write it; None where it is unknown."""
    if not isfinite(value):
        return None
    return round(value - half_width, 4), round(value + half_width, 4)


def _inside(call: str) -> str:
    """Return what stands between the brackets of ``name(...)``."""
    return call.partition("(")[2].removesuffix(")")
