"""DESI coadd and spectra files: three arms, many fibres, and fibres that saw no target.

Data model: https://desidatamodel.readthedocs.io/ (``coadd-*.fits``, ``spectra-*.fits``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.observations import Spectrum
from indexer.column_rules import ColumnRules, Magnitude, RedshiftOk
from indexer.readers.columns import catalogue_columns
from indexer.readers.fits_files import pixels, table_columns
from indexer.readers.found import Found, Refused
from indexer.readers.object_ids import clean_text
from indexer.readers.sky import header_position

__all__ = ["Arm", "coadd_arms", "find_desi", "redshifts_of"]

STEP_ANGSTROM = 0.8
"""Pixel of DESI's linear wavelength grid, the same for all arms."""

RULES = ColumnRules(
    redshift="Z",
    redshift_ok=RedshiftOk(column="ZWARN", good="zero"),
    magnitude=Magnitude(column="FLUX_R", unit="nanomaggies", band="r"),
    object_class="SPECTYPE",
    keep={"ebv": "EBV", "morphology": "MORPHTYPE"},
)


@dataclass(frozen=True, eq=False)
class Arm:
    """One camera: `wavelength` has the shape (n,), the rest (fibres, n); `bad` is a mask."""

    wavelength: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    bad: np.ndarray


def find_desi(
    hdus: list[Any], redshifts: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Found | Refused] | None:
    """Read every target of a coadd or spectra file; None if this is none.

    Exposures of one target are combined. Sky fibres, fibres without a target and broken ones are
    refused: their mask alone can look good.

    Parameters
    ----------
    hdus
        Of the file.
    redshifts
        Rows of a redrock table by TARGETID (`redshifts_of`).
    """
    named = {str(hdu.name).upper(): hdu for hdu in hdus}
    arms = [name[: -len("_WAVELENGTH")] for name in named if name.endswith("_WAVELENGTH")]
    if not arms or "FIBERMAP" not in named:
        return None
    fibermap = table_columns(named["FIBERMAP"])
    if fibermap is None or "TARGETID" not in fibermap:
        return None
    data = [arm for name in arms if (arm := _arm(named, name)) is not None]
    if not data:
        return [Refused("the file has no arm with wavelength, flux and inverse variance")]
    return list(_targets(fibermap, data, redshifts or {}))


def redshifts_of(hdus: list[Any]) -> dict[str, dict[str, Any]]:
    """Return the rows of a redrock file (HDU ``REDSHIFTS``) by TARGETID; empty if it is none."""
    for hdu in hdus:
        if str(hdu.name).upper() != "REDSHIFTS":
            continue
        columns = table_columns(hdu)
        if columns is not None and "TARGETID" in columns:
            wanted = [name for name in ("Z", "ZWARN", "SPECTYPE") if name in columns]
            return {
                str(int(target)): {name: columns[name][row] for name in wanted}
                for row, target in enumerate(columns["TARGETID"])
            }
    return {}


def coadd_arms(arms: list[Arm], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Combine fibres and arms into one spectrum, weighting by inverse variance.

    Parameters
    ----------
    arms
        On one common grid of 0.8 Angstrom.
    rows
        Which fibres to combine.

    Returns
    -------
    wavelength, flux, ivar
        On the union of the arms' grids; ivar is 0 where nothing good was seen.

    Raises
    ------
    ValueError
        If the arms are not on a common grid.
    """
    first = min(float(arm.wavelength[0]) for arm in arms)
    last = max(float(arm.wavelength[-1]) for arm in arms)
    count = round((last - first) / STEP_ANGSTROM) + 1
    weighted, weight = np.zeros(count), np.zeros(count)
    for arm in arms:
        places = (arm.wavelength.astype(np.float64) - first) / STEP_ANGSTROM
        pixel = np.rint(places).astype(int)
        if np.abs(places - pixel).max() > 0.05 or pixel.max() >= count:
            raise ValueError(f"the arms are not on one grid of {STEP_ANGSTROM} Angstrom")
        flux = arm.flux[rows].astype(np.float64)
        ivar = np.where(arm.bad[rows] | ~np.isfinite(flux), 0.0, arm.ivar[rows])
        ivar = np.where(np.isfinite(ivar) & (ivar > 0.0), ivar, 0.0)
        np.add.at(weighted, pixel, (np.where(ivar > 0.0, flux, 0.0) * ivar).sum(axis=0))
        np.add.at(weight, pixel, ivar.sum(axis=0))
    seen = weight > 0.0
    flux = np.divide(weighted, weight, out=np.zeros(count), where=seen)
    return first + STEP_ANGSTROM * np.arange(count), flux, weight


def _arm(named: Mapping[str, Any], name: str) -> Arm | None:
    parts = {}
    for part in ("WAVELENGTH", "FLUX", "IVAR", "MASK"):
        hdu = named.get(f"{name}_{part}")
        parts[part] = None if hdu is None else pixels(hdu)
    wavelength, flux, ivar, mask = (parts[p] for p in ("WAVELENGTH", "FLUX", "IVAR", "MASK"))
    if wavelength is None or flux is None or ivar is None or wavelength.ndim != 1:
        return None
    flux, ivar = np.atleast_2d(flux), np.atleast_2d(ivar)
    bad = np.zeros(flux.shape, bool) if mask is None else np.atleast_2d(mask) != 0
    return Arm(wavelength, flux, ivar, bad)


def _targets(
    fibermap: dict[str, np.ndarray], arms: list[Arm], redshifts: Mapping[str, Mapping[str, Any]]
) -> Iterator[Found | Refused]:
    targets = fibermap["TARGETID"]
    for target in dict.fromkeys(int(each) for each in targets):
        rows = np.flatnonzero(targets == target)
        object_id, first = str(target), int(rows[0])
        reasons = [_no_target(fibermap, int(row)) for row in rows]
        good = rows[[not reason for reason in reasons]]
        if good.size == 0:
            yield Refused(reasons[0], object_id, first)
            continue
        row = {name: values[good[0]] for name, values in fibermap.items()}
        columns = catalogue_columns(RULES, {**row, **redshifts.get(object_id, {})})
        columns["exposures"] = int(good.size)
        try:
            wavelength, flux, ivar = coadd_arms(arms, good)
            spectrum = Spectrum(
                flux=flux, ivar=ivar, wavelength_angstrom=wavelength, survey="desi", mask=ivar == 0
            )
        except (ObservationError, ValueError) as error:
            yield Refused(str(error), object_id, first)
            continue
        ra_deg, dec_deg = header_position(row)
        yield Found(spectrum, object_id, ra_deg, dec_deg, columns, first, survey="desi")


def _no_target(fibermap: Mapping[str, np.ndarray], row: int) -> str:
    """Return why a fibre holds no spectrum of a target; empty if it does."""
    kind = clean_text(fibermap["OBJTYPE"][row]) if "OBJTYPE" in fibermap else "TGT"
    if kind == "SKY":
        return "sky fibre: OBJTYPE is SKY, not TGT"
    target = int(fibermap["TARGETID"][row])
    if target < 0:
        return f"fibre without a target: TARGETID is negative ({target})"
    if kind != "TGT":
        return f"fibre without a target: OBJTYPE is {kind or 'empty'}, not TGT"
    for name in ("COADD_FIBERSTATUS", "FIBERSTATUS"):
        if name in fibermap and (status := int(fibermap[name][row])) != 0:
            return f"broken fibre: {name} is {status}, not 0"
    return ""
