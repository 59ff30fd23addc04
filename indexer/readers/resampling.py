"""Cut-outs brought to a survey's own pixel scale, orientation and size."""

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

__all__ = ["CUTOUT_PX", "central", "resample"]

CUTOUT_PX = 160
"""Largest side of a cut-out that is kept, in native pixels: what the Multimodal Universe stores.
AION-1 looks at the central 96."""

BAD_SHARE = 0.25
"""Share of bad pixels under an interpolated one from which it is bad too."""


def resample(
    flux: Float32[np.ndarray, "bands height width"],
    bad: Bool[np.ndarray, "bands height width"],
    ratio: float,
    *,
    smooth: bool,
) -> tuple[Float32[np.ndarray, "bands h w"], Bool[np.ndarray, "bands h w"]]:
    """Interpolate a cut-out onto pixels `ratio` times as large, about the same centre.

    Pixel values are kept: no factor for the area is applied. Cubic splines; bad pixels count as 0.

    Parameters
    ----------
    flux, bad
        The cut-out and its mask.
    ratio
        New pixel scale over the old one.
    smooth
        Whether to average over the new pixel first. Right for an image that holds detail finer than
        the new pixels; wrong for one that was itself interpolated from coarser ones.

    Returns
    -------
    flux, bad
        Of at most `CUTOUT_PX` on a side.
    """
    _, height, width = flux.shape
    rows, columns = (
        _places(old, min(int(old / ratio + 1e-6), CUTOUT_PX), ratio) for old in (height, width)
    )
    grid = np.meshgrid(rows, columns, indexing="ij")
    new_flux = np.empty((len(flux), len(rows), len(columns)), np.float32)
    new_bad = np.empty(new_flux.shape, bool)
    for band, (plane, missing) in enumerate(zip(flux, bad, strict=True)):
        source = np.where(missing, 0.0, plane).astype(np.float64)
        if smooth and ratio > 1.0:
            source = ndimage.uniform_filter(source, size=max(1, round(ratio)), mode="nearest")
        new_flux[band] = ndimage.map_coordinates(source, grid, order=3, mode="nearest")
        share = ndimage.map_coordinates(missing.astype(np.float64), grid, order=1, mode="nearest")
        new_bad[band] = share > BAD_SHARE
    return new_flux, new_bad


def central(array: np.ndarray, side: int = CUTOUT_PX) -> np.ndarray:
    """Return the central part of the last two axes, of at most `side` pixels, as an own array."""
    height, width = array.shape[-2:]
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    return array[..., top : top + min(side, height), left : left + min(side, width)].copy()


def _places(old: int, new: int, ratio: float) -> np.ndarray:
    """Return where the centres of the new pixels lie, in old pixels."""
    return (np.arange(new) - (new - 1) / 2.0) * ratio + (old - 1) / 2.0
