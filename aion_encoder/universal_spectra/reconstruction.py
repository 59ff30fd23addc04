"""Fluxes that the model expects, on the spectrum's own grid or on any other."""

import numpy as np
import torch

from aion_encoder.errors import ObservationError
from aion_encoder.universal_spectra.batches import stack
from aion_encoder.universal_spectra.encoded import Reconstruction
from aion_encoder.universal_spectra.model import UniversalSpectra
from aion_encoder.universal_spectra.patches import lay_out
from aion_encoder.universal_spectra.preparation import PreparedSpectrum
from aion_encoder.universal_spectra.scaling import unsquash
from aion_encoder.universal_spectra.spectrum import NativeSpectrum
from aion_encoder.universal_spectra.taught import prepare_taught

__all__ = ["reconstruct"]

QUERIES = 1024
"""Patches asked for at once; they do not see each other, so this changes memory only."""


@torch.inference_mode()
def reconstruct(
    model: UniversalSpectra,
    device: torch.device,
    spectrum: NativeSpectrum,
    wavelength_angstrom: np.ndarray | None = None,
) -> Reconstruction:
    """Ask a model for fluxes; see `UniversalSpectraEncoder.reconstruct`."""
    prepared = prepare_taught(spectrum, model.config.taught_angstrom)
    if wavelength_angstrom is None:
        asked = spectrum.wavelength_angstrom
        pixels, patches = prepared.pixels, prepared.wavelength_angstrom
        places = np.arange(asked.size)
    else:
        asked = _checked(wavelength_angstrom)
        # A grid in any order, with repeats: each wavelength is asked for once.
        distinct, places = np.unique(asked, return_inverse=True)
        layout = lay_out(distinct)
        pixels, patches = layout.pixels, layout.wavelength_angstrom
    tokens = model.encode(stack([prepared]).to(device))
    answers = [
        model.decode(tokens, torch.tensor(some, device=device)[None])[0].cpu().numpy()
        for some in np.split(patches, range(QUERIES, len(patches), QUERIES))
    ]
    inside = pixels >= 0
    flux = np.empty(int(inside.sum()))
    flux[pixels[inside]] = unsquash(np.concatenate(answers)[inside]) * prepared.scale
    return Reconstruction(
        wavelength_angstrom=asked,
        flux=flux[places],
        covered=_covered(prepared, asked),
        ignored=prepared.ignored,
        notes=prepared.notes,
    )


def _checked(wavelength_angstrom: np.ndarray) -> np.ndarray:
    asked = np.array(wavelength_angstrom, np.float64)
    if asked.ndim != 1 or asked.size == 0:
        raise ObservationError(
            f"requested wavelengths must be a list of at least one, got the shape {asked.shape}"
        )
    if not np.all(np.isfinite(asked)) or np.any(asked <= 0.0):
        raise ObservationError("requested wavelengths must be finite and positive, in Angstrom")
    return asked


def _covered(prepared: PreparedSpectrum, asked: np.ndarray) -> np.ndarray:
    wavelength = prepared.wavelength_angstrom[prepared.valid]
    number = (prepared.pixels[prepared.valid] >= 0).sum(axis=1)
    rows = np.arange(len(wavelength))
    # Half a pixel further on either side: a pixel is no point.
    first = wavelength[:, 0] - 0.5 * (wavelength[:, 1] - wavelength[:, 0])
    last = wavelength[rows, number - 1]
    last = last + 0.5 * (last - wavelength[rows, number - 2])
    begun = np.searchsorted(np.sort(first), asked, side="right")
    ended = np.searchsorted(np.sort(last), asked, side="left")
    return np.asarray(begun > ended)
