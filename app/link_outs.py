"""Pages elsewhere about a place of the sky, for a person to open; the page itself never does."""

import math
from urllib.parse import quote

__all__ = ["pages_at"]

_PAGES = {
    "Legacy Surveys": "https://www.legacysurvey.org/viewer?ra={ra}&dec={dec}&layer=ls-dr10&zoom=15"
    "&mark={ra},{dec}",
    "Aladin Lite": "https://aladin.cds.unistra.fr/AladinLite/?target={place}&fov=0.05"
    "&survey=P%2FDSS2%2Fcolor",
    "SIMBAD": "https://simbad.cds.unistra.fr/simbad/sim-coo?Coord={ra}d{dec}d&CooFrame=ICRS"
    "&Radius=5&Radius.unit=arcsec",
    "VizieR": "https://vizier.cds.unistra.fr/viz-bin/VizieR-4?-c={place}&-c.rs=5",
    "SkyServer": "https://skyserver.sdss.org/dr18/VisualTools/explore/summary?ra={ra}&dec={dec}",
}


def pages_at(ra_deg: float, dec_deg: float) -> dict[str, str]:
    """Return addresses by name; none where the position is unknown."""
    if not (math.isfinite(ra_deg) and math.isfinite(dec_deg)):
        return {}
    ra, dec = f"{ra_deg:.6f}", f"{dec_deg:.6f}"
    # A plus sign would be read as a blank.
    place = quote(f"{ra} {dec_deg:+.6f}")
    signed = {"SIMBAD": f"%2B{dec}" if dec_deg >= 0.0 else dec}
    return {
        name: address.format(ra=ra, dec=signed.get(name, dec), place=place)
        for name, address in _PAGES.items()
    }
