"""The folder of real survey files: where it lies, and how its spectra are read."""

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from aion_encoder.observations import Spectrum
from aion_encoder.universal_spectra import NativeSpectrum
from indexer.readers import read_spectrum_file

REPOSITORY = Path(__file__).parents[3]
ROOT = Path(os.environ.get("REAL_SKY_ROOT") or REPOSITORY / ".." / "shared" / "real_sky")
SPECTRA = ROOT / "spectra"
TEMPLATES = ROOT / "templates"

NEEDS_REAL_SKY = [
    pytest.mark.real_sky,
    pytest.mark.skipif(not SPECTRA.is_dir(), reason=f"no real survey files at {ROOT}"),
]
"""For `pytestmark` of modules that read the folder."""


def read(*names: str, target_id: str | None = None) -> NativeSpectrum:
    """A spectrum of `SPECTRA` as the product reads it."""
    found = read_spectrum_file([SPECTRA / name for name in names], target_id=target_id)
    assert isinstance(found.observation, Spectrum)
    return NativeSpectrum.of(found.observation)


def desi_arms(name: str) -> dict[str, list[NativeSpectrum]]:
    """The arms of each fibre of a DESI file in which every arm saw something, by TARGETID."""
    with fits.open(SPECTRA / "desi" / name) as file:
        return {
            str(target): [
                NativeSpectrum(
                    flux=file[f"{arm}_FLUX"].data[row],
                    wavelength_angstrom=file[f"{arm}_WAVELENGTH"].data,
                    ivar=file[f"{arm}_IVAR"].data[row],
                    mask=file[f"{arm}_MASK"].data[row] != 0,
                )
                for arm in "BRZ"
            ]
            for row, target in enumerate(file["FIBERMAP"].data["TARGETID"])
            if all(np.any(file[f"{arm}_IVAR"].data[row] > 0) for arm in "BRZ")
        }
