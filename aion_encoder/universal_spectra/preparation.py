"""Spectra into patches of numbers near one; NumPy only.

The rules, in order:

1. Pixels are laid out in patches of 32 (`patches`). A patch with more than half of its pixels bad
   is invalid: the model never sees it.
2. Fluxes are divided by a scale, the median of the good pixels of valid patches except in spectra
   that are hardly more than noise, and bent beyond ten (`scaling`).
3. Bad pixels inside a valid patch are interpolated linearly in wavelength between the good
   neighbours of their run, repeated at its ends, and have no weight: `errors` and `good` are 0.
4. `errors` is log(1 + signal-to-noise) of the scale, 1 at a signal-to-noise ratio of 1,000 or more:
   bounded, and the same whatever unit the fluxes are in.

The scale itself is kept beside (`PreparedSpectrum.brightness`) and is in no patch.
"""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from aion_encoder.errors import ObservationError
from aion_encoder.universal_spectra.noise import pixel_noise
from aion_encoder.universal_spectra.patches import PATCH_PX, Layout, lay_out
from aion_encoder.universal_spectra.scaling import flux_scale, squash
from aion_encoder.universal_spectra.spectrum import NativeSpectrum

__all__ = [
    "MAX_PATCHES",
    "MIN_PATCHES",
    "PREPARATION_VERSION",
    "PreparedSpectrum",
    "prepare",
]

PREPARATION_VERSION = 1
"""Raised whenever the way from a spectrum to patches changes what comes out."""

MIN_PATCHES = 4
"""Valid patches that a spectrum must have: a prism of some 130 pixels does."""

MAX_PATCHES = 4096
"""Valid patches that a spectrum may have, 131,072 pixels: a whole echelle spectrum (XQ-100, UVES)
fits, and attention, which grows with the square, takes seconds and not minutes."""

HIGHEST_SNR = 1000.0
"""Signal-to-noise ratio of the scale in one pixel that counts as perfect; calibration errors are
larger than the photon noise long before."""

ERRORS_ESTIMATED = "the spectrum has no errors: they are estimated from differences of its pixels"


@dataclass(frozen=True, eq=False)
class PreparedSpectrum:
    """A spectrum in patches. Made by `prepare`.

    Attributes
    ----------
    flux
        In units of `scale`, bent beyond ten; bad pixels filled.
    errors
        log(1 + scale / sigma) in units of its value at 1,000; 0 where bad.
    good
        True where a pixel was measured.
    sigma
        Standard deviation in units of `scale`, before bending; within 0.001 to 1,000. Without
        meaning where bad.
    wavelength_angstrom
        Vacuum, also of bad pixels and of padding.
    pixels
        Number of the pixel in the spectrum; -1 for padding.
    valid
        True where a patch may be seen.
    scale
        What fluxes were divided by, in their own unit.
    ignored
        True where a pixel of the spectrum was bad or lies in an invalid patch.
    errors_estimated
        True if the spectrum had no errors of its own.
    notes
        What a person should know, in words.
    """

    flux: Float32[np.ndarray, "patches 32"]
    errors: Float32[np.ndarray, "patches 32"]
    good: Bool[np.ndarray, "patches 32"]
    sigma: Float32[np.ndarray, "patches 32"]
    wavelength_angstrom: Float64[np.ndarray, "patches 32"]
    pixels: Int64[np.ndarray, "patches 32"]
    valid: Bool[np.ndarray, " patches"]
    scale: float
    ignored: Bool[np.ndarray, " n"]
    errors_estimated: bool
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    @property
    def brightness(self) -> float:
        """Log10 of the scale, in the unit of the fluxes."""
        return float(np.log10(self.scale))

    @property
    def tokens(self) -> int:
        """How many patches the model sees."""
        return int(self.valid.sum())


def prepare(spectrum: NativeSpectrum) -> PreparedSpectrum:
    """Prepare a spectrum for the model.

    Raises
    ------
    ObservationError
        If it has fewer than 4 or more than 4,096 valid patches, if all its good fluxes are equal
        or more than half of them zero.
    """
    layout = lay_out(spectrum.wavelength_angstrom, spectrum.starts)
    inside = layout.pixels >= 0
    good = inside & spectrum.good[layout.pixels]
    valid = 2 * good.sum(axis=1) >= PATCH_PX
    _refuse_count(int(valid.sum()), valid.size, spectrum.good)
    counted = good & valid[:, None]
    fluxes = spectrum.flux[layout.pixels[counted]]
    if np.ptp(fluxes) == 0.0:
        raise ObservationError(
            f"fluxes must differ, but all {fluxes.size} good ones are {fluxes[0]:.6g}; there is "
            "nothing in this spectrum"
        )
    scale, is_median = flux_scale(fluxes)
    if scale == 0.0:
        raise ObservationError(
            "more than half of the good fluxes are exactly zero; mask the pixels without data"
        )
    notes = list(spectrum.steps)
    sigma = _sigma(spectrum, layout, scale)
    if spectrum.ivar is None:
        notes.append(ERRORS_ESTIMATED)
    if not is_median:
        notes.append(
            "the median flux is negative or lost in the noise: fluxes are divided by 0.3 times "
            "the median of their sizes"
        )
    ignored = np.ones(spectrum.flux.size, bool)
    ignored[layout.pixels[counted]] = False
    with np.errstate(over="ignore"):
        flux = squash(_filled(spectrum, layout) / scale)
    # Padding holds the last flux of its run; it is not good, so the number says nothing.
    nearest = np.where(inside, layout.pixels, layout.pixels.max(axis=1, keepdims=True))
    sigma = sigma[nearest]
    perfect = np.log1p(HIGHEST_SNR)
    return PreparedSpectrum(
        flux=flux[nearest].astype(np.float32),
        errors=np.where(good, np.log1p(1.0 / sigma) / perfect, 0.0).astype(np.float32),
        good=good,
        sigma=sigma.astype(np.float32),
        wavelength_angstrom=layout.wavelength_angstrom,
        pixels=layout.pixels,
        valid=valid,
        scale=scale,
        ignored=ignored,
        errors_estimated=spectrum.ivar is None,
        notes=tuple(notes),
    )


def _refuse_count(valid: int, patches: int, good: np.ndarray) -> None:
    if valid < MIN_PATCHES:
        raise ObservationError(
            f"a spectrum must have at least {MIN_PATCHES} patches of {PATCH_PX} neighbouring "
            f"pixels of which half are good, got {valid} of {patches} ({int(good.sum())} good of "
            f"{good.size} pixels)"
        )
    if valid > MAX_PATCHES:
        raise ObservationError(
            f"a spectrum may have at most {MAX_PATCHES} patches of {PATCH_PX} pixels, got {valid}; "
            "cut it, or average neighbouring pixels"
        )


def _sigma(spectrum: NativeSpectrum, layout: Layout, scale: float) -> np.ndarray:
    """Return the standard deviation of every pixel in units of the scale, within bounds."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
        if spectrum.ivar is None:
            sigma = pixel_noise(spectrum.flux, spectrum.good, layout.runs) / scale
        else:
            sigma = 1.0 / (np.sqrt(spectrum.ivar) * scale)
    sigma[~spectrum.good] = HIGHEST_SNR
    return np.clip(sigma, 1.0 / HIGHEST_SNR, HIGHEST_SNR)


def _filled(spectrum: NativeSpectrum, layout: Layout) -> np.ndarray:
    good, wavelength = spectrum.good, spectrum.wavelength_angstrom
    flux = np.where(good, spectrum.flux, 0.0)
    bad_before = np.concatenate([[0], np.cumsum(~good)])
    touched = np.flatnonzero(np.diff(bad_before[layout.runs]))
    for run in touched:
        one = slice(layout.runs[run], layout.runs[run + 1])
        measured = good[one]
        if measured.any():
            known = wavelength[one][measured]
            flux[one] = np.interp(wavelength[one], known, flux[one][measured])
    return flux
