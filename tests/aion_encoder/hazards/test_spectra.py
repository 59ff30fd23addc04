"""Known hazards of `polymathic-aion` 0.0.2 with spectra; see `official`."""

from typing import Any

import numpy as np
import pytest
import torch
from aion.modalities import SDSSSpectrum

from aion_encoder import Encoder, ObservationError, Spectrum, TokenError
from aion_encoder.tokenizer import Tokenizer
from tests.aion_encoder.hazards.official import SpectrumMaker, official_spectrum, our_tokens


def _latent(codec: Any, item: Any) -> np.ndarray:
    """Tokens without the normalisation."""
    return np.asarray(codec.encode(item)[:, 1:])


@pytest.mark.parametrize("harm", ["descending", "zero tail", "minus one tail", "shuffled"])
def test_09_wavelengths_out_of_order(
    spectrum_codec: Any, make_spectrum: SpectrumMaker, rng: np.random.Generator, harm: str
) -> None:
    """Descending or zero-padded wavelengths give all official spectra the same tokens."""
    spectra = [make_spectrum(), make_spectrum()]
    wavelength = spectra[0].wavelength_angstrom.copy()
    if harm == "descending":
        wavelength = wavelength[::-1].copy()
    elif harm == "shuffled":
        rng.shuffle(wavelength)
    else:
        wavelength[-50:] = 0.0 if harm == "zero tail" else -1.0
    raw = [
        _latent(spectrum_codec, official_spectrum(item, wavelength=torch.tensor(wavelength)[None]))
        for item in spectra
    ]
    fine = [_latent(spectrum_codec, official_spectrum(item)) for item in spectra]
    assert not np.array_equal(*fine)
    if harm == "shuffled":
        assert (raw[0] != fine[0]).mean() > 0.1
    else:
        np.testing.assert_array_equal(*raw)
    with pytest.raises(ObservationError, match=r"finite and positive|strictly ascending"):
        Spectrum(spectra[0].flux, spectra[0].ivar, wavelength, "desi")


def test_10_padding(tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker) -> None:
    """A sentinel wavelength behind the last pixel changes official tokens; our padding does not."""
    spectrum = make_spectrum(size=7000)
    unpadded = spectrum_codec.encode(official_spectrum(spectrum)).numpy()

    def longer(values: np.ndarray, fill: float) -> torch.Tensor:
        return torch.tensor(np.append(values, np.full(300, fill, np.float32)))[None]

    sentinel = official_spectrum(
        spectrum,
        flux=longer(spectrum.flux, 0.0),
        ivar=longer(spectrum.ivar, 0.0),
        wavelength=longer(spectrum.wavelength_angstrom, 99999.0),
        mask=torch.arange(7300)[None] >= 7000,
    )
    assert (spectrum_codec.encode(sentinel).numpy() != unpadded).mean() > 0.01
    np.testing.assert_array_equal(our_tokens(tiny, spectrum), unpadded)


@pytest.mark.parametrize("junk", [1e4, -3e3, np.nan])
def test_11_junk_under_the_mask(
    tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker, junk: float
) -> None:
    """What stands in masked pixels changes official tokens, even without any weight."""
    good = make_spectrum()
    mask = np.zeros(good.flux.size, bool)
    mask[2000:2080] = mask[:5] = mask[-7:] = True
    ivar = np.where(mask, 0.0, good.ivar).astype(np.float32)
    dirty = good.flux.copy()
    dirty[mask] = junk
    raw = [
        spectrum_codec.encode(
            official_spectrum(
                good,
                flux=torch.tensor(flux)[None],
                ivar=torch.tensor(ivar)[None],
                mask=torch.tensor(mask)[None],
            )
        )
        for flux in (good.flux, dirty)
    ]
    assert not torch.equal(*raw)
    ours = our_tokens(
        tiny,
        Spectrum(dirty, good.ivar, good.wavelength_angstrom, "desi", mask),
        Spectrum(good.flux, good.ivar, good.wavelength_angstrom, "desi", mask),
    )
    np.testing.assert_array_equal(ours[0], ours[1])


def test_12_number_types(tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker) -> None:
    """An integer mask miscounts in silence; float64 raises."""
    spectrum = make_spectrum()
    mask = np.zeros(spectrum.flux.size, np.int64)
    mask[:4000] = 1
    raw = [
        spectrum_codec.encode(official_spectrum(spectrum, mask=torch.tensor(values)[None]))
        for values in (mask, mask.astype(bool))
    ]
    assert raw[0][0, 0] != raw[1][0, 0]
    with pytest.raises(RuntimeError):
        spectrum_codec.encode(
            official_spectrum(spectrum, flux=torch.tensor(spectrum.flux).double()[None])
        )
    parts = (spectrum.flux, spectrum.ivar, spectrum.wavelength_angstrom)
    ours = our_tokens(
        tiny,
        Spectrum(*parts, "desi", mask.astype(bool)),
        Spectrum(*(part.astype(np.float64) for part in parts), "desi", mask),
        Spectrum(*(part.astype(">f8") for part in parts), "desi", mask.astype(np.uint8)),
    )
    np.testing.assert_array_equal(ours[0], ours[1])
    np.testing.assert_array_equal(ours[0], ours[2])


def test_13_flux_units(spectrum_codec: Any, make_spectrum: SpectrumMaker) -> None:
    """In cgs units all official spectra get the same tokens."""
    spectra = [make_spectrum(), make_spectrum()]
    raw = [
        spectrum_codec.encode(
            official_spectrum(
                item,
                flux=torch.tensor(item.flux * np.float32(1e-17))[None],
                ivar=torch.zeros(1, item.flux.size),
            )
        )
        for item in spectra
    ]
    assert torch.equal(*raw)
    for item in spectra:
        with pytest.raises(ObservationError, match="must be in units of 1e-17"):
            Spectrum(item.flux * 1e-17, item.ivar, item.wavelength_angstrom, "desi")


def test_13_faint_spectra_are_noted(
    tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker
) -> None:
    """All spectra of a mean flux below 0.1 share a normalisation token."""
    bright = make_spectrum()
    parts = (bright.ivar, bright.wavelength_angstrom, "desi")
    faint = [Spectrum(bright.flux * factor, *parts) for factor in (0.001, 0.004)]
    raw = [int(spectrum_codec.encode(official_spectrum(item))[0, 0]) for item in faint]
    assert raw[0] == raw[1]
    encoded = tiny.encode([(item,) for item in (bright, *faint)])
    assert [(note.index, note.modality) for note in encoded.notes] == [
        (1, "spectrum"),
        (2, "spectrum"),
    ]
    assert all(note.text.startswith("normalisation at the floor") for note in encoded.notes)


def test_dead_spectra(tiny: Encoder, spectrum_codec: Any, make_spectrum: SpectrumMaker) -> None:
    """Padding with a wavelength of 0, as in a later version, gave all SDSS spectra one code."""
    spectra = [make_spectrum("sdss") for _ in range(4)]
    raw = [
        _latent(
            spectrum_codec,
            SDSSSpectrum(
                **{
                    name: torch.tensor(np.pad(values, (0, 200)))[None]
                    for name, values in (
                        ("flux", item.flux),
                        ("ivar", item.ivar),
                        ("wavelength", item.wavelength_angstrom),
                        ("mask", np.zeros(item.flux.size, bool)),
                    )
                }
            ),
        )
        for item in spectra
    ]
    assert all(np.array_equal(tokens, raw[0]) for tokens in raw)
    ours = our_tokens(tiny, *spectra)[:, 1:]
    assert len(np.unique(ours, axis=0)) == 4


class _Blind(torch.nn.Module):
    """A tokenizer that gives every spectrum the same, varied, tokens."""

    def encode(self, item: Any) -> torch.Tensor:
        return torch.arange(273).repeat(len(item.flux), 1)


def test_dead_spectra_are_noticed(make_spectrum: SpectrumMaker) -> None:
    blind = Tokenizer({"spectrum": _Blind()}, ["tok_spectrum_sdss"], torch.device("cpu"))
    spectra = [make_spectrum("sdss") for _ in range(3)]
    with pytest.raises(TokenError, match="3 different observations got the same tokens"):
        blind.encode(spectra)
    assert blind.encode(spectra[:1] * 3)[2].tokens
