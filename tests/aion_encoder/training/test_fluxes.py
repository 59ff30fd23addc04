"""What cells should tell, against sums by hand; and the maps by which they do."""

import numpy as np
import pytest

from aion_encoder.training.fluxes import COUNTS, flux_directions, fluxes_of
from aion_encoder.training.simulated import PackedSky, SpectrumArrays

WAVELENGTH = np.arange(3600.0, 9800.0, 1.0, dtype=np.float32)


@pytest.fixture(scope="module")
def sky() -> PackedSky:
    rng = np.random.default_rng(2)
    pictures = rng.normal(0.02, 0.01, (3, 4, 96, 96)).astype(np.float16)
    pictures[1, 2, 44:52, 44:52] = 3.0
    flux = np.full((3, len(WAVELENGTH)), 2.0, np.float16)
    flux[1] = np.where(WAVELENGTH < 5000, 1.0, 4.0)
    flux[2] = 0.01
    mask = np.zeros(flux.shape, bool)
    mask[1, (WAVELENGTH >= 6000) & (WAVELENGTH < 6200)] = True
    flux[1][mask[1]] = 999.0
    spectra = SpectrumArrays(
        flux, np.ones_like(flux), mask, np.broadcast_to(WAVELENGTH, flux.shape).copy()
    )
    hsc = np.concatenate([pictures.astype(np.float32) * COUNTS["hsc"], pictures[:, :1]], axis=1)
    return PackedSky(
        images={"legacysurvey": pictures, "hsc": hsc},
        spectra={"desi": spectra},
        coefficients=np.zeros((3, 110), np.float32),
        scalars={},
        labels=None,  # type: ignore[arg-type]
    )


def test_rings_are_told_in_four_bands_and_one_unit(sky: PackedSky) -> None:
    legacy, hsc = (fluxes_of(sky, survey) for survey in ("legacysurvey", "hsc"))
    assert legacy is not None
    assert hsc is not None
    assert legacy.shape == hsc.shape == (3, 5, 4)
    assert np.allclose(legacy, hsc, atol=1e-4)
    # The square of 8 px of 3 nanomaggies touches all four blocks of the innermost ring.
    inner = sky.images["legacysurvey"][1, 2, 40:56, 40:56].astype(np.float64).mean()
    assert legacy[1, 0, 2] == pytest.approx(np.arcsinh(inner / 0.01), rel=1e-3)
    assert legacy[1, 1, 2] == pytest.approx(np.arcsinh(2.0), abs=0.1)


def test_arms_are_told_over_the_brightness(sky: PackedSky) -> None:
    told = fluxes_of(sky, "desi")
    assert told is not None
    assert told.shape == (3, 69, 1)
    assert told[0, 0, 0] == pytest.approx(np.log10(3.0), abs=1e-3)
    covered = np.isfinite(told[0, 1:, 0])
    # From 3600 to 9800 A, in arms of 102.4 A that begin at 3500 A; the first holds three pixels.
    assert covered.tolist() == [False] + [True] * 61 + [False] * 6
    assert np.allclose(told[0, 1:, 0][covered], 0.0, atol=2e-3)
    good = ~sky.spectra["desi"].mask[1]
    level = sky.spectra["desi"].flux[1][good].astype(np.float64).sum() / (good.sum() + 1)
    blue, red = (told[1, 1 + arm, 0] for arm in (5, 30))
    assert blue == pytest.approx(np.arcsinh((1.0 / level - 1.0) / 0.5), abs=1e-3)
    assert red == pytest.approx(np.arcsinh((4.0 / level - 1.0) / 0.5), abs=1e-3)
    # Two arms are bad all through or almost, and nothing of the 999 is seen.
    assert np.isnan(told[1, 1 + 25, 0])
    assert np.nanmax(told[1]) < 3.0
    # A source below the tokenizer's floor is told in units of the floor.
    assert told[2, 0, 0] == pytest.approx(np.log10(1.1), abs=1e-3)


def test_gaia_has_no_fluxes(sky: PackedSky) -> None:
    assert fluxes_of(sky, "gaia") is None


def test_directions_find_what_cells_hold() -> None:
    rng = np.random.default_rng(1)
    cells = rng.normal(size=(4000, 30)).astype(np.float32) * rng.uniform(0.5, 2.0, 30)
    cells = cells.astype(np.float32)
    fluxes = (cells @ rng.normal(size=(30, 2)) + 7.0).astype(np.float32)
    fluxes[::5, 1] = np.nan
    directions = flux_directions(cells, fluxes)
    known = np.isfinite(fluxes).all(axis=1)
    told = cells[known] @ directions
    for column in range(2):
        assert np.corrcoef(told[:, column], fluxes[known, column])[0, 1] > 0.999
    assert told.std(axis=0) == pytest.approx([1.0, 1.0], abs=0.02)
