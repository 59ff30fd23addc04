"""Partitions: which files make up which unit of work, and what is left over."""

from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ManifestError
from indexer.manifests import Manifest, load_manifest
from indexer.readers import Record, Reject, ignored_files, partitions, read_partition
from tests.indexer.readers import mmu_files

TEXT = """
name = "m"
title = "M"
root = "."
every_file = true

[[ignored]]
pattern = "**/*.lock"
reason = "a lock"

[[releases]]
name = "g"
title = "G"
survey = "gaia"
reader = "mmu_hdf5"
files = ["gaia/gaia/healpix=*/*.hdf5"]
object_id = "source_id"
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rng = np.random.default_rng(0)
    for name in ("healpix=20/001-of-001", "healpix=3/002-of-002", "healpix=3/001-of-002"):
        mmu_files.write(tmp_path / f"gaia/gaia/{name}.hdf5", **mmu_files.gaia(rng, 2))
    (tmp_path / "gaia/gaia/healpix=3/001-of-002.hdf5.lock").touch()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".hidden").write_text("hello")
    (tmp_path / "m.toml").write_text(TEXT)
    return load_manifest(tmp_path / "m.toml")


def test_partitions_are_cells_in_nested_order(manifest: Manifest) -> None:
    listed = partitions(manifest, manifest.releases[0])
    assert [each.name for each in listed] == ["healpix=0003", "healpix=0020"]
    assert listed[0].files == (
        "gaia/gaia/healpix=3/001-of-002.hdf5",
        "gaia/gaia/healpix=3/002-of-002.hdf5",
    )
    assert [each.name for each in listed] == sorted(each.name for each in listed)


def test_an_identifier_that_appears_again_is_refused(manifest: Manifest) -> None:
    release = manifest.releases[0]
    results = list(read_partition(manifest, release, partitions(manifest, release)[0]))
    assert [type(each) for each in results] == [Record, Record, Reject, Reject]
    assert "healpix=3/001-of-002.hdf5 row 0" in results[2].reason


def test_files_of_no_release_are_listed(manifest: Manifest) -> None:
    listed = {each.source_file: each.reason for each in ignored_files(manifest)}
    assert listed == {
        "gaia/gaia/healpix=3/001-of-002.hdf5.lock": "a lock",
        "m.toml": "no release claims this file",
        "notes.txt": "no release claims this file",
    }


def test_a_folder_that_is_not_there_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    away = load_manifest(tmp_path / "m.toml", root=tmp_path / "away")
    with pytest.raises(ManifestError, match="is not there"):
        partitions(away, away.releases[0])
    with pytest.raises(ManifestError, match="is not there"):
        ignored_files(away)


def test_a_release_without_files_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    away = load_manifest(tmp_path / "m.toml", root=empty)
    with pytest.raises(ManifestError, match="release g has no files"):
        partitions(away, away.releases[0])
