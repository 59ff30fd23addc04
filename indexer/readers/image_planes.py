"""Planes of image files: one band each, with mask, survey, zero point and place on the sky."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from aion_encoder.surveys import SURVEYS
from indexer.errors import ReadError
from indexer.readers.fits_files import header_float, header_text, pixels
from indexer.readers.messages import caught_warnings

__all__ = ["Plane", "planes_of"]

HSC_BAD_PLANES = ("BAD", "SAT", "NO_DATA")
"""Mask planes of the LSST pipeline that mean "no usable pixel", as the Multimodal Universe uses."""

MAX_TURN_DEG = 5.0
"""Turn of an image up to which "north up" is close enough."""

LEGACY_WORDS = ("decals", "legacysurvey", "legacy survey", "ls-dr", "mzls", "bass", "dr8", "dr9")


@dataclass(frozen=True, eq=False)
class Plane:
    """One band of one file.

    Parameters
    ----------
    flux, bad
        Shape (height, width), row 0 in the south and column 0 in the east.
    band
        In AION-1's spelling where the file says which, else empty.
    survey
        ``legacysurvey``, ``hsc`` or empty.
    is_viewer
        Whether the Legacy Surveys viewer made it: its pixels keep counts per native pixel.
    zero_point
        AB magnitude of one count, NaN where the file does not say.
    scale_arcsec
        Pixel scale from the WCS, NaN without one.
    ra_deg, dec_deg
        Of the centre, NaN without a WCS.
    notes
        What had to be done.
    """

    flux: np.ndarray
    bad: np.ndarray
    band: str
    survey: str
    is_viewer: bool
    zero_point: float
    scale_arcsec: float
    ra_deg: float
    dec_deg: float
    notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class _Place:
    scale_arcsec: float = math.nan
    ra_deg: float = math.nan
    dec_deg: float = math.nan
    flip_rows: bool = False
    flip_columns: bool = False
    notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def planes_of(hdus: Sequence[Any], name: str) -> Iterator[Plane]:
    """Give the planes of one file, band by band.

    Legacy Surveys viewer cut-outs (a cube with ``BANDS``, one HDU per band, or one band), brick
    images, and HSC cut-outs (image, mask and variance HDUs) are understood.

    Raises
    ------
    ReadError
        If the file holds no image.
    """
    primary = hdus[0].header
    found = 0
    for index, hdu in enumerate(hdus):
        kind = header_text(hdu.header, "IMAGETYP").casefold() or "image"
        extension = str(hdu.name).upper()
        if kind != "image" or extension in ("MASK", "VARIANCE", "INVVAR", "IVAR", "MASKBITS"):
            continue
        cube = pixels(hdu)
        if cube is None or cube.ndim < 2:
            continue
        header = {**dict(primary), **dict(hdu.header)}
        survey = _survey(header, name)
        if survey == "hsc" and found:
            continue
        cube = cube.reshape(-1, *cube.shape[-2:]).astype(np.float32)
        bad = ~np.isfinite(cube) | _companion_bad(hdus, index, survey, cube.shape)
        bands = _bands(header, name, survey, len(cube))
        place = _place(hdu.header, *cube.shape[-2:])
        turn = (
            slice(None, None, -1 if place.flip_rows else 1),
            slice(None, None, -1 if place.flip_columns else 1),
        )
        for band, plane, missing in zip(bands, cube, bad, strict=True):
            found += 1
            yield Plane(
                flux=plane[turn],
                bad=missing[turn],
                band=band,
                survey=survey,
                is_viewer=survey == "legacysurvey" and {"BANDS", "IMAGETYP"} <= header.keys(),
                zero_point=_zero_point(header),
                scale_arcsec=place.scale_arcsec,
                ra_deg=place.ra_deg,
                dec_deg=place.dec_deg,
                notes=place.notes,
            )
    if not found:
        raise ReadError(
            f"{name}: the FITS file holds no image; a spectrum goes to the other upload"
        )


def _survey(header: Mapping[str, Any], name: str) -> str:
    words = " ".join(
        header_text(header, key) for key in ("SURVEY", "INSTRUME", "TELESCOP", "FILTER", "ORIGIN")
    ).casefold()
    if (
        "hsc" in words
        or "hyper suprime" in words
        or re.search(r"(?:^|[_-])hsc[-_]", name.casefold())
    ):
        return "hsc"
    if any(word in words for word in LEGACY_WORDS) or name.casefold().startswith("legacysurvey-"):
        return "legacysurvey"
    return "legacysurvey" if "BANDS" in header and "BAND0" in header else ""


def _bands(header: Mapping[str, Any], name: str, survey: str, count: int) -> list[str]:
    letters = [header_text(header, f"BAND{i}") for i in range(count)]
    if not all(letters):
        together = header_text(header, "BANDS")
        letters = list(together) if len(together) == count else [""] * count
    if count == 1 and not letters[0]:
        letters = [header_text(header, "BAND", "FILTER")]
    if count == 1 and not letters[0]:
        match = re.search(r"(?:^|[-_.])(?:hsc[-_])?([griz]|y)(?:2)?(?:[-_.]|$)", name.casefold())
        letters = [match.group(1) if match else ""]
    return [_band(letter, survey) for letter in letters]


def _band(text: str, survey: str) -> str:
    """Return ``g``, ``HSC-G``, ``HSC-I2``, ``g DECam SDSS c0001 4720.0`` in AION-1's spelling."""
    if survey not in SURVEYS:
        return text
    match = re.match(r"^(?:(?:hsc|des|decam)[-_ ])?([grizy])2?(?:\b|$)", text.strip().casefold())
    bands = {band.rsplit("-", 1)[1]: band for band in SURVEYS[survey].bands}
    return bands.get(match.group(1).upper(), text) if match else text


def _zero_point(header: Mapping[str, Any]) -> float:
    counts = header_float(header, "FLUXMAG0")
    if counts > 0.0:
        return 2.5 * math.log10(counts)
    return header_float(header, "MAGZERO", "MAGZP", "MAGZPT", "PHOTZP")


def _companion_bad(
    hdus: Sequence[Any], index: int, survey: str, shape: tuple[int, ...]
) -> np.ndarray:
    """Return bad pixels from the mask and variance that go with an image."""
    bad = np.zeros(shape, bool)
    for after, hdu in enumerate(hdus[index + 1 :], start=1):
        kind = header_text(hdu.header, "IMAGETYP").casefold() or str(hdu.name).casefold()
        values = pixels(hdu)
        if values is None or values.shape[-2:] != shape[-2:]:
            continue
        values = values.reshape(-1, *values.shape[-2:])
        if kind in ("invvar", "ivar"):
            bad |= ~(values > 0.0)
        elif kind == "variance" or (survey == "hsc" and after == 2):
            bad |= ~(np.isfinite(values) & (values > 0.0))
        elif survey == "hsc" and (kind == "mask" or after == 1):
            bits = [header_float(hdu.header, f"MP_{plane}") for plane in HSC_BAD_PLANES]
            flags = sum(1 << int(bit) for bit in bits if bit >= 0)
            bad |= (values.astype(np.int64) & flags) != 0
    return bad


def _place(header: Any, height: int, width: int) -> _Place:
    """Return where an image lies; nothing is known without a celestial WCS."""
    from astropy.wcs import WCS

    if not header_text(header, "CTYPE1").upper().startswith(("RA", "DEC")):
        return _Place()
    with caught_warnings():
        try:
            wcs = WCS(header, naxis=2)
            matrix = np.asarray(wcs.pixel_scale_matrix)
            centre = wcs.wcs_pix2world([[(width - 1) / 2.0, (height - 1) / 2.0]], 0)[0]
        except Exception:
            # Headers that contradict themselves make wcslib raise a dozen kinds of errors.
            return _Place()
    scale = 3600.0 * math.sqrt(abs(float(np.linalg.det(matrix))))
    if not (math.isfinite(scale) and scale > 0.0 and np.all(np.isfinite(centre))):
        return _Place()
    turned = math.degrees(math.atan2(abs(matrix[0, 1]), abs(matrix[0, 0])))
    flip_rows, flip_columns = bool(matrix[1, 1] < 0.0), bool(matrix[0, 0] > 0.0)
    notes = {}
    if turned > MAX_TURN_DEG:
        flip_rows = flip_columns = False
        notes["orientation"] = f"the image is turned by {turned:.0f} degrees and is not turned back"
    elif flip_rows or flip_columns:
        notes["orientation"] = "mirrored so that north is up and east is left"
    ra_deg, dec_deg = float(centre[0]) % 360.0, float(centre[1])
    return _Place(scale, ra_deg, dec_deg, flip_rows, flip_columns, notes)
