"""A made-up source that can be seen on any grid, and sizes of a model that is built in no time."""

import numpy as np

from aion_encoder.universal_spectra import NativeSpectrum, UstConfig

TINY = UstConfig(dim=32, heads=4, encoder_layers=2, decoder_layers=1, query_layers=1)
TINY_WITH_HEAD = TINY.model_copy(update={"head_dim": 16})
WINDOWED_WITH_HEAD = TINY_WITH_HEAD.model_copy(update={"pooling": "windows", "window_dim": 4})

SDSS_GRID: np.ndarray = 3800.0 * 10 ** (1e-4 * np.arange(3840))


def source_flux(wavelength: np.ndarray, seed: int) -> np.ndarray:
    """The flux of a made-up source: a slope, absorption and emission lines; no noise."""
    rng = np.random.default_rng(seed)
    flux = rng.uniform(3, 30) * (wavelength / 6000.0) ** rng.normal(0, 1.0)
    for centre in rng.uniform(3600, 18000, 40):
        depth = rng.uniform(-0.7, 1.5)
        flux = flux * (1 + depth * np.exp(-0.5 * ((wavelength - centre) / (centre / 800)) ** 2))
    return np.asarray(flux)


def see(
    wavelength: np.ndarray = SDSS_GRID, *, seed: int = 1, snr: float = 20.0, **changes: object
) -> NativeSpectrum:
    """A source with noise."""
    flux = source_flux(wavelength, seed)
    sigma = float(np.median(flux)) / snr
    noise = np.random.default_rng([seed, wavelength.size]).normal(0, sigma, wavelength.size)
    given = {
        "flux": flux + noise,
        "wavelength_angstrom": wavelength,
        "ivar": np.full(wavelength.size, sigma**-2),
        **changes,
    }
    return NativeSpectrum(**given)  # type: ignore[arg-type]
