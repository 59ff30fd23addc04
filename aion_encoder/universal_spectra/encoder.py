"""The door: spectra on any grid in, vectors and reconstructions out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from aion_encoder.devices import device_named
from aion_encoder.encoded import Note, Refusal
from aion_encoder.errors import CheckpointError, ObservationError
from aion_encoder.identity import EncoderIdentity, Pooling
from aion_encoder.observations import Spectrum
from aion_encoder.universal_spectra.batches import stack
from aion_encoder.universal_spectra.buckets import buckets
from aion_encoder.universal_spectra.checkpoint import locate
from aion_encoder.universal_spectra.encoded import EncodedSpectra, Reconstruction
from aion_encoder.universal_spectra.model import UniversalSpectra
from aion_encoder.universal_spectra.pooling import MeanPool
from aion_encoder.universal_spectra.preparation import PreparedSpectrum
from aion_encoder.universal_spectra.reconstruction import reconstruct
from aion_encoder.universal_spectra.spectrum import NativeSpectrum
from aion_encoder.universal_spectra.taught import prepare_taught
from aion_encoder.universal_spectra.token_encoder import Tokens

__all__ = ["TOKEN_BUDGET", "UniversalSpectraEncoder", "open_universal_encoder"]

TOKEN_BUDGET = {"cpu": 2048, "cuda": 65536}
"""Tokens of a batch. On a CPU some 16 SDSS spectra, whose wavelength codes still fit its caches:
with 64 the same spectra take a quarter longer."""

CHUNK = 1024
"""Spectra prepared at a time; bounds memory, and gives the buckets something to sort."""


@dataclass(frozen=True, eq=False)
class UniversalSpectraEncoder:
    """A frozen universal spectral tokenizer. Made by `open_universal_encoder`.

    Attributes
    ----------
    identity
        What must be equal for two vectors to be comparable.
    title
        What people should read about these weights; may be empty.
    device
        Where it runs.
    model
        The model itself, in evaluation mode.
    """

    identity: EncoderIdentity
    title: str
    device: str
    model: UniversalSpectra

    def encode(
        self, spectra: Sequence[NativeSpectrum | Spectrum], *, token_budget: int | None = None
    ) -> EncodedSpectra:
        """Encode spectra.

        Parameters
        ----------
        spectra
            On any grids; none is changed. What cannot be encoded is among the refusals and costs
            no other spectrum anything.
        token_budget
            Most tokens of a batch; changes memory and speed, and vectors only by rounding.

        Raises
        ------
        CheckpointError
            If the weights give vectors that are not finite.
        """
        budget = token_budget or TOKEN_BUDGET[torch.device(self.device).type]
        count = len(spectra)
        vectors = np.full((count, self.identity.dim), np.nan, np.float32)
        brightness = np.full(count, np.nan, np.float32)
        estimated = np.zeros(count, bool)
        refusals: list[Refusal] = []
        notes: list[Note] = []
        for first in range(0, count, CHUNK):
            chosen: dict[int, PreparedSpectrum] = {}
            for index in range(first, min(first + CHUNK, count)):
                try:
                    chosen[index] = prepare_taught(
                        _native(spectra[index]), self.model.config.taught_angstrom
                    )
                except ObservationError as error:
                    refusals.append(Refusal(index, "spectrum", str(error)))
                    continue
                brightness[index] = chosen[index].brightness
                estimated[index] = chosen[index].errors_estimated
                notes += [Note(index, "spectrum", text) for text in chosen[index].notes]
            for rows, some in self._vectors(chosen, budget):
                vectors[rows] = some
        present = ~np.isnan(brightness)
        if not np.all(np.isfinite(vectors[present])):
            raise CheckpointError(
                f"the weights {self.identity.repository} give vectors that are not finite; "
                "fetch or train them again"
            )
        return EncodedSpectra(
            vectors, present, brightness, estimated, tuple(refusals), tuple(notes)
        )

    def reconstruct(
        self, spectrum: NativeSpectrum | Spectrum, wavelength_angstrom: np.ndarray | None = None
    ) -> Reconstruction:
        """Return the flux that the model expects.

        Parameters
        ----------
        spectrum
            On any grid.
        wavelength_angstrom
            Vacuum wavelengths to ask for, in any order; the spectrum's own pixels, the ignored
            ones too, if None. Their steps say how wide a pixel is whose flux is wanted; a lone
            wavelength stands for a pixel of SDSS.

        Raises
        ------
        ObservationError
            If the spectrum cannot be encoded, or a wavelength is not finite and positive.
        """
        device = torch.device(self.device)
        return reconstruct(self.model, device, _native(spectrum), wavelength_angstrom)

    def _vectors(
        self, chosen: dict[int, PreparedSpectrum], budget: int
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        rows = list(chosen)
        for batch in buckets([chosen[row].tokens for row in rows], budget):
            of_batch = [rows[number] for number in batch]
            with torch.inference_mode():
                stacked = stack([chosen[row] for row in of_batch]).to(self.device)
                vectors = self._pooled(self.model.encode(stacked))
            yield of_batch, vectors.float().cpu().numpy()

    def _pooled(self, tokens: Tokens) -> Tensor:
        if self.identity.pooling is Pooling.MEAN_ENCODER:
            mean: Tensor = MeanPool()(tokens)
            return mean
        pooled = self.model.pooled(tokens)
        if self.model.head is not None:
            return self.model.aligned(pooled)
        return normalize(pooled, dim=-1)


def _native(spectrum: NativeSpectrum | Spectrum) -> NativeSpectrum:
    return NativeSpectrum.of(spectrum) if isinstance(spectrum, Spectrum) else spectrum


def open_universal_encoder(
    weights: str = "spectra-demo", *, device: str = "auto", pooling: Pooling | None = None
) -> UniversalSpectraEncoder:
    """Open a frozen universal spectral tokenizer.

    Parameters
    ----------
    weights
        ``spectra-demo`` (small, bundled, trained on a simulated sky) or a directory.
    device
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:<number>``.
    pooling
        ``learned`` for the vectors of the retrieval head, ``mean_encoder`` for the mean of the
        tokens; by default as the weights say.

    Raises
    ------
    CheckpointError
        If the weights cannot be had or are not complete; the message says what to do.
    EncoderError
        If there is no such device, or the weights cannot give that pooling.
    """
    place = device_named(device)
    checkpoint = locate(weights)
    chosen = checkpoint.checked_pooling(pooling)
    return UniversalSpectraEncoder(
        identity=checkpoint.identity(chosen),
        title=checkpoint.file.title,
        device=str(place),
        model=checkpoint.load().to(place),
    )
