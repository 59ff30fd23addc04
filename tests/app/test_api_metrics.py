"""What the server counts, and its canaries."""

import threading

import numpy as np
import pytest

from app.rest.metrics import CANARIES_LAST_S, Canaries, Metrics
from indexer import canaries as canary_module
from indexer.canaries import Canary, canaries
from tests.app.test_api import ASKED


def values_of(text):
    """Read samples as Prometheus does."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_answers_and_stages_are_counted(api):
    for _ in range(2):
        api.get("/neighbours", params={"object": ASKED})
    api.get("/neighbours", params={"object": "nobody"})
    answer = api.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    values = values_of(answer.text)
    prefix = "aion_search_"
    assert values[prefix + 'requests_total{endpoint="neighbours",status="200"}'] == 2
    assert values[prefix + 'requests_total{endpoint="neighbours",status="404"}'] == 1
    assert values[prefix + 'request_seconds_count{endpoint="neighbours"}'] == 3
    for stage in ("open", "query", "search", "render"):
        assert values[prefix + f'stage_seconds_bucket{{stage="{stage}",le="+Inf"}}'] >= 2
    assert values[prefix + 'queue_working{gate="search"}'] == 0
    assert values[prefix + 'objects{release="demo-hsc"}'] == 60
    assert values[prefix + "ready"] == 1


def test_bins_of_a_histogram_add_up():
    metrics = Metrics()
    for seconds in (0.001, 0.005, 0.2, 99.0):
        metrics.answered("x", 200, seconds)
    values = values_of("\n".join(metrics.lines()))
    name = 'aion_search_request_seconds_bucket{{endpoint="x",le="{}"}}'
    assert [values[name.format(bound)] for bound in ("0.005", "0.25", "30.0", "+Inf")] == [
        2,
        3,
        3,
        4,
    ]
    assert values['aion_search_request_seconds_sum{endpoint="x"}'] == pytest.approx(99.206)


def test_a_label_cannot_break_its_line():
    metrics = Metrics()
    metrics.answered('a"b\\c\nd', 200, 0.1)
    assert '{endpoint="a\\"b\\\\c\\nd",status="200"} 1' in "\n".join(metrics.lines())


def test_canaries_find_what_exact_search_finds(api_searcher):
    found = canaries(api_searcher.index)
    spaces = {(each.release, each.space, each.modality) for each in found}
    assert ("demo-hsc", "shared", "image") in spaces
    assert all(each.recall == 1.0 and each.queries == 8 for each in found)


def test_canaries_notice_what_is_not_found(api_searcher, monkeypatch):
    nearest = canary_module.nearest
    monkeypatch.setattr(
        canary_module, "nearest", lambda *args, **kwargs: nearest(*args, **kwargs)[1:]
    )
    segment = {(each.release, each.space): each for each in canaries(api_searcher.index)}
    assert segment["demo-legacysurvey", "image"].recall == pytest.approx(0.9)


def test_large_segments_are_not_compared(api_searcher):
    found = canaries(api_searcher.index, most_vectors=100)
    large = [each for each in found if each.vectors > 100]
    assert large
    assert all(each.queries == 0 and np.isnan(each.recall) for each in large)
    assert any(each.queries for each in found)


def test_canaries_are_asked_anew_when_old_and_once_at_a_time():
    now, asked, go = [0.0], [], threading.Event()

    def measure(index):
        asked.append(index)
        assert go.wait(30)
        return [Canary("r", "image", "image", 8, 1.0, 10)]

    watch = Canaries(measure, lambda: now[0])
    assert watch.latest("index") == ((), 0.0)
    assert watch.latest("index") == ((), 0.0)
    go.set()
    watch.wait()
    found, age = watch.latest("index")
    assert ([each.recall for each in found], age, asked) == ([1.0], 0.0, ["index"])
    now[0] = CANARIES_LAST_S
    watch.latest("index")
    watch.wait()
    assert asked == ["index", "index"]
    assert watch.latest("another") == ((), 0.0)
    watch.wait()
    assert asked[-1] == "another"
