"""How two objects differ, in words. Pure."""

from collections.abc import Mapping
from math import isfinite

import numpy as np

from indexer import Query
from indexer.sky_regions import separation_arcsec

__all__ = ["angle_words", "differences"]


def angle_words(arcsec: float) -> str:
    """Return an angle in the unit that suits its size."""
    if arcsec < 120.0:
        return f"{arcsec:.2f} arcsec"
    if arcsec < 7200.0:
        return f"{arcsec / 60.0:.2f} arcmin"
    return f"{arcsec / 3600.0:.2f}°"


def differences(one: Query, other: Query, cosines: Mapping[str, float]) -> dict[str, str]:
    """Return what can be compared, by name; empty where it is unknown.

    Parameters
    ----------
    one, other
        Objects of the index.
    cosines
        Similarity by the title of the modality that both have.
    """
    separation = ""
    if one.has_position and other.has_position:
        place = (other.ra_deg, other.dec_deg)
        found = separation_arcsec(np.array([one.ra_deg]), np.array([one.dec_deg]), place)
        separation = angle_words(float(found[0]))
    between = other.redshift - one.redshift
    alike = {f"Similarity, {name}": f"{value:.3f}" for name, value in cosines.items()}
    return {
        **(alike or {"Similarity": "no kind of observation in common"}),
        "Separation": separation,
        "Difference of redshift": f"{between:+.4f}" if isfinite(between) else "",
    }
