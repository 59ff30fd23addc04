"""HEALPix in the nested order, for one position at a time.

A simulated source needs a handful of look-ups and each must cost microseconds, so the two
projections are written out for scalars. Formulas: Gorski et al. 2005, ApJ 622, 759, section 4.
"""

import math

_EQUATORIAL_LIMIT = 2.0 / 3.0
_BASE_ROW = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
_BASE_LONGITUDE = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)


def interleave(x: int, y: int) -> int:
    """Put the bits of `x` on even places and those of `y` on odd places."""
    return _spread(x) | (_spread(y) << 1)


def deinterleave(number: int) -> tuple[int, int]:
    """Undo `interleave`."""
    return _gather(number), _gather(number >> 1)


def _spread(value: int) -> int:
    value &= 0xFFFFFFFF
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        value = (value | (value << shift)) & mask
    return value


def _gather(value: int) -> int:
    value &= 0x5555555555555555
    for shift, mask in (
        (1, 0x3333333333333333),
        (2, 0x0F0F0F0F0F0F0F0F),
        (4, 0x00FF00FF00FF00FF),
        (8, 0x0000FFFF0000FFFF),
        (16, 0x00000000FFFFFFFF),
    ):
        value = (value | (value >> shift)) & mask
    return value


def pixel_of_position(order: int, ra_deg: float, dec_deg: float) -> int:
    """Return the nested pixel that holds a position.

    Parameters
    ----------
    order : int
        Resolution: nside is 2**order.
    ra_deg, dec_deg : float
        Position in degrees.

    Returns
    -------
    int
        Pixel number, 0 to 12 * 4**order - 1.
    """
    nside = 1 << order
    sin_dec = math.sin(math.radians(dec_deg))
    quarter = (ra_deg % 360.0) / 90.0
    if abs(sin_dec) <= _EQUATORIAL_LIMIT:
        ascending = nside * (0.5 + quarter - 0.75 * sin_dec)
        descending = nside * (0.5 + quarter + 0.75 * sin_dec)
        row_up, row_down = int(ascending), int(descending)
        face_up, face_down = row_up // nside, row_down // nside
        if face_up == face_down:
            face = 4 if face_up == 4 else face_up % 4 + 4
        elif face_up < face_down:
            face = face_up % 4
        else:
            face = face_down % 4 + 8
        x = row_down % nside
        y = nside - 1 - row_up % nside
    else:
        quadrant = min(int(quarter), 3)
        offset = quarter - quadrant
        # cos(dec) keeps precision near the poles, where 1 - sin(dec) would lose it.
        cos_dec = math.cos(math.radians(dec_deg))
        radius = nside * cos_dec * math.sqrt(3.0 / (1.0 + abs(sin_dec)))
        first = min(int(offset * radius), nside - 1)
        second = min(int((1.0 - offset) * radius), nside - 1)
        if sin_dec > 0:
            face, x, y = quadrant, nside - 1 - second, nside - 1 - first
        else:
            face, x, y = quadrant + 8, first, second
    return face * nside * nside + interleave(x, y)


def centre_of_pixel(order: int, pixel: int) -> tuple[float, float]:
    """Return the centre of a nested pixel as (ra_deg, dec_deg)."""
    nside = 1 << order
    face, within = divmod(pixel, nside * nside)
    x, y = deinterleave(within)
    ring = _BASE_ROW[face] * nside - x - y - 1
    if ring < nside:
        pixels_in_quadrant = ring
        sin_dec = 1.0 - ring * ring / (3.0 * nside * nside)
        shift = 0
    elif ring > 3 * nside:
        pixels_in_quadrant = 4 * nside - ring
        sin_dec = pixels_in_quadrant**2 / (3.0 * nside * nside) - 1.0
        shift = 0
    else:
        pixels_in_quadrant = nside
        sin_dec = (2 * nside - ring) * 2.0 / (3.0 * nside)
        shift = (ring - nside) & 1
    step = (_BASE_LONGITUDE[face] * pixels_in_quadrant + x - y + 1 + shift) // 2
    step = (step - 1) % (4 * pixels_in_quadrant) + 1
    ra_deg = (step - (shift + 1) * 0.5) * 90.0 / pixels_in_quadrant
    return ra_deg % 360.0, math.degrees(math.asin(sin_dec))
