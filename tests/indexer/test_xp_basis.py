"""Gaia coefficients drawn as spectra where their basis is known."""

from pathlib import Path

import numpy as np
import pytest

from aion_encoder.observations import GaiaXp
from indexer.errors import ManifestError
from indexer.manifests import ReleaseManifest
from indexer.previews import Preview, as_spectrum
from indexer.remote import root_named
from indexer.xp_basis import (
    GAIA_DR3,
    XpBasis,
    basis_named,
    read_basis,
    unit_sources,
    write_basis,
)

WAVELENGTH = np.linspace(3500.0, 10_000.0, 40)


def invented() -> XpBasis:
    return XpBasis(WAVELENGTH, np.random.default_rng(2).standard_normal((40, 110)))


def test_flux_is_the_matrix_times_both_arms() -> None:
    basis = invented()
    bp, rp = np.arange(55.0), -np.arange(55.0)
    told = basis.flux(GaiaXp(bp=bp, rp=rp))
    np.testing.assert_allclose(
        told, basis.design[:, :55] @ bp + basis.design[:, 55:] @ rp, rtol=1e-5
    )


def test_a_preview_of_coefficients_becomes_a_spectrum_too() -> None:
    basis = invented()
    coefficients = np.linspace(1.0, 2.0, 110, dtype=np.float32)
    seen = as_spectrum(Preview("xp", coefficients=coefficients), basis)
    assert seen.kind == "xp"
    assert np.array_equal(seen.coefficients, coefficients)
    np.testing.assert_allclose(seen.flux, basis.design @ coefficients, rtol=1e-5)
    other = Preview("image", png=b"x")
    assert as_spectrum(other, basis) is other
    plain = Preview("xp", coefficients=coefficients)
    assert as_spectrum(plain, None) is plain


def test_a_basis_is_read_as_it_was_written(tmp_path: Path) -> None:
    basis = invented()
    write_basis(basis, tmp_path / "basis.npz")
    again = basis_named("basis.npz", tmp_path)
    assert np.array_equal(again.design, basis.design)
    assert np.array_equal(again.wavelength_angstrom, basis.wavelength_angstrom)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"wavelength_angstrom": WAVELENGTH}, "design"),
        ({"wavelength_angstrom": WAVELENGTH, "design": np.ones((40, 100))}, "each of 110"),
        ({"wavelength_angstrom": WAVELENGTH[::-1], "design": np.ones((40, 110))}, "ascending"),
        ({"wavelength_angstrom": WAVELENGTH, "design": np.full((40, 110), np.nan)}, "finite"),
    ],
)
def test_what_is_no_basis_is_refused(tmp_path: Path, arrays: dict, words: str) -> None:
    np.savez(tmp_path / "basis.npz", **arrays)
    with pytest.raises(ManifestError, match=words):
        read_basis(tmp_path / "basis.npz")


def test_a_basis_must_be_at_hand(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no basis of XP coefficients in gone\.npz"):
        basis_named("gone.npz", tmp_path)
    with pytest.raises(ManifestError, match="must lie on this machine"):
        basis_named("basis.npz", root_named("https://example.org/data"))


@pytest.mark.parametrize(
    ("survey", "basis", "words"),
    [
        ("desi", GAIA_DR3, "belongs to releases of Gaia's coefficients"),
        ("gaia", "../basis.npz", "must lie under the root"),
        ("gaia", "/basis.npz", "must lie under the root"),
        ("gaia", "gaia-dr4", "xp_basis"),
    ],
)
def test_manifests_say_it_of_gaia_only(survey: str, basis: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ReleaseManifest(
            name="r",
            title="R",
            survey=survey,
            reader="mmu_hdf5",
            files=("*.hdf5",),
            xp_basis=basis,
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_basis_of_gaia_gives_what_the_archives_own_package_gives(tmp_path: Path) -> None:
    gaiaxpy = pytest.importorskip("gaiaxpy", reason="GaiaXPy is not installed: pip install .[gaia]")
    basis = basis_named(GAIA_DR3, tmp_path)
    assert basis is basis_named(GAIA_DR3, tmp_path)
    rng = np.random.default_rng(8)
    sources = unit_sources().head(3).copy()
    given = [{arm: rng.standard_normal(55) for arm in ("bp", "rp")} for _ in range(3)]
    for arm in ("bp", "rp"):
        sources[f"{arm}_coefficients"] = [each[arm] for each in given]
    told, wavelengths_nm = gaiaxpy.calibrate(sources, save_file=False)
    np.testing.assert_allclose(basis.wavelength_angstrom, 10.0 * wavelengths_nm)
    for number, coefficients in enumerate(given):
        flux = 1e19 * np.asarray(told.sort_values("source_id")["flux"].iloc[number])
        np.testing.assert_allclose(
            basis.flux(GaiaXp(**coefficients)), flux, atol=1e-5 * np.abs(flux).max()
        )
