"""Pixels laid out in patches of 32 that never reach across a gap."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["GAP_STEPS", "PATCH_PX", "Layout", "lay_out"]

PATCH_PX: Final = 32
"""Native pixels of a patch, as in the paper (arXiv:2510.17959)."""

GAP_STEPS = 4.5
"""A step between neighbouring pixels longer than so many local steps is a gap. Steps of real
grids (linear, logarithmic, prisms, arms merged on one axis) change by less than a factor of two
from pixel to pixel, and up to three missing pixels (four steps, give or take rounding) hardly
bend a patch."""

STEP_WINDOW = 9
"""The local step is the median of so many neighbouring pairs of steps, each pair averaged: gaps
never count as usual, and pixels of two arms that take turns on one axis are no gaps."""

LONE_STEP = 2.3e-4
"""Step, in units of the wavelength, that a run of a single pixel is given: that of SDSS,
10^0.0001."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where pixels go. Made by `lay_out`.

    Attributes
    ----------
    pixels
        Shape (patches, 32): number of the pixel, -1 where the last patch of a run is padded.
    wavelength_angstrom
        Shape (patches, 32). Padding continues a run by its last steps, so that a place in a patch
        means the same in every patch of its step.
    runs
        First pixel of every run without a gap, and the number of pixels at the end.
    """

    pixels: Int64[np.ndarray, "patches 32"]
    wavelength_angstrom: Float64[np.ndarray, "patches 32"]
    runs: Int64[np.ndarray, " runs_and_end"]


def lay_out(wavelength_angstrom: np.ndarray, starts: tuple[int, ...] = (0,)) -> Layout:
    """Lay out pixels in patches.

    A run begins at every piece and after every gap (`GAP_STEPS`). Its pixels fill patches from
    its first one on; the last patch is padded.

    Parameters
    ----------
    wavelength_angstrom
        Shape (n,), strictly ascending within a piece; n is at least 1.
    starts
        First pixel of each piece.
    """
    wavelength = np.asarray(wavelength_angstrom, np.float64)
    begins = [
        _run_starts(wavelength[first:last]) + first
        for first, last in pairwise((*starts, wavelength.size))
    ]
    runs = np.append(np.concatenate(begins), wavelength.size)
    lengths = np.diff(runs)
    patches = -(-lengths // PATCH_PX)
    slots = np.repeat(np.cumsum(patches) - patches, lengths) * PATCH_PX
    slots += np.arange(wavelength.size) - np.repeat(runs[:-1], lengths)
    pixels = np.full(int(patches.sum()) * PATCH_PX, -1, np.int64)
    pixels[slots] = np.arange(wavelength.size)
    filled = np.zeros(pixels.size)
    filled[slots] = wavelength
    _extend(filled, pixels, np.cumsum(patches) * PATCH_PX, lengths)
    return Layout(pixels.reshape(-1, PATCH_PX), filled.reshape(-1, PATCH_PX), runs)


def _run_starts(wavelength: np.ndarray) -> np.ndarray:
    steps = np.diff(wavelength)
    if steps.size < 3:
        return np.zeros(1, np.int64)
    half = min(STEP_WINDOW, steps.size) // 2
    pairs = 0.5 * (steps[1:] + steps[:-1])
    padded = np.pad(np.append(pairs, pairs[-1]), half, mode="reflect")
    local = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    return np.concatenate([[0], np.flatnonzero(steps > GAP_STEPS * local) + 1])


def _extend(
    wavelength: np.ndarray, pixels: np.ndarray, ends: np.ndarray, lengths: np.ndarray
) -> None:
    """Continue the wavelengths of every run into the padding of its last patch."""
    for end, length in zip(ends, lengths, strict=True):
        padding = -int(length) % PATCH_PX
        if not padding:
            continue
        stop = int(end) - padding
        last = wavelength[stop - 1]
        known = min(int(length), 5)
        step = LONE_STEP * last
        if known > 1:
            step = (last - wavelength[stop - known]) / (known - 1)
        wavelength[stop:end] = last + step * np.arange(1, padding + 1)
    assert np.all(wavelength[pixels < 0] > 0.0)
