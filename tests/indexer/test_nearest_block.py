"""Nearest objects of a block against one vector at a time, over files of every recipe."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import ann
from indexer.nearest_block import HIT, best_first, hits_of, nearest_of_block
from indexer.neighbours import nearest
from indexer.spaces import to_unit

COUNT, DIM = 1600, 64
RECIPES = {
    "flat": ann.Recipe("flat"),
    "ivf_sq8": ann.Recipe("ivf_sq8", 24),
    "ivf_pq4": ann.Recipe("ivf_pq4", 24),
}


def segment(name: str, recipe: ann.Recipe, seed: int) -> SimpleNamespace:
    """Return a segment in which forty objects are the same, and their ids in no order."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((30, DIM))
    raw = centres[rng.integers(0, 30, COUNT)] + 0.7 * rng.standard_normal((COUNT, DIM))
    raw[100:140] = raw[100]
    vectors = to_unit(raw).astype(np.float16)
    rows = np.arange(COUNT) * 2 + 5
    ids = rng.permutation(rows[-1] + 1)
    filled = ann.fill(ann.train(recipe, vectors.astype(np.float32)), vectors.astype("f4"), rows)
    index = ann.AnnIndex(ann.for_serving(filled))
    return SimpleNamespace(
        name=name,
        info=SimpleNamespace(spaces={"image": ("image",)}),
        can_search=lambda *_: True,
        ann=lambda *_: index,
        vectors=lambda *_: (rows, vectors),
        stored=lambda *_: (rows, vectors),
        object_id=lambda row: f"{ids[row]:06d}",
    )


@pytest.fixture(scope="module", params=RECIPES.values(), ids=RECIPES)
def index(request: pytest.FixtureRequest) -> SimpleNamespace:
    segments = {name: segment(name, request.param, seed) for seed, name in enumerate(("b", "a"))}
    return SimpleNamespace(
        releases=tuple(segments),
        segment=segments.__getitem__,
        each=lambda releases, ask: [ask(segments[name]) for name in releases],
    )


def queries_of(index: SimpleNamespace) -> np.ndarray:
    """Return vectors of the index, the forty-fold one among them, and others."""
    stored = to_unit(index.segment("b").vectors("image", "image")[1][90:110].astype("f8"))
    others = to_unit(np.random.default_rng(7).standard_normal((10, DIM)))
    return np.concatenate([stored, others]).astype(np.float32)


def in_block(index: SimpleNamespace, queries: np.ndarray, wanted: int, skip: np.ndarray) -> list:
    found = nearest_of_block(
        index, queries, wanted, space="image", modality="image", releases=["b", "a"], skip=skip
    )
    names = np.array(index.releases)
    return [
        [
            (names[hit["release"]], int(hit["row"]), float(hit["score"]))
            for hit in found[found["query"] == number]
        ]
        for number in range(len(queries))
    ]


@pytest.mark.parametrize("wanted", [1, 12, 2 * COUNT])
def test_a_block_finds_what_each_of_its_vectors_finds(index: SimpleNamespace, wanted: int) -> None:
    queries = queries_of(index)
    own = np.arange(20)
    skip = np.concatenate(
        [
            hits_of(own, 0, index.segment("b").vectors("image", "image")[0][90 + own], 1.0),
            hits_of(np.array([3, 3, 25]), 1, np.array([7, 9, 11]), 1.0),
        ]
    )
    found = in_block(index, queries, wanted, skip)
    for number, query in enumerate(queries):
        left_out = skip[skip["query"] == number]
        alone = nearest(
            index,
            query,
            wanted,
            space="image",
            modality="image",
            releases=["b", "a"],
            skip={(index.releases[each["release"]], int(each["row"])) for each in left_out},
        )
        assert found[number] == [(each.release, each.row, each.score) for each in alone]


@settings(max_examples=12, deadline=None)
@given(cuts=st.sets(st.integers(1, 29)), wanted=st.sampled_from([1, 5, 45]))
def test_the_size_of_a_block_changes_nothing(
    index: SimpleNamespace, cuts: set, wanted: int
) -> None:
    queries, nothing = queries_of(index), np.empty(0, HIT)
    parts = np.split(queries, sorted(cuts))
    apart = [each for part in parts for each in in_block(index, part, wanted, nothing)]
    assert apart == in_block(index, queries, wanted, nothing)


@given(st.lists(st.tuples(*map(st.integers, (0, 0, 0, 0), (2, 1, 9, 2))), max_size=30))
def test_order_is_by_score_then_key(places: list) -> None:
    known = SimpleNamespace(
        releases=("b", "a"),
        segment=lambda name: SimpleNamespace(name=name, object_id=lambda row: str((7 * row) % 10)),
    )
    query, release, row, score = np.array(places, dtype=np.int64).reshape(-1, 4).T
    ranked = best_first(known, hits_of(query, release, row, score), 4)
    wanted: list = []
    for number in range(3):
        mine = sorted((-s, f"{'ba'[of]}:{(7 * at) % 10}") for q, of, at, s in places if q == number)
        wanted += [(number, *each) for each in mine[:4]]
    assert [
        (each["query"], -each["score"], f"{'ba'[each['release']]}:{(7 * each['row']) % 10}")
        for each in ranked
    ] == wanted
