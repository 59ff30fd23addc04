"""Positions as people write them -> degrees, offline.

The ladder, first rung that fits:

1. letters (``10h00m28.6s +02d12m21s``, ``150.116d 2.205d``) say their own units;
2. a right ascension in three fields, or two joined by a colon (``10:00:28.6 +02:12:21``,
   ``10 00 28.6 +02 12 21``), is in hours: read as degrees it would be wrong by a factor of 15
   without any error;
3. two decimal numbers are degrees;
4. names of the IAU form (``SDSS J095208.87+020526.6``) hold a position.

Names that need a resolver on the network are not resolved.
"""

import re
from dataclasses import dataclass
from math import hypot, isfinite

from indexer.errors import QueryError

__all__ = ["Position", "parse_position"]

EXAMPLES = '"150.116 2.205", "10:00:28.6 +02:12:21" or "10h00m28.6s +02d12m21s"'

_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_MINUSES = dict.fromkeys(map(ord, "\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d"), "-")
_LABEL = re.compile(r"\b(?:ra|dec|de|icrs|j2000|fk5)\b\s*[=:]?", re.IGNORECASE)
_IAU = re.compile(
    r"^(?:\w[\w.]*(?:\s+[\w.]+)*?[\s_-]*)?"
    r"J\s?(?P<ra>\d{4,6}(?:\.\d+)?)(?P<dec>[+-]\d{4,6}(?:\.\d+)?)[a-z]?$"
)
_HOURS = re.compile(
    rf"^(?P<h>{_NUMBER})\s*(?:h|hours?|\u02b0)\s*"
    rf"(?:(?P<m>{_NUMBER})\s*(?:m|min|\u1d50|')\s*)?(?:(?P<s>{_NUMBER})\s*(?:s|sec|\u02e2|\")?)?$",
    re.IGNORECASE,
)
_DEGREES = re.compile(
    rf"^(?P<sign>[+-]?)(?P<d>{_NUMBER})\s*(?:d|deg|degrees?|\u00b0)\s*"
    rf"(?:(?P<m>{_NUMBER})\s*(?:m|arcmin|'|\u2032)\s*)?"
    rf"(?:(?P<s>{_NUMBER})\s*(?:s|arcsec|\"|''|\u2033)?)?$",
    re.IGNORECASE,
)
_PLAIN = re.compile(rf"^[+-]?(?:{_NUMBER})(?:[eE][+-]?\d+)?$")
_FIELD = re.compile(rf"^(?:{_NUMBER})$")


@dataclass(frozen=True)
class Position:
    """A place on the sky (ICRS).

    Attributes
    ----------
    ra_deg, dec_deg
        In degrees, 0 <= ra < 360 and -90 <= dec <= 90.
    notation
        How the text was understood, in words.
    precision_arcsec
        One unit of the last digits of a name, which names truncate, else 0: an object of that
        name can lie so far from here.
    """

    ra_deg: float
    dec_deg: float
    notation: str
    precision_arcsec: float = 0.0

    def __post_init__(self) -> None:
        if not (isfinite(self.ra_deg) and 0.0 <= self.ra_deg < 360.0):
            raise QueryError(
                f"right ascension must lie between 0 and 360 degrees, got {self.ra_deg:g}"
            )
        if not (isfinite(self.dec_deg) and -90.0 <= self.dec_deg <= 90.0):
            raise QueryError(
                f"declination must lie between -90 and +90 degrees, got {self.dec_deg:g}"
            )


def parse_position(text: str) -> Position:
    """Read a position.

    Raises
    ------
    QueryError
        If the text is not a position, or a number in it is out of range; the message says which
        and how to write one.
    """
    cleaned = " ".join(text.translate(_MINUSES).split())
    named = _IAU.match(cleaned)
    if named:
        return _from_name(named["ra"], named["dec"])
    cleaned = " ".join(_LABEL.sub(" ", cleaned).replace("(", " ").replace(")", " ").split())
    if not cleaned:
        raise QueryError(f"a position is needed, such as {EXAMPLES}")
    first, second = _halves(cleaned, text)
    return _from_halves(first, second, text)


def _halves(cleaned: str, text: str) -> tuple[str, str]:
    """Split a position into right ascension and declination."""
    for separator in (",", ";"):
        parts = [part.strip() for part in cleaned.strip(separator + " ").split(separator)]
        if len(parts) == 2 and all(parts):
            return parts[0], parts[1]
    # Two bare integers joined by a sign are part of an identifier; with a point, colon or letter
    # they are a position.
    glued = re.sub(r"(?<=[\d.s\u02e2\"])(?=[+-])", " ", cleaned)
    spaced = glued if re.search(r"[.:hd\u00b0]", cleaned) or " " in cleaned else cleaned
    words = spaced.replace(",", " ").replace(";", " ").split()
    if len(words) == 2:
        return words[0], words[1]
    signed = [at for at, word in enumerate(words) if at and word[0] in "+-"]
    if len(signed) == 1:
        at = signed[0]
        return " ".join(words[:at]), " ".join(words[at:])
    if len(words) == 6:
        return " ".join(words[:3]), " ".join(words[3:])
    lettered = re.match(r"^(.*?[hs\u02e2\"])\s*([+-]?\s*\d.*[d\u00b0].*)$", spaced, re.IGNORECASE)
    if lettered:
        return lettered[1].strip(), lettered[2].replace(" ", "")
    raise QueryError(
        f"a position is a right ascension and a declination, such as {EXAMPLES}; got {text!r}"
    )


def _from_halves(first: str, second: str, text: str) -> Position:
    dec_deg, dec_notation = _declination(second, text)
    hours = _HOURS.match(first)
    if hours:
        ra_deg = 15.0 * _sexagesimal(hours["h"], hours["m"], hours["s"], "right ascension", 24.0)
        return Position(_wrapped(ra_deg), dec_deg, f"hours, minutes, seconds and {dec_notation}")
    degrees = _DEGREES.match(first)
    if degrees and not degrees["sign"]:
        ra_deg = _sexagesimal(degrees["d"], degrees["m"], degrees["s"], "right ascension", 360.0)
        return Position(_wrapped(ra_deg), dec_deg, f"degrees and {dec_notation}")
    fields = _fields(first)
    if fields is not None and (len(fields) == 3 or (len(fields) == 2 and ":" in first)):
        ra_deg = 15.0 * _sexagesimal(*_three(fields), "right ascension", 24.0)
        return Position(
            _wrapped(ra_deg),
            dec_deg,
            f"hours (a right ascension in {len(fields)} fields) and {dec_notation}",
        )
    if _PLAIN.match(first):
        ra_deg = float(first)
        if not 0.0 <= ra_deg <= 360.0:
            raise QueryError(
                f"right ascension must lie between 0 and 360 degrees, got {first} in {text!r}"
            )
        return Position(_wrapped(ra_deg), dec_deg, f"degrees and {dec_notation}")
    raise QueryError(f"cannot read the right ascension {first!r}; write {EXAMPLES}")


def _declination(half: str, text: str) -> tuple[float, str]:
    joined = re.sub(r"^([+-])\s+", r"\1", half)
    lettered = _DEGREES.match(joined)
    if lettered:
        size = _sexagesimal(lettered["d"], lettered["m"], lettered["s"], "declination", 90.0)
        return (-size if lettered["sign"] == "-" else size), "degrees"
    # The sign belongs to all fields: -00 30 00 is south of the equator.
    sign = -1.0 if joined.startswith("-") else 1.0
    fields = _fields(joined.lstrip("+-"))
    if fields is not None and (len(fields) == 3 or (len(fields) == 2 and ":" in joined)):
        return sign * _sexagesimal(*_three(fields), "declination", 90.0), "degrees in fields"
    if _PLAIN.match(joined):
        value = float(joined)
        if not -90.0 <= value <= 90.0:
            raise QueryError(
                f"declination must lie between -90 and +90 degrees, got {half} in {text!r}"
            )
        return value, "degrees"
    raise QueryError(f"cannot read the declination {half!r}; write {EXAMPLES}")


def _fields(half: str) -> list[str] | None:
    fields = half.replace(":", " ").split()
    return fields if fields and all(_FIELD.match(field) for field in fields) else None


def _three(fields: list[str]) -> tuple[str, str, str | None]:
    return fields[0], fields[1], fields[2] if len(fields) == 3 else None


def _sexagesimal(
    whole: str, minutes: str | None, seconds: str | None, name: str, limit: float
) -> float:
    """Join fields into one number of at most `limit`; minutes and seconds must be under 60."""
    for value, unit in ((minutes, "minutes"), (seconds, "seconds")):
        if value is not None and not float(value) < 60.0:
            raise QueryError(f"{unit} of the {name} must be less than 60, got {value}")
    if (minutes is not None or seconds is not None) and "." in whole.rstrip("."):
        raise QueryError(f"only the last field of the {name} can have decimals, got {whole}")
    if seconds is not None and minutes is not None and "." in minutes.rstrip("."):
        raise QueryError(f"only the last field of the {name} can have decimals, got {minutes}")
    total = float(whole) + float(minutes or 0.0) / 60.0 + float(seconds or 0.0) / 3600.0
    if total > limit:
        unit = "hours" if limit == 24.0 else "degrees"
        raise QueryError(f"{name} must be at most {limit:g} {unit}, got {whole}")
    return total


def _from_name(ra: str, dec: str) -> Position:
    """Decode HHMMSS.ss+DDMMSS.s, or HHMM.m+DDMM of short names."""
    ra_digits = ra.partition(".")[0]
    dec_digits = dec[1:].partition(".")[0]
    if len(ra_digits) not in (4, 6) or len(dec_digits) not in (4, 6):
        raise QueryError(
            f"a name of the form JHHMMSS.ss+DDMMSS.s is needed, got J{ra}{dec}; or write {EXAMPLES}"
        )
    ra_seconds = ra[4:] if len(ra_digits) == 6 else None
    ra_minutes = ra[2:4] if len(ra_digits) == 6 else ra[2:]
    dec_seconds = dec[5:] if len(dec_digits) == 6 else None
    dec_minutes = dec[3:5] if len(dec_digits) == 6 else dec[3:]
    ra_deg = 15.0 * _sexagesimal(ra[:2], ra_minutes, ra_seconds, "right ascension", 24.0)
    size = _sexagesimal(dec[1:3], dec_minutes, dec_seconds, "declination", 90.0)
    dec_deg = -size if dec[0] == "-" else size
    unit_ra = (15.0 if ra_seconds else 900.0) * 10.0 ** -len(ra.partition(".")[2])
    unit_dec = (1.0 if dec_seconds else 60.0) * 10.0 ** -len(dec.partition(".")[2])
    precision = hypot(unit_ra, unit_dec)
    return Position(_wrapped(ra_deg), dec_deg, "the position in the name", precision)


def _wrapped(ra_deg: float) -> float:
    return 0.0 if ra_deg == 360.0 else ra_deg
