"""How well the tokenizer gives spectra back: on their own grids, and on one it was never given."""

from typing import Any

import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.universal_spectra import NativeSpectrum, UniversalSpectraEncoder
from demo_sky.native import NATIVE_INSTRUMENTS, observe_native_source

__all__ = ["reconstruction"]

STEP_ANGSTROM = 1.37
"""Of the linear grid that no instrument has, within what SDSS covers."""


def reconstruction(
    encoder: UniversalSpectraEncoder, seed: int, sources: np.ndarray
) -> dict[str, Any]:
    """Compare reconstructions with what was measured, and with the flux without its noise.

    Returns
    -------
    By instrument the median over spectra of the reduced chi-square of the reconstruction, of the
    spectrum's own median (what a flat guess gives), and of the noise-free flux; and the same of
    SDSS spectra asked on a grid of 1.37 A steps, against the noise-free flux interpolated to it,
    as a median absolute error in units of the noise, beside that error on the native grid.
    """
    chi: dict[str, list[tuple[float, float, float]]] = {name: [] for name in NATIVE_INSTRUMENTS}
    errors: list[tuple[float, float]] = []
    for index in sources:
        source = observe_native_source(seed, int(index), population="training")
        for name, spectrum in source.spectra.items():
            joined = spectrum.joined()
            good = ~joined.mask & (joined.ivar > 0)
            native = NativeSpectrum(
                joined.flux, joined.wavelength_angstrom, joined.ivar, joined.mask
            )
            try:
                made = encoder.reconstruct(native)
            except ObservationError:
                continue
            counted = good & ~made.ignored
            weight = np.sqrt(joined.ivar[counted].astype(np.float64))
            told = [
                made.flux[counted],
                np.full(int(counted.sum()), np.median(joined.flux[counted])),
                joined.expected[counted],
            ]
            squares = [
                float(np.mean(((each - joined.flux[counted]) * weight) ** 2)) for each in told
            ]
            chi[name].append((squares[0], squares[1], squares[2]))
            if name == "sdss":
                errors.append(_on_new_grid(encoder, native, joined.expected, counted, made.flux))
    table = {
        name: dict(
            zip(
                ("chi_square", "flat", "noise_free"),
                np.median(np.array(rows), axis=0).tolist(),
                strict=True,
            )
        )
        | {"spectra": len(rows)}
        for name, rows in chi.items()
        if rows
    }
    new, own = np.median(np.array(errors), axis=0)
    return {
        "native": table,
        "new_grid": {"error_in_noise": float(new), "on_its_own_grid": float(own)},
    }


def _on_new_grid(
    encoder: UniversalSpectraEncoder,
    native: NativeSpectrum,
    expected: np.ndarray,
    counted: np.ndarray,
    own: np.ndarray,
) -> tuple[float, float]:
    wavelength = native.wavelength_angstrom
    noise = np.full(wavelength.size, np.nan)
    assert native.ivar is not None
    noise[counted] = 1.0 / np.sqrt(native.ivar[counted])
    first, last = wavelength[counted][[0, -1]]
    grid = np.arange(first + 20.0, last - 20.0, STEP_ANGSTROM)
    asked = encoder.reconstruct(native, grid).flux
    truth = np.interp(grid, wavelength, expected)
    sigma = np.interp(grid, wavelength[counted], noise[counted])
    return (
        float(np.median(np.abs(asked - truth) / sigma)),
        float(np.median(np.abs(own - expected)[counted] / noise[counted])),
    )
