"""Colour pictures as queries: bands come back where nothing was clipped, and it is said."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from aion_encoder.observations import Image
from indexer.errors import ReadError
from indexer.readers import read_image_file, read_spectrum_file

SIDE = 128
SCALES = {"DES-G": 6.0, "DES-R": 3.4, "DES-Z": 2.2}


def galaxy() -> dict[str, np.ndarray]:
    """Nanomaggies per pixel; north of the middle, and never so faint that a colour is clipped."""
    y, x = np.indices((SIDE, SIDE))
    profile = np.exp(-np.hypot(y - SIDE / 2 - 6, x - SIDE / 2) / 8.0)
    sky = 0.002 * np.random.default_rng(3).standard_normal((SIDE, SIDE))
    return {
        "DES-G": 0.05 * profile + sky,
        "DES-R": 0.15 * profile + sky,
        "DES-Z": 0.30 * profile + sky,
    }


def drawn(bands: dict[str, np.ndarray], kind: str, **options: int) -> bytes:
    """Draw as the viewer's `dr2_rgb` does: asinh of the mean, Q 20, m 0.03; z, r, g to R, G, B."""
    scaled = {name: SCALES[name] * flux + 0.03 for name, flux in bands.items()}
    mean = np.maximum(sum(scaled.values()) / 3.0, 1e-6)
    stretch = np.arcsinh(20.0 * mean) / np.sqrt(20.0) / mean
    rgb = np.stack([scaled[name] * stretch for name in ("DES-Z", "DES-R", "DES-G")], axis=-1)
    pixels = (np.clip(rgb, 0.0, 1.0) * 255.99).astype(np.uint8)
    stream = io.BytesIO()
    Picture.fromarray(pixels[::-1].copy()).save(stream, kind, **options)
    return stream.getvalue()


def written(folder: Path, content: bytes, name: str = "cutout.png") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_bands_come_back_where_nothing_was_clipped(tmp_path: Path) -> None:
    bands = galaxy()
    path = written(tmp_path, drawn(bands, "PNG"))
    upload = read_image_file([path], pixel_scale_arcsec=0.262)
    image = upload.observation
    assert isinstance(image, Image)
    assert image.survey == "legacysurvey"
    assert image.bands == ("DES-G", "DES-R", "DES-Z")
    cut = slice((SIDE - image.flux.shape[1]) // 2, (SIDE + image.flux.shape[1]) // 2)
    for band, flux in zip(image.bands, image.flux, strict=True):
        truth = bands[band][cut, cut]
        # One step of eight bits, where the stretch is steepest.
        assert np.abs(flux - truth).max() < 0.05 * truth.max() + 0.004
        assert flux.sum() == pytest.approx(truth.sum(), rel=0.05)
        assert np.unravel_index(flux.argmax(), flux.shape) == pytest.approx(
            np.unravel_index(truth.argmax(), truth.shape), abs=1
        )


def test_a_jpeg_is_taken_too(tmp_path: Path) -> None:
    bands = galaxy()
    path = written(tmp_path, drawn(bands, "JPEG", quality=90), "cutout.jpg")
    image = read_image_file([path], pixel_scale_arcsec=0.262).observation
    assert isinstance(image, Image)
    total = bands["DES-R"].sum()
    assert image.flux[1].sum() == pytest.approx(total, rel=0.15)


def test_what_it_is_worth_is_said(tmp_path: Path) -> None:
    bright = {name: 30.0 * flux for name, flux in galaxy().items()}
    upload = read_image_file([written(tmp_path, drawn(bright, "PNG"))], pixel_scale_arcsec=0.262)
    said = upload.assumptions["approximate"]
    assert "the counts of DES-G, DES-R, DES-Z are worked out" in said
    share = float(said.partition("clipped (")[2].partition("%")[0])
    assert share > 1.0
    assert upload.assumptions["pixel_scale"] == "0.262 arcsec/px, as you stated"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "does not say how large its pixels are; state the pixel scale"),
        ({"pixel_scale_arcsec": 0.168, "survey": "hsc"}, "neither survey nor bands nor zero point"),
        ({"pixel_scale_arcsec": 0.262, "bands": ["g", "r", "i"]}, "neither survey nor bands"),
        ({"pixel_scale_arcsec": 0.262, "zero_point": 0.0}, "neither survey nor bands"),
        ({"pixel_scale_arcsec": 5.0}, "too coarse"),
    ],
)
def test_what_must_be_stated_of_it(tmp_path: Path, options: dict, words: str) -> None:
    path = written(tmp_path, drawn(galaxy(), "PNG"))
    with pytest.raises(ReadError, match=words):
        read_image_file([path], **options)


def test_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    content = drawn(galaxy(), "PNG")
    for number, (bad, words) in enumerate(
        [
            (content[: len(content) // 2], "damaged or truncated"),
            (content[:8] + b"\0" * 40, "damaged or truncated"),
            (_plain(np.full((SIDE, SIDE, 3), 9, np.uint8)), "has no colours"),
            (_plain(np.zeros((3001, 3000, 3), np.uint8)), "9,000,000 pixels at most"),
            (_claiming(content, 60_000, 60_000), "9,000,000 pixels at most"),
        ]
    ):
        path = written(tmp_path, bad, f"{number}.png")
        with pytest.raises(ReadError, match=words):
            read_image_file([path], pixel_scale_arcsec=0.262)


def test_it_comes_alone_and_is_no_spectrum(tmp_path: Path) -> None:
    path = written(tmp_path, drawn(galaxy(), "PNG"))
    with pytest.raises(ReadError, match="a colour picture comes alone"):
        read_image_file([path, path], pixel_scale_arcsec=0.262)
    with pytest.raises(ReadError, match="PNG picture, and colour pictures are not accepted"):
        read_spectrum_file([path])


def _plain(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Picture.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _claiming(content: bytes, width: int, height: int) -> bytes:
    """Change the size in the header of a PNG file, with the checksum that fits."""
    import zlib

    size = width.to_bytes(4) + height.to_bytes(4)
    chunk = b"IHDR" + size + content[24:29]
    return content[:12] + chunk + zlib.crc32(chunk).to_bytes(4) + content[33:]
