"""Surface-brightness building blocks, evaluated on the pixels of a picture.

Every function returns flux per pixel for a total flux of 1 over the whole plane, so that pictures
of different fields of view and pixel scales agree.
"""

import functools
from dataclasses import dataclass

import numpy as np

from demo_sky.grids import Float32Array, FloatArray

_TRUNCATION_RADII = 5.0
"""Sersic profiles fade out at this many half-light radii, as Tractor's do."""


@dataclass(frozen=True)
class PixelGrid:
    """Pixel centres as offsets from the target.

    Attributes
    ----------
    east_arcsec : array, shape (columns,)
        Decreases with the column: east is left when north is up.
    north_arcsec : array, shape (rows,)
        Increases with the row: row 0 is south, the order of FITS.
    scale_arcsec : float
        Pixel size.
    """

    east_arcsec: Float32Array
    north_arcsec: Float32Array
    scale_arcsec: float


def pixel_grid(
    size: int, scale_arcsec: float, east_shift: float = 0.0, north_shift: float = 0.0
) -> PixelGrid:
    """Square grid whose centre lies at the given offset (arcsec) from the target."""
    steps = (np.arange(size) - (size - 1) / 2.0) * scale_arcsec
    return PixelGrid(
        (east_shift - steps).astype(np.float32),
        (north_shift + steps).astype(np.float32),
        scale_arcsec,
    )


def rotate(
    east: Float32Array, north: Float32Array, position_angle: float
) -> tuple[Float32Array, Float32Array]:
    """Offsets along the major and the minor axis; the angle (rad) runs from north to east."""
    sine, cosine = np.float32(np.sin(position_angle)), np.float32(np.cos(position_angle))
    return east * sine + north * cosine, east * cosine - north * sine


def _sersic_shape(radius: Float32Array, index: float) -> Float32Array:
    coefficient = 2.0 * index - 1.0 / 3.0 + 0.009876 / index
    profile = np.exp(np.float32(-coefficient) * radius ** np.float32(1.0 / index))
    return np.asarray(profile * np.exp(-((radius / np.float32(_TRUNCATION_RADII)) ** 4)))


@functools.lru_cache(maxsize=512)
def _sersic_total(index_tenths: int) -> float:
    """Integral of the shape over the plane in half-light radii squared."""
    radius = np.logspace(-6, 1.3, 4000)
    profile = _sersic_shape(np.asarray(radius, np.float32), index_tenths / 10.0)
    return float(np.trapezoid(profile * 2 * np.pi * radius, radius))


def sersic(
    grid: PixelGrid,
    half_light_arcsec: float,
    index: float,
    axis_ratio: float,
    position_angle: float,
    centre: tuple[float, float] = (0.0, 0.0),
) -> Float32Array:
    """Sersic (1963) profile; the radius is along the major axis.

    The index is rounded to one decimal. The cusp is integrated over sub-pixels.
    """
    tenths = round(index * 10)
    index = tenths / 10.0

    def evaluate(east: Float32Array, north: Float32Array) -> Float32Array:
        along, across = rotate(
            east[None, :] - np.float32(centre[0]),
            north[:, None] - np.float32(centre[1]),
            position_angle,
        )
        squared = along**2 + (across / np.float32(axis_ratio)) ** 2
        radius = np.sqrt(squared) / np.float32(half_light_arcsec)
        return _sersic_shape(np.asarray(radius, np.float32), index)

    image = evaluate(grid.east_arcsec, grid.north_arcsec)
    column = int(np.argmin(np.abs(grid.east_arcsec - centre[0])))
    row = int(np.argmin(np.abs(grid.north_arcsec - centre[1])))
    columns = slice(max(column - 4, 0), column + 5)
    rows = slice(max(row - 4, 0), row + 5)
    sub = (np.arange(7, dtype=np.float32) - 3) / 7 * np.float32(grid.scale_arcsec)
    east = np.asarray(grid.east_arcsec[columns, None] + sub, np.float32).ravel()
    north = np.asarray(grid.north_arcsec[rows, None] + sub, np.float32).ravel()
    fine = evaluate(east, north)
    image[rows, columns] = fine.reshape(len(north) // 7, 7, len(east) // 7, 7).mean(axis=(1, 3))
    total = _sersic_total(tenths) * axis_ratio * half_light_arcsec**2
    return image * np.float32(grid.scale_arcsec**2 / total)


def gaussians(
    grid: PixelGrid,
    east: FloatArray,
    north: FloatArray,
    sigma: FloatArray,
    flux: FloatArray,
) -> Float32Array:
    """Sum of round Gaussians; a matrix product, since each is separable.

    Parameters
    ----------
    east, north, sigma : array, shape (count,)
        Offsets and widths in arcsec. Widths are at least 0.45 pixels.
    flux : array, shape (count,) or (planes, count)
        Total fluxes; with two dimensions the result has a plane per row.
    """
    width = np.maximum(sigma, 0.45 * grid.scale_arcsec).astype(np.float32)
    column = np.exp(
        -0.5 * np.minimum(((grid.east_arcsec[:, None] - east.astype(np.float32)) / width) ** 2, 80)
    )
    row = np.exp(
        -0.5
        * np.minimum(((grid.north_arcsec[:, None] - north.astype(np.float32)) / width) ** 2, 80)
    )
    weight = flux.astype(np.float32) * np.float32(grid.scale_arcsec**2 / (2 * np.pi)) / width**2
    return np.asarray((row * weight[..., None, :]) @ column.T, np.float32)


def smooth_field(grid: PixelGrid, table: Float32Array, extent_arcsec: float) -> Float32Array:
    """Cubic B-spline surface through a table of random numbers on the sky.

    The same table gives the same surface on any pixel grid; outside +-extent it repeats. Its
    sides are at least 4.
    """
    return np.asarray(
        _spline_weights(grid.north_arcsec, len(table), extent_arcsec)
        @ table
        @ _spline_weights(grid.east_arcsec, len(table), extent_arcsec).T
    )


def _spline_weights(offset: Float32Array, count: int, extent_arcsec: float) -> Float32Array:
    position = (offset / np.float32(2 * extent_arcsec) + np.float32(0.5)) * count
    base = np.floor(position).astype(np.int64)
    t = position - base
    rows = np.arange(len(offset))
    weights = np.zeros((len(offset), count), np.float32)
    for shift, value in (
        (-1, (1 - t) ** 3 / 6),
        (0, (3 * t**3 - 6 * t**2 + 4) / 6),
        (1, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6),
        (2, t**3 / 6),
    ):
        weights[rows, (base + shift) % count] = value
    return weights
