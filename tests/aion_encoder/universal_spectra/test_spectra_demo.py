"""The bundled tokenizer of spectra on any grid: complete, small, and of use."""

from pathlib import Path

import numpy as np
import pytest

from aion_encoder.universal_spectra import (
    NativeSpectrum,
    UniversalSpectraEncoder,
    native_spectrum,
)
from demo_sky.native import observe_native

HOME = Path(__file__).parents[3] / "aion_encoder" / "checkpoints" / "spectra-demo"
UNSEEN_SEED, SOURCES = 78, 60


@pytest.fixture(scope="module")
def seen() -> dict[str, list[NativeSpectrum]]:
    """Spectra of sources that no training saw, by instrument."""
    found: dict[str, list[NativeSpectrum]] = {"sdss": [], "desi": [], "galah": [], "prism": []}
    for source in observe_native(UNSEEN_SEED, 0, SOURCES, tuple(found), "training"):
        for name, spectrum in source.spectra.items():
            each = spectrum.joined()
            found[name].append(
                NativeSpectrum(each.flux, each.wavelength_angstrom, each.ivar, each.mask)
            )
    return found


def test_it_is_small_enough_to_be_bundled() -> None:
    assert sum(path.stat().st_size for path in HOME.rglob("*") if path.is_file()) < 15e6


def test_its_card_says_plainly_what_it_is(demo: UniversalSpectraEncoder) -> None:
    card = (HOME / "README.md").read_text()
    for words in ("demonstration", "simulated", "No label", "minutes"):
        assert words in card
    assert "demonstration" in demo.title
    assert demo.identity.dim == 128


@pytest.mark.parametrize(
    ("asking", "asked", "least"),
    [
        ("sdss", "desi", 0.98),
        ("desi", "galah", 0.9),
        ("sdss", "prism", 0.85),
        ("prism", "sdss", 0.85),
    ],
)
def test_a_source_finds_its_own_spectrum_by_another_instrument(
    seen: dict[str, list[NativeSpectrum]],
    demo: UniversalSpectraEncoder,
    asking: str,
    asked: str,
    least: float,
) -> None:
    """By chance it would be one in six. No prism was ever shown in training."""
    one, other = (demo.encode(seen[name]).vectors for name in (asking, asked))
    scores = one @ other.T
    ranks = (scores > scores.diagonal()[:, None]).sum(axis=1)
    assert (ranks < 10).mean() >= least


def test_a_prism_is_seen_within_what_was_taught(
    seen: dict[str, list[NativeSpectrum]], demo: UniversalSpectraEncoder
) -> None:
    encoded = demo.encode(seen["prism"][:1])
    assert encoded.notes[0].text.endswith("which these weights were taught, and are left out")
    infrared = seen["prism"][0].wavelength_angstrom > 17_100.0
    assert demo.reconstruct(seen["prism"][0]).ignored[infrared].all()


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
