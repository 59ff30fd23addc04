"""Real spectrum files: each is encoded, and what is not is said."""

import numpy as np
import pytest
from astropy.io import fits
from real_spectra import NEEDS_REAL_SKY, SPECTRA, desi_arms, read

from aion_encoder.universal_spectra import (
    UniversalSpectraEncoder,
    join_pieces,
    native_spectrum,
    prepare,
)

pytestmark = NEEDS_REAL_SKY


def test_sdss_files(tiny: UniversalSpectraEncoder) -> None:
    names = sorted(path.name for path in (SPECTRA / "sdss").glob("spec-*"))
    spectra = [read(f"sdss/{name}") for name in names]
    encoded = tiny.encode(spectra)
    assert encoded.present.all()
    # One spectrum as FITS and as text.
    assert names[:2] == ["spec-0266-51602-0001.dat", "spec-0266-51602-0001.fits"]
    np.testing.assert_allclose(encoded.vectors[0], encoded.vectors[1], atol=1e-3)
    assert all(100 < prepare(each).tokens < 160 for each in spectra)


def test_desi_arms(tiny: UniversalSpectraEncoder) -> None:
    """The arms of a file as they are: three pieces that overlap, of some 250 patches."""
    spectra = [join_pieces(each) for each in desi_arms("coadd-sv3-dark-26065.fits").values()]
    assert len(spectra) == 2
    assert all(spectrum.starts[1:] for spectrum in spectra)
    encoded = tiny.encode(spectra)
    assert encoded.present.all()
    assert 200 < prepare(spectra[0]).tokens < 260
    answer = tiny.reconstruct(spectra[0])
    assert answer.flux.shape == spectra[0].flux.shape
    assert np.all(np.isfinite(answer.flux))


@pytest.mark.parametrize(
    "name", ["XShooter_XQ100.fits.gz", "spec-58397-EG014118N254444M01_sp03-031.fits"]
)
def test_other_instruments(tiny: UniversalSpectraEncoder, name: str) -> None:
    spectrum = read(f"other/{name}")
    encoded = tiny.encode([spectrum])
    assert encoded.present.all(), encoded.refusals


def test_air_and_nanometres_by_hand(tiny: UniversalSpectraEncoder) -> None:
    """A file's own columns, brought to order here and not by a reader."""
    with fits.open(SPECTRA / "other" / "XShooter_XQ100.fits.gz") as file:
        table = next(hdu.data for hdu in file if isinstance(hdu, fits.BinTableHDU))
        names = {name.lower(): name for name in table.names}
        wave, flux, error = (np.ravel(table[names[key]]) for key in ("wave", "flux", "err_flux"))
    with np.errstate(divide="ignore"):
        spectrum = native_spectrum(flux, wave, 1.0 / np.square(error, dtype=float), unit="nm")
    assert spectrum.steps[0] == "wavelengths converted from nm to Angstrom"
    assert spectrum.wavelength_angstrom[-1] > 5000.0
    assert tiny.encode([spectrum]).present.all()
