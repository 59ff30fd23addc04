"""Spectra in tables: which column is which, by name, unit and place."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from indexer.errors import ReadError
from indexer.readers.columns import plain_value
from indexer.readers.fits_files import header_float, header_text
from indexer.readers.found import Found, Refused, SpectrumOptions
from indexer.readers.object_ids import clean_text
from indexer.readers.records import standard_columns
from indexer.readers.sky import header_position
from indexer.readers.spectrum_numbers import (
    Noise,
    SpectrumNumbers,
    found_in,
    spectrum_from_numbers,
)
from indexer.readers.tables import PlainTable

__all__ = ["find_table_spectra", "stated_medium", "stated_survey"]

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "wavelength": (
        "wavelength",
        "wave",
        "lambda",
        "lam",
        "loglam",
        "loglambda",
        "logwave",
        "logwavelength",
        "wl",
        "wlen",
        "wavelen",
        "waveang",
        "wavelengthangstrom",
        "waveangstrom",
        "lambdaa",
        "wavevac",
        "wavevacuum",
        "vacuumwavelength",
        "waveair",
        "airwavelength",
        "awav",
        "spectralaxis",
        "wavelengthnm",
        "wavenm",
        "wavelengthum",
        "waveum",
        "obswave",
    ),
    "flux": (
        "flux",
        "fluxdensity",
        "flam",
        "flambda",
        "fluxlambda",
        "fnu",
        "fluxnu",
        "spec",
        "spectrum",
        "fluxcal",
        "calibratedflux",
        "f",
        "fluxjy",
        "fluxmjy",
        "normflux",
        "normalizedflux",
        "normalisedflux",
        "counts",
        "intensity",
    ),
    "ivar": ("ivar", "invvar", "inversevariance", "invvariance", "fluxivar", "weight"),
    "error": (
        "error",
        "err",
        "sigma",
        "std",
        "stddev",
        "fluxerror",
        "fluxerr",
        "errflux",
        "errorflux",
        "eflux",
        "uncertainty",
        "unc",
        "fluxunc",
        "fluxuncertainty",
        "noise",
        "sig",
        "fluxsigma",
        "sigmaflux",
        "dflux",
        "flamerr",
        "efluxdensity",
    ),
    "variance": ("variance", "var", "fluxvar", "fluxvariance", "stat"),
    "mask": ("mask", "andmask", "bad", "badpix", "dq", "flag", "flags", "qual"),
}
"""Names of columns without case, blanks and marks; the first that a table has is taken."""

IDENTIFIERS = ("targetid", "specobjid", "objectid", "objid", "sourceid", "sparclid", "id", "name")

_UNIT_IN_NAME = {"nm": "nm", "um": "um", "angstrom": "Angstrom", "ang": "Angstrom"}


def find_table_spectra(table: PlainTable, options: SpectrumOptions) -> list[Found | Refused] | None:
    """Read the spectra of a table: one in columns, or one in each row; None if there is none.

    Raises
    ------
    ReadError
        If units cannot be understood or guessed.
    """
    roles = _roles(table)
    if "wavelength" not in roles or "flux" not in roles:
        return None
    flux = table.columns[roles["flux"]]
    if flux.ndim == 1 and flux.dtype.kind != "O":
        return [_spectrum(table, roles, None, options)]
    return [_spectrum(table, roles, row, options) for row in range(len(flux))]


def stated_survey(header: Mapping[str, Any]) -> str:
    """Return ``sdss`` or ``desi`` where a header's telescope, survey or instrument says so."""
    keys = ("TELESCOP", "SURVEY", "INSTRUME", "ORIGIN", "DATA_RELEASE", "_DR")
    upper = {str(key).upper(): value for key, value in header.items()}
    words = " ".join(header_text(upper, key) for key in keys).casefold()
    if re.search(r"\b(sdss|e?boss)\b", words):
        return "sdss"
    return "desi" if re.search(r"\bdesi\b", words) else ""


def stated_medium(header: Mapping[str, Any], *names: str) -> str:
    """Return ``air`` or ``vacuum`` where keywords or names of columns say so; else empty."""
    upper = {str(key).upper(): value for key, value in header.items()}
    vacuum = upper.get("VACUUM")
    if isinstance(vacuum, bool | int):
        return "vacuum" if vacuum else "air"
    said = header_text(upper, "AIRORVAC", "AIR_VAC", "MEDIUM", "VACUUM").casefold()
    words = " ".join((said, *(name.casefold() for name in names)))
    if "vac" in words or said in ("t", "true"):
        return "vacuum"
    return "air" if re.search(r"(?<![a-z])air|awav|air(?![a-z])", words) else ""


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _roles(table: PlainTable) -> dict[str, str]:
    """Return what the columns are: role to name."""
    plain: dict[str, str] = {}
    for name in table.columns:
        plain.setdefault(_plain_name(name), name)
    roles = {}
    for role, synonyms in SYNONYMS.items():
        known = next((plain[each] for each in synonyms if each in plain), None)
        if known is not None:
            roles[role] = known
    unnamed = all(re.fullmatch(r"(column ?|col|c)?\d+", name) for name in table.columns)
    numbers = [name for name, values in table.columns.items() if values.dtype.kind in "fiu"]
    if unnamed and len(numbers) >= 2:
        roles = dict(zip(("wavelength", "flux", "unnamed"), numbers, strict=False))
    return roles


def _spectrum(
    table: PlainTable, roles: Mapping[str, str], row: int | None, options: SpectrumOptions
) -> Found | Refused:
    values = {role: _cell(table.columns[name], row) for role, name in roles.items()}
    kinds: Sequence[Noise] = ("ivar", "error", "variance", "unnamed")
    kind: Noise = next((each for each in kinds if each in values), "none")
    header = dict(table.header)
    if row is not None:
        header |= {name: v[row] for name, v in table.columns.items() if v.ndim == 1}
    object_id = _identifier(header if row is not None else table.header)
    if len({np.shape(each) for each in values.values()}) != 1:
        return Refused("wavelength, flux and error have different lengths", object_id, row or 0)
    name = roles["wavelength"]
    numbers = SpectrumNumbers(
        wavelength=values["wavelength"],
        flux=values["flux"],
        noise=values.get(kind),
        noise_kind=kind,
        mask=None if "mask" not in values else np.nan_to_num(values["mask"]) != 0,
        wavelength_unit=_wavelength_unit(table, name),
        flux_unit=_flux_unit(table, roles["flux"]),
        medium=stated_medium(table.header, name),
        survey=stated_survey(header),
    )
    read = spectrum_from_numbers(numbers, options)
    if table.notes:
        read.assumptions["rows"] = "; ".join(table.notes)
    upper = {str(key).upper(): value for key, value in header.items()}
    ra_deg, dec_deg = header_position(upper)
    redshift = header_float(upper, "REDSHIFT", "Z")
    found = Found(
        None,
        object_id,
        ra_deg,
        dec_deg,
        standard_columns(redshift=redshift, redshift_ok=bool(np.isfinite(redshift))),
        row or 0,
        read.assumptions,
        numbers.survey,
    )
    return found_in(read, found)


def _cell(values: np.ndarray, row: int | None) -> np.ndarray:
    return np.asarray(values if row is None else values[row]).reshape(-1)


def _identifier(header: Mapping[str, Any]) -> str:
    plain = {_plain_name(str(name)): value for name, value in header.items()}
    for known in IDENTIFIERS[:-2]:
        if known in plain and np.ndim(plain[known]) == 0:
            value = plain_value(plain[known])
            if not isinstance(value, float):
                return clean_text(value)
    return ""


def _wavelength_unit(table: PlainTable, name: str) -> str:
    if table.units.get(name):
        return table.units[name]
    plain = _plain_name(name)
    if plain.startswith("log"):
        return "log10(Angstrom)"
    return next((unit for end, unit in _UNIT_IN_NAME.items() if plain.endswith(end)), "")


def _flux_unit(table: PlainTable, name: str) -> str:
    if table.units.get(name):
        return table.units[name]
    plain = _plain_name(name)
    if plain in ("fluxjy", "fluxmjy"):
        return "Jy" if plain == "fluxjy" else "mJy"
    if plain in ("fnu", "fluxnu"):
        raise ReadError(
            f"column {name!r} is a flux per frequency without a unit; give flux_unit, such as 'mJy'"
        )
    return header_text(table.header, "BUNIT")
