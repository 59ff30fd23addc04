"""DESI: one object's spectrum and catalogue columns, under their Multimodal Universe names."""

import functools
from typing import Any

import numpy as np

from demo_sky.grids import Float32Array, FloatArray
from demo_sky.identifiers import desi_target_id, legacy_brick
from demo_sky.population import Parameters
from demo_sky.sed import Light
from demo_sky.shapes import Shape
from demo_sky.spectroscopy import DESI_SPECTROGRAPH, sky_noise_factor, take_spectrum

PIXELS = 7781
WAVELENGTH_ANGSTROM: Float32Array = (3600.0 + 0.8 * np.arange(PIXELS)).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _grid() -> tuple[FloatArray, FloatArray]:
    wavelength = 3600.0 + 0.8 * np.arange(PIXELS, dtype=np.float64)
    return np.log10(wavelength), sky_noise_factor(wavelength, 0.9)


def observe_desi(
    parameters: Parameters,
    ra_deg: float,
    dec_deg: float,
    light: Light,
    shape: Shape,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Make one DESI object. ZWARN is inverted, as in the release: True means no problem."""
    log_wavelength, sky = _grid()
    spectrum = take_spectrum(
        DESI_SPECTROGRAPH, log_wavelength, sky, light, shape, parameters.magnitude_r, generator
    )
    _, brick, number = legacy_brick(ra_deg, dec_deg)
    target = desi_target_id(brick, number)
    signal = float(np.median(spectrum.flux * np.sqrt(spectrum.inverse_variance)))
    floor = 3e-4 if parameters.spectral_class == "QSO" else 8e-6
    error = floor + 4e-5 / max(signal, 0.4)
    fluxes = light.fluxes()
    return {
        "object_id": np.int64(target),
        "TARGETID": np.int64(target),
        "spectrum_lambda": WAVELENGTH_ANGSTROM.copy(),
        "spectrum_flux": spectrum.flux,
        "spectrum_ivar": spectrum.inverse_variance,
        "spectrum_mask": spectrum.bad,
        "spectrum_lsf_sigma": np.full(PIXELS, 0.9, np.float32),
        "Z": np.float64(parameters.redshift + generator.normal(0.0, error)),
        "ZERR": np.float64(error),
        "ZWARN": np.bool_(signal > 0.6),
        "SPECTYPE": parameters.spectral_class.encode(),
        "EBV": np.float32(parameters.ebv_milky_way),
        "FLUX_G": np.float32(fluxes["des-g"] * generator.normal(1.0, 0.01)),
        "FLUX_R": np.float32(fluxes["des-r"] * generator.normal(1.0, 0.01)),
        "FLUX_Z": np.float32(fluxes["des-z"] * generator.normal(1.0, 0.01)),
    }
