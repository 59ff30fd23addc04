"""Lists of identifiers asked in blocks; what the files look like is tested with the command."""

import os
from pathlib import Path

import pandas as pd
import pytest

from indexer.bulk_export import export_neighbours, refused_path
from indexer.errors import LockedError
from indexer.index_file import Index, open_index
from indexer.options import SearchOptions
from indexer.work_folder import unfinished_path, work_beside
from tests.indexer.small_sky import SHARED_ID, key_of

LISTED = [
    *[key_of("demo-sdss", source) for source in (5, 3, 149)],
    "nothing",
    key_of("demo-hsc", 7),
    SHARED_ID,
    key_of("demo-sdss", 5),
    key_of("demo-gaia", 2),
    "-2713437",
]
OPTIONS = SearchOptions(k=4, to="image", bridge="aligned")


@pytest.fixture(scope="module")
def index(small_index: Path) -> Index:
    return open_index(small_index)


def exported(index: Index, path: Path) -> tuple[pd.DataFrame, str]:
    done = export_neighbours(index, LISTED, path, options=OPTIONS, source={"file": "list"})
    assert (done.read, done.answered, done.refused) == (9, 6, 3)
    return pd.read_parquet(path), refused_path(path).read_text()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_blocks_of_any_size_give_the_same_table(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    table, refused = exported(index, tmp_path / "whole.parquet")
    assert table["query_number"].tolist() == [n for n in (1, 2, 3, 5, 7, 9) for _ in range(4)]
    assert table["rank"].tolist() == [1, 2, 3, 4] * 6
    assert [line.split(",")[:2] for line in refused.splitlines()[1:]] == [
        ["4", "nothing"],
        ["6", SHARED_ID],
        ["8", key_of("demo-gaia", 2)],
    ]
    monkeypatch.setattr("indexer.bulk_export.block_size", lambda _: size)
    again, refused_again = exported(index, tmp_path / "blocks.parquet")
    pd.testing.assert_frame_equal(again, table)
    assert refused_again == refused


def test_one_process_at_a_time_and_leftovers_are_taken_over(index: Index, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    holder = f"process {os.getpid()} on .* is doing so"
    with work_beside(out), pytest.raises(LockedError, match=holder):
        exported(index, out)
    assert list(tmp_path.iterdir()) == []
    # What a killed process leaves.
    unfinished_path(out).mkdir()
    for name in ("lock", "spool", "whole.parquet"):
        (unfinished_path(out) / name).write_text("cut o")
    exported(index, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "out.refused.csv"]
