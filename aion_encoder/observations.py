"""Observations: what the encoder takes.

Frozen NumPy values in stated units. An observation that exists can be encoded: whatever is
empty, too small, mostly missing, non-finite outside its mask or in the wrong units is refused
here, with a reason, and nowhere else. Masks are True where a pixel is bad, for every modality.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32

from aion_encoder.errors import ObservationError
from aion_encoder.surveys import (
    IMAGE_MIN_PX,
    SPECTRUM_GRID_ANGSTROM,
    SPECTRUM_MIN_PX,
    Survey,
    survey_named,
)

__all__ = ["MODALITIES", "GaiaXp", "Image", "Observation", "Photometry", "Spectrum"]

MODALITIES = ("image", "spectrum", "xp", "photometry")

MAX_BAD_FRACTION = 0.5
"""Share of the central cut-out of one band that may be missing before an image is refused."""

PIXEL_SCALE_TOLERANCE = 0.01
"""Relative difference from the survey's native pixel scale that needs no resampling."""

PLAUSIBLE_FLUX = (1e-4, 1e6)
"""Median of |flux| that a spectrum in 1e-17 erg/s/cm2/A can have. Numbers near 1e-17 are cgs, and
the package would give all of them the same tokens."""


def _frozen(values: object, dtype: type) -> np.ndarray:
    """Return an own, read-only copy: nobody can change an observation, memory-mapped or not."""
    array: np.ndarray = np.array(values, dtype=dtype, order="C", copy=True)
    array.setflags(write=False)
    return array


def _expected_survey(name: str, modality: str) -> Survey:
    try:
        survey = survey_named(name)
    except KeyError as error:
        raise ObservationError(str(error.args[0])) from None
    if survey.modality != modality:
        raise ObservationError(
            f"survey {name!r} gives AION-1 a {survey.modality}, not the {modality} that was read"
        )
    return survey


@dataclass(frozen=True, eq=False)
class Image:
    """A cut-out centred on one object.

    Parameters
    ----------
    flux
        Shape (bands, height, width), in the survey's own counts (its zero point is in
        `surveys.py`), sky subtracted, row 0 in the south.
    bands
        Names in AION-1's spelling, such as ``DES-G``, in the order of `flux`.
    survey
        ``legacysurvey`` or ``hsc``.
    mask
        True where a pixel is bad. Exact zeros count as missing too: surveys write them where
        there are no data. Default: only non-finite pixels are bad.
    pixel_scale_arcsec
        Must be the survey's own within 1 %; resample before. Default: the survey's own.

    Raises
    ------
    ObservationError
        With the reason why AION-1 cannot take this image.
    """

    flux: Float32[np.ndarray, "bands height width"]
    bands: tuple[str, ...]
    survey: str
    mask: Bool[np.ndarray, "bands height width"] | None = None
    pixel_scale_arcsec: float | None = None
    modality: ClassVar[str] = "image"

    def __post_init__(self) -> None:
        survey = _expected_survey(self.survey, "image")
        flux = _frozen(self.flux, np.float32)
        object.__setattr__(self, "flux", flux)
        object.__setattr__(self, "bands", tuple(self.bands))
        if flux.ndim != 3 or flux.shape[0] != len(self.bands) or not self.bands:
            raise ObservationError(
                f"an image must have the shape (bands, height, width) with {len(self.bands)} "
                f"bands, got {flux.shape}"
            )
        unknown = [band for band in self.bands if band not in survey.bands]
        if unknown or len(set(self.bands)) != len(self.bands):
            raise ObservationError(
                f"bands must be distinct and among {', '.join(survey.bands)}, "
                f"got {', '.join(self.bands)}"
            )
        height, width = flux.shape[1:]
        if min(height, width) < IMAGE_MIN_PX:
            raise ObservationError(
                f"too few pixels: AION-1 needs {IMAGE_MIN_PX} x {IMAGE_MIN_PX} at "
                f"{survey.pixel_scale_arcsec} arcsec/px, got {width} x {height}"
            )
        scale = survey.pixel_scale_arcsec
        if self.pixel_scale_arcsec is None:
            object.__setattr__(self, "pixel_scale_arcsec", scale)
        elif abs(self.pixel_scale_arcsec / scale - 1.0) > PIXEL_SCALE_TOLERANCE:
            raise ObservationError(
                f"pixel scale must be {scale} arcsec/px for {survey.title}, got "
                f"{self.pixel_scale_arcsec:.4g}; resample the image first"
            )
        given = np.zeros(flux.shape, bool) if self.mask is None else np.asarray(self.mask, bool)
        if given.shape != flux.shape:
            raise ObservationError(
                f"an image's mask must have the shape of its flux {flux.shape}, got {given.shape}"
            )
        bad = given | ~np.isfinite(flux)
        object.__setattr__(self, "mask", _frozen(bad, bool))
        self._refuse_missing(bad, flux)

    def _refuse_missing(self, bad: np.ndarray, flux: np.ndarray) -> None:
        top = (flux.shape[1] - IMAGE_MIN_PX) // 2
        left = (flux.shape[2] - IMAGE_MIN_PX) // 2
        centre = (slice(None), slice(top, top + IMAGE_MIN_PX), slice(left, left + IMAGE_MIN_PX))
        missing = (bad | (flux == 0.0))[centre].mean(axis=(1, 2))
        if np.all(missing >= 1.0):
            raise ObservationError("all pixels are masked or zero")
        for band, fraction in zip(self.bands, missing, strict=True):
            if fraction > MAX_BAD_FRACTION:
                raise ObservationError(
                    f"{100 * fraction:.1f} % of the central {IMAGE_MIN_PX} x {IMAGE_MIN_PX} "
                    f"pixels of band {band} are missing; at most "
                    f"{100 * MAX_BAD_FRACTION:.0f} % may be"
                )
        for band, plane in zip(self.bands, np.where(bad, 0.0, flux)[centre], strict=True):
            if np.ptp(plane) == 0.0:
                raise ObservationError(f"band {band} is constant: there is nothing in this image")


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A one-dimensional spectrum in the observed frame.

    Parameters
    ----------
    flux
        Shape (n,), in 1e-17 erg/s/cm2/Angstrom.
    ivar
        Inverse variance of `flux`, shape (n,); 0 where unknown or bad.
    wavelength_angstrom
        Vacuum wavelengths, positive and strictly ascending, shape (n,).
    survey
        ``sdss`` or ``desi``: whose tokens the spectrum gets.
    mask
        True where a pixel is bad. Pixels that are not finite, or whose `ivar` is not positive,
        are bad whatever this says.

    Raises
    ------
    ObservationError
        With the reason why AION-1 cannot take this spectrum.
    """

    flux: Float32[np.ndarray, " n"]
    ivar: Float32[np.ndarray, " n"]
    wavelength_angstrom: Float32[np.ndarray, " n"]
    survey: str
    mask: Bool[np.ndarray, " n"] | None = None
    modality: ClassVar[str] = "spectrum"

    def __post_init__(self) -> None:
        _expected_survey(self.survey, "spectrum")
        for name in ("flux", "ivar", "wavelength_angstrom"):
            object.__setattr__(self, name, _frozen(getattr(self, name), np.float32))
        flux, ivar, wavelength = self.flux, self.ivar, self.wavelength_angstrom
        given = np.zeros(flux.shape, bool) if self.mask is None else np.asarray(self.mask, bool)
        shapes = {flux.shape, ivar.shape, wavelength.shape, given.shape}
        if flux.ndim != 1 or len(shapes) != 1:
            raise ObservationError(
                "flux, ivar, wavelength and mask of a spectrum must have one and the same length, "
                f"got {flux.shape}, {ivar.shape}, {wavelength.shape}, {given.shape}"
            )
        if flux.size == 0:
            raise ObservationError("the spectrum is empty")
        if not np.all(np.isfinite(wavelength)) or wavelength[0] <= 0.0:
            raise ObservationError("wavelengths must be finite and positive; drop padded pixels")
        if np.any(np.diff(wavelength) <= 0.0):
            raise ObservationError("wavelengths must be strictly ascending; sort the spectrum")
        with np.errstate(invalid="ignore"):
            bad = given | ~np.isfinite(flux) | ~np.isfinite(ivar) | ~(ivar > 0.0)
        object.__setattr__(self, "mask", _frozen(bad, bool))
        if bad.all():
            raise ObservationError("all pixels are masked or have no inverse variance")
        first, last = SPECTRUM_GRID_ANGSTROM
        inside = (wavelength >= first) & (wavelength <= last)
        if not inside.any():
            raise ObservationError(
                f"no overlap with {first:.0f}-{last:.0f} A: this spectrum covers "
                f"{wavelength[0]:.0f}-{wavelength[-1]:.0f} A"
            )
        good = int((inside & ~bad).sum())
        if good < SPECTRUM_MIN_PX:
            raise ObservationError(
                f"too few pixels: AION-1 needs {SPECTRUM_MIN_PX} good ones inside "
                f"{first:.0f}-{last:.0f} A, got {good}"
            )
        typical = float(np.median(np.abs(flux[inside & ~bad])))
        low, high = PLAUSIBLE_FLUX
        if not low <= typical <= high:
            raise ObservationError(
                f"the median flux is {typical:.3g}, not between {low:g} and {high:g}: flux must be "
                "in units of 1e-17 erg/s/cm2/A"
            )


@dataclass(frozen=True, eq=False)
class GaiaXp:
    """Gaia BP/RP mean spectrum as its basis-function coefficients.

    Parameters
    ----------
    bp, rp
        55 coefficients each, as in the archive's ``XP_CONTINUOUS`` tables.

    Raises
    ------
    ObservationError
        If a count is not 55, or a coefficient is not finite.
    """

    bp: Float32[np.ndarray, "55"]
    rp: Float32[np.ndarray, "55"]
    survey: str = "gaia"
    modality: ClassVar[str] = "xp"

    def __post_init__(self) -> None:
        _expected_survey(self.survey, "xp")
        for name in ("bp", "rp"):
            values = _frozen(getattr(self, name), np.float32)
            object.__setattr__(self, name, values)
            if values.shape != (55,):
                raise ObservationError(f"{name} must hold 55 coefficients, got {values.shape}")
            if not np.all(np.isfinite(values)):
                raise ObservationError(
                    f"{int((~np.isfinite(values)).sum())} of the 55 {name} coefficients are not "
                    "finite"
                )
        if not np.any(self.bp) or not np.any(self.rp):
            raise ObservationError("all coefficients of bp or of rp are zero")


@dataclass(frozen=True, eq=False)
class Photometry:
    """Scalars of one object, under AION-1's own names.

    Parameters
    ----------
    values
        Name (such as ``FLUX_G``, in nanomaggies) to value. A missing scalar is left out, never
        encoded: the package would turn NaN into the brightest bin.
    survey
        The survey that measured them; only kept for the record.

    Raises
    ------
    ObservationError
        If nothing is left, or a value is not finite.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    survey: str = "legacysurvey"
    modality: ClassVar[str] = "photometry"

    def __post_init__(self) -> None:
        values = {str(name): float(value) for name, value in self.values.items()}
        object.__setattr__(self, "values", MappingProxyType(dict(sorted(values.items()))))
        if not values:
            raise ObservationError("no scalar was given")
        broken = [name for name, value in values.items() if not np.isfinite(value)]
        if broken:
            raise ObservationError(
                f"scalars must be finite, got a missing value for {', '.join(sorted(broken))}; "
                "leave missing scalars out"
            )


Observation = Image | Spectrum | GaiaXp | Photometry
