"""Many people at once: a handful of searches of a small index, and closed forms of what is told."""

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.load import Seen, at_hand, crowd, measures_of
from indexer.search import open_searcher
from tests.indexer.small_sky import build_small_index


def test_latencies_errors_and_growth_are_told() -> None:
    seen = Seen(0)
    seen.seconds["page"] = np.linspace(0.0, 1.0, 101).tolist()
    seen.errors = ["page a:1: gone"]
    # Grows fast while it warms up, then by 100 bytes a search.
    seen.memory = [
        (done, 10**6 + (10**5 * done if done < 200 else 100 * done)) for done in range(0, 1000, 10)
    ]
    told = measures_of(seen, 1000)
    assert (told["page.p50_s"], told["page.p95_s"], told["errors"]) == (0.5, 0.95, 1)
    assert math.isnan(told["api.p50_s"])
    assert told["memory.bytes_a_search"] == 100.0
    assert told["memory.most_bytes"] == 20_000_000


@pytest.mark.timeout(240)
def test_people_are_answered(tmp_path: Path) -> None:
    index = build_small_index(tmp_path / "index")
    keys = open_searcher(index, weights="fake").random_keys(8, 1)
    with at_hand(index, tmp_path) as up:
        seen = asyncio.run(crowd(up.port, up.pid, keys, 3, 12, 0.05, 1))
    assert seen.errors == []
    assert len(seen.seconds["page"]) + len(seen.seconds["api"]) == 12
    assert seen.memory
