"""What the universal spectral tokenizer understood of a spectrum that a person brought."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64

from aion_encoder.universal_spectra import NativeSpectrum, Reconstruction, prepare
from aion_encoder.universal_spectra.patches import lay_out
from indexer.errors import SearchError
from indexer.index_file import Index
from indexer.index_model import NATIVE
from indexer.native_queries import model_of
from indexer.queries import Query

if TYPE_CHECKING:
    from aion_encoder.universal_spectra import UniversalSpectraEncoder

__all__ = ["Understood", "understood"]


@dataclass(frozen=True, eq=False)
class Understood:
    """A spectrum, and what the tokenizer gives back of it, pixel by pixel.

    Attributes
    ----------
    model
        Which tokenizer, in words.
    wavelength_angstrom
        Vacuum wavelengths, shape (n,), ascending within a run.
    flux
        As measured, NaN where a pixel is bad; in the unit of the file.
    given_back
        What the model says, in the same unit.
    ignored
        True where a pixel is bad, or lies in a patch that the model did not see because more
        than half of it is bad.
    starts
        First pixel of each run without a gap.
    chi_square
        Reduced: the mean of squared differences over squared errors, of the pixels that are not
        ignored.
    errors_estimated
        Whether those errors are not the file's, but estimated from differences of its pixels.
    """

    model: str
    wavelength_angstrom: Float64[np.ndarray, " n"]
    flux: Float64[np.ndarray, " n"]
    given_back: Float64[np.ndarray, " n"]
    ignored: Bool[np.ndarray, " n"]
    starts: tuple[int, ...]
    chi_square: float
    errors_estimated: bool


def understood(index: Index, query: Query, encoder: "UniversalSpectraEncoder | None") -> Understood:
    """Ask the tokenizer for the spectrum of a query on its own pixels.

    Parameters
    ----------
    index
        The open index.
    query
        A file with a vector in the space ``spectrum_native``.
    encoder
        The tokenizer of that space; None where the query has no spectrum for it.

    Raises
    ------
    SearchError
        If the query has no spectrum for it.
    """
    spectrum = query.native
    if spectrum is None or encoder is None:
        raise SearchError(
            f"{query.text} has no spectrum that can be given back: it must be a file with a vector "
            f"in {NATIVE!r}; of its objects an index keeps only short spectra for display"
        )
    made: Reconstruction = encoder.reconstruct(spectrum)
    counted = ~made.ignored
    residuals = (made.flux - spectrum.flux)[counted] / _errors(spectrum)[counted]
    layout = lay_out(spectrum.wavelength_angstrom, spectrum.starts)
    return Understood(
        model=model_of(index, NATIVE),
        wavelength_angstrom=spectrum.wavelength_angstrom,
        flux=np.where(spectrum.good, spectrum.flux, np.nan),
        given_back=made.flux,
        ignored=made.ignored,
        starts=tuple(layout.runs[:-1].tolist()),
        chi_square=float(np.mean(residuals**2)),
        errors_estimated=spectrum.ivar is None,
    )


def _errors(spectrum: NativeSpectrum) -> Float64[np.ndarray, " n"]:
    """Return the standard deviation of every pixel, infinite where it is bad."""
    errors = np.full(spectrum.flux.size, np.inf)
    if spectrum.ivar is not None:
        errors[spectrum.good] = 1.0 / np.sqrt(spectrum.ivar[spectrum.good])
        return errors
    # As the model was told: for a noiseless template not 0, but a thousandth of the scale.
    prepared = prepare(spectrum)
    errors[prepared.pixels[prepared.good]] = prepared.sigma[prepared.good] * prepared.scale
    return errors
