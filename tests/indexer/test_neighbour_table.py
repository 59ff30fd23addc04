"""Neighbours of every object as a HATS table: counts, contents, and what interrupts it."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from click.testing import CliRunner

from indexer.batched import Answers, BatchSearcher
from indexer.cli import main
from indexer.durable import sha256_of
from indexer.errors import LockedError, QueryError, SearchError
from indexer.index_file import Index, open_index
from indexer.layout import catalog_dir
from indexer.neighbour_table import COLUMNS, export_all
from indexer.options import SearchOptions
from indexer.search import Searcher
from indexer.work_folder import unfinished_path, work_beside
from tests.indexer.small_sky import key_of, position_of

OPTIONS = SearchOptions(k=3, to="image", bridge="linked")
SOURCES = ("demo-sdss", "demo-gaia")
"""Spectra, one of them without a position, and BP/RP spectra in the same places."""


@pytest.fixture(scope="module")
def index(small_index: Path) -> Index:
    return open_index(small_index)


@pytest.fixture
def _small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    # 30 objects to a cell, 8 to a block.
    monkeypatch.setattr("indexer.neighbour_table.ROWS_PER_CELL", 90)
    monkeypatch.setattr("indexer.neighbour_table.block_size", lambda _: 8)


@pytest.fixture(scope="module")
def whole(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table in many cells, not to be changed."""
    out = tmp_path_factory.mktemp("whole") / "neighbours"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.neighbour_table.ROWS_PER_CELL", 90)
        export_all(index, out, options=OPTIONS, sources=SOURCES)
    return out


def files_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(out: Path) -> pd.DataFrame:
    paths = sorted(out.glob("dataset/**/*.parquet"))
    return pd.concat([pq.ParquetFile(path).read().to_pandas() for path in paths])


def test_every_object_is_read_and_answered_or_refused(index: Index, whole: Path) -> None:
    receipt = json.loads((whole / "receipt.json").read_text())
    assert receipt["counts"] == {"read": 161, "answered": 161, "refused": 0, "rows": 483}
    assert receipt["sources"] == list(SOURCES)
    assert receipt["options"]["k"] == 3
    table, unplaced = rows_of(whole), pd.read_parquet(whole / "unplaced.parquet")
    assert list(table) == list(unplaced) == [column.name for column in COLUMNS]
    assert len(table) + len(unplaced) == 483
    assert set(unplaced["source_key"]) == {key_of("demo-sdss", 149)}
    assert unplaced[["ra_deg", "dec_deg", "separation_arcsec"]].isna().all().all()
    assert (unplaced["_healpix_29"] == -1).all()
    every = [key_of("demo-sdss", each) for each in range(149)]
    every += [key_of("demo-gaia", each) for each in range(10)]
    assert set(every) < set(table["source_key"])
    assert (table.groupby("source_key")["rank"].apply(list).map(tuple) == (1, 2, 3)).all()
    assert not (whole / "refused.parquet").exists()


def test_rows_are_what_a_search_finds(index: Index, whole: Path) -> None:
    table = rows_of(whole)
    for key in (key_of("demo-sdss", 0), key_of("demo-sdss", 77), key_of("demo-gaia", 4)):
        rows = table[table["source_key"] == key].sort_values("rank")
        searcher = Searcher(index)
        hits = searcher.search(searcher.query_object(key), OPTIONS)
        for mine, theirs in (
            ("neighbour_key", "key"),
            ("neighbour_release", "release"),
            ("neighbour_object_id", "object_id"),
            ("rank", "rank"),
            ("score", "score"),
            ("percentile", "percentile"),
            ("bridge", "bridge"),
            ("via", "via"),
            ("modality", "modality"),
        ):
            np.testing.assert_array_equal(rows[mine], getattr(hits, theirs), err_msg=mine)
        object_id = key.partition(":")[2]
        assert set(rows["source_release"] + ":" + rows["source_object_id"]) == {key}
        assert set(rows["source_object_id"]) == {object_id}
        source = SkyCoord(rows["ra_deg"], rows["dec_deg"], unit="deg")
        neighbours = SkyCoord(hits.ra_deg, hits.dec_deg, unit="deg")
        np.testing.assert_allclose(
            rows["separation_arcsec"], source.separation(neighbours).to_value(u.arcsec), atol=1e-6
        )
    assert tuple(rows[["ra_deg", "dec_deg"]].iloc[0]) == position_of(4)


def test_hats_accepts_it_and_it_joins_the_catalogue(
    small_index: Path, index: Index, whole: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import hats
    from hats.io.validation import is_valid_catalog

    with caplog.at_level(logging.WARNING):
        assert is_valid_catalog(whole, strict=True)
    assert not caplog.records
    catalog = hats.read_hats(whole)
    assert len(catalog.get_healpix_pixels()) > 3
    assert catalog.catalog_info.total_rows == 480
    assert catalog.schema.names == [column.name for column in COLUMNS]
    extra = catalog.catalog_info.model_dump()
    assert extra["neighbours_answered"] == "161"
    assert json.loads(catalog.schema.metadata[b"receipt"])["options"]["to"] == "image"
    table = rows_of(whole)
    for pixel in catalog.get_healpix_pixels():
        inside = pd.read_parquet(hats.io.paths.pixel_catalog_file(whole, pixel))
        assert (inside["_healpix_29"].to_numpy() >> (2 * (29 - pixel.order)) == pixel.pixel).all()
        assert inside["_healpix_29"].is_monotonic_increasing
    segment = hats.read_hats(small_index / catalog_dir(index.segment("demo-gaia").info.directory))
    objects = pd.concat(
        [
            pd.read_parquet(hats.io.paths.pixel_catalog_file(segment.catalog_path, pixel))
            for pixel in segment.get_healpix_pixels()
        ]
    )
    joined = objects.merge(
        table[table["source_release"] == "demo-gaia"],
        left_on=["object_id", "_healpix_29"],
        right_on=["source_object_id", "_healpix_29"],
    )
    assert len(joined) == 30
    np.testing.assert_array_equal(joined["ra_deg_x"], joined["ra_deg_y"])


def test_blocks_and_cells_of_any_size_have_the_same_rows(
    index: Index, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.neighbour_table.block_size", lambda _: 7)
    export_all(index, tmp_path / "out", options=OPTIONS, sources=SOURCES)
    assert len(list((tmp_path / "out").glob("dataset/**/*.parquet"))) == 1
    pd.testing.assert_frame_equal(
        rows_of(tmp_path / "out").sort_values(["source_key", "rank"], ignore_index=True),
        rows_of(whole).sort_values(["source_key", "rank"], ignore_index=True),
    )


@pytest.mark.usefixtures("_small_cells")
def test_it_goes_on_from_any_write_that_failed(
    index: Index, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the second write, then at the third after that, then at the fourth."""
    out, replace, left = tmp_path / "neighbours", Path.replace, [0]

    def failing(path: Path, target: Path) -> Path:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", failing)
    failures = 0
    while not out.exists():
        left[0] = 1 + failures
        try:
            export_all(index, out, options=OPTIONS, sources=SOURCES)
        except OSError:
            failures += 1
            assert not out.exists()
            assert [path.name for path in tmp_path.iterdir()] == ["neighbours.unfinished"]
    assert failures > 5
    assert files_of(out) == files_of(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["neighbours"]


KILLED = """
import os, signal, sys
from pathlib import Path
import indexer.neighbour_table as table
from indexer import SearchOptions, open_index
table.ROWS_PER_CELL = 90
table.block_size = lambda k: 8
blocks = []
def progress(done, total):
    blocks.append(done)
    if len(blocks) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
options = SearchOptions(k=3, to="image", bridge="linked")
table.export_all(open_index(sys.argv[1]), Path(sys.argv[2]), options=options,
                 sources=("demo-sdss", "demo-gaia"), progress=progress)
"""


@pytest.mark.usefixtures("_small_cells")
def test_what_is_killed_leaves_nothing_and_is_gone_on_with(
    small_index: Path,
    index: Index,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "neighbours"
    done = subprocess.run([sys.executable, "-c", KILLED, str(small_index), str(out)], check=False)
    assert done.returncode == -9
    assert [path.name for path in tmp_path.iterdir()] == ["neighbours.unfinished"]
    made = [json.loads(each.read_text()) for each in unfinished_path(out).glob("done/*.json")]
    before = sum(each["answered"] + each["refused"] for each in made)
    assert 0 < before < 161
    told: list[tuple[int, int]] = []
    asked: list[int] = []
    search = BatchSearcher.search

    def counted(searcher: BatchSearcher, release: str, rows: np.ndarray) -> Answers:
        asked.append(len(rows))
        return search(searcher, release, rows)

    monkeypatch.setattr(BatchSearcher, "search", counted)
    export_all(
        index,
        out,
        options=OPTIONS,
        sources=SOURCES,
        progress=lambda done, total: told.append((done, total)),
    )
    assert before + sum(asked) == 161
    assert told == sorted(told)
    assert told[-1] == (161, 161)
    assert files_of(out) == files_of(whole)


def test_a_second_call_changes_nothing(index: Index, whole: Path) -> None:
    before = files_of(whole)
    done = export_all(index, whole, options=OPTIONS, sources=SOURCES)
    assert (done.read, done.answered, done.refused, done.rows) == (161, 161, 0, 483)
    assert files_of(whole) == before
    assert not unfinished_path(whole).exists()


@pytest.mark.parametrize("change", [{"options": SearchOptions(k=4)}, {"sources": ("demo-gaia",)}])
def test_another_table_is_not_written_over(index: Index, whole: Path, change: dict) -> None:
    wanted = {"options": OPTIONS, "sources": SOURCES, **change}
    with pytest.raises(QueryError, match="neighbours must be free, or hold these very neighbours"):
        export_all(index, whole, **wanted)


def test_unfinished_neighbours_of_another_question_are_kept(index: Index, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        export_all(index, out, options=SearchOptions(k=1), sources=["demo-gaia"], progress=stop)
    with pytest.raises(QueryError, match="unfinished neighbours of another index or with other"):
        export_all(index, out, options=SearchOptions(k=2), sources=["demo-gaia"])
    foreign = unfinished_path(tmp_path / "mine")
    foreign.mkdir()
    (foreign / "thesis.tex").touch()
    with pytest.raises(QueryError, match=r"mine\.unfinished must be free"):
        export_all(index, tmp_path / "mine", options=SearchOptions(k=1))
    assert [path.name for path in foreign.iterdir()] == ["thesis.tex"]


def test_one_process_at_a_time(index: Index, tmp_path: Path) -> None:
    out = tmp_path / "out"
    holder = f"process {os.getpid()} on .* is doing so"
    with work_beside(out), pytest.raises(LockedError, match=holder):
        export_all(index, out, options=SearchOptions(k=1))
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_answer_is_refused_with_its_reason(index: Index, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # There is no aligned space for BP/RP spectra.
    options = SearchOptions(k=1, to="image", bridge="aligned")
    done = export_all(index, out, options=options, sources=["demo-desi", "demo-gaia"])
    assert (done.read, done.answered, done.refused, done.rows) == (70, 60, 10, 60)
    assert done.refused_file == out / "refused.parquet"
    refused = pd.read_parquet(out / "refused.parquet")
    assert set(refused["key"]) == {key_of("demo-gaia", each) for each in range(10)}
    assert refused["reason"].str.startswith("this index has no aligned space from xp").all()
    with pytest.raises(SearchError, match="none of the 10 objects has a neighbour"):
        export_all(index, tmp_path / "none", options=options, sources=["demo-gaia"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def run(*arguments: object) -> object:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_the_command_says_what_became_of_every_object(small_index: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(small_index, out, "--all", "--from", "demo-gaia", "-k", 2)
    assert done.exit_code == 0, done.output
    assert done.output == (
        f"10 objects read = 10 answered + 0 refused; 20 neighbours written to {out}\n"
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "give either --objects FILE or --all"),
        (["--all", "--objects", "list.txt"], "give either --objects FILE or --all"),
        (["--objects", "list.txt", "--from", "demo-gaia"], "--from belongs to --all"),
        (["--all", "--column", "id"], "--column belongs to --objects"),
        (["--all", "--from", "nothing"], "this index has no release 'nothing'"),
    ],
)
def test_commands_that_are_refused(
    small_index: Path, tmp_path: Path, options: list[str], reason: str
) -> None:
    done = run(small_index, tmp_path / "out", *options)
    assert done.exit_code in (1, 2)
    assert reason in done.output
    assert list(tmp_path.iterdir()) == []
