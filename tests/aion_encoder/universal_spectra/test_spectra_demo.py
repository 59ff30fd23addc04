"""The bundled tokenizer of spectra on any grid: complete, small, and of use."""

import os
from pathlib import Path

import numpy as np
import pytest

from aion_encoder.observations import Spectrum
from aion_encoder.universal_spectra import (
    NativeSpectrum,
    UniversalSpectraEncoder,
    native_spectrum,
    open_universal_encoder,
)
from demo_sky.native import observe_native
from indexer.readers import read_spectrum_file

REPOSITORY = Path(__file__).parents[3]
HOME = REPOSITORY / "aion_encoder" / "checkpoints" / "spectra-demo"
ROOT = Path(os.environ.get("REAL_SKY_ROOT") or REPOSITORY / ".." / "shared" / "real_sky")
SPECTRA = ROOT / "spectra"
UNSEEN_SEED, SOURCES = 78, 60

real = pytest.mark.skipif(not SPECTRA.is_dir(), reason=f"no real survey files at {ROOT}")


@pytest.fixture(scope="module")
def demo() -> UniversalSpectraEncoder:
    return open_universal_encoder(device="cpu")


def test_it_is_small_enough_to_be_bundled() -> None:
    assert sum(path.stat().st_size for path in HOME.rglob("*") if path.is_file()) < 15e6


def test_its_card_says_plainly_what_it_is(demo: UniversalSpectraEncoder) -> None:
    card = (HOME / "README.md").read_text()
    for words in ("demonstration", "simulated", "No label", "minutes"):
        assert words in card
    assert "demonstration" in demo.title
    assert demo.identity.dim == 128


def test_a_source_finds_its_own_spectrum_by_another_instrument(
    demo: UniversalSpectraEncoder,
) -> None:
    """By chance it would be one in six. A prism's spectrum is not found: see docs/decisions.md."""
    seen: dict[str, list[NativeSpectrum]] = {"sdss": [], "desi": []}
    for source in observe_native(UNSEEN_SEED, 0, SOURCES, tuple(seen), "training"):
        for name, spectrum in source.spectra.items():
            each = spectrum.joined()
            seen[name].append(
                NativeSpectrum(each.flux, each.wavelength_angstrom, each.ivar, each.mask)
            )
    vectors = {name: demo.encode(spectra).vectors for name, spectra in seen.items()}
    scores = vectors["sdss"] @ vectors["desi"].T
    ranks = (scores > scores.diagonal()[:, None]).sum(axis=1)
    assert (ranks < 10).mean() >= 0.9


def test_what_it_gives_back_is_nearer_than_the_median(demo: UniversalSpectraEncoder) -> None:
    source = next(iter(observe_native(UNSEEN_SEED, 3, 4, ("desi",), "training")))
    each = source.spectra["desi"].joined()
    made = demo.reconstruct(
        NativeSpectrum(each.flux, each.wavelength_angstrom, each.ivar, each.mask)
    )
    good = ~each.mask & (each.ivar > 0) & ~made.ignored
    weight = np.sqrt(each.ivar[good])
    told = np.mean(((made.flux - each.expected)[good] * weight) ** 2)
    flat = np.mean(((np.median(each.flux[good]) - each.expected[good]) * weight) ** 2)
    assert told < 0.25 * flat


def test_the_unit_of_an_axis_and_of_the_flux_makes_no_difference(
    demo: UniversalSpectraEncoder,
) -> None:
    source = next(iter(observe_native(UNSEEN_SEED, 5, 6, ("apogee",), "training")))
    each = source.spectra["apogee"]
    flux, ivar = np.where(each.mask, np.nan, each.flux), each.ivar
    spectra = [
        native_spectrum(flux, each.wavelength_angstrom, ivar),
        native_spectrum(1e-17 * flux, each.wavelength_angstrom / 1e4, 1e34 * ivar, unit="um"),
        native_spectrum(
            flux[::-1], 2.99792458e18 / each.wavelength_angstrom[::-1], ivar[::-1], unit="Hz"
        ),
    ]
    vectors = demo.encode(spectra).vectors
    assert np.allclose(vectors @ vectors.T, 1.0, atol=1e-4)


def _read(*names: str) -> NativeSpectrum:
    found = read_spectrum_file([SPECTRA / name for name in names])
    assert isinstance(found.observation, Spectrum)
    return NativeSpectrum.of(found.observation)


@real
@pytest.mark.real_sky
def test_two_observations_of_one_real_galaxy_are_each_others_nearest(
    demo: UniversalSpectraEncoder,
) -> None:
    names = sorted(path.name for path in (SPECTRA / "sdss").glob("spec-*.fits"))
    vectors = demo.encode([_read(f"sdss/{name}") for name in names]).vectors
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    one, other = (names.index(f"spec-0266-{end}.fits") for end in ("51602-0166", "51630-0174"))
    assert int(scores[one].argmax()) == other
    assert int(scores[other].argmax()) == one


@real
@pytest.mark.real_sky
def test_every_real_spectrum_is_encoded(demo: UniversalSpectraEncoder) -> None:
    files = [
        ("other/UM184_nF.fits", "other/UM184_nE.fits"),
        ("other/XShooter_XQ100.fits.gz",),
        ("other/spec-58397-EG014118N254444M01_sp03-031.fits",),
        ("other/ZTF20abucjsa_20200909_LT_v1.ascii",),
        ("sdss/spec-0266-51602-0001.dat",),
    ]
    encoded = demo.encode([_read(*names) for names in files])
    assert encoded.present.all(), encoded.refusals
