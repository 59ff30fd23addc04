"""A stand-in for the universal spectral tokenizer: fluxes in bins of wavelength, no weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aion_encoder.encoded import Note, Refusal
from aion_encoder.errors import ObservationError
from aion_encoder.identity import EncoderIdentity, Pooling
from aion_encoder.observations import Spectrum
from aion_encoder.universal_spectra import (
    EncodedSpectra,
    NativeSpectrum,
    Reconstruction,
    prepare,
)

BINS = np.geomspace(3000.0, 50_000.0, 49)


@dataclass(frozen=True)
class FakeNative:
    """Refuses what the tokenizer refuses; other weights have another identity."""

    weights: str

    @property
    def identity(self) -> EncoderIdentity:
        return EncoderIdentity(
            repository=self.weights,
            codecs_repository=self.weights,
            files={"model.safetensors": f"{len(self.weights):064x}"},
            pooling=Pooling.LEARNED,
            dim=48,
        )

    def encode(self, spectra: Sequence[NativeSpectrum | Spectrum]) -> EncodedSpectra:
        vectors = np.full((len(spectra), 48), np.nan, np.float32)
        refusals, notes = [], []
        for number, spectrum in enumerate(spectra):
            native = NativeSpectrum.of(spectrum) if isinstance(spectrum, Spectrum) else spectrum
            try:
                prepared = prepare(native)
            except ObservationError as error:
                refusals.append(Refusal(number, "spectrum", str(error)))
                continue
            good = native.good
            place = np.clip(np.digitize(native.wavelength_angstrom[good], BINS) - 1, 0, 47)
            total = np.bincount(place, native.flux[good], 48)
            # The bins that a spectrum covers count as well as what is in them.
            vector = total / np.linalg.norm(total) + 0.01
            vectors[number] = vector / np.linalg.norm(vector)
            notes += [Note(number, "spectrum", text) for text in prepared.notes]
        present = np.isfinite(vectors).all(axis=1)
        zeros = np.zeros(len(spectra), np.float32)
        return EncodedSpectra(vectors, present, zeros, zeros > 0, tuple(refusals), tuple(notes))

    def reconstruct(self, spectrum: NativeSpectrum) -> Reconstruction:
        """Give the mean of the pixels that count, everywhere."""
        prepared = prepare(spectrum)
        flux = np.full(spectrum.flux.size, spectrum.flux[~prepared.ignored].mean())
        covered = np.ones(spectrum.flux.size, bool)
        return Reconstruction(
            spectrum.wavelength_angstrom, flux, covered, prepared.ignored, prepared.notes
        )


def open_fake_native(weights: str) -> FakeNative:
    """Open the stand-in; importable by worker processes."""
    return FakeNative(weights)
