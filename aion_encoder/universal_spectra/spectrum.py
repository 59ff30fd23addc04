"""Spectra on their native grid: any instrument, any range, with or without errors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float64

from aion_encoder.errors import ObservationError
from aion_encoder.observations import Spectrum
from aion_encoder.universal_spectra.axes import Axis, ascending_vacuum

__all__ = ["NativeSpectrum", "join_pieces", "native_spectrum"]


def _frozen(values: object, dtype: type) -> np.ndarray:
    array: np.ndarray = np.array(values, dtype=dtype, order="C", copy=True)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class NativeSpectrum:
    """A spectrum in the observed frame on the pixels it was measured on.

    Unlike `aion_encoder.Spectrum`, which is what AION-1 takes, it needs no survey, no overlap with
    a grid, no errors and no particular unit. `native_spectrum` makes one from an axis of any unit
    and order, `join_pieces` one from the arms of a spectrograph.

    Parameters
    ----------
    flux
        Shape (n,), in any unit per wavelength; the same for all pixels.
    wavelength_angstrom
        Vacuum wavelengths, shape (n,), positive, strictly ascending within a piece.
    ivar
        Inverse variance of `flux`, shape (n,); 0 where unknown or bad. None if there are no
        errors.
    mask
        True where a pixel is bad. Pixels that are not finite, or whose `ivar` is not positive,
        are bad whatever this says.
    starts
        First pixel of each piece, such as an arm or a chip. Pieces may overlap in wavelength.
    steps
        What was done to the axis before, in words.

    Raises
    ------
    ObservationError
        With the reason.
    """

    flux: Float64[np.ndarray, " n"]
    wavelength_angstrom: Float64[np.ndarray, " n"]
    ivar: Float64[np.ndarray, " n"] | None = None
    mask: Bool[np.ndarray, " n"] | None = None
    starts: tuple[int, ...] = (0,)
    steps: tuple[str, ...] = field(default=())
    modality: ClassVar[str] = "spectrum"

    def __post_init__(self) -> None:
        for name in ("flux", "wavelength_angstrom", "ivar"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _frozen(getattr(self, name), np.float64))
        flux, wavelength, ivar = self.flux, self.wavelength_angstrom, self.ivar
        given = np.zeros(flux.shape, bool) if self.mask is None else np.asarray(self.mask, bool)
        arrays = {"flux": flux, "wavelength": wavelength, "mask": given}
        if ivar is not None:
            arrays["ivar"] = ivar
        if flux.ndim != 1 or len({values.shape for values in arrays.values()}) != 1:
            shapes = ", ".join(f"{name} {values.shape}" for name, values in arrays.items())
            raise ObservationError(
                f"all arrays of a spectrum must have one and the same length, got {shapes}"
            )
        if flux.size == 0:
            raise ObservationError("the spectrum is empty")
        if not np.all(np.isfinite(wavelength)) or np.any(wavelength <= 0.0):
            raise ObservationError("wavelengths must be finite and positive; drop padded pixels")
        starts = tuple(int(start) for start in self.starts)
        object.__setattr__(self, "starts", starts)
        if starts[:1] != (0,) or np.any(np.diff((*starts, flux.size)) <= 0):
            raise ObservationError(
                "the starts of pieces must be 0 and then ascend to less than the number of "
                f"pixels, {flux.size}; got {starts}"
            )
        falls = np.diff(wavelength) <= 0.0
        falls[np.array(starts[1:], np.int64) - 1] = False
        if falls.any():
            raise ObservationError(
                "wavelengths must be strictly ascending within a piece; use native_spectrum, which "
                "sorts them"
            )
        bad = given | ~np.isfinite(flux)
        if ivar is not None:
            known = np.isfinite(ivar) & (ivar > 0.0)
            if not known.any():
                raise ObservationError(
                    "no pixel has a finite, positive inverse variance; leave the errors out to "
                    "have them estimated"
                )
            bad |= ~known
        object.__setattr__(self, "mask", _frozen(bad, bool))

    @property
    def good(self) -> Bool[np.ndarray, " n"]:
        """True where a pixel is not bad."""
        return ~np.asarray(self.mask)

    @classmethod
    def of(cls, spectrum: Spectrum) -> "NativeSpectrum":
        """Return a spectrum that AION-1 takes as one that it need not take."""
        return cls(
            flux=spectrum.flux,
            wavelength_angstrom=spectrum.wavelength_angstrom,
            ivar=spectrum.ivar,
            mask=spectrum.mask,
        )


def native_spectrum(
    flux: np.ndarray,
    axis: np.ndarray,
    ivar: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    *,
    unit: str = "Angstrom",
    medium: str = "vacuum",
) -> NativeSpectrum:
    """Make a spectrum of one piece from an axis of any unit, medium and order.

    Pixels of one and the same wavelength become one: the mean of their good ones weighted by
    inverse variance, their inverse variances added. Without errors it is the plain mean.

    Parameters
    ----------
    flux, ivar, mask
        See `NativeSpectrum`; in the order of `axis`.
    axis, unit, medium
        See `ascending_vacuum`.

    Raises
    ------
    ObservationError
        With the reason.
    """
    arrays = [np.asarray(each) for each in (flux, axis, ivar, mask) if each is not None]
    if len({each.shape for each in arrays}) != 1:
        shapes = ", ".join(str(each.shape) for each in arrays)
        raise ObservationError(
            f"all arrays of a spectrum must have one and the same length, got {shapes}"
        )
    if arrays[0].size == 0:
        raise ObservationError("the spectrum is empty")
    placed = ascending_vacuum(axis, unit, medium)
    values = np.asarray(flux, np.float64)[placed.pixels]
    weights = None if ivar is None else np.asarray(ivar, np.float64)[placed.pixels]
    bad = np.zeros(values.shape, bool) if mask is None else np.asarray(mask, bool)[placed.pixels]
    if placed.wavelength_angstrom.size < values.size:
        values, weights, bad = _joined(placed, values, weights, bad)
    return NativeSpectrum(values, placed.wavelength_angstrom, weights, bad, steps=placed.steps)


def _joined(
    axis: Axis, flux: np.ndarray, ivar: np.ndarray | None, bad: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    count = axis.wavelength_angstrom.size
    good = ~bad & np.isfinite(flux)
    if ivar is not None:
        good &= np.isfinite(ivar) & (ivar > 0.0)
    weight = np.where(good, 1.0 if ivar is None else ivar, 0.0)
    total = np.bincount(axis.places, weight, count)
    used = total > 0.0
    # Shares, not a sum divided by a sum: a lone pixel keeps its flux to the last bit.
    share = weight / np.where(used, total, 1.0)[axis.places]
    mean = np.bincount(axis.places, np.where(good, flux, 0.0) * share, count)
    return mean, None if ivar is None else total, ~used


def join_pieces(pieces: Sequence[NativeSpectrum]) -> NativeSpectrum:
    """Join the arms or chips of one observation, in the order of their first wavelengths.

    Where they overlap both are kept: nothing is resampled.

    Parameters
    ----------
    pieces
        All with errors, or all without; fluxes in one unit.

    Raises
    ------
    ObservationError
        If there is none, or only some have errors.
    """
    if not pieces:
        raise ObservationError("a spectrum must have at least one piece, got none")
    if len({piece.ivar is None for piece in pieces}) > 1:
        raise ObservationError(
            "either all pieces of a spectrum have errors or none has; leave out those of the others"
        )
    ordered = sorted(pieces, key=lambda piece: float(piece.wavelength_angstrom[0]))
    first = np.cumsum([0, *(piece.flux.size for piece in ordered[:-1])])
    ivars = [piece.ivar for piece in ordered if piece.ivar is not None]
    return NativeSpectrum(
        flux=np.concatenate([piece.flux for piece in ordered]),
        wavelength_angstrom=np.concatenate([piece.wavelength_angstrom for piece in ordered]),
        ivar=np.concatenate(ivars) if ivars else None,
        mask=np.concatenate([np.asarray(piece.mask) for piece in ordered]),
        starts=tuple(
            int(start) + own
            for start, piece in zip(first, ordered, strict=True)
            for own in piece.starts
        ),
        steps=tuple(dict.fromkeys(step for piece in ordered for step in piece.steps)),
    )
