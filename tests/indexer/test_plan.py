"""What a build has to do, before it begins."""

import os
from pathlib import Path
from types import SimpleNamespace

import fake_sky as sky
import pytest

from indexer.errors import BuildError
from indexer.plan import InputFile, changed_date, inputs_info, listing_digest, plan, staging_config


def test_a_plan_lists_everything(fake_sky):
    work = plan(fake_sky)
    assert [each.release.name for each in work.releases] == list(sky.SURVEYS)
    assert (work.partitions, work.files) == (16, 16)
    on_disk = sum(path.stat().st_size for path in fake_sky.root.rglob("*.hdf5"))
    assert work.input_bytes == on_disk
    assert work.estimated_objects > 0
    assert work.estimated_bytes > 0
    release = work.releases[0]
    (file,) = release.files_of(release.partitions[2])
    assert file.path == "fake-images/healpix=2/objects.hdf5"


def test_too_little_disk_or_memory_is_said_before(fake_sky, tmp_path: Path, monkeypatch):
    work = plan(fake_sky)
    work.check_resources(tmp_path / "not" / "yet")
    with monkeypatch.context() as patch:
        patch.setattr("indexer.plan.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
        with pytest.raises(BuildError, match=r"needs about .* GB of disk, .* has 0\.0 GB free"):
            work.check_resources(tmp_path / "not" / "yet")
    monkeypatch.setattr("indexer.plan._available_memory", lambda: 10**8)
    with pytest.raises(BuildError, match=r"2\.1 GB of memory, 0\.1 GB are available"):
        work.check_resources(tmp_path)


def test_inputs_in_short():
    files = (InputFile("a", 3, 5), InputFile("b", 4, 1_700_000_000_000_000_007))
    info = inputs_info(files, {"a": "1", "b": "2"})
    assert (info.files, info.bytes) == (2, 7)
    assert info.changed == "2023-11-14T22:13:20.000000007Z" == changed_date(files)
    assert info.listing == listing_digest(files)
    assert info.content != inputs_info(files, {"a": "1", "b": "3"}).content
    assert info.listing != listing_digest((files[0], InputFile("b", 5, 1)))


def test_a_staged_result_depends_on_all_that_goes_in(tmp_path: Path):
    manifest = sky.write_fake_sky(tmp_path, releases=("fake-gaia",))
    release = plan(manifest).releases[0]
    first, second = release.partitions[:2]
    before = staging_config(release, first, "encoder")
    assert before == staging_config(plan(manifest).releases[0], first, "encoder")
    assert before != staging_config(release, second, "encoder")
    assert before != staging_config(release, first, "another")
    os.utime(manifest.root / first.files[0], ns=(1, 1))
    assert before != staging_config(plan(manifest).releases[0], first, "encoder")
    other = manifest.model_copy(
        update={"releases": (manifest.releases[0].model_copy(update={"title": "x"}),)}
    )
    assert before != staging_config(plan(other).releases[0], first, "encoder")
