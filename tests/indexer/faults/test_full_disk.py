"""A disk that runs full: one line that says what must be free, and nothing lost by it."""

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_sky
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer.arrow_tables import write_arrow
from indexer.compose import Composer
from indexer.errors import BuildError
from indexer.index_file import open_index
from indexer.layout import build_dir, next_dir, staged_dir
from indexer.plan import plan
from indexer.republish import republish
from indexer.room import making_room_known
from indexer.verify import verify
from tests.indexer.faults.conftest import AFTER, BEFORE
from tests.indexer.faults.nursery import Nursery

TOO_LARGE = os.strerror(errno.EFBIG)
"""What a limit on the size of files says, which needs no right to mount anything."""

NO_ROOM = (
    r"no room to build {index} \({reason}\): at least (\d+\.\d) GB more must be free on its disk, "
    r"(\d+\.\d) GB are; make room and give the same command again, which goes on where it "
    r"stopped; what was published before is as it was"
)

FILES = (
    "records.arrow",
    "done.json",
    "Npix=",
    "rows.arrow",
    "vectors/spectrum.npy",
    "spectrum.faiss",
    "space.safetensors",
    "calibration.json",
    "next/index.json",
)
"""Files of a build, of every library that writes any; the disk holds all before each of them."""


def _no_room(index: Path, reason: str) -> str:
    return NO_ROOM.format(index=re.escape(str(index)), reason=reason)


@pytest.fixture
def hurt(
    nursery: Nursery,
    before: Path,
    after: Path,
    sky: Path,
    tmp_path: Path,
    fingerprint: Callable[[Path], dict[str, Any]],
    bring_up_to_date: Callable[..., Any],
) -> Callable[..., None]:
    """Lets a build run out of room, looks at what is there, and builds with room."""

    def act(*, encoded: bool, **request: Any) -> None:
        index = tmp_path / "index"
        shutil.copytree(before, index)
        done = nursery.run("build", root=str(sky), index=str(index), releases=AFTER, **request)
        assert done.code == 3
        assert re.fullmatch(rf"BuildError: {_no_room(index, TOO_LARGE)}\n", done.output), (
            done.output
        )
        assert open_index(index).releases == BEFORE
        report = verify(index)
        assert report.problems == report.leftovers == ()
        # What fills the disk for nothing is gone, what can be used again is kept.
        assert not list(index.rglob("*.tmp*"))
        assert not next_dir(index).exists()
        assert any(staged_dir(index).rglob("done.json")) == encoded
        bring_up_to_date(index)
        assert fingerprint(index) == fingerprint(after)

    return act


@pytest.mark.parametrize("name", FILES)
def test_no_room_for_a_file(name: str, hurt: Callable[..., None]):
    encoded = name not in ("records.arrow", "done.json")
    hurt(encoded=encoded, full_on=name)


@pytest.mark.parametrize("limit", [700, 9000])
def test_no_file_may_be_so_large(limit: int, hurt: Callable[..., None]):
    """A quota on files; it is met inside of libraries, in the midst of a file."""
    hurt(encoded=limit > 1000, file_limit=limit)


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nursery, Path, Path]]:
    """Processes that have a small disk of their own: its name there, and here."""
    folder = tmp_path_factory.mktemp("small-disk")
    mount = 'mount -t tmpfs -o size=64m none "$0" && exec "$@"'
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)]
    try:
        subprocess.run([*within, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets nobody mount a disk of his own")
    made = Nursery(within)
    # It answers only when everything is mounted.
    assert made.run("nothing", index="").code == 0
    yield made, folder, Path(f"/proc/{made.process}/root{folder}")
    made.close()


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("encoding", 0),
        ("encoding", 60_000),
        ("writing catalogues", 60_000),
        ("filling spaces", 12_000),
        ("hashing", 0),
    ],
)
def test_a_disk_that_runs_full(
    step: str,
    left: int,
    small_disk: tuple[Nursery, Path, Path],
    before: Path,
    after: Path,
    sky: Path,
    fingerprint: Callable[[Path], dict[str, Any]],
):
    """There was room when the build began, and then somebody else wrote to that disk."""
    nursery, there, here = small_disk
    name = f"{step}-{left}"
    index = Path(shutil.copytree(before, here / name))
    build = {"root": str(sky), "index": str(there / name), "releases": AFTER}
    done = nursery.run("build", **build, fill=(step, left, str(there / "ballast")))
    assert done.code == 3
    no_room = _no_room(there / name, os.strerror(errno.ENOSPC))
    assert re.fullmatch(rf"BuildError: {no_room}\n", done.output), done.output
    assert open_index(index).releases == BEFORE
    assert verify(index).problems == ()
    (here / "ballast").unlink()
    done = nursery.run("build", **build)
    assert done.code == 0, done.output
    assert fingerprint(index) == fingerprint(after)
    shutil.rmtree(index)


def test_other_errors_stay_what_they_are(tmp_path: Path):
    with pytest.raises(OSError, match="Input/output error"), making_room_known(tmp_path, 1):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(BuildError, match="too few pairs"), making_room_known(tmp_path, 1):
        raise BuildError("too few pairs")


def test_what_is_written_already_need_not_be_free(tmp_path: Path):
    done = build_dir(tmp_path) / "staged" / "one"
    done.parent.mkdir(parents=True)
    with done.open("wb") as stream:
        stream.truncate(2_000_000_000)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        pytest.raises(BuildError, match=r"at least 1\.0 GB more must be free"),
        making_room_known(tmp_path, 3_000_000_000),
    ):
        raise full
    assert done.exists()


def test_fitting_anew_says_it_too_and_leaves_the_index(
    before: Path, tmp_path: Path, fingerprint: Callable[[Path], dict[str, Any]]
):
    index = Path(shutil.copytree(before, tmp_path / "index"))

    def too_large(composer: Composer) -> Sequence[str]:
        write_arrow(pa.table({"a": [1]}), composer.root / "something.arrow")
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with pytest.raises(BuildError, match=_no_room(index, os.strerror(errno.EDQUOT))):
        republish(index, too_large, gathering="gathering")
    assert not next_dir(index).exists()
    shutil.rmtree(build_dir(index))
    assert fingerprint(index) == fingerprint(before)


def test_a_build_that_goes_on_needs_only_the_rest(sky: Path, tmp_path: Path, monkeypatch):
    """What is encoded already lies on the disk: it must not be asked for a second time."""
    work = plan(fake_sky.fake_manifest(sky, BEFORE))
    free = work.estimated_bytes - 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(BuildError, match=r"needs about .* of disk, .* free; make room"):
        work.check_resources(tmp_path)
    done = staged_dir(tmp_path) / "fake-gaia" / "one"
    done.parent.mkdir(parents=True)
    done.write_bytes(bytes(1000))
    work.check_resources(tmp_path)


MANIFEST = """
name = "brought"
title = "Brought"
root = "files"

[[releases]]
name = "brought"
title = "Brought"
survey = "legacysurvey"
reader = "vectors"
files = ["*.parquet"]

[releases.vectors]
modality = "image"
column = "embedding"
encoder = {repository = "someone/model", revision = "v1", pooling = "mean", dim = 6}
"""


@pytest.mark.parametrize(
    ("more", "name"), [([], "image.faiss"), (["--shard", "0/1"], "records.arrow")]
)
def test_the_command_line(nursery: Nursery, tmp_path: Path, more: list[str], name: str):
    (tmp_path / "files").mkdir()
    (tmp_path / "brought.toml").write_text(MANIFEST)
    vectors = np.random.default_rng(1).normal(size=(30, 6)).astype(np.float32)
    columns = {
        "object_id": np.arange(30),
        "ra": np.linspace(1.0, 2.0, 30),
        "dec": np.linspace(1.0, 2.0, 30),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 6),
    }
    pq.write_table(pa.table(columns), tmp_path / "files" / "one.parquet")
    index = tmp_path / "index"
    arguments = ["build", str(tmp_path / "brought.toml"), str(index), *more]
    done = nursery.run("command", index=str(index), arguments=arguments, full_on=name)
    assert done.code == 1
    errors = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert re.fullmatch(f"Error: {_no_room(index, TOO_LARGE)}", errors[0])
    assert "Traceback" not in done.output
    with_room = nursery.run("command", index=str(index), arguments=arguments)
    assert with_room.code == 0, with_room.output
    if not more:
        assert verify(index).ok
