"""A FAISS file that is gone: named when opening, searched without only if that is asked for."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from indexer.cli import main
from indexer.errors import IndexFormatError, SearchError
from indexer.index_file import open_index, write_checked
from indexer.layout import segment_ann_file
from indexer.options import SearchOptions
from indexer.search import open_searcher

LACKS = "lacks {}; bring back what is missing or build the index again, or allow it to be missing"


@pytest.fixture
def index(after: Path, tmp_path: Path) -> Path:
    """An index without the FAISS file of the spectra of one of two releases."""
    copy = Path(shutil.copytree(after, tmp_path / "index"))
    (copy / _gone(copy)).unlink()
    return copy


def _gone(index: Path) -> str:
    values = json.loads((index / "index.json").read_text())
    unit = values["releases"]["fake-sdss"]["directory"]
    return segment_ann_file(unit, "spectrum", "spectrum")


def test_it_is_named_when_opening(index: Path):
    with pytest.raises(IndexFormatError, match=LACKS.format(_gone(index))):
        open_index(index)
    with pytest.raises(IndexFormatError, match=LACKS.format(_gone(index))):
        open_searcher(index)


def test_nothing_is_missing_of_a_whole_index(after: Path):
    searcher = open_searcher(after, allow_missing=True)
    assert searcher.index.missing == ()
    hits = searcher.search(searcher.query_object("fake-sdss:S0003"))
    assert "missing" not in hits.receipt


@pytest.mark.parametrize("asked", ["fake-sdss:S0003", "fake-desi:D0003"])
def test_the_rest_is_searched_if_that_is_asked_for(index: Path, after: Path, asked: str):
    searcher = open_searcher(index, allow_missing=True)
    assert searcher.index.missing == (_gone(index),)
    hits = searcher.search(searcher.query_object(asked), SearchOptions(k=50, exclude_source=True))
    assert hits.receipt["missing"] == [_gone(index)]
    assert hits.receipt["releases"] == ["fake-desi"]
    assert list(hits.receipt["searched"]) == ["fake-desi"]
    assert hits.document()["receipt"]["missing"] == [_gone(index)]
    # The same as asking the whole index for the other release.
    whole = open_searcher(after)
    options = SearchOptions(k=50, exclude_source=True, releases=("fake-desi",))
    expected = whole.search(whole.query_object(asked), options)
    np.testing.assert_array_equal(hits.key, expected.key)
    np.testing.assert_array_equal(hits.score, expected.score)


def test_links_lead_to_what_cannot_be_searched(index: Path):
    """Its objects are still there: only as neighbours they are not found."""
    searcher = open_searcher(index, allow_missing=True)
    options = SearchOptions(k=30, to="xp")
    hits = searcher.search(searcher.query_object("fake-sdss:S0003"), options)
    assert hits.receipt["bridge"] == "linked"
    assert hits.receipt["missing"] == [_gone(index)]
    assert list(hits.receipt["searched"]) == ["fake-desi"]
    assert len(hits)
    assert all(each.startswith("fake-desi:") for each in hits.via.tolist()[1:] if each)


def test_what_is_left_of_nothing_is_refused(index: Path):
    searcher = open_searcher(index, allow_missing=True)
    options = SearchOptions(releases=("fake-sdss",))
    with pytest.raises(SearchError, match=f"nothing is left to search: {_gone(index)} is missing"):
        searcher.search(searcher.query_object("fake-sdss:S0003"), options)
    with pytest.raises(SearchError, match="so spectrum of fake-sdss cannot be searched in space"):
        searcher.index.segment("fake-sdss").ann("spectrum")


def test_the_command_line(index: Path, tmp_path: Path):
    def run(*more: str):
        arguments = ["search", str(index), "--object", "fake-sdss:S0003", *more]
        return CliRunner().invoke(main, arguments)

    refused = run()
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
    assert _gone(index) in refused.stderr
    assert "--allow-missing" in refused.stderr
    warning = f"MISSING, so not searched: {_gone(index)}"
    table = run("--allow-missing")
    assert table.exit_code == 0
    assert table.stdout.splitlines()[2] == warning
    lines = run("--allow-missing", "--format", "csv")
    assert lines.stderr.splitlines() == [warning]
    document = run("--allow-missing", "--format", "json")
    assert json.loads(document.stdout)["receipt"]["missing"] == [_gone(index)]
    assert document.stderr.splitlines() == [warning]


def test_a_damaged_one_is_named_by_its_own_path(after: Path, tmp_path: Path):
    index = Path(shutil.copytree(after, tmp_path / "index"))
    (index / _gone(index)).write_bytes(b"damaged")
    opened = open_index(index)
    with pytest.raises(IndexFormatError, match=f"{index / _gone(index)} must be a FAISS file") as e:
        opened.segment("fake-sdss").ann("spectrum")
    assert "/dev/fd" not in str(e.value)


def test_a_part_of_a_large_one_is_named(after: Path, tmp_path: Path):
    """A FAISS file may be listed as numbered parts; without one of them none is searched."""
    index = Path(shutil.copytree(after, tmp_path / "index"))
    whole = _gone(index)
    parts = [f"{whole.removesuffix('.faiss')}-{number}.faiss" for number in (0, 1, 10)]
    values = json.loads((index / "index.json").read_text())
    listed = values["files"].pop(whole)
    values["files"] |= {part: listed for part in parts}
    write_checked(index / "index.json", values)
    for part in parts:
        shutil.copyfile(index / whole, index / part)
    assert open_index(index).missing == ()
    (index / parts[1]).unlink()
    with pytest.raises(IndexFormatError, match=f"lacks {parts[1]}; bring back"):
        open_index(index)
    opened = open_index(index, allow_missing=True)
    assert opened.missing == (parts[1],)
    assert not opened.segment("fake-sdss").can_search("spectrum", "spectrum")
    assert opened.segment("fake-desi").can_search("spectrum", "spectrum")
