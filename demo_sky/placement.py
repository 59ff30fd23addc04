"""Where a source lies and which surveys observed it: functions of (seed, index) alone.

Positions take one slot each of a grid of HEALPix pixels of order 13 (26 arcsec wide) and stay near
the slot's centre, so that two sources are never closer than 5 arcsec. Slots and surveys are
dealt by additive sequences with irrational steps: any prefix of the sequence already has the
proportions of the whole, and no source depends on how many are made.
"""

import functools
import math

import numpy as np

from demo_sky.healpix import centre_of_pixel, pixel_of_position

SURVEYS = ("legacysurvey", "hsc", "sdss", "desi", "gaia")

FILE_ORDER = 4
"""HEALPix order (nside 16) of the files."""
SLOT_ORDER = 13
FILE_PIXELS: tuple[int, ...] = (1107, 1110, 1112, 1113, 1115, 1116, 1117, 1118, 1119, 1140)
"""The nside 16 pixels of the simulated area."""
SLOTS_PER_FILE: int = 4 ** (SLOT_ORDER - FILE_ORDER)
SLOTS = SLOTS_PER_FILE * len(FILE_PIXELS)
"""More sources than this do not fit without coming closer than 5 arcsec."""

_JITTER_ARCSEC = 3.5
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_SLOT_MULTIPLIER = 1_640_531  # a prime near the golden section of SLOTS spreads any prefix evenly

# Surveys of a source and their weight. The pairs add up to AION-1's cross-matches: LS-HSC 2140,
# LS-DESI 420, LS-SDSS 400, HSC-SDSS 400, SDSS-DESI 400, Gaia-SDSS 100, Gaia-DESI 60, no others.
MEMBERSHIPS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("legacysurvey", "hsc"), 1840.0),
    (("legacysurvey", "hsc", "sdss"), 300.0),
    (("legacysurvey", "sdss", "desi"), 100.0),
    (("legacysurvey", "desi"), 320.0),
    (("hsc", "sdss"), 100.0),
    (("sdss", "desi"), 270.0),
    (("sdss", "desi", "gaia"), 30.0),
    (("sdss", "gaia"), 70.0),
    (("desi", "gaia"), 30.0),
    (("legacysurvey",), 40.0),
    (("gaia",), 560.0),
    (("sdss",), 180.0),
    (("desi",), 160.0),
)


@functools.lru_cache(maxsize=64)
def _offsets(seed: int) -> tuple[int, float]:
    generator = np.random.default_rng([seed, 0x5C1])
    return int(generator.integers(SLOTS)), float(generator.random())


def surveys_of(seed: int, index: int) -> tuple[str, ...]:
    """Surveys that observed a source, in the order of `SURVEYS`."""
    share = (_offsets(seed)[1] + index * _GOLDEN) % 1.0
    target = share * sum(weight for _, weight in MEMBERSHIPS)
    for surveys, weight in MEMBERSHIPS:
        target -= weight
        if target < 0:
            return surveys
    return MEMBERSHIPS[-1][0]


def slot_of(seed: int, index: int) -> int:
    """Place of a source among `SLOTS`."""
    return int((_offsets(seed)[0] + index * _SLOT_MULTIPLIER) % SLOTS)


def file_pixel_of(seed: int, index: int) -> int:
    """Nested nside 16 pixel, hence the file, of a source."""
    return FILE_PIXELS[slot_of(seed, index) // SLOTS_PER_FILE]


def position_of(seed: int, index: int, generator: np.random.Generator) -> tuple[float, float]:
    """True position (ra_deg, dec_deg) of a source."""
    file_number, within = divmod(slot_of(seed, index), SLOTS_PER_FILE)
    pixel = FILE_PIXELS[file_number] * SLOTS_PER_FILE + within
    ra_deg, dec_deg = centre_of_pixel(SLOT_ORDER, pixel)
    return shift_position(ra_deg, dec_deg, *generator.uniform(-_JITTER_ARCSEC, _JITTER_ARCSEC, 2))


def shift_position(
    ra_deg: float, dec_deg: float, east_arcsec: float, north_arcsec: float
) -> tuple[float, float]:
    """Move a position by a small offset on the sky."""
    ra = ra_deg + east_arcsec / 3600.0 / math.cos(math.radians(dec_deg))
    return ra % 360.0, dec_deg + north_arcsec / 3600.0


def file_pixel_of_position(ra_deg: float, dec_deg: float) -> int:
    """Nested nside 16 pixel of a position."""
    return pixel_of_position(FILE_ORDER, ra_deg, dec_deg)
