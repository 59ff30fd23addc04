"""Spectra as people look at them: in the rest frame, smoothed, with lines named. Pure."""

from dataclasses import dataclass, replace
from math import isfinite, nan

import numpy as np

from app.drawing import Curve
from app.lines import Line, lines_between

__all__ = ["SMOOTHINGS", "Named", "View", "marked", "rest_frame", "seen", "smoothed"]

SMOOTHINGS = (1, 3, 5, 9, 15)
"""Bins of a running mean; odd, so that nothing moves."""


@dataclass(frozen=True, eq=False)
class Named:
    """A spectrum with its name; its redshift is NaN where it is unknown."""

    name: str
    curve: Curve
    redshift: float = nan


@dataclass(frozen=True)
class View:
    """How spectra are looked at."""

    rest: bool = False
    lines: bool = False
    smoothing: int = 1

    @property
    def axis(self) -> str:
        """Title of the wavelength axis."""
        return "Rest wavelength (Å)" if self.rest else "Observed wavelength (Å)"


def rest_frame(curve: Curve, redshift: float) -> Curve:
    """Return a spectrum as its source would have it, wavelengths over 1 + redshift."""
    return Curve(curve.wavelength_angstrom / (1.0 + redshift), curve.flux)


def smoothed(curve: Curve, bins: int) -> Curve:
    """Return a running mean over a number of bins, over fewer at the ends."""
    if bins == 1 or curve.flux.size == 0:
        return curve
    window = np.ones(min(bins, curve.flux.size))
    counts = np.convolve(np.ones(curve.flux.size), window, "same")
    return Curve(curve.wavelength_angstrom, np.convolve(curve.flux, window, "same") / counts)


def seen(named: Named, view: View) -> Named:
    """Return a spectrum in a view; without a redshift it stays in the observed frame."""
    curve = smoothed(named.curve, view.smoothing)
    if view.rest and isfinite(named.redshift):
        curve = rest_frame(curve, named.redshift)
    return replace(named, curve=curve)


def marked(named: Named, view: View) -> tuple[Line, ...]:
    """Return the lines to name over a spectrum that `seen` gave; none without a redshift."""
    wavelength = named.curve.wavelength_angstrom
    if not view.lines or not isfinite(named.redshift) or wavelength.size == 0:
        return ()
    redshift = 0.0 if view.rest else named.redshift
    return lines_between(float(wavelength[0]), float(wavelength[-1]), redshift)
