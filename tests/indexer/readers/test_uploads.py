"""Uploads: every format gives back the observation that was written, or one clear line."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from aion_encoder.observations import GaiaXp, Image, Spectrum
from aion_encoder.wavelengths import vacuum_to_air
from indexer.errors import ReadError
from indexer.readers import file_kinds, read_image_file, read_spectrum_file, read_xp_file
from indexer.readers.uploads import Upload
from tests.indexer.readers import sample_files
from tests.indexer.readers.sample_files import ERROR, FLUX, IVAR, WAVELENGTH

FLUX_UNIT = 1e-17 * u.erg / u.s / u.cm**2 / u.AA
PER_NM = u.W / u.m**2 / u.nm


def assert_is_the_sample(upload: Upload, rtol: float = 1e-5, with_noise: bool = True) -> None:
    spectrum = upload.observation
    assert isinstance(spectrum, Spectrum)
    np.testing.assert_allclose(spectrum.wavelength_angstrom, WAVELENGTH, rtol=1e-6)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=rtol, atol=1e-5)
    if with_noise:
        np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-4)


def sample_table() -> Table:
    table = Table({"wavelength": WAVELENGTH * u.AA, "flux": FLUX * FLUX_UNIT})
    table["error"] = ERROR * FLUX_UNIT
    return table


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


def test_the_survey_can_be_stated(tmp_path: Path) -> None:
    path = sample_files.sdss_spec(tmp_path / "spec.fits")
    upload = read_spectrum_file([path], survey="desi")
    assert upload.observation.survey == "desi"
    assert upload.survey == "sdss"
    assert "as you stated" in upload.assumptions["survey"]
    with pytest.raises(ReadError, match="survey of a spectrum must be sdss or desi, got 'hsc'"):
        read_spectrum_file([path], survey="hsc")


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


@pytest.mark.parametrize("form", ["x.fits", "x.ecsv", "x.xml", "x.csv", "both.fits"])
def test_xp_tables(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(0)
    bp, rp = rng.normal(100, 10, (2, 55)), rng.normal(100, 10, (2, 55))
    ids = np.array([5853498713190525696, 5762406957886626816])
    path = tmp_path / form
    if form == "both.fits":
        Table(
            {"source_id": ids, "coeff": np.hstack([bp, rp]), "ra": [1.0, 2.0], "dec": [3.0, 4.0]}
        ).write(path)
    elif form == "x.csv":
        texts = [[f"({', '.join(map(str, row.tolist()))})" for row in each] for each in (bp, rp)]
        Table({"source_id": ids, "bp_coefficients": texts[0], "rp_coefficients": texts[1]}).write(
            path
        )
    else:
        table = Table({"source_id": ids, "bp_coefficients": bp, "rp_coefficients": rp})
        table.write(path, format="votable" if form == "x.xml" else None)
    with pytest.raises(ReadError, match="choose one of 5853498713190525696, 5762406957886626816"):
        read_xp_file(path)
    upload = read_xp_file(path, source_id="5762406957886626816")
    xp = upload.observation
    assert isinstance(xp, GaiaXp)
    np.testing.assert_array_equal(xp.bp, bp[1].astype("f4"))
    np.testing.assert_array_equal(xp.rp, rp[1].astype("f4"))
    if form == "both.fits":
        assert (upload.ra_deg, upload.dec_deg) == (2.0, 4.0)
    else:
        assert (upload.ra_deg, upload.dec_deg) == pytest.approx((135.571, -4.116), abs=1e-3)
        assert "source_id" in upload.assumptions["position"]


def test_xp_tables_that_are_none(tmp_path: Path) -> None:
    sample_table().write(tmp_path / "t.fits")
    with pytest.raises(ReadError, match="it lacks source_id, bp_coefficients, rp_coefficients"):
        read_xp_file(tmp_path / "t.fits")
    Table({"source_id": [1], "coeff": [np.full(100, 1.0)]}).write(tmp_path / "short.fits")
    with pytest.raises(ReadError, match="rp must hold 55 coefficients, got"):
        read_xp_file(tmp_path / "short.fits")


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
