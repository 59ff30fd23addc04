"""Columns of numbers, with whatever is known about them, made a spectrum.

Every spectrum that is not in a survey's own layout passes here. What the file does not state and
the person did not say is assumed, and every assumption is put into words.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.observations import Spectrum
from aion_encoder.universal_spectra import NativeSpectrum, native_spectrum, prepare
from aion_encoder.wavelengths import (
    AXIS_UNITS,
    FREQUENCY_UNITS,
    air_to_vacuum,
    guess_wavelength_unit,
    to_angstrom,
    wavelength_unit,
)
from indexer.errors import ReadError
from indexer.readers.fluxes import (
    FluxScale,
    constant_ivar,
    flux_scale,
    guess_flux_scale,
    reads_as_error,
)
from indexer.readers.found import Found, Refused, SpectrumOptions

__all__ = ["Noise", "ReadSpectrum", "SpectrumNumbers", "found_in", "spectrum_from_numbers"]

Noise = Literal["ivar", "error", "variance", "unnamed", "none"]

ASSUMED_SURVEY = "sdss"
"""Whose tokens a spectrum of no AION-1 survey gets: SDSS spectra cover the widest range."""


@dataclass(frozen=True, eq=False)
class SpectrumNumbers:
    """A spectrum as a file holds it.

    Parameters
    ----------
    wavelength, flux
        Shape (n,), in the file's units.
    noise
        Shape (n,), or None.
    noise_kind
        What `noise` is.
    mask
        True where bad; None where the file has no mask.
    wavelength_unit, flux_unit
        As the file states them; empty if it does not.
    medium
        ``air``, ``vacuum`` or empty.
    survey
        ``sdss`` or ``desi`` where the file states it; else empty.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    noise: np.ndarray | None = None
    noise_kind: Noise = "none"
    mask: np.ndarray | None = None
    wavelength_unit: str = ""
    flux_unit: str = ""
    medium: str = ""
    survey: str = ""


@dataclass(frozen=True, eq=False)
class ReadSpectrum:
    """A spectrum for either model.

    Attributes
    ----------
    spectrum
        What AION-1 gets; None if it does not take it.
    refusal
        Why it does not; else empty.
    native
        What the universal spectral tokenizer gets, which needs no errors and no range; why it does
        not take it either, in words, if it does not.
    assumptions
        What was assumed, in words, for the model that is first to answer.
    """

    spectrum: Spectrum | None
    refusal: str
    native: NativeSpectrum | str
    assumptions: dict[str, str]


def spectrum_from_numbers(numbers: SpectrumNumbers, options: SpectrumOptions) -> ReadSpectrum:
    """Return the spectrum for both models and what was assumed, in words.

    Raises
    ------
    ReadError
        If units cannot be understood or guessed.
    """
    assumptions: dict[str, str] = {}
    wavelength = _wavelength(numbers, options, assumptions)
    flux = np.asarray(numbers.flux, np.float64)
    factor = _flux_factor(numbers, options, wavelength, assumptions)
    ivar = _ivar(numbers, flux, assumptions) / factor**2
    mask = np.zeros(flux.shape, bool) if numbers.mask is None else np.asarray(numbers.mask, bool)
    survey = _survey(numbers, options, assumptions)
    order = _ascending(wavelength, assumptions)
    known = None if numbers.noise is None or numbers.noise_kind == "none" else ivar
    native = _native(flux * factor, wavelength, known, mask)
    try:
        with np.errstate(over="ignore"):
            spectrum = Spectrum(
                flux=(flux * factor)[order].astype(np.float32),
                ivar=ivar[order].astype(np.float32),
                wavelength_angstrom=wavelength[order].astype(np.float32),
                survey=survey,
                mask=mask[order],
            )
    except ObservationError as error:
        # What is assumed for AION-1 alone, whose tokens it would get and with what errors.
        kept = {n: words for n, words in assumptions.items() if n != "survey"}
        if known is None:
            kept.pop("noise")
        return ReadSpectrum(None, str(error), native, kept)
    return ReadSpectrum(spectrum, "", native, assumptions)


def found_in(read: ReadSpectrum, found: Found) -> Found | Refused:
    """Return the object that a spectrum is of, for whichever model takes it.

    Parameters
    ----------
    found
        All else that is known of it.
    """
    native, why = (None, read.native) if isinstance(read.native, str) else (read.native, "")
    filled = replace(found, observation=read.spectrum, native=native)
    if read.spectrum is not None:
        return filled
    instead = None if native is None else filled
    return Refused(read.refusal, found.object_id, found.row, instead, why)


def _native(
    flux: np.ndarray, wavelength: np.ndarray, ivar: np.ndarray | None, mask: np.ndarray
) -> NativeSpectrum | str:
    """Return the spectrum on its own grid, or why there is not enough of it to be encoded."""
    try:
        spectrum = native_spectrum(flux, wavelength, ivar, mask)
        prepare(spectrum)
    except ObservationError as error:
        return str(error)
    return spectrum


def _wavelength(
    numbers: SpectrumNumbers, options: SpectrumOptions, assumptions: dict[str, str]
) -> np.ndarray:
    raw = np.asarray(numbers.wavelength, np.float64)
    if options.wavelength_unit:
        unit = wavelength_unit(options.wavelength_unit)
        if unit is None:
            raise ReadError(
                f"the wavelength unit must be one of {', '.join(AXIS_UNITS)}, got "
                f"{options.wavelength_unit!r}"
            )
        assumptions["wavelength_unit"] = f"{unit}, as you stated"
    elif numbers.wavelength_unit:
        unit = wavelength_unit(numbers.wavelength_unit)
        if unit is None:
            raise ReadError(
                f"the file's wavelength unit {numbers.wavelength_unit!r} is not understood; give "
                f"wavelength_unit, one of {', '.join(AXIS_UNITS)}"
            )
    else:
        unit = guess_wavelength_unit(raw)
        if unit is None:
            raise ReadError(
                "the wavelength unit is not stated and the numbers fit none; give wavelength_unit, "
                f"one of {', '.join(AXIS_UNITS)}"
            )
        assumptions["wavelength_unit"] = f"no wavelength unit is stated: {unit} assumed by range"
    values = to_angstrom(raw, unit)
    if unit in FREQUENCY_UNITS:
        return values  # a frequency is the same in air and in vacuum
    return air_to_vacuum(values) if _medium(numbers, options, assumptions) == "air" else values


def _medium(numbers: SpectrumNumbers, options: SpectrumOptions, assumptions: dict[str, str]) -> str:
    if options.medium:
        if options.medium not in ("air", "vacuum"):
            raise ReadError(f"medium must be air or vacuum, got {options.medium!r}")
        assumptions["medium"] = f"wavelengths in {options.medium}, as you stated"
        return options.medium
    if numbers.medium:
        return numbers.medium
    assumptions["medium"] = "wavelengths in vacuum assumed; in air they would lie 1 to 3 A lower"
    return "vacuum"


def _flux_factor(
    numbers: SpectrumNumbers,
    options: SpectrumOptions,
    wavelength: np.ndarray,
    assumptions: dict[str, str],
) -> np.ndarray:
    stated = options.flux_unit or numbers.flux_unit
    scale: FluxScale | None = None
    if stated:
        try:
            scale = flux_scale(stated, np.where(wavelength > 0.0, wavelength, np.nan))
        except ValueError as error:
            raise ReadError(str(error)) from None
        if options.flux_unit:
            if scale is None:
                raise ReadError(
                    f"flux_unit must be a flux density, got {options.flux_unit!r}: uncalibrated "
                    "counts cannot be compared with AION-1's surveys"
                )
            assumptions["flux_unit"] = f"{options.flux_unit}, as you stated"
    if scale is None:
        scale = guess_flux_scale(np.asarray(numbers.flux, np.float64))
        if scale is None:
            raise ReadError(_no_flux_unit(numbers))
        said = (
            f"the stated unit, {stated}, is no flux density" if stated else "no flux unit is stated"
        )
        assumptions["flux_unit"] = f"{said}: {scale.assumption}"
    return scale.factor


def _no_flux_unit(numbers: SpectrumNumbers) -> str:
    flux = np.asarray(numbers.flux, np.float64)
    finite = flux[np.isfinite(flux) & (flux != 0.0)]
    if finite.size == 0:
        return "all fluxes are zero or missing"
    unit = f"the unit {numbers.flux_unit!r}" if numbers.flux_unit else "no unit"
    return (
        f"fluxes have {unit} and a median of {float(np.median(np.abs(finite))):.3g}, which is "
        "neither 1e-17 nor 1 erg/s/cm2/Angstrom: uncalibrated counts are not accepted; give "
        "flux_unit if they are calibrated"
    )


def _ivar(numbers: SpectrumNumbers, flux: np.ndarray, assumptions: dict[str, str]) -> np.ndarray:
    kind, noise = numbers.noise_kind, numbers.noise
    if noise is None or kind == "none":
        assumptions["noise"] = (
            "no errors in the file: one inverse variance for all pixels, from the differences of "
            "neighbours"
        )
        return constant_ivar(flux)
    values = np.asarray(noise, np.float64)
    if kind == "unnamed":
        kind = "error" if reads_as_error(flux, values) else "ivar"
        words = "standard deviation" if kind == "error" else "inverse variance"
        assumptions["noise"] = f"the third column is taken as {words}, which fits the scatter"
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "error":
            values = 1.0 / values**2
        elif kind == "variance":
            values = 1.0 / values
    return np.where(np.isfinite(values) & (values > 0.0), values, 0.0)


def _survey(numbers: SpectrumNumbers, options: SpectrumOptions, assumptions: dict[str, str]) -> str:
    if options.survey:
        assumptions["survey"] = f"read as {options.survey}, as you stated"
        return options.survey
    if numbers.survey:
        return numbers.survey
    assumptions["survey"] = (
        "the file is of no survey that AION-1 was trained on: read as if it were an SDSS spectrum"
    )
    return ASSUMED_SURVEY


def _ascending(wavelength: np.ndarray, assumptions: dict[str, str]) -> np.ndarray:
    """Return the pixels to keep, in ascending order of wavelength."""
    kept = np.flatnonzero(np.isfinite(wavelength) & (wavelength > 0.0))
    order = kept[np.argsort(wavelength[kept], kind="stable")]
    if np.any(np.diff(kept) < 0) or not np.array_equal(order, kept):
        assumptions["order"] = "the wavelengths were not ascending: pixels are sorted"
    single = wavelength[order].astype(np.float32)
    distinct = np.ones(single.size, bool)
    distinct[1:] = single[1:] > single[:-1]
    if not distinct.all():
        dropped = int((~distinct).sum())
        assumptions["repeats"] = f"{dropped} pixels repeat a wavelength and are left out"
    return order[distinct]
