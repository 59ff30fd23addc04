"""Photons, sky, read noise, cosmic rays and calibration: from true flux to a native spectrum."""

import numpy as np

from demo_sky.grids import Float32Array
from demo_sky.native_instruments import Instrument
from demo_sky.native_spectrum import NativeSpectrum

_OPAQUE = 0.45
"""Pixels that lose more than this to the atmosphere cannot be corrected."""
_BRIGHT_SKY = 120.0
"""Nor can sky lines so many times brighter than the sky's continuum be subtracted."""
_FLOOR = 0.004
"""Error of the flat field: no spectrum is better than 250."""
_TELLURIC_ERROR = 0.05
_AIM_SCATTER = 0.55


def exposure_time(instrument: Instrument, flux: float, aim: float) -> float:
    """Time that gives a source the signal-to-noise ratio `aim`, over the nominal exposure.

    Parameters
    ----------
    instrument : Instrument
    flux : float
        Typical flux, 1e-17 erg/s/cm2/A.
    aim : float
        Signal-to-noise ratio per good pixel.
    """
    exposure = instrument.exposure
    electrons = max(flux, 1e-4) * exposure.electrons * 0.75
    # aim^2 = (electrons t)^2 / ((electrons + sky) t + read variance)
    photons = aim**2 * (electrons + exposure.sky_electrons)
    time = photons + np.sqrt(photons**2 + 4.0 * electrons**2 * aim**2 * exposure.read_variance)
    time /= 2.0 * electrons**2
    return float(np.clip(time, exposure.shortest, exposure.longest))


def expose(
    instrument: Instrument, true: Float32Array, generator: np.random.Generator
) -> NativeSpectrum:
    """Observe a source whose true flux at each pixel is known.

    Parameters
    ----------
    instrument : Instrument
    true : array
        1e-17 erg/s/cm2/A, at the instrument's resolution.
    generator : numpy.random.Generator

    Notes
    -----
    The error is that of the electrons of source, sky and read-out, plus a share of the flux for the
    flat field and for what the telluric correction leaves; `ivar` states it exactly.
    """
    exposure = instrument.exposure
    throughput = instrument.throughput
    count = len(true)
    light = throughput > 0
    aim = exposure.signal_to_noise * generator.lognormal(0.0, _AIM_SCATTER)
    typical = float(np.median(true[throughput > 0.4]))
    time = exposure_time(instrument, typical, aim)
    expected = true * _calibration(instrument, generator)
    efficiency = np.where(light, throughput * instrument.transmission, 1.0) * time
    electrons = exposure.electrons * efficiency
    source = np.maximum(expected, 0.0) * electrons
    sky = exposure.sky_electrons * instrument.sky * throughput * time
    # Longer exposures are more exposures, each read out.
    read = exposure.read_variance * max(time, 1.0)
    fraction2 = _FLOOR**2 + (_TELLURIC_ERROR * (1.0 - instrument.transmission)) ** 2
    variance = (source + sky + read) / electrons**2 + fraction2 * expected**2
    sigma = np.sqrt(variance).astype(np.float32)
    flux = expected + sigma * generator.standard_normal(count, dtype=np.float32)
    mask = instrument.broken | ~light
    mask |= (instrument.transmission < _OPAQUE) | (instrument.sky > _BRIGHT_SKY)
    flux, struck = _strike(flux, sigma, exposure.cosmic_rays * min(time, 2.0), generator)
    mask = mask | struck
    flux[~light] = 0.0
    return NativeSpectrum(
        instrument.name,
        instrument.wavelength_angstrom,
        flux.astype(np.float32),
        np.where(mask, 0.0, 1.0 / variance).astype(np.float32),
        mask,
        instrument.arms,
        expected.astype(np.float32),
    )


def _calibration(instrument: Instrument, generator: np.random.Generator) -> Float32Array:
    """Factor on the flux: one level, and a level and a tilt for each arm."""
    scatter = instrument.exposure.calibration
    factor = np.full(len(instrument.throughput), 1.0 + generator.normal(0.0, scatter), np.float32)
    for arm in instrument.arms:
        level, tilt = generator.normal(0.0, 0.4 * scatter, 2)
        place = np.linspace(-1.0, 1.0, arm.stop - arm.start, dtype=np.float32)
        factor[arm] *= 1.0 + np.float32(level) + np.float32(tilt) * place
    return factor


def _strike(
    flux: Float32Array, sigma: Float32Array, rate: float, generator: np.random.Generator
) -> tuple[Float32Array, np.ndarray]:
    """Put cosmic rays into a copy; all are found by the pipeline and flagged."""
    struck = np.zeros(len(flux), bool)
    flux = flux.copy()
    for start in generator.integers(0, len(flux) - 4, int(generator.poisson(rate * len(flux)))):
        stop = start + int(generator.integers(1, 4))
        flux[start:stop] += sigma[start:stop] * np.float32(generator.lognormal(3.0, 1.0))
        struck[start:stop] = True
    return flux, struck
