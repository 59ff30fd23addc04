"""Remote survey files: listed, fetched although a server fails now and then, and removed."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fake_sky import FAKE_TOOLS

from indexer import remote
from indexer.build import build
from indexer.errors import BuildError, ManifestError, ReadError
from indexer.index_file import open_index
from indexer.manifests import Manifest, load_manifest
from indexer.plan import plan
from indexer.readers import read_partition
from indexer.readers.records import Record, Reject
from indexer.remote import RemoteFile, RemoteRoot, Take, root_named
from indexer.spool import Spool, spooled

from .loopback import Server
from .mmu_files import legacy, write

NAMES = ("a/healpix=3/1.hdf5", "a/healpix=3/2.hdf5", "a/healpix=12/1.hdf5")
MANIFEST = """
name = "m"
title = "M"
root = "sky"
[[releases]]
name = "one"
title = "One"
survey = "legacysurvey"
reader = "mmu_hdf5"
files = ["a/healpix=*/*.hdf5"]
"""


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited, in seconds."""
    waited: list[float] = []
    monkeypatch.setattr(remote.time, "sleep", waited.append)
    return waited


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sky")
    for seed, name in enumerate(NAMES):
        rows = legacy(np.random.default_rng(seed), 2)
        rows["object_id"] = np.array([f"{seed}-{i}" for i in range(2)], "S")
        write(folder / name, **rows)
    return folder


@pytest.fixture
def server(sky: Path) -> Iterator[Server]:
    serving = Server(sky)
    yield serving
    serving.close()


@pytest.fixture
def local(sky: Path, tmp_path: Path) -> Manifest:
    path = tmp_path / "m.toml"
    path.write_text(MANIFEST)
    return load_manifest(path, root=sky)


@pytest.fixture
def in_memory(sky: Path) -> Iterator[RemoteRoot]:
    system = fsspec.filesystem("memory")
    for name in NAMES:
        system.pipe_file(f"/sky/{name}", (sky / name).read_bytes())
    yield RemoteRoot("memory://sky")
    system.rm("/sky", recursive=True)


def at(manifest: Manifest, root: RemoteRoot) -> Manifest:
    return Manifest.model_validate({**manifest.model_dump(), "root": root})


def read(manifest: Manifest) -> list[Any]:
    """Return all that is read, in comparable form."""
    found: list[Any] = []
    for each in plan(manifest).releases[0].partitions:
        for one in read_partition(manifest, manifest.releases[0], each):
            if isinstance(one, Reject):
                found.append(one)
            else:
                (image,) = one.observations
                found.append((one.object_id, one.source_file, image.flux.tobytes()))
    return found


def test_what_a_root_is() -> None:
    assert root_named("hf://datasets/o/n@main/a/") == RemoteRoot("hf://datasets/o/n@main/a")
    assert root_named("/a/b") == Path("/a/b")
    assert root_named("a:b") == Path("a:b")


def test_a_plan_has_the_same_files_with_etags(
    local: Manifest, in_memory: RemoteRoot, server: Server
) -> None:
    (here,) = plan(local).releases
    for root in (in_memory, server.root):
        (there,) = plan(at(local, root)).releases
        assert there.partitions == here.partitions
        assert [(each.path, each.bytes) for each in there.files] == [
            (each.path, each.bytes) for each in here.files
        ]
        assert all(each.etag and not each.changed_ns for each in there.files)


def test_the_same_objects_as_from_local_files(
    local: Manifest, in_memory: RemoteRoot, server: Server, waits: list[float]
) -> None:
    server.faults = {NAMES[0]: ["503", "503", "cut"], NAMES[2]: ["429"]}
    expected = read(local)
    assert len(expected) == 6
    assert read(at(local, server.root)) == expected
    assert read(at(local, in_memory)) == expected
    # In the order in which the files are fetched; each wait is longer than the one before.
    assert sorted(waits) == [1.0, 1.0, 2.0, 4.0]
    assert server.asked[NAMES[0]] == 4


def test_an_index_is_the_same_but_for_dates(
    fake_sky: Manifest, fake_index: Path, tmp_path: Path, fingerprint: Any
) -> None:
    system, base = fsspec.filesystem("memory"), Path(str(fake_sky.root))
    for path in [each for each in base.rglob("*") if each.is_file()]:
        system.pipe_file(f"/fake/{path.relative_to(base).as_posix()}", path.read_bytes())
    remote_sky = at(fake_sky, RemoteRoot("memory://fake"))
    # The fake sky lists by itself; its files are read where the build puts them.
    names = {each.name: FAKE_TOOLS.partitions(fake_sky, each) for each in fake_sky.releases}
    ignored = FAKE_TOOLS.ignored_files(fake_sky)
    tools = replace(
        FAKE_TOOLS,
        partitions=lambda _, release: names[release.name],
        ignored_files=lambda _: ignored,
    )
    try:
        report = build(remote_sky, tmp_path / "index", weights="fake", tools=tools)
        assert fingerprint(tmp_path / "index") == fingerprint(fake_index)
        assert report.info.releases.keys() == open_index(fake_index).info.releases.keys()
        assert not (tmp_path / "index" / ".build" / "spool").exists()
        # Nothing changed, so nothing is fetched.
        assert not build(remote_sky, tmp_path / "index", weights="fake", tools=tools).changed
    finally:
        system.rm("/fake", recursive=True)


def test_a_file_that_is_gone_costs_its_own_rows(
    local: Manifest, server: Server, waits: list[float]
) -> None:
    server.faults = {NAMES[1]: ["404"]}
    found = read(at(local, server.root))
    (reject,) = [each for each in found if isinstance(each, Reject)]
    assert (reject.source_file, len(found)) == (NAMES[1], 5)
    assert reject.reason.startswith("the file cannot be fetched: not found: ")
    assert not waits


def test_a_body_that_is_always_cut_off(
    sky: Path, server: Server, tmp_path: Path, waits: list[float]
) -> None:
    server.faults = {NAMES[0]: ["cut"] * 20}
    with pytest.raises(BuildError, match=r"could not be fetched in 7 attempts: "):
        server.root.fetch(NAMES[0], tmp_path / "x")
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert not (tmp_path / "x").exists()


def test_a_server_that_is_away_ends_the_build(tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(BuildError, match=r"check the network and build again: it goes on"):
        RemoteRoot("http://127.0.0.1:9").fetch("a", tmp_path / "a")
    assert len(waits) == 6


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (RemoteFile(7, ""), "7 bytes were listed, got 3"),
        (RemoteFile(3, "0" * 64), "its SHA-256 must be 0{64}, got "),
    ],
)
def test_another_file_than_was_listed(
    tmp_path: Path, waits: list[float], listed: RemoteFile, message: str
) -> None:
    fsspec.filesystem("memory").pipe_file("/other/a", b"abc")
    with pytest.raises(ReadError, match=f"the file cannot be fetched: {message}"):
        RemoteRoot("memory://other").fetch("a", tmp_path / "a", listed)


def test_what_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ManifestError, match="cannot be opened: Protocol not known: nothing"):
        RemoteRoot("nothing://a").matching("*")

    def lacking(*_: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    with pytest.raises(ManifestError, match=r"s3:// needs .* pip install 'aion-search\[remote\]'"):
        RemoteRoot("s3://a").matching("*")


class Counting(RemoteRoot):
    """Gives files of ten bytes at once, and tells how many lie there."""

    def fetch(
        self, name: str, to: Path, expected: RemoteFile | None = None, take: Take | None = None
    ) -> str:
        del name, expected, take
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(b"0123456789")
        return hashlib.sha256(b"0123456789").hexdigest()


def test_the_spool_is_bounded(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(12)]
    listed = {name: RemoteFile(10, "") for name in names}
    folder = tmp_path / "spool"
    spool = Spool(Counting("memory://x"), names, folder, listed, most_bytes=35)
    spool.start()
    for name in names:
        assert (spool / name).read_bytes() == b"0123456789"
        assert len(list(folder.iterdir())) <= 3
    assert set(spool.sha256) == set(names)
    spool.end()
    assert not folder.exists()


def test_files_that_are_read_side_by_side_stay(tmp_path: Path) -> None:
    with spooled(Counting("memory://x"), ["a", "b"], tmp_path, keep=True) as spool:
        first, second = spool / "a", spool / "b"
        assert first.exists()
        assert second.exists()
    assert not any(tmp_path.iterdir())


def test_that_a_spool_ends_when_its_reader_does(tmp_path: Path) -> None:
    listed = {name: RemoteFile(10, "") for name in "abcdef"}
    with spooled(Counting("memory://x"), "abcdef", tmp_path, listed) as spool:
        assert (spool / "a").exists()
    assert not any(tmp_path.iterdir())


def test_that_records_of_a_cell_are_what_they_were(local: Manifest, in_memory: RemoteRoot) -> None:
    manifest = at(local, in_memory)
    (first, *_) = plan(manifest).releases[0].partitions
    records = list(read_partition(manifest, manifest.releases[0], first))
    assert all(isinstance(each, Record) for each in records)
