"""What the tokenizer understood of a spectrum, made ready to draw, and in words. Pure."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from indexer import Understood

__all__ = ["LONG_PX", "DrawnSpectrum", "caption", "drawn", "ignored_spans"]

LONG_PX = 20_000
"""Pixels beyond which a spectrum is given back only when a person asks: on two slow cores 20,000
take 0.8 s, 64,000 take 4 s and 131,000, the most there may be, 14 s."""

MAX_POINTS = 8000
"""More points than that a browser draws slowly; a DESI spectrum of joined arms has 7,781."""


@dataclass(frozen=True, eq=False)
class DrawnSpectrum:
    """Points of two lines, with NaN between runs so that no line crosses a gap.

    Attributes
    ----------
    wavelength_angstrom, flux, given_back
        Fluxes over one and the same median.
    averaged
        How many pixels a point is the mean of.
    """

    wavelength_angstrom: Float64[np.ndarray, " p"]
    flux: Float64[np.ndarray, " p"]
    given_back: Float64[np.ndarray, " p"]
    averaged: int


def drawn(told: Understood) -> DrawnSpectrum:
    """Return what is drawn: every pixel, or means of neighbouring ones where there are too many.

    Bad pixels count in no mean; a point is NaN where there is no other.
    """
    size = math.ceil(told.flux.size / MAX_POINTS)
    ends = (*told.starts[1:], told.flux.size)
    runs = zip(told.starts, ends, strict=True)
    edges = np.concatenate([np.arange(first, last, size) for first, last in runs])
    good = np.isfinite(told.flux)
    typical = float(np.median(np.abs(told.flux[~told.ignored])))
    scale = typical if typical > 0 else 1.0

    def means(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
        total = np.add.reduceat(np.where(counted, values, 0.0), edges)
        number = np.add.reduceat(counted.astype(np.float64), edges)
        mean = np.full(edges.size, np.nan)
        np.divide(total, number, out=mean, where=number > 0)
        return mean

    every = np.ones_like(good)
    breaks = np.searchsorted(edges, told.starts[1:])
    wavelength, flux, given_back = (
        np.insert(means(values, counted), breaks, np.nan)
        for values, counted in (
            (told.wavelength_angstrom, every),
            (told.flux / scale, good),
            (told.given_back / scale, every),
        )
    )
    return DrawnSpectrum(wavelength, flux, given_back, size)


def ignored_spans(told: Understood) -> Float64[np.ndarray, "spans 2"]:
    """Return where ignored pixels begin and end in Angstrom, half a pixel beyond their centres."""
    ignored, wavelength = told.ignored, told.wavelength_angstrom
    breaks = np.array(told.starts[1:], np.int64) - 1
    # True between neighbours of one run that are both ignored.
    joined = ignored[1:] & ignored[:-1]
    joined[breaks] = False
    first = np.flatnonzero(ignored & ~np.append(False, joined))
    last = np.flatnonzero(ignored & ~np.append(joined, False))
    steps = np.diff(wavelength)
    steps[breaks] = np.inf
    half = 0.5 * np.minimum(np.append(np.inf, steps), np.append(steps, np.inf))
    half[np.isinf(half)] = 0.0
    return np.column_stack([wavelength[first] - half[first], wavelength[last] + half[last]])


def caption(told: Understood, averaged: int) -> str:
    """Return which model it was, how well it fits, and what it did not see."""
    total, ignored = told.flux.size, int(told.ignored.sum())
    errors = (
        "The file has no errors: they are estimated from differences of neighbouring pixels."
        if told.errors_estimated
        else "Errors are the file's."
    )
    without = (
        f"It did not see {ignored:,} of {total:,} pixels: bad ones, and patches of which more than "
        "half is bad."
        if ignored
        else "It saw every pixel."
    )
    points = f" A point is the mean of {averaged} pixels." if averaged > 1 else ""
    return (
        f"By {told.model}. Reduced χ² over {total - ignored:,} good pixels: "
        f"**{_number(told.chi_square)}**. {errors} {without}{points}"
    )


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"
