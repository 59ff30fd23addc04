"""Uploads that are no astronomical files, or damaged ones: one clear line."""

import gzip
from pathlib import Path

import pytest
from astropy.io import fits

from indexer.errors import ReadError
from indexer.readers import file_kinds, read_image_file, read_spectrum_file, read_xp_file
from tests.indexer.readers import sample_files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "only blanks"),
        (b"\x89PNG\r\n\x1a\n000", "PNG picture, and colour pictures are not accepted"),
        (b"\xff\xd8\xff\xe0", "JPEG picture"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x89HDF\r\n", "an HDF5 file; index it with a manifest"),
        (b"\x93NUMPY", "a NumPy file"),
        (b"<!DOCTYPE html><html>", "a web page or XML document"),
        (b"a\0b", "neither FITS, VOTable, ECSV nor text"),
        (b"Dear all,\nthe meeting is at noon.\n", "no table of numbers"),
        (b"\x1f\x8b\x08\x00broken", "truncated or damaged: gzip"),
        (b"# %ECSV 1.0\n# ---\n# datatype: [\n", "ECSV file is damaged or truncated"),
        (b"<?xml version='1.0'?><VOTABLE><RESOURCE>", "VOTABLE file is damaged or truncated"),
        (b"SIMPLE  =                    T" + b" " * 50, "the FITS file is damaged"),
    ],
)
def test_what_is_no_astronomical_file(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file.fits"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=words) as caught:
        read_spectrum_file([path])
    assert str(caught.value).startswith("file.fits: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(ReadError):
        read_image_file([path])
    with pytest.raises(ReadError):
        read_xp_file(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"^none.fits: cannot be read: No such file"):
        read_spectrum_file([tmp_path / "none.fits"])


def test_truncated_fits_are_refused_and_missing_padding_is_not(tmp_path: Path) -> None:
    path = sample_files.viewer_cutout(tmp_path / "whole.fits", sample_files.galaxy(120, 0.262))
    data = path.read_bytes()
    short = tmp_path / "short.fits"
    used = 3 * 120 * 120 * 4
    header = len(data) - -(-used // 2880) * 2880
    short.write_bytes(data[: header + used])
    assert read_image_file([short]).observation.survey == "legacysurvey"
    short.write_bytes(data[: header + used - 1])
    with pytest.raises(ReadError, match=r"short.fits: the file is truncated: HDU PRIMARY needs"):
        read_image_file([short])


def test_sizes_are_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = fits.PrimaryHDU().header
    header.update(NAXIS=2, BITPIX=-64)
    header.insert("NAXIS", ("NAXIS1", 100000), after=True)
    header.insert("NAXIS1", ("NAXIS2", 100000), after=True)
    (tmp_path / "huge.fits").write_bytes(header.tostring().encode())
    with pytest.raises(ReadError, match="declares 76293 MB of data"):
        read_image_file([tmp_path / "huge.fits"])
    monkeypatch.setattr(file_kinds, "MAX_BYTES", 1 << 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(2 << 20)))
    with pytest.raises(ReadError, match="unpacks to more than 1 MB"):
        read_spectrum_file([tmp_path / "bomb.gz"])
    (tmp_path / "big.csv").write_bytes(b"1" * (2 << 20))
    with pytest.raises(ReadError, match="too large: at most 1 MB, got 2 MB"):
        read_spectrum_file([tmp_path / "big.csv"])
