"""The door: what comes in bad costs nothing good, and what comes out is in the caller's units."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from made_up_spectra import SDSS_GRID, see

from aion_encoder import CheckpointError, ObservationError, Spectrum, universal_spectra
from aion_encoder.universal_spectra import (
    NativeSpectrum,
    UniversalSpectraEncoder,
    join_pieces,
    open_universal_encoder,
)
from aion_encoder.universal_spectra import encoder as encoder_module

APOGEE = np.concatenate(
    [np.linspace(a, b, 2000) for a, b in [(15150, 15800), (15870, 16430), (16490, 16950)]]
)
NOTHING = NativeSpectrum(np.full(3840, 7.0), SDSS_GRID)


def test_that_importing_it_does_not_import_torch() -> None:
    code = (
        "import sys, aion_encoder.universal_spectra as ust; "
        "[getattr(ust, name) for name in ust.__all__ if 'ncoder' not in name]; "
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_that_every_public_name_is_there_and_listed() -> None:
    names = universal_spectra.__all__
    assert sorted(names, key=lambda name: (not name.isupper(), name)) == names
    for name in names:
        assert getattr(universal_spectra, name) is not None
        assert name in dir(universal_spectra)
    with pytest.raises(AttributeError, match="has no attribute 'open_encodr'"):
        _ = universal_spectra.open_encodr


def test_vectors(tiny: UniversalSpectraEncoder) -> None:
    bare = NativeSpectrum(see(APOGEE, seed=3).flux, APOGEE)
    encoded = tiny.encode([see(), bare, see(seed=2)])
    assert encoded.vectors.shape == (3, 16)
    assert encoded.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(encoded.vectors, axis=1), 1.0, rtol=1e-5)
    assert encoded.present.all()
    np.testing.assert_array_equal(encoded.errors_estimated, [False, True, False])
    assert encoded.brightness[0] == pytest.approx(np.log10(np.median(see().flux)), abs=1e-6)
    assert not encoded.refusals
    (note,) = encoded.notes
    assert (note.index, note.modality) == (1, "spectrum")
    assert note.text.startswith("the spectrum has no errors: they are estimated")


def test_that_bad_input_costs_no_good_row(tiny: UniversalSpectraEncoder) -> None:
    good = [see(seed=1), see(SDSS_GRID[:900], seed=2), see(APOGEE, seed=3)]
    short = NativeSpectrum(np.arange(90.0), SDSS_GRID[:90])
    encoded = tiny.encode([NOTHING, good[0], short, good[1], good[2]])
    np.testing.assert_array_equal(encoded.present, [False, True, False, True, True])
    np.testing.assert_allclose(
        encoded.vectors[encoded.present], tiny.encode(good).vectors, atol=1e-5
    )
    assert np.all(np.isnan(encoded.vectors[[0, 2]]))
    assert np.all(np.isnan(encoded.brightness[[0, 2]]))
    assert [refusal.index for refusal in encoded.refusals] == [0, 2]
    assert "all 3840 good ones are 7" in encoded.refusals[0].reason
    assert "got 3 of 3" in encoded.refusals[1].reason


def test_that_order_and_budget_do_not_matter(
    tiny: UniversalSpectraEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    spectra = [see(SDSS_GRID[: 600 + 211 * seed], seed=seed) for seed in range(12)]
    vectors = tiny.encode(spectra).vectors
    order = np.random.default_rng(1).permutation(12)
    np.testing.assert_allclose(
        tiny.encode([spectra[row] for row in order]).vectors, vectors[order], atol=1e-5
    )
    np.testing.assert_allclose(tiny.encode(spectra, token_budget=1).vectors, vectors, atol=1e-5)
    monkeypatch.setattr(encoder_module, "CHUNK", 5)
    np.testing.assert_allclose(tiny.encode(spectra).vectors, vectors, atol=1e-5)


def test_no_spectra(tiny: UniversalSpectraEncoder) -> None:
    assert tiny.encode([]).vectors.shape == (0, 16)


def test_that_the_unit_of_the_flux_does_not_matter(tiny: UniversalSpectraEncoder) -> None:
    spectrum = see()
    assert spectrum.ivar is not None
    scaled = see(flux=1e-17 * spectrum.flux, ivar=1e34 * spectrum.ivar)
    encoded = tiny.encode([spectrum, scaled])
    np.testing.assert_allclose(encoded.vectors[0], encoded.vectors[1], atol=1e-5)
    assert encoded.brightness[0] - encoded.brightness[1] == pytest.approx(17.0, abs=1e-4)


def test_arms_as_pieces_or_joined(tiny: UniversalSpectraEncoder) -> None:
    whole = see(APOGEE)
    assert whole.ivar is not None
    chips = [
        NativeSpectrum(whole.flux[each], APOGEE[each], whole.ivar[each])
        for each in (slice(4000, 6000), slice(0, 2000), slice(2000, 4000))
    ]
    np.testing.assert_array_equal(
        tiny.encode([join_pieces(chips)]).vectors, tiny.encode([whole]).vectors
    )


def test_what_aion_takes_is_taken_too(tiny: UniversalSpectraEncoder) -> None:
    native = see(SDSS_GRID.astype(np.float32))
    spectrum = Spectrum(
        flux=native.flux, ivar=native.ivar, wavelength_angstrom=SDSS_GRID, survey="sdss"
    )
    encoded = tiny.encode([native, spectrum])
    np.testing.assert_allclose(encoded.vectors[0], encoded.vectors[1], atol=1e-4)
    assert tiny.reconstruct(spectrum).flux.shape == (3840,)


def test_weights_that_give_no_numbers(tiny_directory: object) -> None:
    broken = open_universal_encoder(str(tiny_directory), device="cpu")
    broken.model.encoder.norm.weight.fill_(torch.inf)
    with pytest.raises(CheckpointError, match="weights tiny give vectors that are not finite"):
        broken.encode([see()])


def test_reconstruction_on_the_native_grid(tiny: UniversalSpectraEncoder) -> None:
    mask = np.zeros(3840, bool)
    mask[100:180] = True
    spectrum = see(mask=mask)
    answer = tiny.reconstruct(spectrum)
    np.testing.assert_array_equal(answer.wavelength_angstrom, SDSS_GRID)
    assert np.all(np.isfinite(answer.flux))
    # Weights that know nothing answer one scale everywhere.
    scale = float(np.median(spectrum.flux[~mask]))
    assert np.median(answer.flux) == pytest.approx(scale, rel=0.2)
    # Of the patches from pixel 96 to 191, the first and the last have 4 and 12 good pixels.
    expected = np.zeros(3840, bool)
    expected[96:192] = True
    np.testing.assert_array_equal(answer.ignored, expected)
    np.testing.assert_array_equal(~answer.covered, expected)
    assert answer.notes == ()


def test_reconstruction_on_another_grid(tiny: UniversalSpectraEncoder) -> None:
    """In any order, with repeats, and beyond the spectrum: said, and not refused."""
    spectrum = see()
    asked = np.array([9500.0, 5000.0, 5000.0, 3000.0, 4000.0, 3799.7])
    answer = tiny.reconstruct(spectrum, asked)
    np.testing.assert_array_equal(answer.wavelength_angstrom, asked)
    assert answer.flux.shape == (6,)
    assert answer.flux[1] == answer.flux[2]
    np.testing.assert_array_equal(answer.covered, [False, True, True, False, True, True])
    assert answer.ignored.shape == (3840,)
    grid = np.linspace(3900.0, 9000.0, 50_000)
    np.testing.assert_allclose(
        tiny.reconstruct(spectrum, grid[::-1]).flux[::-1], tiny.reconstruct(spectrum, grid).flux
    )


def test_reconstruction_in_pieces_of_any_size(
    tiny: UniversalSpectraEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny.reconstruct(see()).flux
    monkeypatch.setattr("aion_encoder.universal_spectra.reconstruction.QUERIES", 7)
    np.testing.assert_allclose(tiny.reconstruct(see()).flux, whole, rtol=1e-4)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([], r"a list of at least one, got the shape \(0,\)"),
        ([[5000.0]], r"a list of at least one, got the shape \(1, 1\)"),
        ([5000.0, np.nan], "must be finite and positive, in Angstrom"),
        ([-1.0], "must be finite and positive, in Angstrom"),
    ],
)
def test_wavelengths_that_cannot_be_asked_for(
    tiny: UniversalSpectraEncoder, asked: object, message: str
) -> None:
    with pytest.raises(ObservationError, match=message):
        tiny.reconstruct(see(), np.array(asked))


def test_a_spectrum_with_nothing_to_reconstruct(tiny: UniversalSpectraEncoder) -> None:
    with pytest.raises(ObservationError, match="there is nothing in this spectrum"):
        tiny.reconstruct(NOTHING)
