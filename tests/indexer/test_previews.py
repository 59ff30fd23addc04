"""Pictures and short spectra."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from aion_encoder.observations import GaiaXp, Image, Photometry, Spectrum
from indexer.manifest_parts import PreviewSettings
from indexer.previews import Preview, PreviewFile, growing_previews, preview_of, preview_table

BANDS = ("DES-G", "DES-R", "DES-I", "DES-Z")


def _image(bands=BANDS, size: int = 120, survey: str = "legacysurvey") -> Image:
    """Make faint noise with one bright red spot in the north-east (top left)."""
    rng = np.random.default_rng(0)
    flux = rng.normal(0.0, 0.002, (len(bands), size, size))
    reds = {"Z": 3.0, "I": 2.0, "R": 1.0, "G": 0.1, "Y": 3.0}
    y, x = size // 2 + 30, size // 2 - 30
    for plane, band in zip(flux, bands, strict=True):
        plane[y - 3 : y + 4, x - 3 : x + 4] += reds[band[-1]]
    return Image(flux, bands, survey)


def _pixels(preview: Preview | None) -> np.ndarray:
    assert preview is not None
    return np.asarray(Picture.open(io.BytesIO(preview.png))).astype(int)


def test_picture_of_an_image():
    pixels = _pixels(preview_of(_image()))
    assert pixels.shape == (96, 96, 3)
    # Row 0 of the data is in the south; north is up in the picture.
    bright = np.unravel_index(pixels.sum(axis=2).argmax(), (96, 96))
    assert bright[0] < 25
    assert bright[1] < 25
    red, green, blue = pixels[bright]
    assert red >= green > blue
    sky = np.median(pixels[50:, 50:], axis=(0, 1))
    assert np.all((sky > 10) & (sky < 60))


def test_brighter_is_brighter():
    flux = np.full((4, 96, 96), 1e-3)
    flux[:, :, :] += np.linspace(0.0, 0.1, 96)
    pixels = _pixels(preview_of(Image(flux, BANDS, "legacysurvey")))
    assert np.all(np.diff(pixels.sum(axis=2)[40]) >= 0)


def test_pictures_of_other_bands():
    for bands, survey in (
        (("DES-G", "DES-R", "DES-Z"), "legacysurvey"),
        (("DES-R", "DES-Z"), "legacysurvey"),
        (("DES-R",), "legacysurvey"),
        (("HSC-G", "HSC-R", "HSC-I", "HSC-Z", "HSC-Y"), "hsc"),
        (("HSC-R", "HSC-Z", "HSC-Y"), "hsc"),
    ):
        pixels = _pixels(preview_of(_image(bands, survey=survey)))
        assert pixels.shape == (96, 96, 3)
        assert pixels.max() > 100


def test_settings_of_a_manifest_are_used():
    settings = PreviewSettings(
        rgb=("DES-G", "DES-G", "DES-Z"), scale=(1.0, 1.0, 3.0), softening=5.0, minimum=0.0
    )
    pixels = _pixels(preview_of(_image(), settings))
    red, green, blue = pixels[np.unravel_index(pixels.sum(axis=2).argmax(), (96, 96))]
    assert red == green < blue


def test_bad_pixels_are_dark():
    image = _image()
    mask = np.zeros(image.flux.shape, bool)
    mask[:, 60:70, 60:70] = True
    masked = preview_of(Image(image.flux, image.bands, "legacysurvey", mask))
    dark = _pixels(masked)[::-1][50, 50]
    assert dark.max() <= 40


def test_the_same_image_gives_the_same_file():
    one, two = preview_of(_image()), preview_of(_image())
    assert one is not None
    assert two is not None
    assert one.png == two.png


def test_short_spectrum_keeps_a_line_and_leaves_out_bad_pixels():
    wavelength = np.linspace(3600, 9800, 7781)
    flux = np.ones(7781)
    flux[3000:3040] = 9.0
    flux[100] = 1e9
    mask = np.zeros(7781, bool)
    mask[100] = True
    preview = preview_of(Spectrum(flux, np.ones(7781), wavelength, "desi", mask))
    assert preview is not None
    assert 400 < len(preview.flux) == len(preview.wavelength_angstrom) <= 512
    assert preview.flux.max() == 9.0
    assert np.all(np.diff(preview.wavelength_angstrom) > 0)
    peak = preview.wavelength_angstrom[preview.flux.argmax()]
    assert abs(peak - wavelength[3020]) < 20


def test_a_spectrum_that_is_short_already():
    wavelength = np.linspace(4000, 5000, 300)
    preview = preview_of(Spectrum(wavelength / 1000, np.ones(300), wavelength, "sdss"))
    assert preview is not None
    np.testing.assert_allclose(preview.flux, wavelength / 1000, rtol=1e-6)


def test_coefficients_and_photometry():
    preview = preview_of(GaiaXp(np.arange(1.0, 56.0), np.arange(2.0, 57.0)))
    assert preview is not None
    assert preview.coefficients[[0, 54, 55, 109]].tolist() == [1, 55, 2, 56]
    assert preview_of(Photometry({"FLUX_G": 1.0})) is None


def test_written_and_found(tmp_path: Path):
    spectrum = preview_of(
        Spectrum(np.ones(300), np.ones(300), np.linspace(4000, 5000, 300), "sdss")
    )
    image = preview_of(_image())
    xp = preview_of(GaiaXp(np.ones(55), np.ones(55)))
    assert spectrum is not None
    assert image is not None
    assert xp is not None
    with growing_previews(tmp_path / "p.arrow") as previews:
        previews.add(preview_table([1, 1, 4], [image, spectrum, xp]))
    file = PreviewFile(tmp_path / "p.arrow")
    assert len(file) == 3
    first, second, last = file.get(1), file.get(1, "spectrum"), file.get(4)
    assert first is not None
    assert first.kind == "image"
    assert first.png == image.png
    assert second is not None
    np.testing.assert_array_equal(second.flux, spectrum.flux)
    assert last is not None
    np.testing.assert_array_equal(last.coefficients, xp.coefficients)
    assert last.flux.size == 0
    assert file.get(2) is None
    assert file.get(4, "image") is None


def test_previews_of_a_row_in_two_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("indexer.previews._BATCH_ROWS", 3)
    rows = [0, 0, 2, 2, 2, 2, 2, 5, 9, 9]
    pictures = [Preview("image", png=bytes([number])) for number in range(len(rows))]
    pictures[6] = Preview("spectrum")
    with growing_previews(tmp_path / "p.arrow") as previews:
        previews.add(preview_table(rows, pictures))
    file = PreviewFile(tmp_path / "p.arrow")
    assert len(file) == len(rows)
    found = [file.get(row) for row in range(11)]
    assert [each and each.png for each in found] == [
        bytes([rows.index(row)]) if row in rows else None for row in range(11)
    ]
    last = file.get(2, "spectrum")
    assert last is not None
    assert last.kind == "spectrum"
    assert file.get(9, "spectrum") is None
