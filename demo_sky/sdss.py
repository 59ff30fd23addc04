"""SDSS: one object's spectrum and catalogue columns, under their Multimodal Universe names."""

import functools
from typing import Any

import numpy as np

from demo_sky.grids import FloatArray
from demo_sky.identifiers import sdss_spec_object_id
from demo_sky.population import Parameters
from demo_sky.sed import Light
from demo_sky.shapes import Shape
from demo_sky.spectroscopy import SDSS_SPECTROGRAPH, sky_noise_factor, take_spectrum

_FIRST_STEP, _LAST_STEP = 35760, 39680


@functools.lru_cache(maxsize=1)
def _grid() -> tuple[FloatArray, FloatArray]:
    log_wavelength = np.arange(_FIRST_STEP, _LAST_STEP, dtype=np.float64) * 1e-4
    return log_wavelength, sky_noise_factor(10.0**log_wavelength)


def observe_sdss(
    parameters: Parameters, slot: int, light: Light, shape: Shape, generator: np.random.Generator
) -> dict[str, Any]:
    """Make one SDSS object; spectra start and stop at different wavelengths, without padding."""
    log_wavelength, sky = _grid()
    start = int(generator.integers(20, 70))  # 3,782 to 3,826 A
    stop = int(generator.integers(3840, 3900))  # 9,170 to 9,300 A
    spectrum = take_spectrum(
        SDSS_SPECTROGRAPH,
        log_wavelength[start:stop],
        sky[start:stop],
        light,
        shape,
        parameters.magnitude_r,
        generator,
    )
    wavelength = 10.0 ** log_wavelength[start:stop]
    number, plate, mjd, fibre = sdss_spec_object_id(slot)
    signal = float(np.median(spectrum.flux * np.sqrt(spectrum.inverse_variance)))
    error = _redshift_error(parameters, signal)
    uncertain = signal < 1.0
    drift = generator.normal(0.0, error)
    fluxes = light.fluxes()
    return {
        "object_id": f"{number:>22d}".encode(),
        "spectrum_lambda": wavelength.astype(">f4"),
        "spectrum_flux": spectrum.flux.astype(">f4"),
        "spectrum_ivar": spectrum.inverse_variance.astype(">f4"),
        "spectrum_mask": spectrum.bad,
        "spectrum_lsf_sigma": np.interp(
            wavelength, [3800, 5500, 6000, 9200], [1.24, 0.89, 0.96, 0.80]
        ).astype(">f4"),
        "Z": np.float32(parameters.redshift + drift),
        "ZERR": np.float32(error),
        "Z_ERR": np.float32(error),  # the name in specObj files
        "ZWARNING": np.int32(4 if uncertain else 0),
        "CLASS": parameters.spectral_class.encode(),
        "SUBCLASS": _subclass(parameters).encode(),
        "PLATE": np.int32(plate),
        "MJD": np.int32(mjd),
        "FIBERID": np.int32(fibre),
        "SN_MEDIAN_ALL": np.float32(signal),
        "VDISP": np.float32(parameters.galaxy.dispersion_km_s if parameters.galaxy else 0.0),
        "SPECTROFLUX": np.array(
            [fluxes[band] for band in ("des-g", "des-g", "des-r", "des-i", "des-z")], ">f4"
        ),
    }


def _redshift_error(parameters: Parameters, signal_to_noise: float) -> float:
    floor = 4e-4 if parameters.spectral_class == "QSO" else 1e-5
    return float(floor + 6e-5 / max(signal_to_noise, 0.5))


def _subclass(parameters: Parameters) -> str:
    if parameters.star is not None:
        if parameters.object_class == "white_dwarf":
            return "WD"
        classes = (
            (30000, "O"),
            (10000, "B9"),
            (7400, "A0"),
            (6000, "F5"),
            (5200, "G2"),
            (3900, "K3"),
            (3300, "M2"),
            (0, "M5"),
        )
        return next(name for limit, name in classes if parameters.star.temperature_k >= limit)
    if parameters.spectral_class == "QSO":
        return "BROADLINE"
    galaxy = parameters.galaxy
    assert galaxy is not None
    if galaxy.nucleus == "seyfert":
        return "AGN"
    if galaxy.specific_rate_per_gyr > 0.25:
        return "STARBURST"
    return "STARFORMING" if galaxy.specific_rate_per_gyr > 0.03 else ""
