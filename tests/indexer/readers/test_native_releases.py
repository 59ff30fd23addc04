"""Releases of spectra that only the tokenizer takes: HDF5 in rows, and loose files of any kind."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from aion_encoder.universal_spectra import NativeSpectrum
from aion_encoder.wavelengths import air_to_vacuum
from indexer.errors import ManifestError
from indexer.manifests import load_manifest
from indexer.readers import Record, Reject, partitions, read_partition

HEAD = 'name = "m"\ntitle = "M"\nroot = "."\n'
HDF5 = """
[[releases]]
name = "stars"
title = "Stars"
survey = "apogee"
reader = "mmu_hdf5"
files = ["apogee/healpix=*/*.hdf5"]
[releases.native]
medium = "vacuum"
[releases.columns]
keep = { temperature = "teff" }
"""
LOOSE = """
[[releases]]
name = "loose"
title = "Loose"
survey = "uves"
reader = "spectrum_files"
files = ["spectra/*"]
[releases.native]
"""
CATALOGUE = """
[releases.catalogue]
file = "names.csv"
path = "file"
object_id = "name"
ra = "ra"
dec = "dec"
redshift = "z"
object_class = "kind"
"""
GRID = 10.0 ** (4.179 + 6e-6 * np.arange(8575))


def flux_of(wavelength: np.ndarray, number: int = 0) -> np.ndarray:
    return 3.0 + np.sin(wavelength / (20.0 + number))


def read(folder: Path, text: str) -> list[Record | Reject]:
    (folder / "m.toml").write_text(HEAD + text)
    manifest = load_manifest(folder / "m.toml")
    (release,) = manifest.releases
    assert release.modality == "spectrum"
    return [
        each
        for partition in partitions(manifest, release)
        for each in read_partition(manifest, release, partition)
    ]


def write_hdf5(folder: Path, **changes: np.ndarray | None) -> None:
    count = 3
    flux = np.stack([flux_of(GRID, number) for number in range(count)]).astype(">f4")
    columns: dict[str, np.ndarray | None] = {
        "object_id": np.array([b"2M0001+01", b"2M0002+02", b"2M0003+03"]),
        "ra": np.array([10.0, 11.0, 12.0]),
        "dec": np.array([1.0, 2.0, 3.0]),
        "spectrum_lambda": np.tile(GRID, (count, 1)),
        "spectrum_flux": flux,
        "spectrum_ivar": np.full(flux.shape, 4.0, np.float32),
        "spectrum_mask": np.zeros(flux.shape, bool),
        "teff": np.array([4000.0, 5000.0, 6000.0], np.float32),
        **changes,
    }
    path = folder / "apogee" / "healpix=7" / "001-of-001.hdf5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            if values is not None:
                file[name] = values


def spectrum_of(record: Record | Reject) -> NativeSpectrum:
    assert isinstance(record, Record), record
    (spectrum,) = record.observations
    assert isinstance(spectrum, NativeSpectrum)
    return spectrum


def test_rows_of_an_infrared_release(tmp_path: Path) -> None:
    mask = np.zeros((3, GRID.size), bool)
    mask[0, 3300:3600] = True
    wavelength = np.tile(GRID, (3, 1))
    wavelength[1, -100:] = -1.0
    write_hdf5(tmp_path, spectrum_mask=mask, spectrum_lambda=wavelength)
    first, second, third = read(tmp_path, HDF5)
    assert isinstance(third, Record)
    assert (third.object_id, third.ra_deg, third.dec_deg) == ("2M0003+03", 12.0, 3.0)
    assert third.columns["temperature"] == 6000.0
    assert (third.source_file, third.source_row) == ("apogee/healpix=7/001-of-001.hdf5", 2)
    spectrum = spectrum_of(first)
    np.testing.assert_array_equal(spectrum.wavelength_angstrom, GRID)
    np.testing.assert_array_equal(spectrum.flux, flux_of(GRID).astype(np.float32))
    np.testing.assert_array_equal(np.flatnonzero(~spectrum.good), np.arange(3300, 3600))
    assert spectrum_of(second).flux.size == GRID.size - 100


def test_wavelengths_in_air_are_converted_and_errors_may_be_missing(tmp_path: Path) -> None:
    write_hdf5(tmp_path, spectrum_ivar=None, spectrum_mask=None)
    first, *_ = read(tmp_path, HDF5.replace('"vacuum"', '"air"'))
    spectrum = spectrum_of(first)
    assert spectrum.ivar is None
    np.testing.assert_allclose(spectrum.wavelength_angstrom, air_to_vacuum(GRID))


def test_bad_rows_are_rejected_with_the_reason_and_lose_no_good_ones(tmp_path: Path) -> None:
    ivar = np.full((3, GRID.size), 4.0, np.float32)
    ivar[1] = 0.0
    write_hdf5(tmp_path, spectrum_ivar=ivar)
    results = read(tmp_path, HDF5)
    assert [type(each) for each in results] == [Record, Reject, Record]
    assert isinstance(results[1], Reject)
    assert results[1].object_id == "2M0002+02"
    assert results[1].reason.startswith("no pixel has a finite, positive inverse variance")
    write_hdf5(tmp_path, spectrum_flux=None)
    assert [each.reason for each in read(tmp_path, HDF5) if isinstance(each, Reject)] == [
        "the file lacks spectrum_flux"
    ]


def write_loose(folder: Path) -> None:
    (folder / "spectra").mkdir()
    infrared = np.linspace(15_000.0, 17_000.0, 900)
    Table({"wavelength": infrared, "flux": flux_of(infrared)}).write(folder / "spectra/j12.5+1.csv")
    optical = np.linspace(4000.0, 9000.0, 800)
    Table(
        {"wavelength": optical, "flux": flux_of(optical), "ivar": np.full(800, 4.0)},
        meta={"TARGETID": 39627, "RA": 10.0, "DEC": -3.0},
    ).write(folder / "spectra/named.ecsv")
    header = fits.Header({"CRVAL1": 22_000.0, "CDELT1": 2.0, "CUNIT1": "Angstrom"})
    header["BUNIT"] = "erg/s/cm2/Angstrom"
    header["RA"], header["DEC"] = 20.0, 5.0
    axis = 22_000.0 + 2.0 * np.arange(700)
    fits.PrimaryHDU((1e-17 * flux_of(axis)).astype(np.float32), header).writeto(
        folder / "spectra/k-band.fits"
    )
    few = Table({"wavelength": infrared[:60], "flux": flux_of(infrared[:60])})
    few.write(folder / "spectra/short.csv")
    (folder / "spectra/text.txt").write_text("no numbers here\n")


def test_loose_files_of_any_layout_range_and_errors(tmp_path: Path) -> None:
    write_loose(tmp_path)
    found = {Path(each.source_file).name: each for each in read(tmp_path, LOOSE)}
    records = {name: each for name, each in found.items() if isinstance(each, Record)}
    assert {name: each.object_id for name, each in records.items()} == {
        "j12.5+1.csv": "j12.5+1",
        "named.ecsv": "39627",
        "k-band.fits": "k-band",
    }
    assert np.isnan(records["j12.5+1.csv"].ra_deg)
    assert (records["k-band.fits"].ra_deg, records["k-band.fits"].dec_deg) == (20.0, 5.0)
    np.testing.assert_allclose(
        spectrum_of(records["k-band.fits"]).wavelength_angstrom, 22_000.0 + 2.0 * np.arange(700)
    )
    # What AION-1 would take is for the tokenizer alone here, with its errors.
    np.testing.assert_array_equal(spectrum_of(records["named.ecsv"]).ivar, 4.0)
    short, text = found["short.csv"], found["text.txt"]
    assert isinstance(short, Reject)
    assert short.reason.startswith("a spectrum must have at least 4 patches")
    assert isinstance(text, Reject)


def test_a_catalogue_names_and_places_what_its_file_does_not(tmp_path: Path) -> None:
    write_loose(tmp_path)
    (tmp_path / "names.csv").write_text(
        "file,name,ra,dec,z,kind\n"
        "spectra/j12.5+1.csv,HD 1,350.5,-20.25,0.25,STAR\n"
        "spectra/k-band.fits,HD 2,20.0001,5.0,,\n"
        "spectra/named.ecsv,HD 3,11.0,-3.0,,\n"
    )
    found = {each.object_id: each for each in read(tmp_path, LOOSE + CATALOGUE)}
    placed = found["HD 1"]
    assert isinstance(placed, Record)
    assert (placed.ra_deg, placed.dec_deg) == (350.5, -20.25)
    assert placed.columns["redshift"] == 0.25
    assert placed.columns["object_class"] == "STAR"
    assert "HD 2" in found
    # Its own position is a degree away: the row is of something else.
    assert "39627" in found


def test_units_are_stated_where_files_do_not(tmp_path: Path) -> None:
    (tmp_path / "spectra").mkdir()
    axis = np.linspace(1.5, 1.7, 900)
    path = tmp_path / "spectra/microns.csv"
    Table({"wavelength": axis, "flux": flux_of(1e4 * axis)}).write(path)
    stated = LOOSE + 'wavelength_unit = "um"\nflux_unit = "mJy"\nmedium = "air"\n'
    (record,) = read(tmp_path, stated)
    np.testing.assert_allclose(
        spectrum_of(record).wavelength_angstrom, air_to_vacuum(1e4 * axis), rtol=1e-12
    )
    # 1 mJy at 1.5 um is 2.99792458e-5 * 1e-3 / 15000^2 = 1.332e-16 erg/s/cm2/A.
    flux = spectrum_of(record).flux[0] / flux_of(1e4 * axis)[0]
    assert flux == pytest.approx(2.99792458e-5 * 1e-3 / 15_000.0**2 / 1e-17, rel=2e-3)


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (HDF5, '"apogee"\nreader', '"sdss"\nreader', "AION-1 knows survey 'sdss', whose spectra"),
        (HDF5, '"apogee"\nreader', '"APOGEE 2"\nreader', "survey must be in lower case"),
        (HDF5, 'medium = "vacuum"', "", "state native.medium"),
        (HDF5, 'medium = "vacuum"', 'medium = "water"', "'air', 'vacuum'"),
        (HDF5, 'medium = "vacuum"', 'medium = "air"\nflux_unit = "mJy"', "are in Angstrom and in"),
        (HDF5, "[releases.native]", "[releases.preview]", "Field required"),
        (LOOSE, "[releases.native]", "", r"another instrument need the table \[releases.native\]"),
        (
            LOOSE,
            '"spectrum_files"',
            '"desi_files"',
            "read by mmu_hdf5 or mmu_hats or spectrum_files",
        ),
        (LOOSE, '"uves"', '"desi"', "AION-1 knows survey 'desi'"),
    ],
)
def test_what_a_manifest_may_not_say(
    tmp_path: Path, text: str, old: str, new: str, message: str
) -> None:
    assert old in text
    (tmp_path / "m.toml").write_text(HEAD + text.replace(old, new))
    with pytest.raises(ManifestError, match=message):
        load_manifest(tmp_path / "m.toml")


def test_loose_files_of_aions_surveys_have_readers_of_their_own(tmp_path: Path) -> None:
    text = LOOSE.replace('"uves"', '"sdss"').replace("[releases.native]", "")
    (tmp_path / "m.toml").write_text(HEAD + text)
    with pytest.raises(ManifestError, match="'spectrum_files' does not read a spectrum, which is"):
        load_manifest(tmp_path / "m.toml")
