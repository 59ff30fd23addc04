"""Object identifiers of the surveys, built from positions and slots as the surveys build theirs."""

import math

from demo_sky.healpix import pixel_of_position
from demo_sky.placement import SLOT_ORDER

_OBJECT_GRID_ARCSEC = 7.0
"""Two sources are more than 10 arcsec apart, hence never share a cell of this diagonal."""


def legacy_brick(ra_deg: float, dec_deg: float) -> tuple[str, int, int]:
    """Brick name, brick number and object number of a Legacy Surveys source.

    Bricks are 0.25 deg rows of declination cut into an even number of equal steps in right
    ascension.
    """
    row = math.floor((dec_deg + 90.0) / 0.25 + 0.5)
    centre_dec = row * 0.25 - 90.0
    columns = max(4, math.ceil(360.0 / 0.25 * math.cos(math.radians(centre_dec)) / 4.0) * 4)
    column = int(ra_deg % 360.0 / 360.0 * columns)
    centre_ra = (column + 0.5) * 360.0 / columns
    sign = "p" if centre_dec >= 0 else "m"
    name = f"{int(centre_ra * 10 + 0.5):04d}{sign}{int(abs(centre_dec) * 10 + 0.5):03d}"
    west_edge = column * 360.0 / columns
    east = (ra_deg - west_edge) * 3600.0 * math.cos(math.radians(centre_dec))
    north = (dec_deg - centre_dec + 0.125) * 3600.0
    step = _OBJECT_GRID_ARCSEC
    object_number = int(max(east, 0.0) / step) * 130 + int(max(north, 0.0) / step)
    return name, row * 1440 // 2 + column + 1, object_number


def desi_target_id(brick_number: int, object_number: int) -> int:
    """TARGETID: release 9010 in bits 42-57, brick in 22-41, object in 0-21."""
    return 9010 << 42 | (brick_number & 0xFFFFF) << 22 | object_number


def sdss_spec_object_id(slot: int) -> tuple[int, int, int, int]:
    """SPECOBJID, plate, MJD and fibre; neighbouring slots share a plate."""
    plate = 266 + slot // 640
    fibre = slot % 640 + 1
    mjd = 51600 + plate * 7 % 2900
    run_2d = 26
    number = plate << 50 | fibre << 38 | (mjd - 50000) << 24 | run_2d << 10
    return number, plate, mjd, fibre


def hsc_object_id(ra_deg: float, dec_deg: float) -> tuple[int, int, int]:
    """Object number, tract and patch; tracts are 1.68 deg wide and hold 9 by 9 patches."""
    size = 1.68
    row, column = (dec_deg + 90.0) / size, ra_deg * math.cos(math.radians(dec_deg)) / size
    tract = 2500 + int(row) * 120 + int(column)
    patch_x, patch_y = int(column % 1.0 * 9), int(row % 1.0 * 9)
    cell = pixel_of_position(SLOT_ORDER, ra_deg, dec_deg)
    number = tract << 42 | (patch_x * 9 + patch_y) << 35 | cell % (1 << 30)
    return number, tract, patch_x * 100 + patch_y


def gaia_source_id(ra_deg: float, dec_deg: float) -> int:
    """Source number: the nested HEALPix pixel of order 12 in the bits from 35 up."""
    pixel = pixel_of_position(12, ra_deg, dec_deg)
    child = pixel_of_position(SLOT_ORDER, ra_deg, dec_deg) % 4
    return pixel << 35 | (child + 1) << 7 | pixel * 2_654_435_761 % (1 << 22) << 10
