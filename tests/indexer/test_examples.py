"""Several examples as one query: against the formulas, and against another minimiser."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from indexer.errors import QueryError, SearchError
from indexer.examples import (
    AGAINST_WEIGHT,
    Examples,
    examples_query,
    mean_vector,
    probe_vector,
)
from indexer.options import SearchOptions
from indexer.printing import hits_text
from indexer.queries import Query
from indexer.search import Searcher, open_searcher
from indexer.spaces import SHARED
from tests.indexer.small_sky import key_of, spectrum_of
from tests.indexer.test_search import all_vectors, ranking, upload_of


@pytest.fixture(scope="module")
def searcher(small_index: Path) -> Searcher:
    return open_searcher(small_index)


def _queries(searcher: Searcher, release: str, *sources: int) -> list[Query]:
    return [searcher.query_object(key_of(release, source)) for source in sources]


def _unit(rng: np.random.Generator, count: int, dim: int) -> np.ndarray:
    vectors = rng.normal(size=(count, dim))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_the_mean_is_the_formula(searcher: Searcher) -> None:
    vectors = all_vectors(searcher, "image", "image")
    keys = [key_of("demo-legacysurvey", source) for source in (3, 9, 40, 77)]
    queries = [searcher.query_object(key) for key in keys]
    query = examples_query(queries[:2], queries[2:], against_weight=0.3)
    assert (query.kind, query.modality, query.modalities) == ("examples", "image", ("image",))
    wanted = np.mean([vectors[key] for key in keys[:2]], axis=0) - 0.3 * np.mean(
        [vectors[key] for key in keys[2:]], axis=0
    )
    expected = [each for each in ranking(vectors, wanted) if each[0] not in keys]
    hits = searcher.search(query, SearchOptions(k=30))
    assert hits.key.tolist() == [key for key, _ in expected[:30]]
    np.testing.assert_allclose(hits.score, [score for _, score in expected[:30]], atol=1e-3)
    assert not set(hits.key) & set(keys)
    assert hits.receipt["left_out"] == sorted(keys)


def test_one_example_for_is_the_plain_query(searcher: Searcher) -> None:
    one = _queries(searcher, "demo-sdss", 12)
    plain = searcher.search(one[0], SearchOptions(k=9))
    again = searcher.search(examples_query(one), SearchOptions(k=9))
    assert again.key.tolist() == plain.key.tolist()
    np.testing.assert_allclose(again.score, plain.score, atol=1e-6)


def test_receipts_name_all_of_them(searcher: Searcher) -> None:
    positives = _queries(searcher, "demo-sdss", 12)
    file = searcher.query_upload(upload_of(spectrum_of(30, "sdss", seed=9), sha256="ab" * 32))
    negatives = _queries(searcher, "demo-desi", 120)
    hits = searcher.search(examples_query([*positives, file], negatives))
    document = json.loads(json.dumps(hits.document(), allow_nan=False))
    named = document["receipt"]["examples"]
    assert named["method"] == "mean"
    assert named["against_weight"] == AGAINST_WEIGHT
    assert named["for"] == [
        {"key": key_of("demo-sdss", 12)},
        {
            "file": "upload.fits",
            "file_sha256": "ab" * 32,
            "read_as": {"units": "as simulated"},
        },
    ]
    assert named["against"] == [{"key": key_of("demo-desi", 120)}]
    assert len(document["query"]["examples"]["for"]) == 2
    assert document["verdict"]["text"] == (
        "unknown: the index's own distances are of single objects"
    )
    text = hits_text(hits)
    assert f"Query: {key_of('demo-sdss', 12)} + upload.fits - {key_of('demo-desi', 120)}" in text
    assert "[mean of 3 examples]" in text


def test_sources_of_all_can_be_left_out(searcher: Searcher) -> None:
    positives = _queries(searcher, "demo-legacysurvey", 3, 9)
    negatives = _queries(searcher, "demo-legacysurvey", 40)
    query = examples_query(positives, negatives)
    hits = searcher.search(query, SearchOptions(k=220, exclude_source=True))
    assert not {key_of("demo-hsc", source) for source in (3, 9, 40)} & set(hits.key)
    assert len(hits) == 220 - 6
    assert set(hits.receipt["left_out"]) >= {key_of("demo-sdss", 40), key_of("demo-hsc", 9)}


def test_across_modalities(searcher: Searcher) -> None:
    query = examples_query(
        _queries(searcher, "demo-legacysurvey", 3, 9), _queries(searcher, "demo-hsc", 40)
    )
    aligned = searcher.search(query, SearchOptions(k=20, to="spectrum", bridge="aligned"))
    images = all_vectors(searcher, SHARED, "image")
    wanted = mean_vector(
        np.stack([images[key_of("demo-legacysurvey", source)] for source in (3, 9)]),
        images[key_of("demo-hsc", 40)][None],
    )
    expected = ranking(all_vectors(searcher, SHARED, "spectrum"), wanted)
    assert aligned.key.tolist() == [key for key, _ in expected[:20]]
    linked = searcher.search(query, SearchOptions(k=20, to="spectrum", bridge="linked"))
    assert not set(linked.via) & {key_of("demo-legacysurvey", 3), key_of("demo-hsc", 40), ""}
    # The counterpart of an example against must not come first as if it were the query's own.
    assert linked.score[0] < 1.0


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(2, 40), st.integers(0, 1000))
def test_the_probe_is_the_minimum(positives: int, negatives: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = _unit(rng, positives + negatives, dim)
    y = np.repeat([1.0, 0.0], [positives, negatives])
    share = np.repeat([1 / positives, 1 / negatives], [positives, negatives])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = x.astype(float) @ weights[:-1] + weights[-1]
        value = share @ (np.logaddexp(0, logits) - y * logits) + 0.05 * weights[:-1] @ weights[:-1]
        slope = share * (1 / (1 + np.exp(-logits)) - y)
        return float(value), np.append(x.T @ slope + 0.1 * weights[:-1], slope.sum())

    found = minimize(loss, np.zeros(dim + 1), jac=True, tol=1e-12, options={"maxiter": 5000}).x[:-1]
    probe = probe_vector(x[:positives], x[positives:], 0.1)
    assert np.linalg.norm(probe) == pytest.approx(1.0, abs=1e-6)
    cosine = float(probe @ found / np.linalg.norm(found))
    assert cosine == pytest.approx(1.0, abs=1e-5)


def test_a_strong_penalty_gives_the_difference_of_the_means() -> None:
    rng = np.random.default_rng(1)
    positives, negatives = _unit(rng, 5, 30), _unit(rng, 8, 30)
    difference = mean_vector(positives, negatives, 1.0)
    assert float(probe_vector(positives, negatives, 1e4) @ difference) == pytest.approx(1, abs=1e-5)
    assert float(probe_vector(positives, negatives, 1e-3) @ difference) < 0.995


def test_a_weak_penalty_still_converges() -> None:
    rng = np.random.default_rng(2)
    positives, negatives = _unit(rng, 3, 50), _unit(rng, 3, 50)
    probe = probe_vector(positives, negatives, 1e-8)
    assert (positives @ probe).min() > (negatives @ probe).max()


def test_a_probe_finds_what_the_mean_does_not() -> None:
    """Sought is one direction among many that vary more; a linear probe learns which it is."""
    rng = np.random.default_rng(4)
    raw = rng.normal(size=(4000, 24)) * np.append(np.full(23, 2.0), 1.0)
    sought = raw[:, -1] > 1.0
    vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    marked = rng.permutation(4000)[:200]
    yes, no = vectors[marked[sought[marked]]], vectors[marked[~sought[marked]]]
    rest = np.setdiff1d(np.arange(4000), marked)

    def purity(vector: np.ndarray) -> float:
        return float(sought[rest][np.argsort(-(vectors[rest] @ vector))[:100]].mean())

    assert sought.mean() < 0.25
    assert purity(probe_vector(yes, no)) > purity(mean_vector(yes, no)) + 0.2
    assert purity(mean_vector(yes, no)) > purity(mean_vector(yes[:1], no[:0])) + 0.1


def test_averaging_examples_helps(searcher: Searcher) -> None:
    """Noisy views of one thing: the mean of n is nearer to it than one, as 1/sqrt(n) says."""
    rng = np.random.default_rng(5)
    truth = _unit(rng, 1, 200)[0]
    views = truth + rng.normal(0.0, 2.0 / np.sqrt(200), (4000, 200))
    views = (views / np.linalg.norm(views, axis=1, keepdims=True)).astype(np.float32)
    for count in (1, 4, 15):
        angles = [
            np.tan(np.arccos(mean_vector(each, each[:0]) @ truth))
            for each in np.array_split(views, 4000 // count)[:200]
        ]
        assert np.mean(angles) == pytest.approx(2.0 / np.sqrt(count), rel=0.05)


def test_searching_with_a_probe(searcher: Searcher) -> None:
    positives = _queries(searcher, "demo-sdss", 3, 9, 30)
    negatives = _queries(searcher, "demo-sdss", 41, 77)
    hits = searcher.search(examples_query(positives, negatives, method="probe"))
    vectors = all_vectors(searcher, "spectrum", "spectrum")
    keys = [each.key or "" for each in (*positives, *negatives)]
    # The stored vectors are made unit again before they are used.
    stored = np.stack([vectors[key] for key in keys])
    stored /= np.linalg.norm(stored, axis=1, keepdims=True)
    expected = ranking(vectors, probe_vector(stored[:3], stored[3:]))
    assert hits.key.tolist() == [key for key, _ in expected if key not in keys][:10]
    assert hits.receipt["examples"]["method"] == "probe"
    assert hits.receipt["examples"]["against_weight"] is None


def test_examples_that_cannot_be(searcher: Searcher) -> None:
    one, two = _queries(searcher, "demo-sdss", 3, 9)
    image = _queries(searcher, "demo-hsc", 3)
    cases: list[tuple[Any, str]] = [
        (lambda: examples_query([], [one]), "at least one to look for, got only some against"),
        (lambda: examples_query([one], method="probe"), "a probe needs examples against"),
        (lambda: examples_query([one], method="sum"), "joined by mean or by probe, got 'sum'"),  # type: ignore[arg-type]
        (lambda: examples_query([one], [two], against_weight=-1), "must not be negative, got -1"),
        (lambda: examples_query([one, two], [one]), f"{one.key} cannot be an example for and"),
        (lambda: examples_query([examples_query([one])]), "not several examples again"),
        (
            lambda: examples_query([one, *image]),
            "must have a modality in common, got .*: spectrum;",
        ),
    ]
    for make, reason in cases:
        with pytest.raises(QueryError, match=reason):
            make()
    twins = _queries(searcher, "demo-legacysurvey", 158, 159)
    with pytest.raises(SearchError, match="cancel each other"):
        searcher.search(examples_query(twins[:1], twins[1:], against_weight=1.0))
    with pytest.raises(ValueError, match="a query is one of an object of the index, a vector, and"):
        Query("examples", "x", "image", key="a:b", release="a", row=0, examples=Examples((one,)))
