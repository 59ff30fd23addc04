"""Multimodal Universe files: each quirk of the layout, and that bad rows lose no good ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from aion_encoder.observations import GaiaXp, Image, Spectrum
from indexer.manifests import ReleaseManifest, load_manifest
from indexer.readers import Record, Reject
from indexer.readers.mmu_hdf5 import read_mmu_file
from tests.indexer.readers import mmu_files

DEMO = Path(__file__).parents[3] / "data_manifests" / "demo.toml"


def release(name: str) -> ReleaseManifest:
    return load_manifest(DEMO, root=Path("/")).release(f"demo-{name}")


def read(
    path: Path, survey: str, make: Callable[..., dict[str, Any]], count: int = 4, **changes: object
) -> list[Record | Reject]:
    rng = np.random.default_rng(0)
    mmu_files.write(path, **make(rng, count, **changes))
    return list(read_mmu_file(path, "file.hdf5", release(survey)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "001-of-001.hdf5"


def test_legacy_images_have_upper_case_bands_one_mask_and_clean_ids(path: Path) -> None:
    mask = np.ones((4, 160, 160), bool)
    mask[1, 80, 81] = False
    first, second, *_ = read(path, "legacysurvey", mmu_files.legacy, image_mask=mask)
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    (image,) = second.observations
    assert isinstance(image, Image)
    assert image.bands == ("DES-G", "DES-R", "DES-I", "DES-Z")
    assert first.object_id == "0421p022-0"
    assert image.mask is not None
    assert image.mask[:, 80, 81].all()
    assert image.mask.sum() == 4
    assert first.columns["magnitude"] == pytest.approx(20.0)
    assert first.columns["object_class"] == "EXP"
    assert (first.source_file, second.source_row) == ("file.hdf5", 1)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(image.flux, file["image_array"][1])


def test_hsc_images_keep_their_counts_and_have_a_mask_for_each_band(path: Path) -> None:
    mask = np.ones((4, 5, 160, 160), bool)
    mask[0, 2, 80, 81] = False
    first, *_ = read(path, "hsc", mmu_files.hsc, image_mask=mask)
    assert isinstance(first, Record)
    (image,) = first.observations
    assert isinstance(image, Image)
    assert image.mask is not None
    assert image.mask.sum() == 1
    assert first.object_id == "75339253994786944"
    with h5py.File(path) as file:
        np.testing.assert_array_equal(image.flux, file["image_array"][0])


@pytest.mark.parametrize("filler", [np.nan, 0.0])
def test_a_band_that_was_not_observed_is_left_out(path: Path, filler: float) -> None:
    images = np.random.default_rng(0).normal(size=(4, 4, 160, 160)).astype("f4")
    images[2, 2] = filler
    records = read(path, "legacysurvey", mmu_files.legacy, image_array=images)
    bands = [record.columns["bands"] for record in records if isinstance(record, Record)]
    assert bands[2] == "DES-G,DES-R,DES-Z"
    assert bands[1] == "DES-G,DES-R,DES-I,DES-Z"


def test_sdss_spectra_lose_their_pads_and_their_byte_order(path: Path) -> None:
    first, second, *_ = read(path, "sdss", mmu_files.sdss)
    assert isinstance(first, Record)
    (spectrum,) = first.observations
    assert isinstance(spectrum, Spectrum)
    assert spectrum.wavelength_angstrom.shape == (3800,)
    assert spectrum.flux.dtype.isnative
    assert first.object_id == "299489676975171584"
    assert first.columns["plate_mjd_fiber"] == "266-51602-1"
    assert first.columns["redshift_ok"] is True
    assert first.columns["magnitude"] == pytest.approx(20.0)
    assert isinstance(second, Record)
    assert second.columns["plate_mjd_fiber"] == "266-51602-2"


def test_desi_zwarn_is_inverted_and_sdss_zwarning_is_not(path: Path) -> None:
    zwarn = np.array([True, False, True, False])
    good = [
        record.columns["redshift_ok"]
        for record in read(path, "desi", mmu_files.desi, ZWARN=zwarn)
        if isinstance(record, Record)
    ]
    assert good == [True, False, True, False]
    warned = [
        record.columns["redshift_ok"]
        for record in read(path, "sdss", mmu_files.sdss, ZWARNING=zwarn)
        if isinstance(record, Record)
    ]
    assert warned == [False, True, False, True]


def test_spectrum_masks_are_true_where_bad(path: Path) -> None:
    mask = np.zeros((4, 7781), bool)
    mask[0, 100] = True
    first, *_ = read(path, "desi", mmu_files.desi, spectrum_mask=mask)
    assert isinstance(first, Record)
    (spectrum,) = first.observations
    assert isinstance(spectrum, Spectrum)
    assert spectrum.mask is not None
    assert np.flatnonzero(spectrum.mask).tolist() == [100]


def test_gaia_has_a_source_id_and_110_coefficients(path: Path) -> None:
    first, *_ = read(path, "gaia", mmu_files.gaia)
    assert isinstance(first, Record)
    (xp,) = first.observations
    assert isinstance(xp, GaiaXp)
    assert first.object_id == "5853498713190525696"
    with h5py.File(path) as file:
        np.testing.assert_array_equal(np.concatenate([xp.bp, xp.rp]), file["coeff"][0])


def test_bad_rows_are_refused_with_reasons_and_good_ones_stay(path: Path) -> None:
    rng = np.random.default_rng(0)
    values = mmu_files.desi(rng, 6)
    values["spectrum_ivar"][0] = 0.0  # a dead fibre whose mask looks good
    values["spectrum_lambda"][1] = values["spectrum_lambda"][1][::-1]
    values["spectrum_flux"][2] *= 1e-17
    values["dec"][3] = 123.0
    values["spectrum_lambda"][4] = -1.0
    mmu_files.write(path, **values)
    results = list(read_mmu_file(path, "f", release("desi")))
    reasons = [each.reason for each in results if isinstance(each, Reject)]
    assert [type(each) for each in results] == [Reject] * 5 + [Record]
    for reason, words in zip(
        reasons,
        ["no inverse variance", "ascending", "1e-17 erg", "not on the sky", "no pixel with a wav"],
        strict=True,
    ):
        assert words in reason
    assert results[1].object_id == "39633345008634466"


def test_identifiers_beyond_int64_are_exact(path: Path) -> None:
    ids = np.array([2**63 + 5, 2**64 - 1, 1, 2], np.uint64)
    records = read(path, "desi", mmu_files.desi, object_id=ids)
    assert records[0].object_id == "9223372036854775813"
    assert records[1].object_id == "18446744073709551615"


def test_floating_point_identifiers_are_refused(path: Path) -> None:
    records = read(path, "desi", mmu_files.desi, object_id=np.arange(4) + 3.9e16)
    assert all(isinstance(each, Reject) for each in records)
    assert "floating-point" in records[0].reason


def test_a_wrong_pixel_scale_is_refused(path: Path) -> None:
    scale = np.full((4, 4), 0.168, "f4")
    scale[1] = 0.262
    results = read(path, "legacysurvey", mmu_files.legacy, image_scale=scale)
    assert [type(each) for each in results] == [Reject, Record, Reject, Reject]
    assert "pixel scale must be 0.262" in results[0].reason


def test_files_that_cannot_be_read_give_one_reject(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(300))
    (broken,) = read_mmu_file(path, "f", release("desi"))
    (missing,) = read_mmu_file(tmp_path / "none.hdf5", "f", release("desi"))
    other = tmp_path / "other.hdf5"
    mmu_files.write(other, object_id=np.arange(3), ra=np.zeros(3), dec=np.zeros(3))
    (incomplete,) = read_mmu_file(other, "f", release("desi"))
    assert isinstance(broken, Reject)
    assert "the file cannot be read" in broken.reason
    assert isinstance(missing, Reject)
    assert isinstance(incomplete, Reject)
    assert "lacks spectrum_flux, spectrum_ivar, spectrum_lambda" in incomplete.reason


def test_columns_of_uneven_length_are_refused(path: Path) -> None:
    (only,) = read(path, "desi", mmu_files.desi, spectrum_flux=np.ones((3, 7781), "f4"))
    assert isinstance(only, Reject)
    assert "spectrum_flux do not have the file's 4 rows" in only.reason


def test_more_rows_than_one_block(path: Path) -> None:
    records = read(path, "gaia", mmu_files.gaia, count=700)
    assert [record.source_row for record in records] == list(range(700))
    ids = [int(record.object_id) for record in records]
    assert ids == list(range(5853498713190525696, 5853498713190525696 + 700))
