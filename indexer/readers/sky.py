"""Positions: from headers and identifiers, and the IAU names made of them."""

import math
from collections.abc import Mapping
from typing import Any

from indexer.errors import QueryError
from indexer.positions import parse_position
from indexer.readers.fits_files import header_float, header_text

__all__ = [
    "NOWHERE",
    "gaia_position",
    "header_position",
    "iau_name",
    "on_the_sky",
    "separation_arcsec",
]

NOWHERE = (math.nan, math.nan)
"""The position of what has none."""

OBJECT_KEYS = (
    ("PLUG_RA", "PLUG_DEC"),
    ("RAOBJ", "DECOBJ"),
    ("RA_OBJ", "DEC_OBJ"),
    ("RA_TARG", "DEC_TARG"),
    ("TARGET_RA", "TARGET_DEC"),
    ("OBJRA", "OBJDEC"),
    ("CAT-RA", "CAT-DEC"),
    ("RA-D", "DEC-D"),
    ("RA", "DEC"),
)
"""Where headers hold a position, the object's own first: ``RA`` may be the telescope's or, in SDSS
files, the centre of the plate."""


def header_position(header: Mapping[str, Any]) -> tuple[float, float]:
    """Return the object's position in degrees; NaNs where a header states none.

    Numbers, numbers as text and sexagesimal text (with the right ascension in hours) are read.
    """
    upper = {str(key).upper(): value for key, value in header.items()}
    for ra_key, dec_key in OBJECT_KEYS:
        ra_deg, dec_deg = header_float(upper, ra_key), header_float(upper, dec_key)
        if math.isnan(ra_deg) or math.isnan(dec_deg):
            ra_text, dec_text = header_text(upper, ra_key), header_text(upper, dec_key)
            if ":" not in ra_text or ":" not in dec_text:
                continue
            try:
                position = parse_position(f"{ra_text} {dec_text}")
            except QueryError:
                continue
            ra_deg, dec_deg = position.ra_deg, position.dec_deg
        if 0.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0:
            return ra_deg % 360.0, dec_deg
    return NOWHERE


def gaia_position(source_id: int) -> tuple[float, float]:
    """Return the position that a Gaia source_id encodes, good to about an arcminute.

    The identifier divided by 2^35 is the nested HEALPix cell of level 12 (cells of 0.86 arcmin) in
    which the source was first seen; its centre is returned (Gaia data model, ``gaia_source``).
    """
    cell = source_id >> 35
    if not 0 <= cell < 12 * 4**12:
        return NOWHERE
    import numpy as np
    from cdshealpix.nested import healpix_to_lonlat

    ra, dec = healpix_to_lonlat(np.array([cell], np.uint64), 12)
    return float(ra.deg[0]) % 360.0, float(dec.deg[0])


def on_the_sky(ra: object, dec: object) -> tuple[float, float]:
    """Return a catalogue's position in degrees, the right ascension from 0 and below 360.

    Raises
    ------
    ValueError
        If it is none.
    """
    ra_deg, dec_deg = (
        math.nan if value is None else float(value)  # type: ignore[arg-type]
        for value in (ra, dec)
    )
    if not (0.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0):
        raise ValueError(f"the position ({ra_deg}, {dec_deg}) is not on the sky")
    return ra_deg % 360.0, dec_deg


def iau_name(ra_deg: float, dec_deg: float) -> str:
    """Return the IAU name of a position, such as ``J094651.41-010228.6``.

    Hundredths of a second of time and tenths of an arcsecond, cut off and not rounded, as the IAU
    asks for names of sources made of positions.

    Raises
    ------
    ValueError
        If the position is not on the sky.
    """
    if not (math.isfinite(ra_deg) and -90.0 <= dec_deg <= 90.0):
        raise ValueError(f"the position ({ra_deg}, {dec_deg}) is not on the sky")
    hundredths = _floor((ra_deg % 360.0) * 24000.0) % (24 * 360000)
    tenths = _floor(abs(dec_deg) * 36000.0)
    sign = "-" if dec_deg < 0.0 and tenths > 0 else "+"
    seconds, cs = divmod(hundredths, 100)
    arcseconds, ds = divmod(tenths, 10)
    return (
        f"J{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}.{cs:02d}"
        f"{sign}{arcseconds // 3600:02d}{arcseconds // 60 % 60:02d}{arcseconds % 60:02d}.{ds:d}"
    )


def separation_arcsec(ra1_deg: float, dec1_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Return the angle between two positions in arcseconds (haversine formula)."""
    ra1, dec1, ra2, dec2 = (math.radians(value) for value in (ra1_deg, dec1_deg, ra2_deg, dec2_deg))
    half = (
        math.sin((dec2 - dec1) / 2.0) ** 2
        + math.cos(dec1) * math.cos(dec2) * math.sin((ra2 - ra1) / 2.0) ** 2
    )
    return math.degrees(2.0 * math.asin(min(1.0, math.sqrt(half)))) * 3600.0


def _floor(value: float) -> int:
    # 0.1 degrees is 2399.9999999999995 hundredths in binary; a billionth of a unit is no position.
    return math.floor(value + 1e-6)
