"""What people type for an object -> the objects of an index that it can mean.

Identifiers are strings at every boundary: a specObjID can exceed 2^63, a TARGETID can be
negative, and JavaScript is exact only to 2^53.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from indexer.errors import QueryError, UnknownObjectError

__all__ = [
    "Directory",
    "PlateMjdFiber",
    "clean_identifier",
    "decode_spec_obj_id",
    "encode_spec_obj_id",
    "find_objects",
    "parse_plate_mjd_fiber",
]

SURVEY_WORDS = {
    "desi": "desi",
    "gaia": "gaia",
    "hsc": "hsc",
    "legacy": "legacysurvey",
    "legacysurvey": "legacysurvey",
    "legacysurveys": "legacysurvey",
    "ls": "legacysurvey",
    "sdss": "sdss",
    "boss": "sdss",
    "eboss": "sdss",
}
"""Words that people write before an identifier, and the survey that they mean."""

_BYTES_REPR = re.compile(r"""^b(?P<quote>['"])(?P<inner>.*)(?P=quote)$""")
_PLATE = re.compile(
    r"^(?:spec-)?(?P<plate>\d{1,5})-(?P<mjd>\d{5,6})-(?P<fiber>\d{1,4})(?:\.(?:fits?|dat)(?:\.gz)?)?$",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"^(?P<prefix>[A-Za-z][\w.-]*)\s*:\s*(?P<rest>\S.*)$")
_SPOKEN = re.compile(
    r"^(?P<survey>[A-Za-z]+)(?:[\s_-]+(?:DR\s?\d+|EDR|PDR\s?\d+))?(?:\s+(?:id|source_id|targetid|specobjid"
    r"|object_id))?[\s_]+(?P<rest>\S.*)$",
    re.IGNORECASE,
)
_IAU = re.compile(r"^J\s?\d{4,6}(?:\.\d+)?[+-]\d{4,6}(?:\.\d+)?[a-z]?$")
_LABELLED = re.compile(
    r"^(?:targetid|specobjid|source_id|object_id|objid)\s*[=:]?\s*(?P<rest>-?\w.*)$", re.IGNORECASE
)


class Directory(Protocol):
    """Who knows which objects exist: one release of an index."""

    @property
    def release(self) -> str:
        """Name of the release, such as ``desi-edr``."""

    @property
    def survey(self) -> str:
        """Short name of its survey, such as ``desi``."""

    @property
    def sorted_ids(self) -> Sequence[str]:
        """Every object id, sorted as text."""


@dataclass(frozen=True)
class PlateMjdFiber:
    """What names an SDSS spectrum: plug plate, Modified Julian Date and fibre."""

    plate: int
    mjd: int
    fiber: int

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("plate", self.plate, 1, (1 << 14) - 1),
            ("mjd", self.mjd, 50000, 50000 + (1 << 14) - 1),
            ("fiber", self.fiber, 1, (1 << 12) - 1),
        ):
            if not low <= value <= high:
                raise QueryError(
                    f"{name} of an SDSS spectrum must be between {low} and {high}, got {value}"
                )

    def __str__(self) -> str:
        return f"{self.plate}-{self.mjd}-{self.fiber}"


def clean_identifier(text: str) -> str:
    """Strip blanks, and the ``b'...'`` that careless conversions leave around an identifier."""
    cleaned = text.strip()
    while match := _BYTES_REPR.match(cleaned):
        cleaned = match["inner"].strip()
    return cleaned


def encode_spec_obj_id(name: PlateMjdFiber, run2d: int = 0) -> int:
    """Return the specObjID of a spectrum (unsigned 64 bits).

    Bits 50-63 hold the plate, 38-49 the fibre, 24-37 the date less 50000 and 10-23 the version of
    the reduction (SDSS data model, ``specObj``; ``26`` for SDSS-I/II, or ``vN_M_P`` as
    10000 (N - 5) + 100 M + P).
    """
    if not 0 <= run2d < 1 << 14:
        raise QueryError(f"run2d must be between 0 and {(1 << 14) - 1}, got {run2d}")
    return name.plate << 50 | name.fiber << 38 | (name.mjd - 50000) << 24 | run2d << 10


def decode_spec_obj_id(spec_obj_id: int | str) -> PlateMjdFiber:
    """Return plate, date and fibre of a specObjID.

    Raises
    ------
    QueryError
        If the number cannot be a specObjID.
    """
    text = clean_identifier(str(spec_obj_id))
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 64:
        raise QueryError(f"a specObjID is an unsigned 64-bit integer, got {text!r}")
    value = int(text)
    return PlateMjdFiber(
        plate=value >> 50, mjd=(value >> 24 & 0x3FFF) + 50000, fiber=value >> 38 & 0xFFF
    )


def parse_plate_mjd_fiber(text: str) -> PlateMjdFiber | None:
    """Read ``266-51630-1`` or ``spec-0266-51630-0001.fits``; None if the text is neither."""
    match = _PLATE.match(text)
    if match is None:
        return None
    return PlateMjdFiber(int(match["plate"]), int(match["mjd"]), int(match["fiber"]))


def find_objects(text: str, directories: Sequence[Directory]) -> list[tuple[str, str]]:
    """Return every object, as (release, object id), that a text can mean.

    The text is ``release:id``, ``survey:id``, ``Gaia DR3 id`` and the like, a bare identifier, an
    SDSS plate-mjd-fiber, or a name such as ``SDSS J094651.40-010228.5``. A bare identifier is
    looked up in every release: DESI's and HSC's have 17 digits both, and overlap.

    Returns
    -------
    list
        Sorted, without repetition; empty if no object has that name.

    Raises
    ------
    QueryError
        If the text is empty, or names a release or survey that the index does not have.
    """
    cleaned = clean_identifier(text)
    if not cleaned:
        raise QueryError("an identifier is needed, got an empty text")
    found: set[tuple[str, str]] = set()
    for fitting, rest in _readings(cleaned, directories):
        for directory in fitting:
            found.update((directory.release, name) for name in _ids_of(rest, directory))
        if found:
            break
    return sorted(found)


def _readings(
    text: str, directories: Sequence[Directory]
) -> Iterator[tuple[Sequence[Directory], str]]:
    """Give the ways to read a text, the most literal first: where to look, and for what."""
    yield directories, text
    prefixed = _PREFIX.match(text)
    if prefixed and not _LABELLED.match(text):
        fitting = _named(prefixed["prefix"], directories)
        if not fitting:
            known = ", ".join(directory.release for directory in directories)
            raise UnknownObjectError(
                f"{prefixed['prefix']!r} is no release or survey of this index; it has: {known}"
            )
        yield fitting, clean_identifier(prefixed["rest"])
        return
    labelled = _LABELLED.match(text)
    if labelled:
        yield directories, clean_identifier(labelled["rest"])
    spoken = _SPOKEN.match(text)
    if spoken and spoken["survey"].lower() in SURVEY_WORDS:
        yield _named(spoken["survey"], directories), clean_identifier(spoken["rest"])
        # A name of the IAU form is often written with the survey that first found the source.
        yield directories, clean_identifier(spoken["rest"])


def _named(prefix: str, directories: Sequence[Directory]) -> list[Directory]:
    """Return the releases of one name, or else all of one survey."""
    wanted = prefix.lower()
    exact = [directory for directory in directories if directory.release.lower() == wanted]
    if exact:
        return exact
    survey = SURVEY_WORDS.get(wanted, wanted)
    return [directory for directory in directories if directory.survey == survey]


def _ids_of(text: str, directory: Directory) -> list[str]:
    """Return the identifiers of one release that a text without prefix can mean."""
    ids = directory.sorted_ids
    spellings = [text]
    if _IAU.match(text.upper()):
        spellings += [text.upper().replace(" ", ""), text.upper().replace(" ", "").lstrip("J")]
    elif re.match(r"^\d{4}[PM]\d{3}-\d+$", text):
        spellings.append(text.lower())
    elif re.match(r"^\+?\d+$", text):
        spellings.append(text.lstrip("+0"))
    found = [
        spelling for spelling in dict.fromkeys(spellings) if spelling and _holds(ids, spelling)
    ]
    if found or directory.survey != "sdss":
        return found
    name = parse_plate_mjd_fiber(re.sub(r"\s+", "-", text))
    return [] if name is None else _ids_of_plate(name, ids)


def _ids_of_plate(name: PlateMjdFiber, ids: Sequence[str]) -> list[str]:
    """Return the ids of one plate-mjd-fiber, whatever the version of their reduction.

    The version holds the low bits, so that the specObjIDs sought are one interval of numbers, and
    of texts too where they have the same number of digits.
    """
    low, high = encode_spec_obj_id(name), encode_spec_obj_id(name) + (1 << 24)
    found = []
    for digits in range(len(str(low)), len(str(high)) + 1):
        first = str(max(low, 10 ** (digits - 1)))
        last = str(min(high, 10**digits) - 1)
        for at in range(bisect_left(ids, first), len(ids)):
            candidate = str(ids[at])
            if candidate > last:
                break
            if len(candidate) == digits and candidate.isdigit():
                found.append(candidate)
    spelled = (
        str(name),
        f"{name.plate:04d}-{name.mjd}-{name.fiber:04d}",
        f"spec-{name.plate:04d}-{name.mjd}-{name.fiber:04d}",
    )
    return found + [spelling for spelling in spelled if _holds(ids, spelling)]


def _holds(ids: Sequence[str], wanted: str) -> bool:
    at = bisect_left(ids, wanted)
    return at < len(ids) and str(ids[at]) == wanted
