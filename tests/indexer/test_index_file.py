"""Opening, and refusing to open."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import IndexFormatError, LockedError, SearchError
from indexer.index_file import open_index, read_index_file, write_checked
from indexer.index_model import IndexInfo
from indexer.lock import writing


def test_what_is_open(fake_index: Path):
    index = open_index(str(fake_index))
    assert index.releases == ("fake-images", "fake-desi", "fake-sdss", "fake-gaia")
    assert len(index) == sum(len(segment) for segment in index.segments.values())
    assert index.is_current()
    assert len(index.info.index_id) == 16
    desi = index.segment("fake-desi")
    assert desi.info.vectors == {"spectrum": len(desi)}
    assert desi.info.spaces == {"spectrum": ("spectrum",), "shared": ("spectrum",)}
    rows, vectors = desi.vectors("spectrum")
    assert vectors.dtype == np.float16
    assert len(rows) == len(vectors)
    preview = desi.preview(3)
    assert preview is not None
    assert preview.kind == "spectrum"
    assert desi.preview(3, "image") is None
    assert repr(desi) == f"Segment('fake-desi', {len(desi)} objects)"
    calibration = index.calibration("shared")
    target = ("fake-desi", "spectrum")
    percentile = calibration.percentile(
        np.array([0.99], np.float32), ("fake-images", "image"), target
    )
    assert percentile[0] > 99


def test_names_that_are_not_there(fake_index: Path):
    index = open_index(fake_index)
    with pytest.raises(SearchError, match="no release 'desi'; it has fake-images, fake-desi"):
        index.segment("desi")
    with pytest.raises(SearchError, match="no space 'photometry' of its own; it has image"):
        index.space("photometry")
    with pytest.raises(SearchError, match="no space 'photometry'"):
        index.calibration("photometry")
    with pytest.raises(SearchError, match="photometry is not aligned in this index; aligned are i"):
        index.to_shared("photometry", np.zeros((1, 32), np.float32))
    segment = index.segment("fake-gaia")
    with pytest.raises(SearchError, match=r"no vectors in space 'image'; it has .*xp \(xp\)"):
        segment.vectors("image")
    with pytest.raises(SearchError, match="no vectors in space 'xp' of modality 'image'"):
        segment.ann("xp", "image")
    with pytest.raises(SearchError, match=r"rows of fake-gaia are 0 to \d+, got 9999"):
        segment.record(9999)


def test_no_index(tmp_path: Path):
    with pytest.raises(IndexFormatError, match=r"is no index: it has no index\.json; build one"):
        open_index(tmp_path)


def _changed(fake_index: Path, tmp_path: Path, change) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(fake_index, copy)
    values = json.loads((copy / "index.json").read_text())
    change(values)
    write_checked(copy / "index.json", values)
    return copy


def test_unknown_version_is_refused_with_both_numbers(fake_index: Path, tmp_path: Path):
    copy = _changed(fake_index, tmp_path, lambda values: values.update(format_version=7, new=1))
    with pytest.raises(IndexFormatError, match="format version 7, this program reads version 1"):
        open_index(copy)


def test_damaged_index_files_are_refused(fake_index: Path, tmp_path: Path):
    copy = _changed(
        fake_index, tmp_path, lambda values: values["releases"]["fake-sdss"].pop("read")
    )
    with pytest.raises(IndexFormatError, match=r"releases\.fake-sdss\.read: Field required"):
        open_index(copy)
    (copy / "index.json").write_text("{")
    with pytest.raises(IndexFormatError, match="is damaged"):
        open_index(copy)
    (copy / "index.json").write_text("[]")
    with pytest.raises(IndexFormatError, match="is damaged"):
        open_index(copy)


def test_counts_that_do_not_add_up_cannot_exist(fake_index: Path):
    values = read_index_file(fake_index / "index.json").model_dump()
    values["releases"]["fake-sdss"]["indexed"] -= 1
    with pytest.raises(ValueError, match=r"read must be indexed \+ rejected"):
        IndexInfo.model_validate(values)


def test_a_missing_file_is_named(fake_index: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(fake_index, copy)
    (copy / "segments" / "fake-sdss" / "keys.arrow").unlink()
    with pytest.raises(IndexFormatError, match=r"keys\.arrow must be an Arrow file"):
        open_index(copy)


def test_a_republished_index_is_opened_whole(fake_index: Path, tmp_path: Path, monkeypatch):
    """The older index.json is read, its files are gone, the newer one is published meanwhile."""
    copy = tmp_path / "copy"
    shutil.copytree(fake_index, copy)
    old = json.dumps(read_index_file(copy / "index.json").model_dump(mode="json"))
    new = old.replace('"segments/fake-sdss"', '"segments/fake-sdss@2"').replace(
        '"generation": 1', '"generation": 2'
    )
    (copy / "segments" / "fake-sdss").rename(copy / "segments" / "fake-sdss@2")
    (copy / "index.json").write_text(new)
    reads = []

    def racing(path: Path) -> IndexInfo:
        reads.append(path)
        return IndexInfo.model_validate_json(old if len(reads) == 1 else new)

    monkeypatch.setattr("indexer.index_file.read_index_file", racing)
    assert open_index(copy).info.generation == 2


def test_nothing_heavy_is_imported(fake_index: Path):
    program = (
        "import sys, indexer, indexer.index_file as f; "
        f"f.open_index({str(fake_index)!r}); "
        "heavy = ('torch', 'faiss', 'astropy', 'scipy', 'streamlit'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_lock_names_its_holder_and_goes_away(tmp_path: Path):
    with writing(tmp_path):
        holder = f"process {os.getpid()} on {platform.node()}"
        assert (tmp_path / "lock").read_text() == f"{holder}\n"
        with pytest.raises(LockedError, match=f"{holder} is doing so"), writing(tmp_path):
            pass
    assert not (tmp_path / "lock").exists()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path):
    program = (
        "import os, pathlib; from indexer.lock import writing; "
        f"held = writing(pathlib.Path({str(tmp_path)!r})); held.__enter__(); "
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    assert (tmp_path / "lock").exists()
    with writing(tmp_path):
        assert (tmp_path / "lock").read_text() == f"process {os.getpid()} on {platform.node()}\n"


def test_missing_heads_are_damage_of_the_index(fake_index: Path, tmp_path: Path):
    """So opening looks for a newer publication, as for every other file."""
    copy = Path(shutil.copytree(fake_index, tmp_path / "copy"))
    (copy / "spaces" / "shared" / "heads.safetensors").unlink()
    with pytest.raises(IndexFormatError, match=r"heads\.safetensors must be a file of heads"):
        open_index(copy)
