"""How many spectra a second the tokenizer encodes."""

import time

import torch

from aion_encoder.training.native import NativeSky
from aion_encoder.universal_spectra import UniversalSpectraEncoder

__all__ = ["rates"]

SPECTRA = 200
ROUNDS = 3


def rates(encoder: UniversalSpectraEncoder, sky: NativeSky) -> dict[str, float]:
    """Return spectra a second by instrument: the best of three rounds, preparation included."""
    found: dict[str, float] = {"threads": float(torch.get_num_threads())}
    for instrument in ("sdss", "desi", "galah", "apogee"):
        count = min(SPECTRA, len(sky))
        spectra = [sky.spectrum(instrument, row).spectrum for row in range(count)]
        taken = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            encoder.encode(spectra)
            taken.append(time.perf_counter() - began)
        found[instrument] = count / min(taken)
    return found
