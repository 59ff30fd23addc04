"""Many objects asked at once: every column as one search at a time gives it."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.answer_columns import hit_columns
from indexer.batched import NOTHING_FOUND, Answers, BatchSearcher, block_size
from indexer.errors import IndexerError
from indexer.filters import parse_filters
from indexer.hits import HIT_COLUMNS, Hits
from indexer.index_file import Index, open_index
from indexer.options import LARGEST_K, SearchOptions
from indexer.queries import Query
from indexer.search import Searcher

OPTIONS = {
    "same": SearchOptions(k=7),
    "without the source": SearchOptions(k=5, exclude_source=True),
    "linked to spectra": SearchOptions(k=6, to="spectrum", bridge="linked"),
    "linked to images": SearchOptions(k=30, to="image", bridge="linked"),
    "linked, without the source": SearchOptions(
        k=6, to="spectrum", bridge="linked", exclude_source=True
    ),
    "aligned": SearchOptions(k=9, to="image", bridge="aligned"),
    "aligned or linked": SearchOptions(k=9, to="spectrum"),
    "some releases": SearchOptions(k=4, releases=("demo-hsc", "demo-desi")),
    "more than there are": SearchOptions(k=400),
    "linked, more than there are": SearchOptions(k=400, to="xp"),
    "one hit a source": SearchOptions(k=5, fold_duplicates=True),
    "filtered": SearchOptions(k=5, filters=parse_filters("magnitude<18")),
}


@pytest.fixture(scope="module")
def index(small_index: Path) -> Index:
    return open_index(small_index)


def one_by_one(searcher: Searcher, release: str, rows: list[int], options: SearchOptions) -> list:
    """Return the hits of each object, or the reason for which there are none."""
    found: list = []
    for row in rows:
        key = f"{release}:{searcher.index.segment(release).object_id(row)}"
        try:
            hits = searcher.search(searcher.query_object(key), options)
        except IndexerError as error:
            found.append(str(error))
            continue
        found.append(hits if len(hits) else NOTHING_FOUND)
    return found


def assert_same(index: Index, release: str, rows: list[int], options: SearchOptions) -> None:
    answers = BatchSearcher(index, options).search(release, np.array(rows, dtype=np.int64))
    columns = hit_columns(index, answers)
    assert sorted(columns) == sorted(column.name for column in HIT_COLUMNS)
    for place, wanted in enumerate(one_by_one(Searcher(index), release, rows, options)):
        mine = answers.hits["query"] == place
        assert isinstance(wanted, str) == (place in answers.refused) == (not mine.any())
        if isinstance(wanted, str):
            assert answers.refused[place] == wanted
            continue
        for name, values in columns.items():
            mine_of_it = values.to_numpy(zero_copy_only=False)[mine]
            np.testing.assert_array_equal(mine_of_it, getattr(wanted, name), err_msg=name)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_block_is_answered_as_its_objects_one_by_one(
    index: Index, options: SearchOptions
) -> None:
    for release in index.releases:
        # Twins (158, 159), a source that was reduced twice (0), and objects without any partner.
        count = len(index.segment(release))
        rows = sorted({0, 5, count - 2, count - 1} & set(range(count)))
        assert_same(index, release, rows, options)


@settings(max_examples=8, deadline=None)
@given(cuts=st.sets(st.integers(1, 23), max_size=6), name=st.sampled_from(sorted(OPTIONS)))
def test_the_size_of_a_block_changes_nothing(index: Index, cuts: set[int], name: str) -> None:
    searcher, rows = BatchSearcher(index, OPTIONS[name]), np.arange(36, 60)
    whole = searcher.search("demo-hsc", rows)
    parts, first = [], 0
    for some in np.split(rows, sorted(cuts)):
        part = searcher.search("demo-hsc", some)
        part.hits["query"] += first
        assert part.refused == {
            place - first: reason
            for place, reason in whole.refused.items()
            if first <= place < first + len(some)
        }
        first += len(some)
        parts.append(part)
    for of in ("hits", "rank", "percentile", "bridge", "modality", "folded", "folded_keys"):
        joined = np.concatenate([getattr(part, of) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, of))


@dataclass(frozen=True)
class LaterOptions(SearchOptions):
    """Options among which is one that blocks do not know."""

    later: bool = False


@pytest.mark.parametrize("name", ["same", "linked to spectra", "aligned"])
def test_an_option_that_blocks_do_not_know_is_answered_all_the_same(
    index: Index, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[SearchOptions] = []
    search = Searcher.search

    def noted(searcher: Searcher, query: Query, options: SearchOptions) -> Hits:
        asked.append(options)
        return search(searcher, query, options)

    monkeypatch.setattr(Searcher, "search", noted)
    rows = np.array([40, 3, 59])
    answers = []
    for later in (False, True):
        options = LaterOptions(**vars(OPTIONS[name]), later=later)
        answers.append(BatchSearcher(index, options).search("demo-hsc", rows))
        assert len(asked) == 3 * later
    for field in fields(Answers):
        one, other = (getattr(each, field.name) for each in answers)
        np.testing.assert_array_equal(one, other, err_msg=field.name)


def test_blocks_stay_small() -> None:
    assert block_size(1) == block_size(50) == 256
    assert block_size(LARGEST_K) * LARGEST_K <= 1 << 20
