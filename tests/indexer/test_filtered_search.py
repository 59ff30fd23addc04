"""Filters inside every way of searching, and hits at one place as one."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import ann, neighbours
from indexer.cli import main
from indexer.errors import QueryError
from indexer.examples import examples_query
from indexer.filters import parse_filters
from indexer.hits import Hits
from indexer.neighbours import lists_to_visit, nearest
from indexer.options import SearchOptions
from indexer.queries import Query
from indexer.row_sets import RowSet
from indexer.search import Searcher, open_searcher
from indexer.spaces import to_unit
from tests.indexer.small_sky import image_of, key_of, position_of
from tests.indexer.test_search import upload_of

EVERYTHING = 1000


@pytest.fixture(scope="module")
def searcher(small_index: Path) -> Searcher:
    return open_searcher(small_index)


def _query(searcher: Searcher, kind: str) -> Query:
    if kind == "upload":
        return searcher.query_upload(upload_of(image_of(12, "legacysurvey")))
    if kind == "examples":
        keys = [key_of("demo-legacysurvey", source) for source in (3, 9, 40)]
        asked = [searcher.query_object(key) for key in keys]
        return examples_query(asked[:2], asked[2:])
    if kind == "position":
        return searcher.query_position("{} {}".format(*position_of(20)))
    return searcher.query_object(key_of("demo-legacysurvey", 120))


def _passes(searcher: Searcher, key: str, text: str) -> bool:
    """Say by plain words whether an object passes."""
    known = searcher.object(key)
    ra_deg, dec_deg = known["ra_deg"], known["dec_deg"]
    return {
        "magnitude<17.5": known["magnitude"] < np.float32(17.5),
        "redshift>=0.2; object_class=GALAXY": (
            known["redshift"] >= np.float32(0.2) and known["object_class"] == "GALAXY"
        ),
        "has(xp)": "xp" in known["modalities"]
        or any(
            "xp" in searcher.object(other)["modalities"] for other in searcher.counterparts(key)
        ),
        "box(150..150.055,-90..0.02)": 150.0 <= ra_deg <= 150.055 and dec_deg <= 0.02,
        "release=demo-hsc,demo-desi": known["release"] in ("demo-hsc", "demo-desi"),
    }[text]


FILTERS = [
    "magnitude<17.5",
    "redshift>=0.2; object_class=GALAXY",
    "has(xp)",
    "box(150..150.055,-90..0.02)",
    "release=demo-hsc,demo-desi",
]


@pytest.mark.parametrize("text", FILTERS)
@pytest.mark.parametrize(
    ("to", "bridge"),
    [(None, "auto"), ("spectrum", "linked"), ("spectrum", "aligned"), ("xp", "linked")],
)
@pytest.mark.parametrize("kind", ["object", "upload", "examples", "position"])
def test_every_way_is_all_hits_of_which_some_pass(
    searcher: Searcher, kind: str, to: str | None, bridge: str, text: str
) -> None:
    query = _query(searcher, kind)

    def search(k: int, filters: str) -> Hits:
        options = SearchOptions(k=k, to=to, bridge=bridge, filters=parse_filters(filters))
        return searcher.search(query, options)

    everything = search(EVERYTHING, "")
    passing = [key for key in everything.key.tolist() if _passes(searcher, key, text)]
    if not passing:
        with pytest.raises(QueryError, match=r"the filters '.*"):
            search(5, text)
        return
    for k in (1, 5, EVERYTHING):
        hits = search(k, text)
        assert hits.key.tolist() == passing[:k]
    expected = dict(zip(everything.key, everything.score, strict=True))
    np.testing.assert_array_equal(hits.score, [expected[key] for key in hits.key])
    assert hits.receipt["options"]["filters"] == parse_filters(text).text
    assert all("passing" in each for each in hits.receipt["searched"].values())


def test_the_source_is_left_out_of_what_passes(searcher: Searcher) -> None:
    query = searcher.query_object(key_of("demo-sdss", 120))
    options = SearchOptions(
        k=EVERYTHING, exclude_source=True, filters=parse_filters("redshift<1.3")
    )
    hits = searcher.search(query, options)
    assert key_of("demo-desi", 120) not in hits.key
    assert np.all(hits.redshift < 1.3)
    # demo-sdss 0 to 129, demo-desi 100 to 129, the second reduction of 0; less the source.
    assert len(hits) == 130 + 30 + 1 - 2


def test_nothing_passing_says_how_many_do(searcher: Searcher) -> None:
    query = searcher.query_object(key_of("demo-legacysurvey", 3))
    with pytest.raises(
        QueryError,
        match="no image that can be found passes the filters 'magnitude<1'; objects that pass: "
        "demo-legacysurvey 0 of 160, demo-hsc 0 of 60",
    ):
        searcher.search(query, SearchOptions(filters=parse_filters("magnitude<1")))
    with pytest.raises(
        QueryError, match="objects that pass: demo-legacysurvey 1 of 160, demo-hsc 0"
    ):
        searcher.search(query, SearchOptions(filters=parse_filters("object_id=1500p000-3")))
    with pytest.raises(
        QueryError,
        match="the filters 'release=demo-gaia' leave none of the releases that could be searched: "
        "demo-legacysurvey, demo-hsc",
    ):
        searcher.search(query, SearchOptions(filters=parse_filters("release=demo-gaia")))
    with pytest.raises(QueryError, match="this index has no column 'z'; filters know object_id"):
        searcher.search(query, SearchOptions(filters=parse_filters("z>1")))


def _folded_by_hand(searcher: Searcher, hits: Hits, k: int) -> list[tuple[str, list[str]]]:
    kept: list[tuple[str, list[str]]] = []
    for key, ra_deg, dec_deg in zip(hits.key.tolist(), hits.ra_deg, hits.dec_deg, strict=True):
        for other, keys in kept:
            known = searcher.object(other)
            apart = np.hypot(
                (known["ra_deg"] - ra_deg) * np.cos(np.radians(dec_deg)), known["dec_deg"] - dec_deg
            )
            if apart * 3600.0 <= 2.0:
                keys.append(key)
                break
        else:
            if len(kept) == k:
                break
            kept.append((key, []))
    return kept


@pytest.mark.parametrize(
    ("key", "options"),
    [
        (key_of("demo-legacysurvey", 3), {}),
        (key_of("demo-legacysurvey", 30), {"filters": parse_filters("magnitude<17")}),
        (key_of("demo-sdss", 7), {"exclude_source": True}),
        (key_of("demo-legacysurvey", 120), {"to": "spectrum", "bridge": "linked"}),
        (key_of("demo-legacysurvey", 120), {"to": "spectrum", "bridge": "aligned"}),
    ],
)
@pytest.mark.parametrize("k", [1, 4, 50, 500])
def test_hits_at_one_place_are_one(
    searcher: Searcher, key: str, options: dict[str, object], k: int
) -> None:
    query = searcher.query_object(key)
    everything = searcher.search(query, SearchOptions(k=EVERYTHING, **options))
    hits = searcher.search(query, SearchOptions(k=k, fold_duplicates=True, **options))
    truth = _folded_by_hand(searcher, everything, k)
    assert hits.key.tolist() == [each for each, _ in truth]
    assert hits.folded_keys.tolist() == [";".join(others) for _, others in truth]
    assert hits.folded.tolist() == [len(others) for _, others in truth]
    assert hits.receipt["options"]["fold_duplicates"] is True
    assert not everything.folded.any()
    if k == 500:
        assert hits.folded.any()


def test_objects_without_a_position_stay_for_themselves(searcher: Searcher) -> None:
    query = searcher.query_object(key_of("demo-sdss", 7))
    hits = searcher.search(query, SearchOptions(k=500, fold_duplicates=True))
    assert hits.folded[hits.key.tolist().index(key_of("demo-sdss", 149))] == 0


# Inverted lists.

DIM, COUNT = 16, 6000


@dataclass
class FakeSegment:
    """A release whose objects are their rows; of every second row there is a vector."""

    vectors_: np.ndarray
    index: ann.AnnIndex
    name: str = "fake"

    def __post_init__(self) -> None:
        self.info = SimpleNamespace(spaces={"image": ("image",)})
        self._rows = 2 * np.arange(len(self.vectors_))

    def __len__(self) -> int:
        return 2 * len(self.vectors_)

    def can_search(self, space: str, modality: str) -> bool:
        return modality in self.info.spaces.get(space, ())

    def ann(self, *_: str) -> ann.AnnIndex:
        return self.index

    def stored(self, *_: str) -> tuple[np.ndarray, np.ndarray]:
        return self._rows, self.vectors_

    def object_id(self, row: int) -> str:
        return f"{row:06d}"


def _clustered(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(77).standard_normal((40, DIM))
    return to_unit(centres[rng.integers(0, 40, count)] + 0.5 * rng.standard_normal((count, DIM)))


def _segment(recipe: ann.Recipe) -> FakeSegment:
    vectors = _clustered(COUNT, 1).astype(np.float16)
    trained = ann.train(recipe, vectors.astype(np.float32))
    filled = ann.fill(trained, vectors.astype(np.float32), 2 * np.arange(COUNT))
    return FakeSegment(vectors, ann.AnnIndex(filled))


@pytest.fixture(scope="module", params=[ann.Recipe("flat"), ann.Recipe("ivf_sq8", 256)], ids=str)
def segment(request: pytest.FixtureRequest) -> FakeSegment:
    return _segment(request.param)


def _found(segment: FakeSegment, query: np.ndarray, k: int, rows: np.ndarray) -> list[int]:
    index = SimpleNamespace(each=lambda _, ask: [ask(segment)])
    near = nearest(
        index,
        query,
        k,
        space="image",
        modality="image",
        releases=["fake"],
        allowed={"fake": RowSet.of(rows, len(segment))},
    )
    return [each.row for each in near]


def _truth(segment: FakeSegment, query: np.ndarray, k: int, rows: np.ndarray) -> list[int]:
    places = rows[rows % 2 == 0] // 2
    scores = segment.vectors_[places].astype(np.float64) @ query.astype(np.float64)
    return (2 * places[np.lexsort((places, -np.round(scores, 9)))][:k]).tolist()


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.0005, 0.01, 0.3, 0.9]),
    st.integers(1, 40),
    st.integers(0, 99),
)
def test_any_rows_may_be_allowed(
    segment: FakeSegment, seed: int, share: float, k: int, number: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(len(segment)) < share)
    query = _clustered(100, 2)[number]
    assert _found(segment, query, k, rows) == _truth(segment, query, k, rows)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("kind", ["random", "towards", "far", "opposite"])
@pytest.mark.parametrize("in_doubt", [0, neighbours.NEAR_FIRST_UP_TO])
def test_lists_keep_their_recall(
    segment: FakeSegment, monkeypatch: pytest.MonkeyPatch, in_doubt: int, kind: str, share: float
) -> None:
    """Also where what passes is like the query, far from it, or the most unlike it."""
    monkeypatch.setattr(neighbours, "EXACT_SURVIVORS", 0)
    monkeypatch.setattr(neighbours, "NEAR_FIRST_UP_TO", in_doubt)
    shares = []
    for query in _clustered(30, 2):
        towards = segment.vectors_.astype(np.float32) @ query
        if kind == "random":
            towards = np.random.default_rng(5).random(COUNT)
        elif kind == "far":
            towards = -np.sign(query[0]) * segment.vectors_[:, 0].astype(np.float32)
        elif kind == "opposite":
            towards = -towards
        rows = 2 * np.sort(np.argsort(-towards)[: round(share * COUNT)])
        truth = _truth(segment, query, 10, rows)
        found = _found(segment, query, 10, rows)
        assert set(found) <= set(rows.tolist())
        assert len(found) == len(truth)
        shares.append(np.isin(truth, found).mean())
    assert np.mean(shares) >= 0.95


def test_fewer_survivors_more_lists() -> None:
    index = SimpleNamespace(
        count=1_000_000,
        recipe=SimpleNamespace(name="ivf_pq4", lists=16384),
        default_nprobe=128,
    )
    assert lists_to_visit(index, 1_000_000) == 128
    assert lists_to_visit(index, 250_000) == 2 * 256
    assert lists_to_visit(index, 40_000) == 2 * 640
    assert lists_to_visit(index, neighbours.EXACT_SURVIVORS) == 0


# The command line.


def run(*words: object) -> object:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_where_is_an_option(small_index: Path, tmp_path: Path) -> None:
    key = key_of("demo-legacysurvey", 30)
    result = run(
        "search", small_index, "--object", key, "--where", "magnitude<17", "--where",
        f"cone({position_of(25)[0]},{position_of(25)[1]},2arcmin)", "--fold-duplicates",
        "--format", "json", "-k", 100,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["receipt"]["options"]["filters"] == (
        f"cone({position_of(25)[0]},{position_of(25)[1]},120arcsec); magnitude<17"
    )
    assert all(hit["magnitude"] < 17.0 for hit in answer["hits"])
    assert any(hit["folded"] for hit in answer["hits"])
    shown = run("search", small_index, "--object", key, "--where", "magnitude<17")
    assert "\nfilters: magnitude<17\n" in shown.output
    assert "folded" not in shown.output
    shown = run("search", small_index, "--object", key, "--fold-duplicates", "-k", 500)
    assert "filters" not in shown.output
    assert re.search(r"  folded\n *1  .*  [01]\n", shown.output)
    bad = run("search", small_index, "--object", key, "--where", "magnitude<faint")
    assert bad.exit_code == 2
    assert "magnitude needs a number, got 'faint'" in bad.output


def test_lists_of_objects_take_filters(small_index: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(key_of("demo-legacysurvey", source) for source in (3, 4)))
    out = tmp_path / "out.csv"
    result = run(
        "export", small_index, out, "--objects", listed, "--where", "magnitude<16", "-k", 7
    )
    assert result.exit_code == 0, result.output
    assert "2 answered + 0 refused; 14 neighbours" in result.output
