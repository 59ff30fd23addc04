"""Releases of loose files: ids that stay unique, names from a catalogue, rejects with reasons."""

from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ManifestError
from indexer.manifests import load_manifest
from indexer.readers import Record, Reject, partitions, read_partition
from tests.indexer.readers import sample_files

HEAD = 'name = "m"\ntitle = "M"\nroot = "."\n'
IMAGES = """
[[releases]]
name = "i"
title = "I"
survey = "legacysurvey"
reader = "image_files"
files = ["*.fits"]
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


def read(folder: Path, text: str) -> list[Record | Reject]:
    (folder / "m.toml").write_text(HEAD + text)
    manifest = load_manifest(folder / "m.toml")
    (release,) = manifest.releases
    (partition,) = partitions(manifest, release)
    return list(read_partition(manifest, release, partition))


def test_a_second_file_of_one_object_gets_a_suffix(tmp_path: Path) -> None:
    for name in ("b.fits", "a.fits"):
        sample_files.viewer_cutout(tmp_path / name, sample_files.galaxy(120, 0.262))
    bad = sample_files.galaxy(120, 0.262)
    bad[0] = 0.0
    bad[0, 50:60, 50:60] = 1.0
    sample_files.viewer_cutout(tmp_path / "Bad.fits", bad)
    (tmp_path / "c.fits").write_bytes((tmp_path / "a.fits").read_bytes()[:4000])
    results = read(tmp_path, IMAGES)
    assert [(each.source_file, each.object_id) for each in results] == [
        ("Bad.fits", "J100000.00+020000.0"),
        ("a.fits", "J100000.00+020000.0"),
        ("b.fits", "J100000.00+020000.0_2"),
        ("c.fits", ""),
    ]
    assert [type(each) for each in results] == [Reject, Record, Record, Reject]
    assert isinstance(results[3], Reject)
    assert results[3].reason.startswith("the file is truncated")
    again = read(tmp_path, IMAGES)
    assert [each.object_id for each in again] == [each.object_id for each in results]


def test_names_of_a_catalogue_are_believed_where_positions_agree(tmp_path: Path) -> None:
    for name in ("a.fits", "b.fits", "c.fits"):
        sample_files.viewer_cutout(tmp_path / name, sample_files.galaxy(120, 0.262))
    (tmp_path / "names.csv").write_text(
        "file,name,ra,dec,z,kind\n"
        "a.fits,NGC 1,150.0001,2.0,0.5,GALAXY\n"
        "b.fits,NGC 2,150.1,2.0,0.6,GALAXY\n"
        "c.fits,,150.0,2.0,,\n"
    )
    first, second, third = read(tmp_path, IMAGES + CATALOGUE)
    assert isinstance(first, Record)
    assert first.object_id == "NGC 1"
    assert first.columns["redshift"] == 0.5
    assert first.columns["redshift_ok"] is True
    assert first.columns["object_class"] == "GALAXY"
    assert second.object_id == "J100000.00+020000.0"
    assert third.object_id == "J100000.00+020000.0_2"


def test_a_catalogue_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    sample_files.viewer_cutout(tmp_path / "a.fits", sample_files.galaxy(120, 0.262))
    with pytest.raises(ManifestError, match="cannot read the catalogue"):
        read(tmp_path, IMAGES + CATALOGUE)
    (tmp_path / "names.csv").write_text("file,name\na.fits,x\n")
    with pytest.raises(ManifestError, match="lacks the columns dec, ra"):
        read(tmp_path, IMAGES + CATALOGUE)


def test_desi_files_take_redshifts_from_the_redrock_file_beside(tmp_path: Path) -> None:
    sample_files.desi_coadd(tmp_path / "coadd-1.fits", [-7, 11], status=[1, 0])
    sample_files.redrock(tmp_path / "redrock-1.fits", 11, 0.25)
    text = (
        IMAGES.replace("legacysurvey", "desi")
        .replace("image_files", "desi_files")
        .replace("*.fits", "coadd-*.fits")
    )
    reject, record = read(tmp_path, text)
    assert isinstance(reject, Reject)
    assert (reject.object_id, reject.source_row) == ("-7", 0)
    assert isinstance(record, Record)
    assert (record.object_id, record.source_row) == ("11", 1)
    assert record.columns["redshift"] == 0.25
    assert record.columns["object_class"] == "GALAXY"
    assert record.columns["magnitude"] == pytest.approx(20.0)


def test_a_file_of_another_survey_is_refused(tmp_path: Path) -> None:
    sample_files.sdss_spec(tmp_path / "a.fits")
    text = IMAGES.replace("legacysurvey", "desi").replace("image_files", "desi_files")
    (reject,) = read(tmp_path, text)
    assert isinstance(reject, Reject)
    assert reject.reason == "this is no desi spectrum file"


def test_reading_is_the_same_as_for_an_upload(tmp_path: Path) -> None:
    path = sample_files.sdss_spec(tmp_path / "a.fits")
    text = IMAGES.replace("legacysurvey", "sdss").replace("image_files", "sdss_spec")
    (record,) = read(tmp_path, text)
    from indexer.readers import read_spectrum_file

    upload = read_spectrum_file([path])
    assert isinstance(record, Record)
    assert record.object_id == upload.object_id
    np.testing.assert_array_equal(record.observations[0].flux, upload.observation.flux)
    np.testing.assert_array_equal(record.observations[0].mask, upload.observation.mask)
