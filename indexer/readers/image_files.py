"""Image files made one observation: bands put together, on the survey's pixels and zero point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.observations import PIXEL_SCALE_TOLERANCE, Image
from aion_encoder.surveys import SURVEYS
from indexer.errors import ReadError
from indexer.readers.colour_pictures import colour_planes
from indexer.readers.file_kinds import Content
from indexer.readers.fits_files import fits_hdus
from indexer.readers.found import Found, Refused
from indexer.readers.image_planes import Plane, planes_of
from indexer.readers.records import standard_columns
from indexer.readers.resampling import central, resample
from indexer.readers.sky import iau_name

__all__ = ["ImageOptions", "find_image"]

IMAGE_SURVEYS = tuple(name for name, survey in SURVEYS.items() if survey.modality == "image")

COARSEST = 2.0
"""Largest pixel scale accepted, in native pixels: coarser images do not hold the detail that AION-1
looks at."""


@dataclass(frozen=True)
class ImageOptions:
    """What a person states about image files, before what the files say of themselves.

    Parameters
    ----------
    survey
        ``legacysurvey`` or ``hsc``.
    pixel_scale_arcsec
        Arcseconds per pixel.
    bands
        Names of the bands in the order of the planes; ``g`` and ``DES-G`` both do.
    zero_point
        AB magnitude of one count.
    """

    survey: str | None = None
    pixel_scale_arcsec: float | None = None
    bands: tuple[str, ...] | None = None
    zero_point: float | None = None


def find_image(contents: Sequence[Content], options: ImageOptions) -> Found | Refused:
    """Read one cut-out from one file, or from one file for each band.

    Raises
    ------
    ReadError
        If a file is damaged, is of no survey that AION-1 knows, or bands and sizes do not fit.
    """
    names = ", ".join(content.name for content in contents)
    if any(content.kind == "picture" for content in contents):
        planes = _of_picture(contents, options, names)
    else:
        planes = [plane for content in contents for plane in _of_fits(content)]
    assumptions: dict[str, str] = {}
    for plane in planes:
        assumptions.update(plane.notes)
    survey = _survey(planes, options, names, assumptions)
    bands = _bands(planes, options, survey, names)
    if len({plane.flux.shape for plane in planes}) != 1:
        sizes = ", ".join(f"{p.flux.shape[1]} x {p.flux.shape[0]}" for p in planes)
        raise ReadError(f"{names}: all bands must have one size, got {sizes}")
    flux = np.stack([plane.flux for plane in planes])
    bad = np.stack([plane.bad for plane in planes])
    flux = _native_counts(flux, planes, options, survey, assumptions)
    # Surveys write exact zeros where there are no data; interpolation would smear them.
    bad |= flux == 0.0
    flux, bad = _native_pixels(flux, bad, planes, options, survey, assumptions, names)
    order = sorted(range(len(bands)), key=lambda i: SURVEYS[survey].bands.index(bands[i]))
    first = planes[0]
    placed = math.isfinite(first.ra_deg) and math.isfinite(first.dec_deg)
    object_id = iau_name(first.ra_deg, first.dec_deg) if placed else ""
    try:
        image = Image(
            flux=np.where(bad, 0.0, flux)[order].astype(np.float32),
            bands=tuple(bands[i] for i in order),
            survey=survey,
            mask=bad[order],
        )
    except ObservationError as error:
        return Refused(str(error), object_id)
    columns = standard_columns(bands=",".join(image.bands))
    return Found(image, object_id, first.ra_deg, first.dec_deg, columns, 0, assumptions, survey)


def _of_fits(content: Content) -> list[Plane]:
    if content.kind != "fits":
        raise ReadError(f"{content.name}: an image must be a FITS file")
    with fits_hdus(content) as hdus:
        return list(planes_of(hdus, content.name))


def _of_picture(contents: Sequence[Content], options: ImageOptions, names: str) -> list[Plane]:
    if len(contents) > 1:
        raise ReadError(f"{names}: a colour picture comes alone")
    planes = colour_planes(contents[0])
    if options.survey not in (None, planes[0].survey) or not (
        options.bands is None and options.zero_point is None
    ):
        raise ReadError(
            f"{names}: a colour picture is read as the Legacy Surveys viewer draws g, r and z; "
            "neither survey nor bands nor zero point can be stated of it"
        )
    if options.pixel_scale_arcsec is None:
        raise ReadError(
            f"{names}: a colour picture does not say how large its pixels are; state the pixel "
            "scale in arcsec, such as 0.262 where the viewer was asked for none"
        )
    return planes


def _survey(
    planes: Sequence[Plane], options: ImageOptions, names: str, assumptions: dict[str, str]
) -> str:
    if options.survey:
        if options.survey not in IMAGE_SURVEYS:
            raise ReadError(
                f"survey of an image must be {' or '.join(IMAGE_SURVEYS)}, got {options.survey!r}"
            )
        assumptions["survey"] = f"read as {options.survey}, as you stated"
        return options.survey
    stated = {plane.survey for plane in planes}
    if len(stated) != 1:
        raise ReadError(f"{names}: the files are of different surveys; give one survey at a time")
    survey = stated.pop()
    if not survey:
        raise ReadError(
            f"{names}: the file does not say which survey it is of, and AION-1 knows only "
            f"{' and '.join(IMAGE_SURVEYS)} images; state the survey if it is one of them"
        )
    return survey


def _bands(
    planes: Sequence[Plane], options: ImageOptions, survey: str, names: str
) -> tuple[str, ...]:
    known = SURVEYS[survey].bands
    stated = options.bands if options.bands is not None else tuple(plane.band for plane in planes)
    if len(stated) != len(planes):
        raise ReadError(f"{names}: {len(stated)} bands were stated for {len(planes)} planes")
    by_letter = {band.rsplit("-", 1)[1]: band for band in known}
    bands = tuple(by_letter.get(band.upper().rsplit("-", 1)[-1], band) for band in stated)
    if any(band not in known for band in bands) or len(set(bands)) != len(bands):
        said = ", ".join(band or "unnamed" for band in bands)
        raise ReadError(
            f"{names}: bands must be distinct and among {', '.join(known)}, got {said}; state bands"
        )
    return bands


def _native_counts(
    flux: np.ndarray,
    planes: Sequence[Plane],
    options: ImageOptions,
    survey: str,
    assumptions: dict[str, str],
) -> np.ndarray:
    native = SURVEYS[survey].zero_point
    factors = []
    for plane in planes:
        stated = options.zero_point if options.zero_point is not None else plane.zero_point
        zero_point = native if math.isnan(stated) else stated
        factors.append(10.0 ** (0.4 * (native - zero_point)))
        if abs(zero_point - native) > 1e-3:
            assumptions["zero_point"] = (
                f"counts scaled from the zero point {zero_point:.3f} to the survey's {native:g}"
            )
        elif math.isnan(stated) and not plane.is_viewer:
            assumptions["zero_point"] = f"no zero point is stated: the survey's {native:g} assumed"
    return (flux * np.array(factors, np.float32)[:, None, None]).astype(np.float32)


def _native_pixels(
    flux: np.ndarray,
    bad: np.ndarray,
    planes: Sequence[Plane],
    options: ImageOptions,
    survey: str,
    assumptions: dict[str, str],
    names: str,
) -> tuple[np.ndarray, np.ndarray]:
    native = SURVEYS[survey].pixel_scale_arcsec
    scale = options.pixel_scale_arcsec or planes[0].scale_arcsec
    if options.pixel_scale_arcsec:
        assumptions["pixel_scale"] = f"{scale:g} arcsec/px, as you stated"
    if math.isnan(scale):
        scale = native
        assumptions["pixel_scale"] = f"no WCS: the survey's {native:g} arcsec/px assumed"
    if scale <= 0.0 or scale > COARSEST * native:
        raise ReadError(
            f"{names}: a pixel scale of {scale:.3g} arcsec is too coarse: {survey} images have "
            f"{native:g}, and at most {COARSEST * native:.3g} is accepted"
        )
    ratio = native / scale
    if abs(ratio - 1.0) <= PIXEL_SCALE_TOLERANCE:
        return central(flux), central(bad)
    is_viewer = all(plane.is_viewer for plane in planes)
    flux, bad = resample(flux, bad, ratio, smooth=not is_viewer)
    words = f"resampled from {scale:.4g} to {native:g} arcsec/px"
    if is_viewer:
        assumptions["resampling"] = (
            f"{words}; a viewer cut-out keeps counts per native pixel, so no area factor is applied"
        )
        return flux, bad
    assumptions["resampling"] = (
        f"{words}; counts are taken as per pixel of the file and scaled by the area, {ratio**2:.3g}"
    )
    return flux * np.float32(ratio**2), bad
