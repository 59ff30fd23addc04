"""The benchmark of 200 million vectors, with few: the same result whatever kills it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_200m
from benchmarks.bench_200m import Asked, State
from benchmarks.large_search import truth_of
from benchmarks.synthetic_vectors import SyntheticVectors

VECTORS, DIM, QUERIES = 20_000, 64, 20


def _run(folder: Path, *, until: str = "") -> list[str]:
    """Run it, and kill it without warning once it prints a line that starts like this."""
    command = [sys.executable, "-m", "benchmarks.bench_200m", str(folder)]
    command += ["--vectors", str(VECTORS), "--dim", str(DIM), "--queries", str(QUERIES)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.strip())
            if until and line.startswith(until):
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == (-signal.SIGKILL if until else 0)
    return said


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    return folder, json.loads(_run(folder)[-1])


@pytest.mark.timeout(1200)
def test_it_tells_what_was_measured(undisturbed):
    folder, result = undisturbed
    assert (result["vectors"], result["resumes"], result["recipe"]) == (VECTORS, 0, "ivf_pq4")
    stages = {"vectors", "train", "fill", "merge", "publish", "search"}
    assert set(result["stage_hours"]) == stages
    assert set(result["cpu_microseconds_a_vector"]) == stages - {"search"}
    assert all(value >= 0 for value in result["stage_hours"].values())
    usual = next(each for each in result["warm"] if each["nprobe"] == 128)
    value, low, high = usual["recall_at_10"]
    assert 0.9 < low <= value <= high <= 1.0
    assert usual["recall_at_10_of_codes_alone"][0] < value
    assert result["cold"]["queries"] == QUERIES
    assert result["disk_bytes_a_vector"]["kept_to_rank_again"] == pytest.approx(DIM, abs=1)
    # Nothing but what is served, what is asked and what was found stays.
    left = {path.relative_to(folder).parts[0] for path in folder.rglob("*")}
    assert left == {
        "files.json", "searches.json", "segments", "spaces", "state.json", "truth.npz"
    }  # fmt: skip
    vectors = SyntheticVectors(DIM, 1).chunk(0)[:VECTORS].astype(np.float64)
    scores = SyntheticVectors(DIM, 1).queries(QUERIES).astype(np.float64) @ vectors.T
    np.testing.assert_array_equal(truth_of(folder), np.argsort(-scores, axis=1)[:, :10])


@pytest.mark.timeout(1200)
def test_killed_twice_it_gives_the_same(undisturbed, tmp_path):
    folder, result = undisturbed
    killed = tmp_path / "run"
    _run(killed, until="vectors 8000/")
    assert not list(killed.rglob("image.npy"))
    again = _run(killed, until="fill 8000/")
    # What was safe when it was killed is not done again.
    first = next(line for line in again if line.startswith("vectors "))
    assert int(first.split()[1].split("/")[0]) >= 8000
    pieces = {path: path.stat().st_mtime_ns for path in killed.rglob("*.lists")}
    assert len(pieces) >= 2
    last = json.loads(_run(killed)[-1])
    assert last["resumes"] == 2
    assert (killed / "files.json").read_bytes() == (folder / "files.json").read_bytes()
    for name in json.loads((folder / "files.json").read_text()):
        assert (killed / name).read_bytes() == (folder / name).read_bytes(), name
    np.testing.assert_array_equal(truth_of(killed), truth_of(folder))
    for one, other in zip(last["warm"], result["warm"], strict=True):
        assert one["recall_at_10"] == other["recall_at_10"]


def test_another_run_is_not_gone_on_with(tmp_path):
    State(Asked(tmp_path, 1000, 8, 5, 1))
    with pytest.raises(SystemExit, match=r"holds a run of .*1000.*asked is .*2000.*name another"):
        State(Asked(tmp_path, 2000, 8, 5, 1))


def test_blocks_begin_anywhere(tmp_path):
    asked = Asked(tmp_path, 250_000, 16, 5, 1)
    every = np.concatenate(list(bench_200m._blocks(asked, asked.source, 0)))
    assert every.shape == (250_000, 16)
    blocks = list(bench_200m._blocks(asked, asked.source, 150_000))
    assert [len(each) for each in blocks] == [50_000, 50_000]
    np.testing.assert_array_equal(np.concatenate(blocks), every[150_000:])
