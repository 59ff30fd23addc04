"""What the look-ups are measured on, and the filters of the crossover."""

import numpy as np
import pytest

from benchmarks import catalogue_latency, filter_crossover
from benchmarks.catalogue_latency import lookups, objects, opened


def test_the_segment_is_that_of_a_build_and_answers(tmp_path):
    segment = opened(tmp_path, 500, seed=3)
    table = objects(500, 3)
    ids = table.column("object_id").to_pylist()
    assert sorted(segment.rows.column("object_id").to_pylist()) == sorted(ids)
    row = segment.row_of(ids[7])
    ra_deg, dec_deg = table.column("ra_deg")[7].as_py(), table.column("dec_deg")[7].as_py()
    rows, away = segment.cone(ra_deg, dec_deg, 1.0)
    assert (rows[0], away[0]) == (row, 0.0)
    tasks = lookups(segment, 3, seed=1)
    assert len(tasks) == 5
    assert tasks["identifier that is not there"](0) is None
    known = tasks["columns of 50 hits"](1)
    assert {len(values) for values in known.values()} == {catalogue_latency.HITS}
    again = opened(tmp_path, 500, seed=3)
    assert again.row_of(ids[7]) == row


@pytest.mark.parametrize("kind", filter_crossover.KINDS)
def test_filters_pass_the_share_that_is_asked(kind):
    vectors = np.random.default_rng(1).standard_normal((2000, 8)).astype(np.float16)
    query = vectors[5].astype(np.float32)
    rows = filter_crossover.passing(kind, 0.1, vectors, query, seed=2)
    assert np.all(np.diff(rows) > 0)
    assert len(rows) == 200 if kind != "random" else 150 < len(rows) < 250
    if kind == "far":
        assert np.all(np.sign(vectors[rows, 0]) == -np.sign(query[0]))
    if kind == "opposite":
        assert (vectors[rows].astype(np.float32) @ query).max() < 0.0
