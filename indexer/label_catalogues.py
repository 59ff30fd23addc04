"""What the columns of known catalogues mean: Galaxy Zoo, lens lists, DESI, SDSS, PROVABGS.

Each layout says by which columns it is recognised, which of them hold which label, and which
rows of a column are to be trusted. Column names are compared without regard to case.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "LABEL_NAMES",
    "LAYOUTS",
    "LEAST_VOTES",
    "OWN",
    "TEXT_LABELS",
    "Layout",
    "Rule",
    "layout_of",
    "numbers_of",
    "texts_of",
]

Column = np.ndarray[Any, Any]

TEXT_LABELS = ("object_class", "spectral_class", "lens_grade")

LABEL_NAMES = (
    "object_class",
    "spectral_class",
    "z",
    "stellar_mass",
    "sfr",
    "metallicity",
    "age_gyr",
    "temperature_k",
    "logg",
    "votes_spiral",
    "votes_merger",
    "is_lens",
    "lens_grade",
    "mag_r",
)
"""Names of all labels; see `docs/labels.md`."""

LEAST_VOTES = 3
"""Volunteers who must have looked at a galaxy before its vote fractions count (Lanusse et al.)."""

NO_TEXT = frozenset({"", "--", "n/a", "nan", "none", "null", "masked"})
LENS_GRADES = ("A", "B", "C")


def texts_of(values: Column) -> Column:
    """Return a column as clean texts; empty where there is none."""
    plain = np.ma.getdata(values)
    missing = np.ma.getmaskarray(values)
    texts = [
        value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for value in plain.tolist()
    ]
    stripped = [text.strip(" \t\r\n\0\"'") for text in texts]
    return np.array(
        [
            "" if gone or text.lower() in NO_TEXT else text
            for text, gone in zip(stripped, missing, strict=True)
        ],
        dtype=str,
    )


def numbers_of(values: Column) -> Column:
    """Return a column as float64; NaN where it is masked, empty or infinite.

    Raises
    ------
    ValueError
        If a text in it is no number; the text is named.
    """
    plain = np.ma.getdata(values)
    if plain.dtype.kind in "biuf":
        numbers = plain.astype(np.float64)
    else:
        truth = {"true": "1", "t": "1", "false": "0", "f": "0"}
        texts = texts_of(values).tolist()
        parsed = []
        for text in texts:
            try:
                parsed.append(float(truth.get(text.lower(), text)) if text else np.nan)
            except ValueError:
                raise ValueError(f"{text!r} is no number") from None
        numbers = np.array(parsed, dtype=np.float64)
    return np.where(np.ma.getmaskarray(values) | ~np.isfinite(numbers), np.nan, numbers)


def _log10(values: Column) -> Column:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(numbers_of(values))
    return np.where(np.isfinite(logs), logs, np.nan)


def _grade(values: Column) -> Column:
    # An empty grade is a system that nobody graded, not a system that is no lens.
    return np.array([text.upper()[:1] or "C" for text in texts_of(values).tolist()], dtype=str)


def _graded(values: Column) -> Column:
    return np.isin(_grade(values), LENS_GRADES).astype(np.float64)


def _zero(values: Column) -> Column:
    return np.asarray(numbers_of(values) == 0.0)


def _positive(values: Column) -> Column:
    return np.asarray(numbers_of(values) > 0.0)


def _enough_votes(values: Column) -> Column:
    return np.asarray(numbers_of(values) >= LEAST_VOTES)


@dataclass(frozen=True)
class Rule:
    """Where a label comes from.

    Attributes
    ----------
    columns
        Its column: the first of these that the table has. Several where `join` is given.
    read
        Makes values of it.
    trusted
        Further columns, and which of their values say that the label may be used. One that the
        table lacks says nothing.
    join
        Join the texts of all `columns` that the table has by a blank.
    """

    columns: tuple[str, ...]
    read: Callable[[Column], Column] = numbers_of
    trusted: Mapping[str, Callable[[Column], Column]] = field(default_factory=dict)
    join: bool = False


@dataclass(frozen=True)
class Layout:
    """One kind of catalogue.

    Attributes
    ----------
    name
        For people.
    needs
        It is recognised by one column of each of these groups.
    labels
        Rule of each label.
    surveys
        Column of the identifier, and the survey whose identifier it is.
    ra, dec
        Columns of the position in degrees, the first that there is.
    elsewhere
        Value of a label for objects that the table does not list: a list of lenses holds lenses
        alone, so that what it leaves out is none.
    """

    name: str
    needs: tuple[tuple[str, ...], ...]
    labels: Mapping[str, Rule]
    surveys: Mapping[str, str] = field(default_factory=dict)
    ra: tuple[str, ...] = ("ra_deg", "ra")
    dec: tuple[str, ...] = ("dec_deg", "dec")
    elsewhere: Mapping[str, float] = field(default_factory=dict)

    @property
    def columns(self) -> frozenset[str]:
        """Every column that it looks at, in lower case."""
        rules = [name for rule in self.labels.values() for name in (*rule.columns, *rule.trusted)]
        return frozenset({*rules, *self.surveys, *self.ra, *self.dec, *OWN_IDENTIFIERS})


OWN_IDENTIFIERS = ("key", "release", "object_id")

SURVEY_COLUMNS = {
    "legacysurvey": "legacysurvey",
    "hsc": "hsc",
    "sdss": "sdss",
    "desi": "desi",
    "gaia": "gaia",
    "targetid": "desi",
    "specobjid": "sdss",
    "source_id": "gaia",
}
"""Columns that hold the bare identifier of a survey."""

_VOTES = {"smooth-or-featured_total-votes": _enough_votes}
_DESI_TRUSTED = {"zwarn": _zero, "zerr": _positive}
_SDSS_TRUSTED = {"zwarning": _zero, "z_err": _positive, "zerr": _positive}

LAYOUTS = (
    Layout(
        "Galaxy Zoo DECaLS (GZD-5)",
        (
            ("smooth-or-featured_total-votes",),
            ("has-spiral-arms_yes_fraction", "merging_merger_fraction"),
        ),
        {
            "votes_spiral": Rule(("has-spiral-arms_yes_fraction",), trusted=_VOTES),
            "votes_merger": Rule(("merging_merger_fraction",), trusted=_VOTES),
        },
    ),
    Layout(
        "PROVABGS",
        (("z_hp",), ("log_mstar", "provabgs_logmstar_bf")),
        {
            "z": Rule(("z_hp",), trusted={"z_hp": _positive}),
            "stellar_mass": Rule(
                ("log_mstar", "provabgs_logmstar_bf"),
                trusted={"log_mstar": _positive, "provabgs_logmstar_bf": _positive},
            ),
            "sfr": Rule(("avg_sfr",), _log10),
            "metallicity": Rule(("z_mw",), trusted={"z_mw": _positive}),
            "age_gyr": Rule(("tage_mw",), trusted={"tage_mw": _positive}),
            "mag_r": Rule(("mag_r",), trusted={"mag_r": _positive}),
        },
        {"targetid": "desi"},
    ),
    Layout(
        "DESI redshift catalogue",
        (("targetid",), ("z",), ("zwarn",), ("spectype",)),
        {
            "z": Rule(("z",), trusted=_DESI_TRUSTED),
            "spectral_class": Rule(("spectype",), texts_of, _DESI_TRUSTED),
            "object_class": Rule(("spectype", "subtype"), texts_of, _DESI_TRUSTED, join=True),
        },
        {"targetid": "desi"},
        ("target_ra", "mean_fiber_ra", "ra"),
        ("target_dec", "mean_fiber_dec", "dec"),
    ),
    Layout(
        "SDSS spectroscopic catalogue",
        (("specobjid",), ("z",), ("zwarning",), ("class",)),
        {
            "z": Rule(("z",), trusted=_SDSS_TRUSTED),
            "spectral_class": Rule(("class",), texts_of, _SDSS_TRUSTED),
            "object_class": Rule(("class", "subclass"), texts_of, _SDSS_TRUSTED, join=True),
            "temperature_k": Rule(("elodie_teff",), trusted={"elodie_teff": _positive}),
            "logg": Rule(("elodie_logg",), trusted={"elodie_teff": _positive}),
        },
        {"specobjid": "sdss"},
        ("plug_ra", "plate_ra", "ra"),
        ("plug_dec", "plate_dec", "dec"),
    ),
    Layout(
        "list of lenses",
        (("lensgrade", "grade"), ("ra", "ra_coord", "ra_deg"), ("dec", "dec_coord", "dec_deg")),
        {
            "is_lens": Rule(("lensgrade", "grade"), _graded),
            "lens_grade": Rule(("lensgrade", "grade"), _grade),
        },
        ra=("ra_deg", "ra", "ra_coord"),
        dec=("dec_deg", "dec", "dec_coord"),
        elsewhere={"is_lens": 0.0},
    ),
)
"""In the order in which they are tried."""

OWN = Layout(
    "labels under their own names",
    (LABEL_NAMES,),
    {name: Rule((name,), texts_of if name in TEXT_LABELS else numbers_of) for name in LABEL_NAMES},
    SURVEY_COLUMNS,
)
"""A table that uses the names of `LABEL_NAMES`, such as `labels.parquet` of the simulated sky."""


def layout_of(columns: Collection[str]) -> Layout | None:
    """Recognise a catalogue by the names of its columns; None if it is of no known kind."""
    there = {name.lower() for name in columns}
    for layout in (*LAYOUTS, OWN):
        if all(there & set(group) for group in layout.needs):
            return layout
    return None
