"""Measures of indexes of many vectors: closed forms, and a small run of each benchmark."""

import json
import mmap
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import synthetic_vectors
from benchmarks.memory import anonymous_bytes, peak
from benchmarks.scale import comparison, filtering, growth, steps
from benchmarks.scale.data import Data
from benchmarks.scale.filters import allowed_rows
from benchmarks.scale.measuring import curve, point_at
from benchmarks.scale.rates import rates_of
from benchmarks.scale.results import read_results

RNG = np.random.default_rng(5)
DIM = 64


def test_a_curve_ends_where_enough_is_found() -> None:
    truth = np.tile(np.arange(10), (30, 1))
    asked = []

    def search(queries: np.ndarray, setting: int) -> np.ndarray:
        asked.append((len(queries), setting))
        # So many of the ten are right.
        return np.where(np.arange(10) < setting, np.arange(10), -1)[None].repeat(len(queries), 0)

    points = curve(search, RNG.normal(size=(30, 4)), truth, [5, 9, 10, 12], enough=0.99)
    assert [each["setting"] for each in points] == [5, 9, 10]
    assert [each["recall_at_10"] for each in points] == [0.5, 0.9, 1.0]
    assert all(each["queries"] == 30 and each["queries_per_s"] > 0 for each in points)
    assert all(0 < each["p50_ms"] <= each["p99_ms"] for each in points)
    assert (30, 5) in asked


def test_a_slow_setting_is_not_asked_to_the_end() -> None:
    def search(queries: np.ndarray, setting: int) -> np.ndarray:
        return np.zeros((len(queries), 10), np.int64)

    truth = np.zeros((50, 10), np.int64)
    (point,) = curve(search, np.zeros((50, 4)), truth, [1], seconds=0.0)
    assert point["queries"] == 1


def test_the_fastest_setting_that_finds_enough_counts() -> None:
    points = [
        {"recall_at_10": 0.9, "p50_ms": 1.0},
        {"recall_at_10": 0.97, "p50_ms": 3.0},
        {"recall_at_10": 0.98, "p50_ms": 2.0},
    ]
    assert point_at(points, 0.95) == points[2]
    assert point_at(points, 0.99) is None


def test_memory_of_a_block_is_seen() -> None:
    assert anonymous_bytes() > 10**6
    # Not an array: an allocator may serve it from what it kept.
    with peak() as seen, mmap.mmap(-1, 50_000_000, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.write(bytes(25_000_000))
        held.write(bytes(25_000_000))
        seen.look()
    assert 45e6 < seen.bytes < 100e6


def test_memory_that_the_allocator_kept_does_not_hide_a_block() -> None:
    pieces = [np.ones(10_000 // 8) for _ in range(5_000)]
    barrier = np.ones(10_000 // 8)
    del pieces
    with peak() as seen:
        held = [np.ones(10_000 // 8) for _ in range(5_000)]
        seen.look()
    assert barrier.all()
    assert len(held) * 9_000 < seen.bytes < 100e6


def test_what_lies_on_a_line_does_not_differ_from_it() -> None:
    counts = [1e6, 2e6, 5e6, 1e7]
    on = [10.0 + 3e-5 * n for n in counts]
    assert growth.deviation_from_line(counts, on) < 1e-9
    off = [*on[:3], 1.5 * on[3]]
    assert 0.1 < growth.deviation_from_line(counts, off) < 0.5


def sized(count: int, build_s: float, p50_ms: float) -> dict:
    """A size of growth: with twice the usual lists it reaches the recall that is compared."""
    point = {"setting": 128, "recall_at_10": 0.95, "p50_ms": p50_ms, "p99_ms": 3.0}
    point["queries_per_s"] = 1000.0
    more = {**point, "setting": 256, "recall_at_10": 0.97, "p50_ms": 2 * p50_ms}
    return {
        "count": count,
        "default": 128,
        "curve": [point, more],
        "build_s": build_s,
        "fill_s": build_s,
        "filled_per_s": 4e4,
        "bytes": 42 * count,
        "trained_bytes": 2 * count,
        "build_peak_bytes": 10**9,
        "anonymous_bytes": 10**8,
        "cold_start_s": 0.5,
    }


def test_growth_is_told_by_the_decade() -> None:
    rows = [sized(10**4, 1.0, 1.0), sized(10**5, 10.0, 1.5), sized(10**6, 100.0, 2.25)]
    found = growth.measures_of(rows)
    assert found["p50_per_decade"] == pytest.approx(1.5)
    assert found["p50_per_decade_at_same_recall"] == pytest.approx(1.5)
    assert found["build_off_line"] < 1e-6
    assert found["10000.recall_at_10"] == 0.95
    assert found["1000000.bytes_per_vector"] == 40.0
    assert "p50_per_decade" not in growth.measures_of(rows[:1])


def system(name: str, kind: str, count: int, p50_ms: float, memory: int) -> dict:
    point = {"setting": 1, "recall_at_10": 0.995, "p50_ms": p50_ms, "p99_ms": 9.0}
    return {
        "system": name,
        "kind": kind,
        "count": count,
        "build_s": 1.0,
        "build_peak_bytes": 1,
        "disk_bytes": 1,
        "anonymous_bytes": memory,
        "curve": [{**point, "queries_per_s": 1000.0 / p50_ms}],
    }


def test_what_a_build_chooses_is_compared_with_the_best_of_each_kind() -> None:
    rows = [
        system("ivf_sq8", "ours", 100, 9.0, 7),
        system("ivf_sq8", "ours", 1000, 1.0, 10),
        system("ivf_pq4", "ours", 1000, 0.1, 1),
        system("a", "graph in memory", 100, 0.1, 1),
        system("a", "graph in memory", 1000, 0.5, 200),
        system("b", "graph in memory", 1000, 0.8, 100),
        system("c", "on disk", 1000, 4.0, 50),
        {"system": "d", "kind": "on disk", "count": 1000, "failed": "not done in 900 s"},
    ]
    found = comparison.measures_of(rows, "ivf_sq8")
    assert found["memory_over_graphs"] == 0.1
    assert found["recall_95.p50_over_graphs"] == 2.0
    assert found["recall_99.p50_over_disk"] == 0.25
    assert found["recall_99.rate_over_disk"] == 4.0
    assert found["ivf_pq4.1000.recall_99.p50_ms"] == 0.1
    assert not any(name.startswith("d.") for name in found)
    assert "memory_over_disk" not in comparison.measures_of(rows[:6], "ivf_sq8")


def test_rows_that_pass_are_random_or_on_one_side() -> None:
    vectors = RNG.normal(size=(2000, 8)).astype(np.float16)
    direction = np.eye(8, dtype=np.float32)[2]
    random = allowed_rows(vectors, 0.1, "random", direction, 1)
    side = allowed_rows(vectors, 0.1, "correlated", direction, 1)
    for rows in (random, side):
        assert len(rows) == 200
        assert (np.diff(rows) > 0).all()
    others = np.setdiff1d(np.arange(2000), side)
    assert vectors[side, 2].min() >= vectors[others, 2].max()
    assert abs(float(vectors[random, 2].mean())) < 0.3
    np.testing.assert_array_equal(random, allowed_rows(vectors, 0.1, "random", direction, 1))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Steps are done in this process, on blocks of vectors; their names are noted."""
    done: list[str] = []

    def in_this_process(command: list[str], **_: object) -> subprocess.CompletedProcess:
        done.append(command[3])
        steps.main(*command[3:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(steps.subprocess, "run", in_this_process)
    monkeypatch.setattr(synthetic_vectors, "CHUNK", synthetic_vectors.BLOCK)
    return done


def test_a_broken_off_step_is_done_again_and_a_done_one_is_not(
    tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Data(tmp_path, 200, DIM, 1, 5)
    said: list[str] = []
    assert steps.run("data", data, 60.0, said.append) == {}
    assert steps.run("data", data, 60.0, said.append) == {}
    assert here == ["data"]
    assert said[-1] == "v200-d64-s1-q5-data: done before"

    def too_long(command: list[str], timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    with monkeypatch.context() as patch:
        patch.setattr(steps.subprocess, "run", too_long)
        assert steps.run("statistics", data, 1.0) == {"failed": "not done in 1 s"}
    # Kept for as long as no more time is given.
    assert steps.run("statistics", data, 1.0) == {"failed": "not done in 1 s"}
    assert steps.run("statistics", data, 2.0)["mean_norm"] > 0
    assert here == ["data", "statistics"]

    with monkeypatch.context() as patch:
        lost = subprocess.CompletedProcess([], 1)
        patch.setattr(steps.subprocess, "run", lambda *_, **__: lost)
        failed = steps.run("build", data, 60.0, said.append, system="hnswlib")
    assert failed == {"failed": "exit code 1"}
    assert not list((tmp_path / "steps").glob("*hnswlib*"))


def test_recipes_are_compared_from_end_to_end(tmp_path: Path, here: list[str]) -> None:
    path = comparison.compare(
        tmp_path / "work",
        tmp_path / "results",
        count=2000,
        dim=DIM,
        asked=30,
        names=("ivf_sq8", "ivf_pq4"),
    )
    document = json.loads(path.read_text())
    assert [row["system"] for row in document["systems"]] == ["ivf_sq8", "ivf_pq4"]
    for row in document["systems"]:
        assert row["curve"][-1]["recall_at_10"] > 0.9
        # The vectors count as a part of the index.
        assert row["disk_bytes"] > row["bytes"] + 2 * DIM * 2000
    assert document["measures"]["ivf_sq8.2000.recall_95.p50_ms"] > 0
    assert document["statistics"]["distance2_1"] < document["statistics"]["distance2_10"]
    assert here.count("build") == 2
    assert not list((tmp_path / "work" / "indexes").iterdir())
    known = rates_of(read_results(tmp_path / "results"))
    assert [each["recipe"] for each in known["index"]] == ["ivf_sq8", "ivf_pq4"]


def test_growth_and_filters_from_end_to_end(tmp_path: Path, here: list[str]) -> None:
    work, results = tmp_path / "work", tmp_path / "results"
    path = growth.grow(work, results, sizes=(3000, 1500), dim=DIM, asked=20)
    document = json.loads(path.read_text())
    assert [row["count"] for row in document["sizes"]] == [1500, 3000]
    assert document["measures"]["3000.recall_at_10"] > 0.8
    assert document["measures"]["p50_per_decade"] > 0
    assert 0 < document["measures"]["3000.cold_start_s"] < 30
    assert here.count("cold") == 2
    path = filtering.filter_all(work, results, sizes=(3000,), dim=DIM, asked=21)
    rows = json.loads(path.read_text())["rows"]
    assert {(row["kind"], row["selectivity"], row["way"]) for row in rows} >= {
        ("random", 0.5, "product"),
        ("correlated", 0.001, "lists"),
    }
    assert all(row["recall_at_10"] == 1.0 for row in rows if row["way"] == "scan")
    assert len({row["passing"] for row in rows}) == 4
    assert here.count("build") == 3
    # Nothing but answers and truths stays.
    assert not list((work / "segments").rglob("vectors/*image.npy"))
