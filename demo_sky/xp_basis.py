"""What this sky's XP coefficients stand for: fluxes at wavelengths, as a matrix.

The Gaia archive's users get the same from GaiaXPy, whose matrices belong to the real telescope. The
coefficients hold a blurred spectrum in electrons; here that is undone, with as little roughness as
they leave open.
"""

from pathlib import Path

import numpy as np

from demo_sky.gaia import COEFFICIENTS_PER_BAND, arm_counts, arm_projection, electrons_of
from demo_sky.grids import FloatArray
from demo_sky.photometry import BIN_CENTRES_ANGSTROM, bin_spectrum, nanomaggies
from demo_sky.stellar_spectra import star_spectrum

__all__ = ["XP_WAVELENGTH_ANGSTROM", "write_xp_basis", "xp_design"]

XP_WAVELENGTH_ANGSTROM: FloatArray = np.linspace(3500.0, 10200.0, 336)
_JOIN_ANGSTROM = (6350.0, 6650.0)
_ROUGHNESS = 3e-4
_STARS = ((3600.0, 4.5), (4500.0, 4.0), (5800.0, 4.4), (7000.0, 4.0), (9500.0, 3.9))


def xp_design() -> FloatArray:
    """Return the matrix (wavelengths, 110) from BP, then RP coefficients to flux density.

    Flux density is in 1e-17 erg/s/cm2/A at `XP_WAVELENGTH_ANGSTROM`.
    """
    share = np.interp(XP_WAVELENGTH_ANGSTROM, _JOIN_ANGSTROM, (1.0, 0.0))
    return np.concatenate(
        [share[:, None] * _of_arm("bp"), (1.0 - share)[:, None] * _of_arm("rp")], axis=1
    )


def write_xp_basis(path: Path) -> None:
    """Write the matrix and its wavelengths as NumPy arrays, as `indexer.xp_basis` reads them."""
    np.savez(path, wavelength_angstrom=XP_WAVELENGTH_ANGSTROM, design=xp_design())


def _of_arm(arm: str) -> FloatArray:
    matrix, response = arm_projection(arm)
    nodes = XP_WAVELENGTH_ANGSTROM
    # Fluxes between nodes are linear in theirs.
    at = np.clip(np.searchsorted(nodes, BIN_CENTRES_ANGSTROM) - 1, 0, len(nodes) - 2)
    part = np.clip((BIN_CENTRES_ANGSTROM - nodes[at]) / (nodes[at + 1] - nodes[at]), 0.0, 1.0)
    rows = np.arange(len(BIN_CENTRES_ANGSTROM))
    between = np.zeros((len(rows), len(nodes)))
    between[rows, at] = 1.0 - part
    between[rows, at + 1] += part
    seen = matrix @ (electrons_of(np.ones(len(rows)), response)[:, None] * between)
    seen /= np.abs(seen).max()
    rough = np.diff(np.eye(len(nodes)), 2, axis=0)
    found = np.asarray(
        np.linalg.solve(seen.T @ seen + _ROUGHNESS * rough.T @ rough, seen.T), np.float64
    )
    assert found.shape == (len(nodes), COEFFICIENTS_PER_BAND)
    return np.asarray(found * _scale(arm, found))


def _scale(arm: str, found: FloatArray) -> float:
    """Return what brings stars to their true flux: the arm's photometry sets its own."""
    matrix, response = arm_projection(arm)
    first, last = (4200.0, 6000.0) if arm == "bp" else (7000.0, 9300.0)
    inside = (first < XP_WAVELENGTH_ANGSTROM) & (last > XP_WAVELENGTH_ANGSTROM)
    ratios = []
    for temperature, gravity in _STARS:
        binned = bin_spectrum(star_spectrum(temperature, gravity, 0.0), 0.0)
        electrons = electrons_of(binned, response)
        counts = arm_counts(arm, nanomaggies(binned)[f"gaia-{arm}"])
        electrons = electrons * (counts / electrons.sum())
        told = found @ (matrix @ electrons)
        true = np.interp(XP_WAVELENGTH_ANGSTROM, BIN_CENTRES_ANGSTROM, binned)
        ratios.append(true[inside].sum() / told[inside].sum())
    return 1e17 * float(np.median(ratios))
