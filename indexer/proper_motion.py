"""Where objects were, or will be, at another epoch.

Uniform motion along a great circle's tangent (The Hipparcos and Tycho Catalogues, ESA SP-1200,
volume 1, section 1.2.8, without parallax and radial velocity): with the unit vector r of the
position and p, q towards east and north,

    u(t) = unit(r + t (pmra p + pmdec q))

where pmra includes the cosine of the declination, as catalogues give it. What is left out moves
the fastest star by milliarcseconds in a century.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from indexer.arrow_tables import numpy_column

__all__ = ["DEFAULT_EPOCH_YR", "MOTION_COLUMNS", "Motions", "motion_columns", "motions_of", "moved"]

DEFAULT_EPOCH_YR = 2016.0
"""Julian year of positions whose release states none: that of Gaia DR3, so nothing is moved."""

MOTION_COLUMNS = {
    "pmra": ("pmra_mas_yr", pa.float32()),
    "pmdec": ("pmdec_mas_yr", pa.float32()),
    "ref_epoch": ("ref_epoch_yr", pa.float64()),
}
"""Columns that a catalogue keeps under these names, as `rows.arrow` calls them, with their type."""

_RADIANS_PER_MAS = np.pi / 180.0 / 3600.0 / 1000.0


@dataclass(frozen=True, eq=False)
class Motions:
    """Proper motions of the objects of a release, in row order.

    Attributes
    ----------
    pmra_mas_yr, pmdec_mas_yr
        Towards east (with the cosine of the declination) and north, in milliarcseconds a year;
        NaN where unknown: such an object stays where it is.
    ref_epoch_yr
        Julian year of each position; NaN for that of the release.
    """

    pmra_mas_yr: Float64[np.ndarray, " n"]
    pmdec_mas_yr: Float64[np.ndarray, " n"]
    ref_epoch_yr: Float64[np.ndarray, " n"]


def motion_columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Return the columns of proper motion that serving needs; none if a release has none.

    Parameters
    ----------
    table
        Every column of every object, those that the manifest keeps among them.
    """
    there = {
        name: column
        for name, column in MOTION_COLUMNS.items()
        if name in table.column_names and _is_number(table.schema.field(name).type)
    }
    if not {"pmra", "pmdec"} <= set(there):
        return {}
    return {
        served: table.column(name).cast(kind).fill_null(float("nan"))
        for name, (served, kind) in there.items()
    }


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def motions_of(rows: pa.Table) -> Motions | None:
    """Return the proper motions that `rows.arrow` holds, None if it holds none."""
    pmra, pmdec, ref_epoch = (served for served, _ in MOTION_COLUMNS.values())
    if not {pmra, pmdec} <= set(rows.column_names):
        return None
    epochs = np.full(len(rows), np.nan)
    if ref_epoch in rows.column_names:
        epochs = numpy_column(rows, ref_epoch).astype(np.float64)
    return Motions(
        numpy_column(rows, pmra).astype(np.float64),
        numpy_column(rows, pmdec).astype(np.float64),
        epochs,
    )


def moved(
    ra_deg: Float64[np.ndarray, " n"],
    dec_deg: Float64[np.ndarray, " n"],
    motions: Motions,
    *,
    release_epoch_yr: float,
    to_epoch_yr: float,
) -> Float64[np.ndarray, "n 3"]:
    """Return unit vectors of the positions at another epoch; NaN without a position.

    Parameters
    ----------
    release_epoch_yr
        Of the positions whose own epoch is unknown.
    """
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    sin_ra, cos_ra, sin_dec, cos_dec = np.sin(ra), np.cos(ra), np.sin(dec), np.cos(dec)
    here = np.stack([cos_dec * cos_ra, cos_dec * sin_ra, sin_dec], axis=1)
    east = np.stack([-sin_ra, cos_ra, np.zeros_like(ra)], axis=1)
    north = np.stack([-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec], axis=1)
    own = np.where(np.isfinite(motions.ref_epoch_yr), motions.ref_epoch_yr, release_epoch_yr)
    known = np.isfinite(motions.pmra_mas_yr) & np.isfinite(motions.pmdec_mas_yr)
    turned = np.where(known, (to_epoch_yr - own) * _RADIANS_PER_MAS, 0.0)[:, None]
    pmra = np.where(known, motions.pmra_mas_yr, 0.0)[:, None]
    pmdec = np.where(known, motions.pmdec_mas_yr, 0.0)[:, None]
    there = here + turned * (pmra * east + pmdec * north)
    return np.asarray(there / np.linalg.norm(there, axis=1, keepdims=True))
