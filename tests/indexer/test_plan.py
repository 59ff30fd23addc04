"""What a build has to do, before it begins."""

import os
from pathlib import Path
from types import SimpleNamespace

import fake_sky as sky
import numpy as np
import pytest

from indexer.ann import Recipe, code_bytes, recipe_for, train
from indexer.errors import BuildError
from indexer.plan import (
    CATALOGUE_BYTES,
    InputFile,
    Plan,
    ReleasePlan,
    changed_date,
    inputs_info,
    listing_digest,
    plan,
    staging_config,
)


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


def _of_vectors(count: int, dim: int, keep: str) -> ReleasePlan:
    release = SimpleNamespace(vectors=SimpleNamespace(dim=dim), keep_vectors=keep)
    return ReleasePlan(release, (), (InputFile("a", int(3.5 * dim * count), 1),))


@pytest.mark.parametrize(
    ("count", "dim", "recipe", "code", "pieces"),
    [
        (10_000, 768, "flat", 2 * 768, 1),
        (1_000_000, 128, "ivf_sq8", 128, 1),
        (6_000_000, 128, "ivf_pq4", 32, 2),
        (200_000_000, 128, "ivf_pq4", 32, 2),
    ],
)
def test_disk_and_memory_of_brought_vectors(count, dim, recipe, code, pieces):
    assert recipe_for(count, dim).name == recipe
    half, whole = (_of_vectors(count, dim, keep) for keep in ("8-bit", "float16"))
    assert whole.estimated_objects == count
    assert whole.estimated_bytes - half.estimated_bytes == count * dim
    of_faiss = half.estimated_bytes - count * (5 * dim + CATALOGUE_BYTES)
    assert of_faiss == pieces * count * (code + 8) + 4 * recipe_for(count, dim).lists * dim
    work = Plan(SimpleNamespace(), (half, _of_vectors(10, dim, "8-bit")))
    assert work.estimated_memory == 2 * 1024**3 + 50 * count


@pytest.mark.parametrize("recipe", [Recipe("ivf_sq8", 4), Recipe("ivf_pq4", 4)])
def test_bytes_of_a_code_are_those_of_faiss(recipe):
    sample = np.random.default_rng(1).standard_normal((2000, 96)).astype(np.float32)
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    assert recipe.bytes_per_vector(96) == code_bytes(train(recipe, sample)) + 8


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
