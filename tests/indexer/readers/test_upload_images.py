"""Uploads of images: every format gives back what was written, or one clear line."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from aion_encoder.observations import Image
from indexer.errors import ReadError
from indexer.readers import read_image_file, read_spectrum_file
from tests.indexer.readers import sample_files


def test_viewer_cutouts_keep_their_pixels(tmp_path: Path) -> None:
    flux = sample_files.galaxy(120, 0.262)
    upload = read_image_file([sample_files.viewer_cutout(tmp_path / "c.fits", flux)])
    image = upload.observation
    assert isinstance(image, Image)
    assert image.bands == ("DES-G", "DES-R", "DES-Z")
    np.testing.assert_array_equal(image.flux, flux)
    assert (upload.ra_deg, upload.dec_deg) == pytest.approx((150.0, 2.0))
    assert (upload.object_id, upload.survey) == ("J100000.00+020000.0", "legacysurvey")
    assert upload.assumptions == {}


def test_viewer_cutouts_at_another_scale_are_interpolated_without_an_area_factor(
    tmp_path: Path,
) -> None:
    fine = sample_files.viewer_cutout(tmp_path / "f.fits", sample_files.galaxy(424, 0.1), 0.1)
    upload = read_image_file([fine])
    image = upload.observation
    assert isinstance(image, Image)
    expected = sample_files.galaxy(160, 0.262)
    assert image.flux.shape == expected.shape
    np.testing.assert_allclose(image.flux, expected, atol=6e-3)
    assert "no area factor" in upload.assumptions["resampling"]
    with pytest.raises(ReadError, match="a pixel scale of 1 arcsec is too coarse"):
        read_image_file([fine], pixel_scale_arcsec=1.0)


def test_bands_in_separate_files_and_hdus(tmp_path: Path) -> None:
    flux = sample_files.galaxy(120, 0.262)
    paths = [
        sample_files.viewer_cutout(tmp_path / f"{band}.fits", flux[i : i + 1], bands=band)
        for i, band in enumerate("grz")
    ]
    image = read_image_file(paths[::-1]).observation
    assert isinstance(image, Image)
    assert image.bands == ("DES-G", "DES-R", "DES-Z")
    np.testing.assert_array_equal(image.flux, flux)
    hdus = [fits.PrimaryHDU()]
    for plane, band in zip(flux, "grz", strict=True):
        header = sample_files.wcs_header(120, 0.262)
        header["BAND"], header["SURVEY"] = band, "LegacySurvey"
        hdus.append(fits.ImageHDU(plane, header))
    fits.HDUList(hdus).writeto(tmp_path / "h.fits")
    other = read_image_file([tmp_path / "h.fits"]).observation
    assert isinstance(other, Image)
    np.testing.assert_array_equal(other.flux, flux)
    with pytest.raises(ReadError, match="must be distinct"):
        read_image_file([paths[0], paths[0]])


def test_hsc_cutouts_have_masks_and_zero_points(tmp_path: Path) -> None:
    flux = 50.0 * sample_files.galaxy(100, 0.168, 2)
    paths = [
        sample_files.hsc_cutout(tmp_path / "a.fits", flux[0], "g"),
        sample_files.hsc_cutout(tmp_path / "b.fits", flux[1], "i2", zero_point=28.0),
    ]
    upload = read_image_file(paths)
    image = upload.observation
    assert isinstance(image, Image)
    assert image.bands == ("HSC-G", "HSC-I")
    assert image.mask is not None
    np.testing.assert_allclose(image.flux[0][~image.mask[0]], flux[0][~image.mask[0]])
    np.testing.assert_allclose(
        image.flux[1][~image.mask[1]], flux[1][~image.mask[1]] * 10**-0.4, rtol=1e-5
    )
    assert image.mask[:, 0, 0].all()
    assert not image.mask[:, 0, 1].any()
    assert "zero point 28.000 to the survey's 27" in upload.assumptions["zero_point"]
    assert upload.survey == "hsc"


def test_other_images_at_another_scale_are_scaled_by_area(tmp_path: Path) -> None:
    header = sample_files.wcs_header(424, 0.1)
    header["FILTER"] = "r"
    flux = sample_files.galaxy(424, 0.1, 1)[0] * (0.1 / 0.262) ** 2  # counts per own pixel
    fits.PrimaryHDU(flux, header).writeto(tmp_path / "other.fits")
    with pytest.raises(ReadError, match="does not say which survey"):
        read_image_file([tmp_path / "other.fits"])
    upload = read_image_file([tmp_path / "other.fits"], survey="legacysurvey")
    image = upload.observation
    assert isinstance(image, Image)
    assert image.flux.sum() == pytest.approx(sample_files.galaxy(160, 0.262, 1).sum(), rel=0.01)
    assert "scaled by the area" in upload.assumptions["resampling"]
    assert "22.5 assumed" in upload.assumptions["zero_point"]


def test_mirrored_images_are_turned(tmp_path: Path) -> None:
    flux = sample_files.galaxy(120, 0.262, 1)
    flux[0, 20, 30] = 5.0
    path = sample_files.viewer_cutout(tmp_path / "a.fits", flux, bands="r")
    with fits.open(path) as hdus:
        hdus[0].data = hdus[0].data[::-1, ::-1].copy()
        hdus[0].header["CD1_1"] *= -1
        hdus[0].header["CD2_2"] *= -1
        hdus.writeto(tmp_path / "b.fits")
    first, second = (read_image_file([tmp_path / name]) for name in ("a.fits", "b.fits"))
    assert isinstance(first.observation, Image)
    assert isinstance(second.observation, Image)
    np.testing.assert_array_equal(first.observation.flux, second.observation.flux)
    assert "north is up" in second.assumptions["orientation"]


def test_images_that_cannot_be_encoded_are_refused(tmp_path: Path) -> None:
    flux = sample_files.galaxy(120, 0.262)
    flux[1, 20:100] = 0.0
    path = sample_files.viewer_cutout(tmp_path / "empty.fits", flux)
    with pytest.raises(ReadError, match=r"^empty.fits: 83.3 % .* band DES-R are missing"):
        read_image_file([path])
    small = sample_files.viewer_cutout(tmp_path / "small.fits", sample_files.galaxy(60, 0.262))
    with pytest.raises(ReadError, match="too few pixels: AION-1 needs 96 x 96"):
        read_image_file([small])
    nothing = sample_files.viewer_cutout(tmp_path / "none.fits", np.zeros((3, 120, 120), "f4"))
    with pytest.raises(ReadError, match="all pixels are masked or zero"):
        read_image_file([nothing])
    with pytest.raises(ReadError, match="survey of an image must be legacysurvey or hsc"):
        read_image_file([small], survey="sdss")
    with pytest.raises(ReadError, match="2 bands were stated for 3 planes"):
        read_image_file([small], bands=["g", "r"])
    with pytest.raises(ReadError, match="holds no image"):
        read_image_file([sample_files.sdss_spec(tmp_path / "spec.fits")])
    with pytest.raises(ReadError, match="no spectrum was found"):
        read_spectrum_file([small])
