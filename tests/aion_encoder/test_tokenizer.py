"""Preparation and tokens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion.modalities import DESISpectrum, GaiaXpBp, LegacySurveyFluxG, SDSSSpectrum

from aion_encoder import Encoder, GaiaXp, Photometry, Spectrum
from aion_encoder.codecs import load_codec
from aion_encoder.preparation import normalisation, padded_length, prepare_spectra


def _raw(codec: Any, spectrum: Spectrum, kind: type) -> np.ndarray:
    """Tokens of an unmasked spectrum from the official tokenizer, without any padding."""
    with torch.inference_mode():
        tokens = codec.encode(
            kind(
                flux=torch.tensor(spectrum.flux)[None],
                ivar=torch.tensor(spectrum.ivar)[None],
                mask=torch.tensor(spectrum.mask)[None],
                wavelength=torch.tensor(spectrum.wavelength_angstrom)[None],
            )
        )
    return np.asarray(tokens[0])


def test_that_padding_is_invisible(
    tiny: Encoder, tiny_directory: Path, make_spectrum: Callable[..., Spectrum]
) -> None:
    """Spectra of any lengths together get the very tokens that they get unpadded and alone."""
    codec = load_codec(tiny_directory, "spectrum")
    lengths = [3584, 3585, 3583, 3700, 2000, 4096, 3840]
    spectra = [make_spectrum("sdss", length) for length in lengths]
    spectra += [make_spectrum("desi", length) for length in (7781, 7680, 6000)]
    assert {padded_length(item) for item in spectra} >= {2048, 3584, 4096, 8192}
    for spectrum, result in zip(spectra, tiny.tokenizer.encode(spectra), strict=True):
        kind = DESISpectrum if spectrum.survey == "desi" else SDSSSpectrum
        (tokens,) = result.tokens.values()
        np.testing.assert_array_equal(tokens, _raw(codec, spectrum, kind))


def test_that_what_only_decodes_is_not_held(tiny: Encoder, tiny_directory: Path) -> None:
    for folder in ("image", "spectrum"):
        held = sum(each.numel() for each in tiny.tokenizer._codecs[folder].parameters())
        whole: Any = load_codec(tiny_directory, folder)
        decodes = whole.model.decoder_layers if folder == "image" else whole.decoder
        total = sum(each.numel() for each in whole.parameters())
        assert held == total - sum(each.numel() for each in decodes.parameters()) < total


def test_that_much_padding_is_invisible(
    tiny_directory: Path, make_spectrum: Callable[..., Spectrum]
) -> None:
    """The rule itself, far beyond what is ever padded."""
    codec: Any = load_codec(tiny_directory, "spectrum")
    spectrum = make_spectrum("sdss")
    arrays = prepare_spectra([spectrum], 9000)
    with torch.inference_mode():
        tensors = {name: torch.from_numpy(values) for name, values in arrays.items()}
        padded = codec.encode(SDSSSpectrum(**tensors))[0].numpy()
    np.testing.assert_array_equal(padded, _raw(codec, spectrum, SDSSSpectrum))


def test_bad_pixels_are_interpolated() -> None:
    n = 300
    wavelength = np.linspace(4000.0, 7000.0, n).astype(np.float32)
    flux = 2.0 + wavelength / 1000.0
    dirty = flux.copy()
    bad = np.zeros(n, bool)
    bad[[0, 1, 50, 51, 52, 200, 298, 299]] = True
    dirty[bad] = [np.nan, 1e9, -1e9, np.inf, 0.0, 77.0, -np.inf, 5.0]
    spectrum = Spectrum(dirty, np.full(n, 3.0), wavelength, "sdss", bad)
    arrays = prepare_spectra([spectrum], 320)
    inside = bad.copy()
    inside[[0, 1, 298, 299]] = False
    np.testing.assert_allclose(arrays["flux"][0, :n][inside], flux[inside], rtol=1e-5)
    np.testing.assert_allclose(arrays["flux"][0, :2], flux[2], rtol=1e-6)
    np.testing.assert_allclose(arrays["flux"][0, 298:], flux[297], rtol=1e-6)
    np.testing.assert_array_equal(arrays["wavelength"][0, n:], wavelength[-1])
    np.testing.assert_array_equal(arrays["mask"][0], np.append(bad, np.ones(20, bool)))
    np.testing.assert_array_equal(arrays["ivar"][0], np.where(arrays["mask"][0], 0.0, 3.0))


@pytest.mark.parametrize("level", [0.05, 0.5, 3.0, 40.0])
def test_normalisation_is_the_packages_own(
    tiny_directory: Path, make_spectrum: Callable[..., Spectrum], level: float
) -> None:
    codec: Any = load_codec(tiny_directory, "spectrum")
    plain = make_spectrum("sdss")
    flux = plain.flux * level / plain.flux.mean()
    spectrum = Spectrum(flux, plain.ivar, plain.wavelength_angstrom, "sdss")
    buckets = codec.normalization_quantizer.buckets.numpy()
    expected = np.searchsorted(buckets, np.log10(max(normalisation(spectrum), 0.1) + 1.0))
    # The package quantises the value once more after it has been quantised.
    assert abs(int(_raw(codec, spectrum, SDSSSpectrum)[0]) - int(expected)) <= 1


def test_xp_and_scalar_tokens(
    tiny: Encoder, tiny_directory: Path, make_xp: Callable[[], GaiaXp]
) -> None:
    items = [make_xp() for _ in range(70)]
    codec: Any = load_codec(tiny_directory, "bp_coefficients")
    expected = codec.encode(GaiaXpBp(value=torch.tensor(np.stack([item.bp for item in items]))))
    results = tiny.tokenizer.encode(items)
    ours = np.stack([result.tokens["tok_xp_bp"] for result in results])
    np.testing.assert_array_equal(ours, expected.numpy())

    fluxes = [0.06, 1.0, 30.0, 1e5]
    codec = load_codec(tiny_directory, "FLUX_G")
    expected = codec.encode(LegacySurveyFluxG(value=torch.tensor(fluxes)))
    scalars = tiny.tokenizer.encode([Photometry({"FLUX_G": flux}) for flux in fluxes])
    ours = np.stack([result.tokens["tok_flux_g"] for result in scalars])
    np.testing.assert_array_equal(ours[:, 0], expected.numpy())
    assert [result.notes for result in scalars] == [[], [], [], []]
