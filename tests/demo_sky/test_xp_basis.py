"""The simulated coefficients, turned back into spectra: those that they were made of, blurred."""

from pathlib import Path

import numpy as np
import pytest

from demo_sky.gaia import arm_counts, arm_projection, electrons_of
from demo_sky.photometry import BIN_CENTRES_ANGSTROM, bin_spectrum, nanomaggies
from demo_sky.stellar_spectra import star_spectrum, white_dwarf_spectrum
from demo_sky.xp_basis import XP_WAVELENGTH_ANGSTROM, write_xp_basis, xp_design
from indexer.xp_basis import read_basis


@pytest.fixture(scope="module")
def design() -> np.ndarray:
    return xp_design()


def coefficients(binned: np.ndarray) -> np.ndarray:
    """Coefficients without noise, from their definition."""
    parts = []
    for arm in ("bp", "rp"):
        matrix, response = arm_projection(arm)
        electrons = electrons_of(binned, response)
        counts = arm_counts(arm, nanomaggies(binned)[f"gaia-{arm}"])
        parts.append(matrix @ (electrons * counts / electrons.sum()))
    return np.concatenate(parts)


def blurred(binned: np.ndarray) -> np.ndarray:
    """The truth with about the width of the instrument's lines, on the basis's wavelengths."""
    width = np.interp(XP_WAVELENGTH_ANGSTROM, [3500.0, 6500.0, 6501.0, 10200.0], [50, 280, 90, 160])
    distance = (BIN_CENTRES_ANGSTROM[None, :] - XP_WAVELENGTH_ANGSTROM[:, None]) / width[:, None]
    weights = np.exp(-0.5 * distance**2)
    return (weights @ binned) / weights.sum(axis=1)


@pytest.mark.parametrize(
    "spectrum",
    [star_spectrum(4800.0, 3.0, -0.5), star_spectrum(6200.0, 4.3, 0.1), white_dwarf_spectrum(16e3)],
    ids=["giant", "dwarf", "white dwarf"],
)
def test_stars_come_back(design: np.ndarray, spectrum: np.ndarray) -> None:
    binned = 1e-17 * bin_spectrum(spectrum, 0.0) / np.median(spectrum)
    told, true = design @ coefficients(binned), 1e17 * blurred(binned)
    inside = (XP_WAVELENGTH_ANGSTROM > 4000.0) & (XP_WAVELENGTH_ANGSTROM < 9600.0)
    assert np.corrcoef(told[inside], true[inside])[0, 1] > 0.98
    assert told[inside].sum() == pytest.approx(true[inside].sum(), rel=0.1)


def test_the_two_arms_meet(design: np.ndarray) -> None:
    binned = 1e-17 * bin_spectrum(star_spectrum(5600.0, 4.4, 0.0), 0.0)
    told = design @ coefficients(binned)
    near = (XP_WAVELENGTH_ANGSTROM > 6200.0) & (XP_WAVELENGTH_ANGSTROM < 6800.0)
    steps = np.abs(np.diff(told[near])) / told[near][1:]
    assert steps.max() < 0.05


def test_the_file_is_the_same_again_and_read(tmp_path: Path, design: np.ndarray) -> None:
    write_xp_basis(tmp_path / "a.npz")
    write_xp_basis(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    basis = read_basis(tmp_path / "a.npz")
    assert np.array_equal(basis.design, design)
