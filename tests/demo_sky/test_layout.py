from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from demo_sky import SURVEYS, simulate_source
from demo_sky.hdf5_layout import RELEASE_FOLDER, ReleaseFileWriter
from demo_sky.healpix import pixel_of_position

from .conftest import OBJECTS, SEED


@pytest.fixture
def column(written_sky: Path) -> Callable[[str, str], NDArray[np.generic]]:
    def read(survey: str, name: str) -> NDArray[np.generic]:
        parts = []
        for path in sorted((written_sky / RELEASE_FOLDER[survey]).glob("healpix=*/*.hdf5")):
            with h5py.File(path) as file:
                values = file[name][:]
                # SDSS files differ in length: string their pixels together.
                parts.append(values.ravel() if survey == "sdss" else values)
        return np.concatenate(parts)

    return read


@pytest.fixture
def first_file(written_sky: Path) -> Callable[[str], h5py.File]:
    def open_first(survey: str) -> h5py.File:
        return h5py.File(sorted((written_sky / RELEASE_FOLDER[survey]).glob("*/*.hdf5"))[0])

    return open_first


PICTURE_COLUMNS = {
    "legacysurvey": {
        "image_array": ((4, 160, 160), "<f4"),
        "image_ivar": ((4, 160, 160), "<f4"),
        "image_mask": ((160, 160), "?"),
        "image_band": ((4,), "S5"),
        "image_psf_fwhm": ((4,), "<f4"),
        "image_scale": ((4,), "<f4"),
        "image_rgb": ((160, 160, 3), "u1"),
        "blobmodel": ((160, 160, 3), "u1"),
        "object_mask": ((160, 160), "u1"),
        "catalog_FLUX_G": ((20,), "<f4"),
    },
    "hsc": {
        "image_array": ((5, 160, 160), "<f4"),
        "image_ivar": ((5, 160, 160), "<f4"),
        "image_mask": ((5, 160, 160), "?"),
        "image_band": ((5,), "S5"),
        "image_psf_fwhm": ((5,), "<f4"),
        "image_scale": ((5,), "<f4"),
        "object_id": ((), "<i8"),
        "tract": ((), "<i8"),
        "i_cmodel_mag": ((), "<f4"),
        "i_sdssshape_shape12": ((), "<f4"),
        "a_y": ((), "<f4"),
    },
    "desi": {
        "spectrum_lambda": ((7781,), "<f4"),
        "spectrum_flux": ((7781,), "<f4"),
        "spectrum_ivar": ((7781,), "<f4"),
        "spectrum_mask": ((7781,), "?"),
        "object_id": ((), "<i8"),
        "ZWARN": ((), "?"),
    },
    "gaia": {
        "coeff": ((110,), "<f4"),
        "coeff_error": ((110,), "<f4"),
        "source_id": ((), "<i8"),
        "phot_g_mean_mag": ((), "<f4"),
        "parallax": ((), "<f8"),
    },
}


@pytest.mark.parametrize("survey", list(PICTURE_COLUMNS))
def test_columns_have_the_published_types(
    survey: str, first_file: Callable[[str], h5py.File]
) -> None:
    with first_file(survey) as file:
        rows = len(file["ra"])
        for name, (shape, kind) in PICTURE_COLUMNS[survey].items():
            assert file[name].shape == (rows, *shape), name
            assert file[name].dtype == np.dtype(kind), name
        for name in ("ra", "dec"):
            assert file[name].dtype == np.dtype("<f8")


def test_compression_is_that_of_each_release(first_file: Callable[[str], h5py.File]) -> None:
    for survey, expected in (("legacysurvey", "lzf"), ("hsc", "gzip")):
        with first_file(survey) as file:
            assert file["image_array"].compression == expected


def test_files_hold_what_memory_holds(column: Callable[[str, str], NDArray[np.generic]]) -> None:
    index = next(
        i for i in range(OBJECTS) if simulate_source(SEED, i, ()).surveys == ("legacysurvey", "hsc")
    )
    source = simulate_source(SEED, index)
    row = list(column("hsc", "object_id")).index(int(source.labels["hsc"]))
    stored = column("hsc", "image_array")[row]
    # Another number of threads may round the last kept bit of a pixel differently.
    np.testing.assert_allclose(stored, source.data["hsc"]["image_array"], rtol=1e-3, atol=1e-3)


def test_sdss_numbers_are_big_endian_and_ids_are_padded_text(
    first_file: Callable[[str], h5py.File],
) -> None:
    with first_file("sdss") as file:
        for name in ("lambda", "flux", "ivar", "lsf_sigma"):
            assert file[f"spectrum_{name}"].dtype == np.dtype(">f4")
        assert file["spectrum_mask"].dtype == np.dtype(bool)
        assert file["Z"].dtype.byteorder == ">"
        assert file["object_id"].dtype == np.dtype("S22")
        number = int(file["object_id"][0])
        assert file["object_id"][0] == b"%22d" % number


def test_sdss_spectra_are_padded_as_published(written_sky: Path) -> None:
    padded = 0
    for path in (written_sky / RELEASE_FOLDER["sdss"]).glob("*/*.hdf5"):
        with h5py.File(path) as file:
            wavelength, flux = file["spectrum_lambda"][:], file["spectrum_flux"][:]
            mask, ivar = file["spectrum_mask"][:], file["spectrum_ivar"][:]
            lengths = (wavelength > 0).sum(axis=1)
            assert lengths.max() == wavelength.shape[1]
            for row, length in enumerate(lengths):
                padded += int(length < wavelength.shape[1])
                assert (wavelength[row, length:] == -1).all()
                assert (flux[row, length:] == flux[row, length - 1]).all()
                assert (ivar[row, length:] == 0).all()
                assert mask[row, length:].all()
                steps = np.diff(np.log10(wavelength[row, :length].astype(float)))
                np.testing.assert_allclose(steps, 1e-4, atol=2e-6)
    assert padded > 0


def test_mask_polarities(column: Callable[[str, str], NDArray[np.generic]]) -> None:
    assert column("legacysurvey", "image_mask").mean() > 0.99  # True is good
    assert column("hsc", "image_mask").mean() > 0.99
    for survey in ("sdss", "desi"):  # True is bad
        bad, ivar = column(survey, "spectrum_mask"), column(survey, "spectrum_ivar")
        assert 0 < bad.mean() < 0.1
        assert (ivar[bad] == 0).all()
        assert (ivar[~bad] > 0).all()
    assert column("desi", "ZWARN").mean() > 0.7  # True is no problem
    assert (column("sdss", "ZWARNING") == 0).mean() > 0.7


def test_identifiers_decode(column: Callable[[str, str], NDArray[np.generic]]) -> None:
    for number, plate, mjd, fibre in zip(
        column("sdss", "object_id"),
        column("sdss", "PLATE"),
        column("sdss", "MJD"),
        column("sdss", "FIBERID"),
        strict=True,
    ):
        value = int(number)
        assert (value >> 50, value >> 38 & 0xFFF) == (plate, fibre)
        assert (value >> 24 & 0x3FFF) + 50000 == mjd
    for number, tract in zip(column("hsc", "object_id"), column("hsc", "tract"), strict=True):
        assert len(str(number)) == 17
        assert number >> 42 == tract
    for number in column("desi", "object_id"):
        assert len(str(number)) == 17
        assert number >> 42 == 9010
    for number, ra, dec in zip(
        column("gaia", "source_id"), column("gaia", "ra"), column("gaia", "dec"), strict=True
    ):
        assert number // 2**35 == pixel_of_position(12, ra, dec)
    bricks, numbers = column("legacysurvey", "BRICKNAME"), column("legacysurvey", "OBJID")
    for text, brick, number in zip(
        column("legacysurvey", "object_id"), bricks, numbers, strict=True
    ):
        assert text == brick + b"-%d" % number


def test_gaia_has_no_object_id_and_others_do(first_file: Callable[[str], h5py.File]) -> None:
    for survey in SURVEYS:
        with first_file(survey) as file:
            assert ("object_id" in file) == (survey != "gaia")


def test_files_lie_in_their_healpix_cell(written_sky: Path) -> None:
    for survey in SURVEYS:
        paths = list((written_sky / RELEASE_FOLDER[survey]).glob("*/*.hdf5"))
        assert paths
        for path in paths:
            cell = int(path.parent.name.removeprefix("healpix="))
            with h5py.File(path) as file:
                assert (file["healpix"][:] == cell).all()
                for ra, dec in zip(file["ra"][:], file["dec"][:], strict=True):
                    assert pixel_of_position(4, ra, dec) == cell
        assert len(list((written_sky / RELEASE_FOLDER[survey]).rglob("*.lock"))) == 1


def test_labels_name_every_object_once(
    written_sky: Path, column: Callable[[str, str], NDArray[np.generic]]
) -> None:
    labels = pd.read_parquet(written_sky / "labels.parquet")
    assert list(labels["source"]) == list(range(OBJECTS))
    for survey in SURVEYS:
        values = column(survey, "source_id" if survey == "gaia" else "object_id")
        ids = [v.decode().strip() if isinstance(v, bytes) else str(v) for v in values]
        assert sorted(ids) == sorted(labels[survey].dropna())
        assert len(set(ids)) == len(ids)


def test_bands_and_scales(first_file: Callable[[str], h5py.File]) -> None:
    with first_file("legacysurvey") as file:
        assert list(file["image_band"][0]) == [b"des-g", b"des-r", b"des-i", b"des-z"]
        np.testing.assert_allclose(file["image_scale"][:], 0.262)
        fluxes = file["catalog_FLUX_Z"][:]
        for row in fluxes:
            used = row[: np.flatnonzero(row)[-1] + 1]
            assert (np.diff(used) >= 0).all()  # faint to bright, as released
    with first_file("hsc") as file:
        assert list(file["image_band"][0]) == [b"hsc-g", b"hsc-r", b"hsc-i", b"hsc-z", b"hsc-y"]
        np.testing.assert_allclose(file["image_scale"][:], 0.168)
    with first_file("desi") as file:
        expected = 3600 + 0.8 * np.arange(7781)
        np.testing.assert_allclose(file["spectrum_lambda"][0], expected, rtol=1e-6)


def test_a_writer_refuses_a_wrong_count_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "healpix=1" / "001-of-001.hdf5"
    writer = ReleaseFileWriter(path, "gaia", 2)
    with pytest.raises(ValueError, match="opened for 2 objects"), writer:
        writer.add({"ra": np.float64(1.0)})
    assert not path.exists()
