"""Random checkpoints of the official classes, and random observations to feed them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aion_encoder import Encoder, GaiaXp, Image, Photometry, Spectrum, open_encoder
from aion_encoder.surveys import SURVEYS
from aion_encoder.training.blank import write_random_checkpoint


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random checkpoint; read only."""
    return write_random_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny", seed=1)


@pytest.fixture(scope="session")
def tiny(tiny_directory: Path) -> Encoder:
    return open_encoder(str(tiny_directory), device="cpu")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def make_image(rng: np.random.Generator) -> Callable[..., Image]:
    """Simulated pictures: a blob on noise, in the survey's own counts."""

    def make(survey: str = "legacysurvey", side: int = 104, **changes: object) -> Image:
        bands = SURVEYS[survey].bands
        scale = 1.0 if survey == "legacysurvey" else 20.0
        y, x = np.mgrid[:side, :side] - side / 2 + rng.normal(0, 2, (2, 1, 1))
        blob = rng.lognormal(1, 0.5) * np.exp(-(x**2 + y**2) / rng.uniform(20, 200))
        flux = scale * (rng.normal(0, 0.1, (len(bands), side, side)) + blob)
        given = {"flux": flux, "bands": bands, "survey": survey, **changes}
        return Image(**given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_spectrum(rng: np.random.Generator) -> Callable[..., Spectrum]:
    """Simulated spectra: a slope, lines and noise."""

    def make(survey: str = "desi", size: int | None = None, **changes: object) -> Spectrum:
        if survey == "desi":
            wavelength = 3600.0 + 0.8 * np.arange(size or 7781)
        else:
            wavelength = 3800.0 * 10 ** (1e-4 * np.arange(size or 3820))
        flux = rng.uniform(2, 20) * (wavelength / 6000) ** rng.normal(0, 1.5)
        for centre in rng.uniform(3800, 9000, 6):
            flux = flux + rng.uniform(5, 40) * np.exp(-0.5 * ((wavelength - centre) / 6) ** 2)
        flux = flux + rng.normal(0, 0.5, wavelength.size)
        given = {
            "flux": flux,
            "ivar": np.full(wavelength.size, 4.0),
            "wavelength_angstrom": wavelength,
            "survey": survey,
            **changes,
        }
        return Spectrum(**given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_xp(rng: np.random.Generator) -> Callable[[], GaiaXp]:
    decay = 300.0 * np.exp(-np.arange(55) / 8.0)
    return lambda: GaiaXp(bp=rng.normal(0, decay), rp=rng.normal(0, decay))


@pytest.fixture
def make_photometry(rng: np.random.Generator) -> Callable[..., Photometry]:
    def make(*names: str) -> Photometry:
        names = names or ("FLUX_G", "FLUX_R", "FLUX_I", "FLUX_Z")
        return Photometry({name: float(rng.lognormal(1, 1)) + 0.1 for name in names})

    return make
