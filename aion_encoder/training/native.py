"""Native spectra packed into files: the training and test data of the universal spectral tokenizer.

Three bytes a pixel: flux over its scale in half precision, and one byte for the inverse variance,
in logarithmic steps, whose code 0 is a bad pixel. Wavelengths are kept once an instrument. DESI's
arms are joined, as its releases have them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from aion_encoder.universal_spectra.spectrum import NativeSpectrum as Spectrum
from demo_sky.native import NATIVE_INSTRUMENTS, NativeSpectrum, observe_native

__all__ = ["NativeRow", "NativeSky", "native_sky", "pack_native"]

LABELS = ("object_class", "spectral_class", "z", "temperature_k", "logg", "feh", "mag_r")
_LARGEST = 60_000.0
"""Less than what half precision holds; only cosmic rays on faint sources come near."""
_STEPS_PER_OCTAVE = 12.0
"""Of inverse variance: steps of 6 %, an error of the variance of 1.7 % r.m.s. 254 steps make 21
octaves, 3 decades of noise."""


class NativeRow(NamedTuple):
    """A packed spectrum.

    Attributes
    ----------
    wavelength_angstrom : array of float64
        In vacuum, ascending.
    flux, ivar : array of float32
        1e-17 erg/s/cm2/A and one over its variance; 0 where bad.
    mask : array of bool
        True where bad.
    """

    wavelength_angstrom: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray

    @property
    def spectrum(self) -> Spectrum:
        """The same as the universal spectral tokenizer takes it."""
        return Spectrum(self.flux, self.wavelength_angstrom, self.ivar, self.mask)


@dataclass(frozen=True)
class _Packed:
    """Spectra of one instrument in one file; rows are sources."""

    flux: np.ndarray  # float16, over the scale
    code: np.ndarray  # uint8
    scale: np.ndarray  # float32: median of the absolute flux
    best: np.ndarray  # float32: largest ivar, in units of flux over scale


@dataclass(frozen=True)
class NativeSky:
    """Packed sources, in the order of their files.

    Attributes
    ----------
    labels
        Truth, one row a source: `LABELS`.
    wavelengths
        Instrument to vacuum wavelengths (A), the same for all sources.
    """

    labels: pd.DataFrame
    wavelengths: dict[str, np.ndarray]
    _files: tuple[dict[str, _Packed], ...]
    _starts: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Instruments that all files hold."""
        return tuple(self.wavelengths)

    def spectrum(self, instrument: str, row: int) -> NativeRow:
        """Return the spectrum of source `row` by an instrument.

        Raises
        ------
        IndexError
            For a row that does not exist.
        KeyError
            For an instrument that the files do not hold.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row must be 0 to {len(self) - 1}, got {row}")
        wavelength = self.wavelengths[instrument]
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        packed, place = self._files[number][instrument], row - int(self._starts[number])
        scale, code = packed.scale[place], packed.code[place]
        ivar = packed.best[place] * _FACTORS[code] / scale**2
        flux = packed.flux[place].astype(np.float32) * scale
        return NativeRow(wavelength, flux, ivar, code == 0)


_FACTORS = np.concatenate([[0.0], 2.0 ** ((np.arange(1, 256) - 255.0) / _STEPS_PER_OCTAVE)]).astype(
    np.float32
)


def _pack_spectrum(spectrum: NativeSpectrum) -> tuple[np.ndarray, np.ndarray, float, float]:
    good = ~spectrum.mask
    scale = float(np.median(np.abs(spectrum.flux[good]))) if good.any() else 1.0
    scale = scale if scale > 0 else 1.0
    ivar = np.where(good, spectrum.ivar, 0.0) * scale**2
    best = float(ivar.max()) if good.any() else 1.0
    steps = np.full(len(ivar), -np.inf)
    np.log2(ivar / best, out=steps, where=good)
    code = np.where(good, np.clip(np.round(255.0 + _STEPS_PER_OCTAVE * steps), 1, 255), 0)
    flux = np.clip(spectrum.flux / scale, -_LARGEST, _LARGEST)
    return flux.astype(np.float16), code.astype(np.uint8), scale, best


def pack_native(
    path: Path,
    seed: int,
    start: int,
    stop: int,
    instruments: Sequence[str] = NATIVE_INSTRUMENTS,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Observe sources `start` to `stop` - 1 of a training population into one `.npz` file.

    Parameters
    ----------
    path : Path
        Written under another name, then renamed.
    seed, start, stop : int
        Which sources, of `observe_native` with `population="training"`.
    instruments : sequence of str
    progress : callable, optional
        Called with the number of sources done and of all.
    """
    if stop <= start:
        raise ValueError(f"stop must be greater than start, got {start} to {stop}")
    arrays: dict[str, np.ndarray] = {}
    columns: dict[str, list[object]] = {name: [] for name in LABELS}
    for row, source in enumerate(observe_native(seed, start, stop, instruments, "training")):
        for name in LABELS:
            columns[name].append(source.labels[name])
        for instrument, native in source.spectra.items():
            spectrum = native.joined()
            parts = _pack_spectrum(spectrum)
            names = [f"{instrument}_{part}" for part in ("flux", "code", "scale", "best")]
            if row == 0:
                arrays[f"{instrument}_wavelength"] = spectrum.wavelength_angstrom
                shapes = [(stop - start, len(spectrum.flux))] * 2 + [(stop - start,)] * 2
                types = (np.float16, np.uint8, np.float32, np.float32)
                for name, shape, kind in zip(names, shapes, types, strict=True):
                    arrays[name] = np.empty(shape, kind)
            for name, part in zip(names, parts, strict=True):
                arrays[name][row] = part
        if progress is not None:
            progress(row + 1, stop - start)
    for name, values in columns.items():
        column = np.array(values)
        arrays[name] = column.astype("U16") if column.dtype.kind == "U" else column
    arrays["instruments"] = np.array(list(instruments), "U16")
    partial = path.with_name(path.name + ".tmp.npz")
    np.savez(partial, allow_pickle=False, **arrays)
    partial.replace(path)


def native_sky(paths: Sequence[Path]) -> NativeSky:
    """Read packed files, in the order given.

    Raises
    ------
    ValueError
        If there are none, or if they hold different instruments or grids.
    """
    if not paths:
        raise ValueError("at least one file of packed spectra is needed, got none")
    wavelengths: dict[str, np.ndarray] = {}
    files, labels = [], []
    for path in paths:
        with np.load(path, allow_pickle=False) as stored:
            names = [str(name) for name in stored["instruments"]]
            grids = {name: stored[f"{name}_wavelength"] for name in names}
            if not wavelengths:
                wavelengths = grids
            elif names != list(wavelengths) or any(
                not np.array_equal(grids[name], wavelengths[name]) for name in names
            ):
                raise ValueError(f"{path} must hold {', '.join(wavelengths)} on the same grids")
            files.append(
                {
                    name: _Packed(
                        *(stored[f"{name}_{part}"] for part in ("flux", "code", "scale", "best"))
                    )
                    for name in names
                }
            )
            labels.append(pd.DataFrame({name: stored[name] for name in LABELS}))
    starts = np.concatenate([[0], np.cumsum([len(part) for part in labels])[:-1]])
    return NativeSky(pd.concat(labels, ignore_index=True), wavelengths, tuple(files), starts)
