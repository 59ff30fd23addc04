"""Groups of segments on two Ray nodes: the answers of one process."""

from pathlib import Path

import pytest

from indexer.errors import SearchError
from indexer.fanout import fanned_out
from indexer.options import SearchOptions
from indexer.search import Searcher, open_searcher

pytestmark = pytest.mark.timeout(600)

OPTIONS = (
    SearchOptions(k=12),
    SearchOptions(k=7, to="spectrum", bridge="linked"),
    SearchOptions(k=7, to="xp", bridge="aligned", exclude_source=True),
    SearchOptions(k=300, to="spectrum", bridge="aligned", releases=("fake-desi",)),
)


def test_groups_of_segments_give_the_answers_of_one_process(ray_cluster, fake_index: Path):
    alone = open_searcher(fake_index)
    with fanned_out(fake_index, 2) as index:
        apart = Searcher(index)
        for key in alone.random_keys(6, seed=4):
            for options in OPTIONS:
                expected = _answer(alone, key, options)
                assert _answer(apart, key, options) == expected
        assert all(not segment._ann for segment in index.segments.values())


def _answer(searcher: Searcher, key: str, options: SearchOptions) -> object:
    try:
        return searcher.search(searcher.query_text(key), options).document()
    except SearchError as error:
        return str(error)


def test_groups_that_cannot_be(fake_index: Path):
    for groups in (0, 5):
        with (
            pytest.raises(SearchError, match=f"between 1 and .* which is 4, got {groups}"),
            fanned_out(fake_index, groups),
        ):
            pass
