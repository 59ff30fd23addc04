"""A whole build: counts, order, vectors, links, publishing, resuming."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import fake_sky as sky
import numpy as np
import pytest

from aion_encoder.fake import FakeEncoder, open_fake_encoder
from indexer.align_index import align_index
from indexer.build import build, encode
from indexer.errors import BuildError, LockedError
from indexer.index_file import open_index, writing
from indexer.layout import build_dir, staged_dir
from indexer.lock import encoding
from indexer.runners.job_array import Slice
from indexer.runners.local import Processes
from indexer.tools import Tools
from indexer.verify import verify


def test_read_is_indexed_and_rejected(fake_index: Path):
    for release in open_index(fake_index).info.releases.values():
        assert release.read == release.indexed + release.rejected
        # One broken, one whose identifier appeared before.
        assert release.rejected == 2
        assert release.placed == release.indexed - 1


def test_every_object_of_the_files_is_answered_for(fake_index: Path, fake_sky):
    index = open_index(fake_index)
    for name, segment in index.segments.items():
        ids = [
            entry["id"]
            for cell in range(4)
            for entry in json.loads(
                (fake_sky.root / name / f"healpix={cell}" / "objects.hdf5").read_text()
            )
        ]
        answered = segment.rows.column("object_id").to_pylist()
        answered += segment.rejects.column("object_id").to_pylist()
        assert sorted(ids) == sorted(answered)


def test_rejects_have_reasons(fake_index: Path):
    rejects = open_index(fake_index).segment("fake-desi").rejects.to_pylist()
    reasons = [each["reason"] for each in rejects]
    assert reasons[0] == "its fibre was broken"
    assert "appears before, in fake-desi/healpix=2/objects.hdf5 row 0" in reasons[1]
    assert rejects[1]["partition"] == "healpix=0003"
    unclaimed = open_index(fake_index).info
    assert unclaimed.unclaimed_files == 1


def test_rows_keys_and_records_agree(fake_index: Path, fake_sky):
    segment = open_index(fake_index).segment("fake-sdss")
    healpix = segment.column("healpix_29")
    assert np.all(np.diff(healpix[:-1]) >= 0)
    assert healpix[-1] == -1
    assert np.isnan(segment.column("ra_deg")[-1])
    entries = {
        entry["id"]: entry
        for cell in range(4)
        for entry in json.loads(
            (fake_sky.root / "fake-sdss" / f"healpix={cell}" / "objects.hdf5").read_text()
        )
    }
    for row in range(len(segment)):
        object_id = segment.object_id(row)
        assert segment.row_of(object_id) == row
        record = segment.record(row)
        assert record["object_id"] == object_id
        assert record["row"] == row
        assert record["redshift"] == entries[object_id]["z"]
        assert record["bright"] == (entries[object_id]["z"] > 0.5)
    assert segment.row_of("nobody") is None
    assert segment.row_of("") is None


def test_indexed_vector_is_the_transform_of_the_observation(fake_index: Path, fake_sky):
    index = open_index(fake_index)
    encoder = FakeEncoder("fake")
    for name, segment in index.segments.items():
        (modality,) = segment.info.vectors
        rows, vectors = segment.vectors(modality)
        release = fake_sky.release(name)
        for partition in Tools().partitions(fake_sky, release):
            for record in sky.read_fake_partition(fake_sky, release, partition):
                if isinstance(record, sky.Reject):
                    continue
                fresh = index.space(modality).apply(encoder.encode_alone(record.observations))
                place = int(np.searchsorted(rows, segment.row_of(record.object_id)))
                np.testing.assert_allclose(vectors[place], fresh[0], atol=1e-3)


def test_similar_sources_are_aligned(fake_index: Path):
    index = open_index(fake_index)
    assert set(index.info.spaces) == {"image", "spectrum", "xp", "shared"}
    assert index.heads_facts["recall_at_10_image_to_spectrum"] > 0.8
    images = index.segment("fake-images")
    rows, vectors = images.vectors("image")
    shared = index.to_shared("image", np.asarray(vectors[:20], np.float32))
    spectra = index.segment("fake-desi")
    _, found, _ = spectra.ann("shared").search(shared, 10)
    partners = index.links.partners("fake-images", rows[:20], "fake-desi")
    hits = [partner in near for partner, near in zip(partners, found, strict=True) if partner >= 0]
    assert np.mean(hits) > 0.7


def test_links_join_the_same_sources(fake_index: Path):
    index = open_index(fake_index)
    links = index.links.between("fake-sdss", "fake-images")
    assert links is not None
    assert len(links.row_a) > 110
    for row_a, row_b in zip(links.row_a, links.row_b, strict=True):
        number = index.segment("fake-images").object_id(row_a)[1:]
        assert index.segment("fake-sdss").object_id(row_b)[1:] == number
    source = index.links.source("fake-sdss", int(links.row_b[0]))
    assert ("fake-images", int(links.row_a[0])) in source
    assert ("fake-sdss", int(links.row_b[0])) in source


def test_cone_finds_the_object_and_no_other(fake_index: Path):
    segment = open_index(fake_index).segment("fake-images")
    ra, dec = segment.column("ra_deg"), segment.column("dec_deg")
    rows, separation = segment.cone(float(ra[7]), float(dec[7]), 2.0)
    assert rows[0] == 7
    assert separation[0] < 1e-6
    rows, separation = segment.cone(20.0, 0.0, 3600.0 * 8.0)
    placed = slice(0, segment.info.placed)
    expected = _separation_deg(ra[placed], dec[placed], 20.0, 0.0) <= 8.0
    assert set(rows) == set(np.flatnonzero(expected))
    assert np.all(np.diff(separation) >= 0)


def _separation_deg(ra: np.ndarray, dec: np.ndarray, ra0: float, dec0: float) -> np.ndarray:
    # Haversine: another formula than the one under test.
    ra, dec, ra0, dec0 = (np.radians(each) for each in (ra, dec, ra0, dec0))
    inner = np.sin((dec - dec0) / 2) ** 2
    inner = inner + np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(inner)))


def test_verified(fake_index: Path):
    report = verify(fake_index)
    assert report.ok
    assert report.checks > 100
    assert report.leftovers == ()


def test_a_second_build_does_nothing(fake_sky, encoded):
    tmp_path = encoded()
    first = build(fake_sky, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    before = (tmp_path / "index.json").read_bytes()
    second = build(fake_sky, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    assert first.changed
    assert not second.changed
    assert "up to date" in second.message
    assert (tmp_path / "index.json").read_bytes() == before


def test_touched_files_do_not_change_the_index(tmp_path: Path):
    manifest = sky.write_fake_sky(tmp_path / "sky", releases=("fake-gaia",))
    build(manifest, tmp_path / "index", weights="fake", tools=sky.FAKE_TOOLS)
    for path in manifest.root.rglob("*.hdf5"):
        os.utime(path)
    again = build(manifest, tmp_path / "index", weights="fake", tools=sky.FAKE_TOOLS)
    assert not again.changed


def test_jobs_do_not_change_the_index(fake_sky, fake_index: Path, tmp_path: Path, fingerprint):
    calls: list[tuple[int, int]] = []
    build(
        fake_sky,
        tmp_path,
        weights="fake",
        tools=sky.FAKE_TOOLS,
        runner=Processes(2),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert fingerprint(tmp_path) == fingerprint(fake_index)
    assert calls[0] == (0, 16)
    assert calls[-1] == (16, 16)


def test_slices_of_a_job_array_are_used_by_the_build(fake_sky, fake_index, tmp_path, fingerprint):
    reports = [
        encode(fake_sky, tmp_path, weights="fake", part=Slice(number, 3), tools=sky.FAKE_TOOLS)
        for number in range(3)
    ]
    assert sum(report.partitions for report in reports) == 16
    assert all(report.read == report.indexed + report.rejected for report in reports)
    assert [report.partitions for report in reports] == [6, 5, 5]
    assert reports[0].left == {1: 5, 2: 5}
    assert "10 partitions are left, of --shard 1/3, 2/3; `build` without" in reports[0].message
    assert reports[2].left == {}
    assert "nothing is left to encode" in reports[2].message
    encoders: list[FakeEncoder] = []

    def counting(weights: str) -> FakeEncoder:
        encoders.append(open_fake_encoder(weights))
        return encoders[-1]

    tools = Tools(open_encoder=counting, read_partition=sky.read_fake_partition)
    build(fake_sky, tmp_path, weights="fake", tools=tools)
    assert encoders[0].encoded == 0
    assert fingerprint(tmp_path) == fingerprint(fake_index)


def test_a_damaged_staged_file_is_made_again(fake_sky, fake_index, encoded, fingerprint):
    tmp_path = encoded()
    victim = sorted(staged_dir(tmp_path).rglob("vectors-*.npy"))[2]
    victim.write_bytes(victim.read_bytes()[:-4])
    build(fake_sky, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    assert fingerprint(tmp_path) == fingerprint(fake_index)


def test_another_encoder_does_not_use_staged_work(fake_sky, tmp_path):
    some = sky.fake_manifest(fake_sky.root, ("fake-gaia",))
    encode(some, tmp_path, weights="another", tools=sky.FAKE_TOOLS)
    report = build(some, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    assert report.info.encoder == FakeEncoder("fake").identity
    assert verify(tmp_path).ok


def test_a_new_release_leaves_the_other_segments_alone(fake_sky, tmp_path):
    old = sky.fake_manifest(fake_sky.root, ("fake-images", "fake-desi"))
    build(old, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    before = open_index(tmp_path)
    stats = {path: path.stat().st_ino for path in (tmp_path / "segments").rglob("*")}
    new = sky.fake_manifest(fake_sky.root, ("fake-images", "fake-desi", "fake-gaia"))
    report = build(new, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    after = open_index(tmp_path)
    assert verify(tmp_path).ok
    assert after.releases == ("fake-images", "fake-desi", "fake-gaia")
    assert report.info.generation == 2
    for name in ("fake-images", "fake-desi"):
        assert after.segment(name).info == before.segment(name).info
    assert all(path.stat().st_ino == inode for path, inode in stats.items())
    assert after.info.spaces["image"] == before.info.spaces["image"]
    assert after.info.spaces["shared"] == before.info.spaces["shared"]
    assert after.links.between("fake-gaia", "fake-images") is not None
    assert after.links.between("fake-desi", "fake-images") is not None


def test_a_late_partner_brings_the_shared_space(fake_sky, tmp_path):
    old = sky.fake_manifest(fake_sky.root, ("fake-images",))
    first = build(old, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    assert "not aligned: at least 100 linked pairs are needed, there are 0" in first.info.notes[0]
    images = open_index(tmp_path).segment("fake-images").info
    new = sky.fake_manifest(fake_sky.root, ("fake-images", "fake-sdss"))
    build(new, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    index = open_index(tmp_path)
    assert index.info.notes == ()
    assert index.info.spaces["shared"].modalities == ("image", "spectrum")
    # The images gained vectors, so they are another unit; the published one is left as it was.
    assert index.segment("fake-images").info.directory == "segments/fake-images@2"
    assert (tmp_path / images.directory).is_dir()
    report = verify(tmp_path)
    assert report.ok
    assert images.directory in report.leftovers


def test_a_late_modality_waits_until_heads_are_fitted_anew(fake_sky, tmp_path):
    old = sky.fake_manifest(fake_sky.root, ("fake-images", "fake-sdss"))
    build(old, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    before = open_index(tmp_path)
    new = sky.fake_manifest(fake_sky.root, ("fake-images", "fake-sdss", "fake-gaia"))
    report = build(new, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    assert report.info.notes == (
        "xp is not aligned: the heads were fitted to image and spectrum; fit them anew with "
        "`python -m indexer align`",
    )
    assert report.info.spaces["shared"] == before.info.spaces["shared"]
    info = align_index(tmp_path)
    assert info.notes == ()
    assert info.spaces["shared"].modalities == ("image", "spectrum", "xp")
    assert open_index(tmp_path).segment("fake-gaia").info.spaces["shared"] == ("xp",)
    assert verify(tmp_path).ok


def test_a_changed_file_changes_its_release_only(tmp_path):
    manifest = sky.write_fake_sky(tmp_path / "sky", releases=("fake-gaia", "fake-sdss"))
    index = tmp_path / "index"
    build(manifest, index, weights="fake", tools=sky.FAKE_TOOLS)
    path = manifest.root / "fake-sdss" / "healpix=1" / "objects.hdf5"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps(entries[:-1]))
    opened = open_index(index)
    count = len(opened.segment("fake-sdss"))
    _, vectors = opened.segment("fake-sdss").vectors("spectrum")
    old_vectors = np.array(vectors)
    report = build(manifest, index, weights="fake", tools=sky.FAKE_TOOLS)
    assert report.changed
    assert len(open_index(index).segment("fake-sdss")) == count - 1
    assert open_index(index).segment("fake-gaia").info.directory == "segments/fake-gaia"
    # Who opened before keeps what was published then.
    assert not opened.is_current()
    assert len(opened.segment("fake-sdss")) == count
    np.testing.assert_array_equal(vectors, old_vectors)
    opened.segment("fake-sdss").ann("spectrum").search(np.array(vectors[:1], np.float32), 3)
    # A third publication removes the first.
    path.write_text(json.dumps(entries[:-2]))
    build(manifest, index, weights="fake", tools=sky.FAKE_TOOLS)
    assert not (index / "segments" / "fake-sdss").exists()
    assert open_index(index).segment("fake-sdss").info.directory == "segments/fake-sdss@3"
    assert verify(index).ok


def test_one_builder_at_a_time(fake_sky, tmp_path):
    with (
        writing(tmp_path),
        pytest.raises(LockedError, match=rf"process {os.getpid()} on .* is doing so"),
    ):
        build(fake_sky, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)


def test_a_folder_of_something_else_is_refused(fake_sky, tmp_path):
    (tmp_path / "thesis.tex").write_text("important")
    with pytest.raises(BuildError, match="is no index but holds 1 other files or folders"):
        build(fake_sky, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_nothing_usable_is_refused(tmp_path):
    manifest = sky.write_fake_sky(tmp_path / "sky", releases=("fake-gaia",))
    for path in manifest.root.rglob("*.hdf5"):
        path.write_text(json.dumps([{"id": "1", "broken": "always"}]))
    with pytest.raises(BuildError, match="4 were read and all were rejected"):
        build(manifest, tmp_path / "index", weights="fake", tools=sky.FAKE_TOOLS)


class _Crash(BaseException):
    """Stands for the power going out."""


class _Renames:
    """Counts the renames of a build, and stops it at one of them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count, self.stop_at = 0, 0
        for name in ("rename", "replace"):
            patch.setattr(Path, name, self._counted(getattr(Path, name)))

    def _counted(self, original):
        def act(path: Path, target: Path) -> Path:
            self.count += 1
            if self.count == self.stop_at:
                raise _Crash
            return original(path, target)

        return act

    def begin(self, stop_at: int = 0) -> None:
        self.count, self.stop_at = 0, stop_at


def test_crash_while_putting_together(fake_sky, fake_index, encoded, fingerprint, monkeypatch):
    renames = _Renames(monkeypatch)
    whole = encoded()
    build(fake_sky, whole, weights="fake", tools=sky.FAKE_TOOLS)
    total = renames.count
    for stop_at in (1, total // 3, total // 2, total - 15):
        index = encoded()
        renames.begin(stop_at)
        with pytest.raises(_Crash):
            build(fake_sky, index, weights="fake", tools=sky.FAKE_TOOLS)
        assert not (index / "index.json").exists()
        renames.begin()
        build(fake_sky, index, weights="fake", tools=sky.FAKE_TOOLS)
        assert fingerprint(index) == fingerprint(fake_index), f"stopped at {stop_at} of {total}"


def test_crash_while_publishing(fake_sky, fake_index, encoded, fingerprint, monkeypatch, tmp_path):
    sealed = encoded()
    with monkeypatch.context() as patch:
        patch.setattr("indexer.build.publish", _raise_crash)
        with pytest.raises(_Crash):
            build(fake_sky, sealed, weights="fake", tools=sky.FAKE_TOOLS)
    renames = _Renames(monkeypatch)
    stop_at, crashed = 0, True
    while crashed:
        stop_at += 1
        index = tmp_path / f"stopped-{stop_at}"
        shutil.copytree(sealed, index)
        renames.begin(stop_at)
        try:
            build(fake_sky, index, weights="fake", tools=sky.FAKE_TOOLS)
            crashed = False
        except _Crash:
            assert not (index / "index.json").exists()
        renames.begin()
        build(fake_sky, index, weights="fake", tools=sky.FAKE_TOOLS)
        assert fingerprint(index) == fingerprint(fake_index), f"stopped at rename {stop_at}"
        assert not build_dir(index).exists()
    # Four segments, four spaces, six link files, the unclaimed files and index.json.
    assert stop_at == 17


def _raise_crash(index: Path) -> None:
    raise _Crash


def test_crash_while_publishing_anew(fake_sky, tmp_path, fingerprint, monkeypatch):
    """Until the last rename, everybody sees the index that was published before."""
    two = sky.fake_manifest(fake_sky.root, ("fake-desi", "fake-gaia"))
    three = sky.fake_manifest(fake_sky.root, ("fake-desi", "fake-gaia", "fake-sdss"))
    build(two, tmp_path / "first", weights="fake", tools=sky.FAKE_TOOLS)
    with monkeypatch.context() as patch:
        patch.setattr("indexer.build.publish", _raise_crash)
        with pytest.raises(_Crash):
            build(three, tmp_path / "first", weights="fake", tools=sky.FAKE_TOOLS)
    renames = _Renames(monkeypatch)
    results = []
    for stop_at in range(1, 6):
        index = tmp_path / f"stopped-{stop_at}"
        shutil.copytree(tmp_path / "first", index)
        renames.begin(stop_at)
        with pytest.raises(_Crash):
            build(three, index, weights="fake", tools=sky.FAKE_TOOLS)
        renames.begin()
        assert open_index(index).releases == ("fake-desi", "fake-gaia")
        assert verify(index).ok
        build(three, index, weights="fake", tools=sky.FAKE_TOOLS)
        assert open_index(index).releases == ("fake-desi", "fake-gaia", "fake-sdss")
        results.append(fingerprint(index))
    assert all(result == results[0] for result in results)


SCRIPT = """
import os, sys
os.fsync = lambda _: None
sys.path.insert(0, {here!r})
from pathlib import Path
from fake_sky import FAKE_TOOLS, fake_manifest
from indexer.build import build
print("ready", flush=True)
build(fake_manifest(Path(sys.argv[1])), Path(sys.argv[2]), weights="fake", tools=FAKE_TOOLS)
"""


def test_killed_at_random_moments(fake_sky, fake_index, tmp_path, fingerprint):
    rng = np.random.default_rng(11)
    script = SCRIPT.format(here=str(Path(__file__).parent))
    command = [sys.executable, "-c", script, str(fake_sky.root), str(tmp_path / "index")]
    killed = 0
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(float(rng.uniform(0.05, 1.2)))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert killed
    subprocess.run(command, check=True, capture_output=True)
    assert fingerprint(tmp_path / "index") == fingerprint(fake_index)
    assert not build_dir(tmp_path / "index").exists()
    assert not (tmp_path / "index" / "lock").exists()


def test_a_damaged_or_foreign_index_is_not_built_upon(fake_sky, fake_index, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(fake_index, copy)
    (copy / "segments" / "fake-gaia" / "rows.arrow").unlink()
    with pytest.raises(BuildError, match=r"damaged index: segments/fake-gaia/rows\.arrow"):
        build(fake_sky, copy, weights="fake", tools=sky.FAKE_TOOLS)
    values = json.loads((copy / "index.json").read_text())
    (copy / "index.json").write_text(json.dumps(values | {"format_version": 2}))
    with pytest.raises(BuildError, match="format version 2, this program reads version 1"):
        build(fake_sky, copy, weights="fake", tools=sky.FAKE_TOOLS)


def test_encoding_waits_for_no_build(fake_sky, tmp_path):
    with writing(tmp_path), pytest.raises(LockedError, match="is doing so"):
        encode(fake_sky, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)


def test_no_build_begins_while_slices_are_encoded(fake_sky, tmp_path):
    refusal = f"by tasks of a job array, such as process {os.getpid()} on .*; wait until all"
    with encoding(tmp_path):
        with encoding(tmp_path), pytest.raises(LockedError, match=refusal):
            build(fake_sky, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
        # One of the two has ended.
        with pytest.raises(LockedError, match=refusal):
            build(fake_sky, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    assert not (tmp_path / "lock").exists()
    with writing(tmp_path):
        pass


def test_a_release_that_stays_as_it_is_is_not_encoded_again(fake_sky, tmp_path):
    old = sky.fake_manifest(fake_sky.root, ("fake-gaia",))
    build(old, tmp_path, weights="fake", tools=sky.FAKE_TOOLS)
    new = sky.fake_manifest(fake_sky.root, ("fake-gaia", "fake-desi"))
    report = encode(new, tmp_path, weights="fake", part=Slice(0, 2), tools=sky.FAKE_TOOLS)
    assert (report.partitions, report.left) == (2, {1: 2})
    assert not (staged_dir(tmp_path) / "fake-gaia").exists()


def test_files_may_be_read_by_everybody(fake_index: Path):
    assert all(
        path.stat().st_mode & 0o444 == 0o444 for path in fake_index.rglob("*") if path.is_file()
    )


def test_opening_while_it_is_published_again(tmp_path: Path):
    """Whoever opens at any moment sees one publication, whole."""
    manifest = sky.write_fake_sky(tmp_path / "sky", releases=("fake-gaia",))
    index = tmp_path / "index"
    build(manifest, index, weights="fake", tools=sky.FAKE_TOOLS)
    path = manifest.root / "fake-gaia" / "healpix=1" / "objects.hdf5"
    entries = json.loads(path.read_text())
    stop, seen, problems = threading.Event(), set(), []

    def keep_opening() -> None:
        while not stop.is_set():
            try:
                segment = open_index(index).segment("fake-gaia")
                rows, vectors = segment.vectors("xp")
                assert len(rows) == len(vectors) == len(segment) == segment.ann("xp").count
                seen.add(len(segment))
            except Exception as error:
                problems.append(error)

    readers = [threading.Thread(target=keep_opening) for _ in range(2)]
    for reader in readers:
        reader.start()
    for left in range(1, 5):
        path.write_text(json.dumps(entries[:-left]))
        build(manifest, index, weights="fake", tools=sky.FAKE_TOOLS)
    stop.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert len(seen) > 1
