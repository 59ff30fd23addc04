"""Uploads of spectra in anybody's tables, text and images: the observation, or one clear line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from aion_encoder.observations import Spectrum
from aion_encoder.wavelengths import vacuum_to_air
from indexer.errors import ReadError
from indexer.readers import read_spectrum_file
from tests.indexer.readers import sample_files
from tests.indexer.readers.sample_files import (
    ERROR,
    FLUX,
    FLUX_UNIT,
    IVAR,
    WAVELENGTH,
    assert_is_the_sample,
    sample_table,
)

PER_NM = u.W / u.m**2 / u.nm


@pytest.mark.parametrize("form", ["table.fits", "table.ecsv", "table.xml", "table.csv", "gz"])
def test_tables(tmp_path: Path, form: str) -> None:
    table = sample_table()
    path = tmp_path / form
    if form == "table.csv":
        plain = Table(
            {f"{name} [{table[name].unit}]": table[name].value for name in table.colnames}
        )
        plain.write(path, format="ascii.csv")
    elif form == "gz":
        table.write(tmp_path / "table.fits")
        path.write_bytes(gzip.compress((tmp_path / "table.fits").read_bytes()))
    elif form == "table.xml":
        # VOTable 1.4 deprecates Angstrom and erg.
        for name, unit in (("wavelength", u.nm), ("flux", PER_NM), ("error", PER_NM)):
            table[name] = table[name].quantity.to(unit)
        table.write(path, format="votable")
    else:
        table.write(path)
    upload = read_spectrum_file([path])
    assert_is_the_sample(upload)
    assert set(upload.assumptions) - {"file"} == {"medium", "survey"}
    assert "SDSS" in upload.assumptions["survey"]


@pytest.mark.parametrize(
    ("separator", "comment"), [(" ", "# wavelength flux error\n"), ("\t", ""), (",", "! made up\n")]
)
def test_text_without_units(tmp_path: Path, separator: str, comment: str) -> None:
    table = zip(WAVELENGTH.tolist(), FLUX.tolist(), ERROR.tolist(), strict=True)
    rows = [separator.join(map(repr, row)) for row in table]
    path = tmp_path / "spec.dat"
    path.write_text(comment + "\n".join(rows))
    upload = read_spectrum_file([path])
    assert_is_the_sample(upload)
    assert "Angstrom assumed by range" in upload.assumptions["wavelength_unit"]
    assert "1e-17 erg/s/cm2/Angstrom assumed" in upload.assumptions["flux_unit"]
    if not comment.startswith("#"):
        assert "third column is taken as standard deviation" in upload.assumptions["noise"]


def test_text_with_broken_rows_and_a_header(tmp_path: Path) -> None:
    lines = [f"{w:.6f} {f:.8f} {e}" for w, f, e in zip(WAVELENGTH, FLUX, ERROR, strict=True)]
    lines[100:100] = ["4000.0 oops", "**** 3 4"]
    path = tmp_path / "spec.ascii"
    path.write_text("# RA: 23:43:47.24\n# DEC: 51:14:29.40\n# REDSHIFT: 0.5\n" + "\n".join(lines))
    upload = read_spectrum_file([path])
    assert_is_the_sample(upload)
    assert (upload.ra_deg, upload.dec_deg) == pytest.approx((355.946833, 51.241500), abs=1e-5)
    assert upload.redshift == 0.5
    assert upload.assumptions["rows"] == "2 unreadable rows are left out"


@pytest.mark.parametrize(
    ("column", "values", "rtol"),
    [
        ("wave_nm", WAVELENGTH / 10, 1e-5),
        ("loglam", np.log10(WAVELENGTH), 1e-5),
        ("wavelength_um", WAVELENGTH / 1e4, 1e-5),
    ],
)
def test_names_of_columns_tell_units(
    tmp_path: Path, column: str, values: np.ndarray, rtol: float
) -> None:
    path = tmp_path / "t.fits"
    Table({column: values, "FLUX": FLUX, "IVAR": IVAR}).write(path)
    upload = read_spectrum_file([path])
    assert_is_the_sample(upload, rtol)
    assert "wavelength_unit" not in upload.assumptions


def test_flux_per_frequency(tmp_path: Path) -> None:
    table = Table({"wavelength": WAVELENGTH * u.AA})
    per_frequency = (FLUX * FLUX_UNIT).to(u.mJy, u.spectral_density(WAVELENGTH * u.AA))
    per_error = (ERROR * FLUX_UNIT).to(u.mJy, u.spectral_density(WAVELENGTH * u.AA))
    table["flux"], table["err"] = per_frequency, per_error
    table.write(tmp_path / "t.ecsv")
    assert_is_the_sample(read_spectrum_file([tmp_path / "t.ecsv"]))
    plain = Table({"wavelength": WAVELENGTH, "flux": per_frequency.value, "err": per_error.value})
    plain.write(tmp_path / "t.csv")
    assert_is_the_sample(read_spectrum_file([tmp_path / "t.csv"], flux_unit="mJy"))


def test_cgs_without_a_unit_is_noticed(tmp_path: Path) -> None:
    Table({"wavelength": WAVELENGTH, "flux": FLUX * 1e-17, "err": ERROR * 1e-17}).write(
        tmp_path / "t.csv"
    )
    upload = read_spectrum_file([tmp_path / "t.csv"])
    assert_is_the_sample(upload)
    assert "erg/s/cm2/Angstrom assumed, as the median" in upload.assumptions["flux_unit"]


def test_counts_are_refused_unless_a_unit_is_given(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    Table({"wavelength": WAVELENGTH, "flux": FLUX * 1e5, "err": ERROR * 1e5}).write(path)
    with pytest.raises(ReadError, match=r"^t.csv: fluxes have no unit and a .*counts are"):
        read_spectrum_file([path])
    assert_is_the_sample(read_spectrum_file([path], flux_unit="1e-22 erg/s/cm2/Angstrom"))
    with pytest.raises(ReadError, match="flux_unit must be a flux density, got 'ADU'"):
        read_spectrum_file([path], flux_unit="ADU")


def test_air_wavelengths(tmp_path: Path) -> None:
    air = vacuum_to_air(WAVELENGTH)
    Table({"wavelength": air, "flux": FLUX, "err": ERROR}).write(tmp_path / "t.csv")
    assert_is_the_sample(read_spectrum_file([tmp_path / "t.csv"], medium="air"))
    Table({"wave_air": air, "flux": FLUX, "err": ERROR}).write(tmp_path / "a.csv")
    upload = read_spectrum_file([tmp_path / "a.csv"])
    assert_is_the_sample(upload)
    assert "medium" not in upload.assumptions
    with pytest.raises(ReadError, match="medium must be air or vacuum, got 'water'"):
        read_spectrum_file([tmp_path / "t.csv"], medium="water")


def test_no_errors_gives_a_constant_and_says_so(tmp_path: Path) -> None:
    Table({"wavelength": WAVELENGTH, "flux": FLUX}).write(tmp_path / "t.csv")
    upload = read_spectrum_file([tmp_path / "t.csv"])
    spectrum = upload.observation
    assert isinstance(spectrum, Spectrum)
    assert_is_the_sample(upload, with_noise=False)
    assert np.unique(spectrum.ivar).size == 1
    assert spectrum.ivar[0] ** -0.5 == pytest.approx(0.5, rel=0.1)
    assert "no errors in the file" in upload.assumptions["noise"]


def test_descending_and_repeated_wavelengths_are_put_in_order(tmp_path: Path) -> None:
    order = np.r_[3799:-1:-1, 5, 6]
    table = {"wavelength": WAVELENGTH[order], "flux": FLUX[order], "err": ERROR[order]}
    Table(table).write(tmp_path / "t.csv")
    upload = read_spectrum_file([tmp_path / "t.csv"])
    assert_is_the_sample(upload)
    assert "sorted" in upload.assumptions["order"]
    assert upload.assumptions["repeats"].startswith("2 pixels")


@pytest.mark.parametrize("kind", ["linear", "unit", "dc-flag", "air", "log"])
def test_one_dimensional_images(tmp_path: Path, kind: str) -> None:
    linear = 3800.0 + 1.4 * np.arange(3800)
    hdu = fits.PrimaryHDU(FLUX.astype("f4"))
    header = hdu.header
    header["CRPIX1"], header["CRVAL1"], header["CDELT1"] = 1.0, 3800.0, 1.4
    expected = linear
    if kind == "unit":
        header["CUNIT1"], header["CTYPE1"] = "nm", "WAVE"
        header["CRVAL1"], header["CDELT1"], header["BUNIT"] = 380.0, 0.14, "1e-17 erg/s/cm2/A"
    elif kind == "dc-flag":
        header["CRVAL1"], header["CD1_1"], header["DC-FLAG"] = 3.58, 1e-4, 1
        del header["CDELT1"]
        expected = WAVELENGTH
    elif kind == "air":
        header["CTYPE1"] = "AWAV"
        expected = linear + (linear - vacuum_to_air(linear))
    elif kind == "log":
        header["CTYPE1"], header["CUNIT1"] = "WAVE-LOG", "Angstrom"
        expected = 3800.0 * np.exp(1.4 * np.arange(3800) / 3800.0)
    hdu.writeto(tmp_path / "one.fits")
    upload = read_spectrum_file([tmp_path / "one.fits"])
    spectrum = upload.observation
    assert isinstance(spectrum, Spectrum)
    np.testing.assert_allclose(spectrum.wavelength_angstrom, expected, rtol=1e-6)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-6)
    assert ("medium" in upload.assumptions) == (kind in ("linear", "dc-flag"))


def test_errors_in_a_second_file_or_hdu(tmp_path: Path) -> None:
    axis = fits.Header({"CRVAL1": 3.58, "CDELT1": 1e-4, "CRPIX1": 1.0, "DC-FLAG": 1})
    fits.PrimaryHDU(FLUX.astype("f4"), axis).writeto(tmp_path / "f.fits")
    fits.PrimaryHDU(ERROR.astype("f4"), axis).writeto(tmp_path / "e.fits")
    upload = read_spectrum_file([tmp_path / "f.fits", tmp_path / "e.fits"])
    assert_is_the_sample(upload)
    assert upload.file_name == "f.fits, e.fits"
    hdus = [fits.PrimaryHDU(FLUX.astype("f4"), axis), fits.ImageHDU(IVAR.astype("f4"), name="IVAR")]
    fits.HDUList(hdus).writeto(tmp_path / "both.fits")
    assert_is_the_sample(read_spectrum_file([tmp_path / "both.fits"]))


def test_rows_with_arrays_are_spectra(tmp_path: Path) -> None:
    table = Table(
        {
            "targetid": [7, 8],
            "wavelength": np.stack([WAVELENGTH, WAVELENGTH]),
            "flux": np.stack([FLUX * 2, FLUX]),
            "ivar": np.stack([IVAR, IVAR]),
            "ra": [1.0, 2.0],
            "dec": [3.0, 4.0],
        }
    )
    table.write(tmp_path / "t.fits")
    with pytest.raises(ReadError, match="choose one of 7, 8"):
        read_spectrum_file([tmp_path / "t.fits"])
    upload = read_spectrum_file([tmp_path / "t.fits"], target_id="8")
    assert_is_the_sample(upload)
    assert (upload.object_id, upload.ra_deg, upload.dec_deg) == ("8", 2.0, 4.0)


def test_spectra_that_cannot_be_encoded_are_refused(tmp_path: Path) -> None:
    masked = sample_files.sdss_spec(tmp_path / "m.fits", and_mask=np.full(3800, 1 << 20, "i4"))
    with pytest.raises(ReadError, match=r"^m.fits: all pixels are masked"):
        read_spectrum_file([masked])
    Table({"wavelength": WAVELENGTH + 20000, "flux": FLUX}).write(tmp_path / "ir.csv")
    infrared = read_spectrum_file([tmp_path / "ir.csv"])
    assert infrared.observation is None
    assert infrared.refusal.startswith("no overlap with 3500-10462 A")
    assert infrared.native is not None
    assert infrared.native.ivar is None
    assert not {"survey", "noise"} & set(infrared.assumptions)
    Table({"wavelength": WAVELENGTH[:50], "flux": FLUX[:50]}).write(tmp_path / "short.csv")
    with pytest.raises(ReadError, match="too few pixels: AION-1 needs 200"):
        read_spectrum_file([tmp_path / "short.csv"])
    Table({"wavelength": np.arange(300) - 5.0, "flux": FLUX[:300]}).write(tmp_path / "n.csv")
    with pytest.raises(ReadError, match="the numbers fit none; give wavelength_unit"):
        read_spectrum_file([tmp_path / "n.csv"])
    with pytest.raises(ReadError, match="no file was given"):
        read_spectrum_file([])
