"""A camera: pixels, atmosphere, sky and photon noise, for the two imaging surveys."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from demo_sky.field import Neighbours, neighbour_colours, neighbour_layers
from demo_sky.grids import Float32Array
from demo_sky.morphology import component_layers
from demo_sky.photometry import BANDS, HSC_BANDS, LEGACY_BANDS
from demo_sky.profiles import pixel_grid
from demo_sky.sed import Light
from demo_sky.shapes import Shape

SIZE_PIXELS = 160
_MARGIN = 8
"""Pixels rendered beyond each edge and cut off, so that the convolution does not wrap round."""


@dataclass(frozen=True)
class Camera:
    """What one survey's co-added pictures are like.

    Attributes
    ----------
    bands : tuple of str
    scale_arcsec : float
        Pixel size.
    units_per_nanomaggy : float
        Pixel unit: 1 for nanomaggies; 10**(0.4 (27 - 22.5)) for counts at zero point 27.0.
    sky_sigma : tuple of float
        Typical noise of an empty pixel, in pixel units.
    electrons_per_unit : tuple of float
        Gain of the stack: sets the noise of bright pixels.
    seeing_arcsec : tuple of float
        Median full width at half maximum.
    seeing_scatter : float
        Scatter of its logarithm.
    moffat_beta : float
        Exponent of the point spread function's wings.
    """

    bands: tuple[str, ...]
    scale_arcsec: float
    units_per_nanomaggy: float
    sky_sigma: tuple[float, ...]
    electrons_per_unit: tuple[float, ...]
    seeing_arcsec: tuple[float, ...]
    seeing_scatter: float
    moffat_beta: float


LEGACY_CAMERA = Camera(
    LEGACY_BANDS,
    0.262,
    1.0,
    (0.0056, 0.0095, 0.0175, 0.0210),
    (6000.0, 4500.0, 4000.0, 3800.0),
    (1.36, 1.22, 1.16, 1.14),
    0.10,
    2.9,
)
HSC_CAMERA = Camera(
    HSC_BANDS,
    0.168,
    10.0**1.8,
    (0.034, 0.045, 0.060, 0.110, 0.220),
    (1300.0, 1500.0, 2000.0, 1500.0, 900.0),
    (0.78, 0.72, 0.60, 0.66, 0.68),
    0.08,
    3.3,
)


@dataclass(frozen=True)
class Exposure:
    """A noisy picture and what is known of it.

    Attributes
    ----------
    image, inverse_variance : array, shape (bands, 160, 160)
        In pixel units. Row 0 is south.
    model : array, same shape
        Noise-free picture.
    target : array, shape (160, 160)
        Noise-free light of the target alone, in one band.
    good : bool array, shape (bands, 160, 160)
    seeing_arcsec : array, shape (bands,)
    """

    image: Float32Array
    inverse_variance: Float32Array
    model: Float32Array
    target: Float32Array
    good: NDArray[np.bool_]
    seeing_arcsec: Float32Array


@functools.lru_cache(maxsize=256)
def _transfer_function(
    size: int, scale_milliarcsec: int, seeing_hundredths: int, beta_tenths: int
) -> NDArray[np.float32]:
    """Fourier transform of a Moffat function of unit sum, centred on pixel 0; real by symmetry."""
    beta = beta_tenths / 10.0
    fwhm_pixels = seeing_hundredths * 10.0 / scale_milliarcsec
    core = fwhm_pixels / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
    steps = scipy.fft.fftfreq(size, 1.0 / size)
    moffat = (1.0 + (steps[:, None] ** 2 + steps[None, :] ** 2) / core**2) ** -beta
    transfer = scipy.fft.rfft2(moffat / moffat.sum())
    return np.ascontiguousarray(transfer.real, dtype=np.float32)


def expose(
    camera: Camera,
    light: Light,
    shape: Shape,
    neighbours: Neighbours,
    generator: np.random.Generator,
    target_band: str = "",
) -> Exposure:
    """Take the picture of a source and its field.

    Parameters
    ----------
    camera : Camera
    light, shape, neighbours
        The source's components, their geometry, and the field around.
    generator : numpy.random.Generator
        Draws pointing, seeing, depth and noise of this survey.
    target_band : str
        Band in which `Exposure.target` is rendered; without one it is zero.
    """
    size = SIZE_PIXELS + 2 * _MARGIN
    scale = camera.scale_arcsec
    bands = len(camera.bands)
    pointing = generator.uniform(-0.5, 0.5, 2) * scale
    grid = pixel_grid(size, scale, *pointing)
    layers = component_layers(shape, tuple(light.components), grid)
    field = neighbour_layers(neighbours, grid)
    colours = neighbour_colours()
    depth = generator.lognormal(0.0, 0.12, bands)
    common = generator.normal(0.0, camera.seeing_scatter)
    seeing = np.array(camera.seeing_arcsec) * np.exp(
        common + generator.normal(0.0, 0.5 * camera.seeing_scatter, bands)
    )
    inside = slice(_MARGIN, _MARGIN + SIZE_PIXELS)
    model = np.empty((bands, SIZE_PIXELS, SIZE_PIXELS), np.float32)
    target = np.zeros((SIZE_PIXELS, SIZE_PIXELS), np.float32)
    variance = np.empty_like(model)
    prepared = [_Layer.prepare(light.components[name].fluxes, *layers[name]) for name in layers]
    for number, band in enumerate(camera.bands):
        scene = np.zeros((size, size), np.float32)
        for layer in prepared:
            layer.add_to(scene, band, camera.units_per_nanomaggy)
        transfer = _transfer_function(
            size,
            round(scale * 1000),
            2 * round(seeing[number] * 50),
            round(camera.moffat_beta * 10),
        )
        if band == target_band:
            alone = scipy.fft.irfft2(scipy.fft.rfft2(scene) * transfer, s=(size, size))
            target[:] = alone[inside, inside]
        weights = colours[:, BANDS.index(band)] * camera.units_per_nanomaggy
        for weight, plane in zip(weights.astype(np.float32), field, strict=True):
            scene += weight * plane
        blurred = scipy.fft.irfft2(scipy.fft.rfft2(scene) * transfer, s=(size, size))
        model[number] = blurred[inside, inside]
        sky = camera.sky_sigma[number] * depth[number]
        np.maximum(model[number], 0.0, out=variance[number])
        variance[number] *= np.float32(1.0 / camera.electrons_per_unit[number])
        variance[number] += np.float32(sky**2)
    noise = generator.standard_normal(model.shape, dtype=np.float32)
    noise *= np.sqrt(variance)
    noise += model
    good = np.ones(model.shape, bool)
    _add_blemishes(good, generator)
    return Exposure(
        _round_mantissa(noise, 12),
        _round_mantissa(np.reciprocal(variance), 7),
        model,
        target,
        good,
        seeing.astype(np.float32),
    )


def _round_mantissa(values: Float32Array, bits: int) -> Float32Array:
    """Keep so many bits after the leading one: far below the noise, and files compress better.

    The surveys' own pipelines quantise their pictures for the same reason.
    """
    drop = 23 - bits
    raw = values.view(np.uint32)
    raw += np.uint32(1 << (drop - 1))
    raw &= np.uint32(0xFFFFFFFF ^ ((1 << drop) - 1))
    return values


@dataclass(frozen=True)
class _Layer:
    """One component before the atmosphere, with the part of it that lies behind dust."""

    fluxes: dict[str, float]
    image: Float32Array
    behind_dust: Float32Array | None
    total: float
    total_behind_dust: float

    @classmethod
    def prepare(
        cls, fluxes: dict[str, float], image: Float32Array, dust: Float32Array | None
    ) -> "_Layer":
        if dust is None:
            return cls(fluxes, image, None, 1.0, 0.0)
        behind = image * dust
        return cls(fluxes, image, behind, float(image.sum()), float(behind.sum()))

    def add_to(self, scene: Float32Array, band: str, units: float) -> None:
        flux = self.fluxes[band] * units
        if self.behind_dust is None:
            scene += np.float32(flux) * self.image
            return
        # Lanes dim the blue most; the component keeps its integrated flux and colour.
        lost = 1.0 - _lane_transmission(band)
        flux *= self.total / (self.total - lost * self.total_behind_dust)
        scene += np.float32(flux) * self.image
        scene -= np.float32(flux * lost) * self.behind_dust


def _lane_transmission(band: str) -> float:
    """Share of light that a dust lane lets through: opaque in g, half clear in y."""
    return {"g": 0.12, "r": 0.22, "i": 0.32, "z": 0.42, "y": 0.47}[band[-1]]


def _add_blemishes(good: NDArray[np.bool_], generator: np.random.Generator) -> None:
    """Flag a bad column or a cosmic ray in one band of a few per cent of pictures."""
    if generator.random() > 0.04:
        return
    band = int(generator.integers(len(good)))
    column, row = generator.integers(5, SIZE_PIXELS - 40, 2)
    if generator.random() < 0.5:
        good[band, :, column] = False
    else:
        steps = np.arange(int(generator.integers(6, 30)))
        good[band, row + steps // 2, column + steps] = False


def colour_picture(planes: Float32Array, noise: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Three planes (red, green, blue) as 8-bit RGB with one arcsinh stretch of the mean.

    `noise` is the empty-sky sigma of each plane; its ratios balance the colours.
    """
    scale = np.array(noise, np.float32)[:, None, None]
    mean = planes.mean(axis=0)
    softening = np.float32(4.0 * float(scale.mean()))
    stretched = np.arcsinh(np.maximum(mean, 0) / softening) / np.maximum(mean, softening * 1e-2)
    rgb = planes * stretched / np.float32(np.arcsinh(120.0)) + np.float32(0.03)
    return np.asarray(np.clip(np.moveaxis(rgb, 0, -1), 0, 1) * 255, np.uint8)
