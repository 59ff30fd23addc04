"""Gaia BP/RP mean spectra: ``XP_CONTINUOUS`` tables as FITS, VOTable, ECSV or CSV.

Data model: https://gea.esac.esa.int/archive/documentation/GDR3/ (``xp_continuous_mean_spectrum``).
"""

import re
from collections.abc import Mapping

import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.observations import GaiaXp
from indexer.errors import ReadError
from indexer.readers.file_kinds import Content
from indexer.readers.fits_files import fits_hdus
from indexer.readers.found import Found, Refused
from indexer.readers.object_ids import object_id_text
from indexer.readers.plain_text import csv_rows
from indexer.readers.records import Value, standard_columns
from indexer.readers.sky import gaia_position
from indexer.readers.tables import read_table, table_of_hdu

__all__ = ["find_xp"]

BP, RP, BOTH = "bp_coefficients", "rp_coefficients", "coeff"
MAGNITUDE = "phot_g_mean_mag"

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan", re.IGNORECASE)


def find_xp(content: Content) -> list[Found | Refused]:
    """Read every source of a table of coefficients.

    Raises
    ------
    ReadError
        If the file is damaged, or lacks the identifier or the coefficients.
    """
    columns = {name.casefold(): values for name, values in _columns(content).items()}
    missing = [name for name in ("source_id",) if name not in columns]
    if BOTH not in columns:
        missing += [name for name in (BP, RP) if name not in columns]
    if missing:
        raise ReadError(
            f"{content.name}: this is no table of Gaia BP/RP coefficients: it lacks "
            f"{', '.join(missing)}"
        )
    return [_source(columns, row) for row in range(len(columns["source_id"]))]


def _columns(content: Content) -> Mapping[str, np.ndarray]:
    if content.kind == "fits":
        with fits_hdus(content) as hdus:
            tables = (table_of_hdu(hdu, hdus[0].header) for hdu in hdus)
            found = next((table for table in tables if table is not None), None)
        if found is None:
            raise ReadError(f"{content.name}: the FITS file holds no table")
        return found.columns
    if content.kind == "text":
        rows = csv_rows(content.name, content.data)
        names = [name for name in (rows[0] if rows else {}) if name]
        return {name: np.array([row[name] for row in rows], object) for name in names}
    return read_table(content).columns


def _source(columns: Mapping[str, np.ndarray], row: int) -> Found | Refused:
    object_id = ""
    try:
        object_id = object_id_text(_scalar(columns["source_id"][row]))
        if not object_id.isdecimal():
            raise ValueError(f"a Gaia source_id is a whole number, got {object_id!r}")
        if BOTH in columns:
            both = _coefficients(columns[BOTH][row])
            bp, rp = both[:55], both[55:]
        else:
            bp, rp = _coefficients(columns[BP][row]), _coefficients(columns[RP][row])
        observation = GaiaXp(bp=bp.astype(np.float32), rp=rp.astype(np.float32))
    except (ObservationError, ValueError) as error:
        return Refused(str(error), object_id, row)
    ra_deg, dec_deg = _number(columns, "ra", row), _number(columns, "dec", row)
    own = 0.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0
    if not own:
        ra_deg, dec_deg = gaia_position(int(object_id))
    known: dict[str, Value] = {"position_from": "file" if own else "source_id"}
    assumptions = {}
    if not own:
        assumptions["position"] = "decoded from the source_id, good to about an arcminute"
    columns_kept = standard_columns(magnitude=_number(columns, MAGNITUDE, row), **known)
    return Found(
        observation, object_id, ra_deg, dec_deg, columns_kept, row, assumptions, survey="gaia"
    )


def _coefficients(cell: object) -> np.ndarray:
    """Return coefficients, which CSV files write as ``(1.0, 2.0, ...)`` or ``[1.0 2.0 ...]``."""
    if isinstance(cell, str):
        return np.array([float(number) for number in _NUMBER.findall(cell)], np.float64)
    values = np.ma.filled(np.ma.asarray(cell, dtype=np.float64), np.nan)
    return np.asarray(values, np.float64).reshape(-1)


def _scalar(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _number(columns: Mapping[str, np.ndarray], name: str, row: int) -> float:
    try:
        return float(columns[name][row])
    except (KeyError, TypeError, ValueError):
        return float("nan")
