"""A spectrum on the pixels of its instrument, and how overlapping arms are joined."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from demo_sky.grids import Float32Array, FloatArray


@dataclass(frozen=True)
class NativeSpectrum:
    """What an instrument delivers of one source; all arrays have one length.

    Attributes
    ----------
    instrument : str
    wavelength_angstrom : array
        In vacuum, heliocentric; ascending within an arm.
    flux, ivar : array
        1e-17 erg/s/cm2/A, and one over its variance; 0 where bad.
    mask : array of bool
        True where the pixel is bad: flux there means nothing, but is finite.
    arms : tuple of slice
        Pixels of each detector, blue to red. Pixels outside are gaps, all bad.
    expected : array
        Flux without noise and cosmic rays, calibration errors included.
    """

    instrument: str
    wavelength_angstrom: FloatArray
    flux: Float32Array
    ivar: Float32Array
    mask: NDArray[np.bool_]
    arms: tuple[slice, ...]
    expected: Float32Array

    def __post_init__(self) -> None:
        lengths = {
            len(part)
            for part in (self.wavelength_angstrom, self.flux, self.ivar, self.mask, self.expected)
        }
        if len(lengths) != 1:
            raise ValueError(f"arrays of a spectrum must have one length, got {sorted(lengths)}")

    def joined(self) -> "NativeSpectrum":
        """Return the spectrum with one ascending axis, its arms put together as DESI does.

        Pixels of two arms at one wavelength become their mean weighted by inverse variance, which
        add up; a pixel that is bad in one arm is taken from the other. Without overlap, nothing
        changes but that there is one arm.
        """
        wavelength, place = np.unique(self.wavelength_angstrom, return_inverse=True)
        count = len(wavelength)
        if count == len(place):  # nothing overlaps; arms follow each other
            return replace(self, arms=(slice(0, count),))
        good = ~self.mask
        ivar = np.where(good, self.ivar, 0.0)
        total = np.bincount(place, ivar, count)
        mask = np.bincount(place, good, count) == 0
        # Where all are bad, a plain mean: finite, as everywhere.
        weight = np.where(mask[place], 1.0, ivar)
        norm = np.bincount(place, weight, count)
        flux, expected = (
            np.bincount(place, weight * values, count) / norm
            for values in (self.flux, self.expected)
        )
        return NativeSpectrum(
            self.instrument,
            wavelength,
            flux.astype(np.float32),
            total.astype(np.float32),
            mask,
            (slice(0, count),),
            expected.astype(np.float32),
        )
