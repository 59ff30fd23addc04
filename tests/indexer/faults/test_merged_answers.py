"""Answers of parts, merged, are the answer of the whole: against a search that is plainly exact."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import ann
from indexer.neighbours import nearest
from indexer.vectors import PADDING, exact_scan

DIM = 4
EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""The same examples every time; time is no reason to fail."""

_NUMBERS = st.integers(-2, 2)
_VECTOR = st.tuples(*[_NUMBERS] * DIM).filter(any)
"""Few directions, so that many vectors are equal, and scores tie."""


def _unit(vectors: list[tuple[int, ...]]) -> np.ndarray:
    values = np.array(vectors, np.float32).reshape(-1, DIM)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float16)


class _Part:
    """A segment whose rows have vectors or not, with a FAISS file in memory."""

    def __init__(self, name: str, rows: list[int], vectors: np.ndarray) -> None:
        self.name = name
        self._rows = np.array(rows, np.int64)
        self._vectors = vectors
        trained = ann.train(ann.recipe_for(len(rows), DIM), np.zeros((1, DIM), np.float32))
        self._ann = ann.AnnIndex(ann.fill(trained, vectors.astype(np.float32), self._rows))

    def can_search(self, *asked: str) -> bool:
        return asked == ("image", "image")

    def vectors(self, *asked: str) -> tuple[np.ndarray, np.ndarray]:
        assert self.can_search(*asked)
        return self._rows, self._vectors

    stored = vectors

    def ann(self, *asked: str) -> Any:
        assert self.can_search(*asked)
        return self._ann

    def object_id(self, row: int) -> str:
        # Neither in the order of rows nor of numbers: keys are texts.
        return f"{(row * 7919) % 1000}x{row}"


class _Whole:
    def __init__(self, parts: list[_Part]) -> None:
        self.segments = {part.name: part for part in parts}

    def segment(self, name: str) -> _Part:
        return self.segments[name]

    def each(self, releases: list[str], ask: Callable[[_Part], list]) -> list:
        return [ask(self.segments[name]) for name in releases]


@st.composite
def _indexes(draw: st.DrawFn) -> _Whole:
    """Up to four segments, empty ones among them, whose rows have gaps."""
    parts = []
    for number in range(draw(st.integers(1, 4))):
        vectors = draw(st.lists(_VECTOR, max_size=25))
        gaps = draw(st.lists(st.integers(1, 3), min_size=len(vectors), max_size=len(vectors)))
        rows = (np.cumsum(gaps, dtype=np.int64) - 1).tolist()
        parts.append(_Part(f"release-{number}", rows, _unit(vectors)))
    return _Whole(parts)


def _score(query: np.ndarray, vector: np.ndarray) -> float:
    """Sum in float64, one product after the other, without NumPy's sums."""
    return min(1.0, math.fsum(float(a) * float(b) for a, b in zip(query, vector, strict=True)))


def _all(index: _Whole, query: np.ndarray) -> dict[tuple[str, int], float]:
    return {
        (name, int(row)): _score(query, vector)
        for name, part in index.segments.items()
        for row, vector in zip(*part.vectors("image", "image"), strict=True)
    }


@EXAMPLES
@given(
    index=_indexes(),
    query=_VECTOR,
    wanted=st.integers(1, 120),
    skipped=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=4),
)
def test_nearest_of_segments_are_the_nearest_of_all(
    index: _Whole, query: tuple[int, ...], wanted: int, skipped: list[tuple[int, int]]
):
    vector = _unit([query])[0].astype(np.float32)
    skip = frozenset((f"release-{number}", row) for number, row in skipped)
    found = nearest(
        index,  # type: ignore[arg-type]
        vector,
        wanted,
        space="image",
        modality="image",
        releases=list(index.segments),
        skip=skip,
    )
    scores = {place: score for place, score in _all(index, vector).items() if place not in skip}
    places = [(each.release, each.row) for each in found]
    assert len(places) == len(set(places)) == min(wanted, len(scores))
    # No padding, no NaN, and nothing that is not there.
    assert set(places) <= set(scores)
    assert all(math.isfinite(each.score) and each.score <= 1.0 for each in found)
    for each in found:
        assert abs(each.score - scores[each.release, each.row]) < 1e-6
    # What was left out is no better than what was found, but for rounding.
    left = [score for place, score in scores.items() if place not in places]
    if found and left:
        assert max(left) <= found[-1].score + 1e-6
    # Equal vectors score alike to the last digit, whichever segment they lie in; ties go by key.
    assert found == sorted(found, key=lambda each: (-each.score, each.key))
    by_vector: dict[bytes, set[float]] = {}
    for each in found:
        rows, vectors = index.segment(each.release).vectors("image", "image")
        stored = vectors[np.searchsorted(rows, each.row)].tobytes()
        by_vector.setdefault(stored, set()).add(each.score)
    assert all(len(same) == 1 for same in by_vector.values())
    # Of vectors that tie with the last, those with the smallest keys were taken.
    if found and left:
        last = found[-1]
        rows, vectors = index.segment(last.release).vectors("image", "image")
        stored = vectors[np.searchsorted(rows, last.row)].tobytes()
        for (name, row), _ in scores.items():
            part = index.segment(name)
            rows, vectors = part.vectors("image", "image")
            same = vectors[np.searchsorted(rows, row)].tobytes() == stored
            if same and (name, row) not in places:
                assert f"{name}:{part.object_id(row)}" > last.key


@EXAMPLES
@given(
    vectors=st.lists(_VECTOR, max_size=60),
    queries=st.lists(_VECTOR, max_size=4),
    cuts=st.lists(st.integers(0, 60), max_size=3),
    k=st.integers(1, 90),
)
def test_shards_filled_apart_answer_as_one(
    vectors: list[tuple[int, ...]],
    queries: list[tuple[int, ...]],
    cuts: list[int],
    k: int,
):
    stored = _unit(vectors).astype(np.float32)
    asked = _unit(queries).astype(np.float32)
    rows = np.arange(len(stored), dtype=np.int64) * 3 + 1
    trained = ann.train(ann.recipe_for(len(stored), DIM), np.zeros((1, DIM), np.float32))
    ends = [0, *sorted(min(cut, len(stored)) for cut in cuts), len(stored)]
    shards = [
        ann.fill(trained, stored[start:stop], rows[start:stop]) for start, stop in pairwise(ends)
    ]
    scores, found, counts = ann.AnnIndex(ann.merge(shards)).search(asked, k)
    whole = ann.AnnIndex(ann.fill(trained, stored, rows)).search(asked, k)
    np.testing.assert_array_equal(found, whole[1])
    np.testing.assert_array_equal(scores, whole[0])
    assert counts.tolist() == [min(k, len(stored))] * len(asked)
    for number, count in enumerate(counts.tolist()):
        assert set(found[number, :count].tolist()) <= set(rows.tolist())
        assert len(set(found[number, :count].tolist())) == count
        assert np.isfinite(scores[number, :count]).all()
        # Beyond the count there is nothing that could be taken for an answer.
        assert (found[number, count:] == PADDING).all()
        assert np.isnan(scores[number, count:]).all()


@EXAMPLES
@given(
    vectors=st.lists(_VECTOR, max_size=60),
    query=_VECTOR,
    k=st.integers(1, 90),
    chosen=st.sets(st.integers(0, 59)),
)
def test_an_exact_scan_is_a_sort_of_all(
    vectors: list[tuple[int, ...]], query: tuple[int, ...], k: int, chosen: set[int]
):
    stored = _unit(vectors)
    asked = _unit([query]).astype(np.float32)
    rows = np.arange(len(stored), dtype=np.int64) * 2
    positions = np.array(sorted(each for each in chosen if each < len(stored)), np.int64)
    scores, found, counts = exact_scan(stored, asked, k, rows=rows, positions=positions)
    assert counts.tolist() == [min(k, len(positions))]
    count = int(counts[0])
    exact = np.array([_score(asked[0], stored[place]) for place in positions.tolist()])
    order = np.lexsort((positions, -np.round(exact, 6)))[:count]
    np.testing.assert_allclose(scores[0, :count], np.minimum(exact[order], 1.0), atol=2e-3)
    assert set(found[0, :count].tolist()) <= set(rows[positions].tolist())
    ties = np.diff(scores[0, :count]) == 0
    assert (np.diff(found[0, :count])[ties] > 0).all()
    assert np.isnan(scores[0, count:]).all()
    assert (found[0, count:] == PADDING).all()
