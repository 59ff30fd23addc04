"""Uploads of surveys' own spectrum files give back the observation that was written."""

import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from aion_encoder.observations import Spectrum
from indexer.errors import ReadError
from indexer.readers import read_spectrum_file
from tests.indexer.readers import sample_files
from tests.indexer.readers.sample_files import ERROR, FLUX, IVAR, WAVELENGTH, assert_is_the_sample


def test_sdss_spec(tmp_path: Path) -> None:
    upload = read_spectrum_file([sample_files.sdss_spec(tmp_path / "spec.fits")])
    assert_is_the_sample(upload)
    assert upload.observation.survey == upload.survey == "sdss"
    assert upload.object_id == "299489676975171584"
    assert (upload.ra_deg, upload.dec_deg) == (146.71421, -1.041304), "the fibre, not the plate"
    assert upload.redshift == pytest.approx(0.0213)
    assert upload.assumptions == {}
    assert upload.file_name == "spec.fits"
    assert len(upload.sha256) == 64


def test_sdss_masks_pixels_for_flags_of_pixels_that_are_no_warnings(tmp_path: Path) -> None:
    flags = np.zeros(3800, "i4")
    flags[:1900] = 1 << 4  # MANYBADCOLUMNS: the whole camera
    flags[7] |= 1 << 25  # COMBINEREJ
    flags[8] = -(1 << 31)
    flags[9] = 1 << 23  # BRIGHTSKY: a warning, the error says it
    flags[10] = 1 << 24 | 1 << 23
    path = sample_files.sdss_spec(tmp_path / "spec.fits", and_mask=flags)
    spectrum = read_spectrum_file([path]).observation
    assert isinstance(spectrum, Spectrum)
    assert spectrum.mask is not None
    assert np.flatnonzero(spectrum.mask).tolist() == [7, 8, 10]


def test_sdss_spec_without_its_catalogue_takes_the_id_from_the_header(tmp_path: Path) -> None:
    path = sample_files.sdss_spec(tmp_path / "spec.fits")
    with fits.open(path) as hdus:
        hdus[0].header["RUN2D"] = "26"
        hdus[:2].writeto(tmp_path / "lite.fits")
    upload = read_spectrum_file([tmp_path / "lite.fits"])
    assert upload.object_id == "299489676975171584"
    assert math.isnan(upload.ra_deg)


def test_sp_spec(tmp_path: Path) -> None:
    rows = np.stack([FLUX, FLUX, ERROR, np.zeros(3800), FLUX]).astype("f4")
    hdu = fits.PrimaryHDU(rows)
    hdu.header.update(COEFF0=3.58, COEFF1=1e-4, PLATEID=266, MJD=51602, FIBERID=1, Z=0.1)
    hdu.header.update(RAOBJ=146.7, DECOBJ=-1.0, RA=146.0, DEC=-0.9)
    hdu.writeto(tmp_path / "spSpec.fit")
    upload = read_spectrum_file([tmp_path / "spSpec.fit"])
    assert_is_the_sample(upload)
    assert upload.survey == "sdss"
    assert (upload.ra_deg, upload.redshift) == (146.7, 0.1)


def test_desi_coadd_is_one_ascending_grid(tmp_path: Path) -> None:
    path = sample_files.desi_coadd(tmp_path / "coadd-x.fits", [39627866878511337])
    sample_files.redrock(tmp_path / "redrock-x.fits", 39627866878511337, 0.7)
    upload = read_spectrum_file([path])
    spectrum = upload.observation
    assert isinstance(spectrum, Spectrum)
    np.testing.assert_allclose(
        spectrum.wavelength_angstrom, 3600 + 0.8 * np.arange(7781), rtol=1e-6
    )
    np.testing.assert_allclose(spectrum.flux, 2.0, atol=0.05)
    overlap = (spectrum.wavelength_angstrom > 5761) & (spectrum.wavelength_angstrom < 5799)
    np.testing.assert_allclose(spectrum.ivar[overlap], 8.0)
    np.testing.assert_allclose(spectrum.ivar[:2000], 4.0)
    assert (upload.object_id, upload.survey) == ("39627866878511337", "desi")
    assert (upload.ra_deg, upload.dec_deg, upload.redshift) == (217.0, 3.2, 0.7)


def test_desi_files_of_several_targets_ask_which(tmp_path: Path) -> None:
    path = sample_files.desi_coadd(
        tmp_path / "coadd.fits",
        [-5, 11, 12, 13, 14],
        kinds=["", "TGT", "SKY", "TGT", "TGT"],
        status=[1, 0, 0, 512, 0],
    )
    with pytest.raises(ReadError, match=r"holds 2 objects, choose one of 11, 14$"):
        read_spectrum_file([path])
    chosen = read_spectrum_file([path], target_id="14").observation
    assert isinstance(chosen, Spectrum)
    assert chosen.flux.mean() == pytest.approx(10.0, rel=0.01)
    for target, reason in (
        ("-5", "TARGETID is negative"),
        ("12", "sky fibre: OBJTYPE is SKY"),
        ("13", "broken fibre: COADD_FIBERSTATUS is 512"),
        ("99", "no object 99 in this file; it holds -5, 11, 12, 13, 14"),
    ):
        with pytest.raises(ReadError, match=reason):
            read_spectrum_file([path], target_id=target)


def test_desi_exposures_of_one_target_are_combined(tmp_path: Path) -> None:
    path = sample_files.desi_coadd(
        tmp_path / "spectra.fits", [11, 11, 11], status=[0, 0, 512], status_name="FIBERSTATUS"
    )
    spectrum = read_spectrum_file([path]).observation
    assert isinstance(spectrum, Spectrum)
    assert spectrum.flux.mean() == pytest.approx(3.0, rel=0.01)  # the mean of 2 and 4
    assert spectrum.ivar[0] == pytest.approx(8.0)


def test_a_dead_fibre_whose_mask_looks_good_is_refused(tmp_path: Path) -> None:
    path = sample_files.desi_coadd(tmp_path / "coadd.fits", [11], ivar=0.0)
    with pytest.raises(ReadError, match=r"coadd.fits: all pixels are masked or have no inverse"):
        read_spectrum_file([path])


def test_lamost(tmp_path: Path) -> None:
    rows = np.stack([FLUX, IVAR, WAVELENGTH, np.zeros(3800), np.zeros(3800)]).astype("f4")
    rows[3, 5] = 1
    hdu = fits.PrimaryHDU(rows)
    hdu.header.update(TELESCOP="LAMOST", RA=24.4, DEC=25.4, Z=0.01)
    hdu.writeto(tmp_path / "lamost.fits")
    upload = read_spectrum_file([tmp_path / "lamost.fits"])
    assert_is_the_sample(upload)
    assert "relative flux" in upload.assumptions["flux_unit"]
    assert (upload.survey, upload.observation.survey, upload.ra_deg) == ("", "sdss", 24.4)


def test_the_survey_can_be_stated(tmp_path: Path) -> None:
    path = sample_files.sdss_spec(tmp_path / "spec.fits")
    upload = read_spectrum_file([path], survey="desi")
    assert upload.observation.survey == "desi"
    assert upload.survey == "sdss"
    assert "as you stated" in upload.assumptions["survey"]
    with pytest.raises(ReadError, match="survey of a spectrum must be sdss or desi, got 'hsc'"):
        read_spectrum_file([path], survey="hsc")
