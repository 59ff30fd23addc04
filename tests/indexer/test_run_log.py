"""What a build tells machines: its lines, its report, and that its index does not know of them."""

import json
import os
import platform
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from fake_sky import FAKE_TOOLS, fake_manifest

from indexer import cli_build, run_log
from indexer.build import build
from indexer.cli import main
from indexer.index_file import open_index
from indexer.layout import rejects_file
from indexer.manifests import Manifest
from indexer.run_log import RunLog, WorkerLog, report_path


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rates_and_time_left(tmp_path: Path):
    now = [0.0]
    log = RunLog(tmp_path / "log", clock=lambda: now[0])
    log.announce("encoding")
    # Ten files a second: lines at the first call, ten seconds later, and at the end.
    for done in range(0, 251, 10):
        now[0] = done / 10
        log.progress(done, 250)
    log.end()
    step, *told, end = lines_of(tmp_path / "log")
    assert (step["event"], step["step"]) == ("step", "encoding")
    assert [each["done"] for each in told] == [0, 100, 200, 250]
    assert [each["rate_per_s"] for each in told] == [0.0, 10.0, 10.0, 10.0]
    assert [each["left_s"] for each in told] == [None, 15.0, 5.0, 0.0]
    assert end["seconds"] == {"planning": 0.0, "encoding": 25.0}


def test_steps_that_come_twice_add_up():
    now = [0.0]
    log = RunLog(clock=lambda: now[0])
    for second, step in enumerate(("encoding", "filling", "encoding"), 1):
        now[0] = float(second)
        log.announce(step)
    now[0] = 10.0
    log.end()
    assert log.seconds == {"planning": 1.0, "encoding": 1.0 + 7.0, "filling": 1.0}


def test_a_worker_tells_its_own_rate(tmp_path: Path):
    worker = WorkerLog(tmp_path / "log")
    worker.partition("r", "healpix=1", 30, 10.0)
    worker.partition("r", "healpix=2", 30, 20.0)
    first, second = lines_of(tmp_path / "log")
    assert first["worker"] == f"{platform.node()}-{os.getpid()}"
    assert (first["worker_rate_per_s"], second["worker_rate_per_s"]) == (3.0, 2.0)
    assert (second["worker_objects"], second["partition"]) == (60, "healpix=2")


def test_that_a_log_that_cannot_be_written_costs_no_work(tmp_path: Path):
    WorkerLog(tmp_path / "missing" / "log").partition("r", "p", 1, 1.0)


def test_a_build_with_a_log_gives_the_same_index(
    fake_sky: Manifest, fake_index: Path, tmp_path: Path, fingerprint, monkeypatch
):
    index, log = tmp_path / "index", tmp_path / "log.jsonl"
    monkeypatch.setattr("indexer.manifests.load_manifest", lambda *_, **__: fake_sky)
    monkeypatch.setattr("indexer.tools.Tools", lambda **_: FAKE_TOOLS)
    given = ["build", "fake.toml", index, "--weights", "fake", "--log-json", log]
    result = CliRunner().invoke(main, [str(each) for each in given])
    assert result.exit_code == 0, result.output
    assert fingerprint(index) == fingerprint(fake_index)
    info = open_index(index).info

    told = lines_of(log)
    events = Counter(each["event"] for each in told)
    assert events["end"] == 1
    assert events["step"] >= 5
    files = sum(each.inputs.files for each in info.releases.values())
    assert [each["done"] for each in told if each["event"] == "progress"][-1] == files
    parts = [each for each in told if each["event"] == "partition"]
    read = sum(each.indexed + each.rejected for each in info.releases.values())
    assert sum(each["objects"] for each in parts) == read

    report = json.loads(report_path(index).read_text())
    assert (report["index"], report["generation"]) == (info.index_id, 1)
    assert report["encoder"]["identity"] == info.encoder.digest
    assert set(report["seconds"]) == {each["step"] for each in told if "step" in each} | {
        "planning"
    }
    for name, release in info.releases.items():
        said = report["releases"][name]
        assert (said["indexed"], said["rejected"]) == (release.indexed, release.rejected)
        reasons = pq.read_table(index / rejects_file(release.directory))["reason"].to_pylist()
        assert said["reject_reasons"] == Counter(reasons)


def test_two_checkpoints_never_mix(fake_sky: Manifest, tmp_path: Path, fingerprint):
    some = fake_manifest(fake_sky.root, ("fake-images", "fake-gaia"))
    one = fake_manifest(fake_sky.root, ("fake-images",))
    built = partial(build, tools=FAKE_TOOLS)
    built(one, tmp_path / "mixed", weights="fake")
    # With one release more and another checkpoint, none of the old vectors stays.
    mixed = built(some, tmp_path / "mixed", weights="another").info
    fresh = built(some, tmp_path / "fresh", weights="another").info
    assert mixed.encoder == fresh.encoder
    opened, beside = (open_index(tmp_path / name) for name in ("mixed", "fresh"))
    for name in mixed.releases:
        for space in ("image", "xp"):
            if space in opened.segment(name).info.spaces:
                (_, left), (_, right) = (
                    each.segment(name).vectors(space, space) for each in (opened, beside)
                )
                assert np.array_equal(left[:], right[:])
    assert {opened.encoder_of(name).digest for name in mixed.spaces} == {fresh.encoder.digest}


@pytest.mark.parametrize("module", [run_log, cli_build])
def test_public_names_are_there(module):
    assert all(hasattr(module, name) for name in module.__all__)
