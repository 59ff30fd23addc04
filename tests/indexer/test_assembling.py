"""Segments put together block by block: the bytes of whole tables, whatever the size of a block."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import plain_catalog
import pyarrow as pa
import pytest

from indexer import assemble as assembling
from indexer import row_order as ordering
from indexer.arrow_tables import map_table, read_parquet, write_arrow
from indexer.durable import sha256_of
from indexer.growing_table import GrowingTable
from indexer.hats_catalog import cells_of
from indexer.id_runs import IdRuns
from indexer.previews import Preview, preview_table
from indexer.readers.records import Record, Reject, standard_columns
from indexer.record_table import concatenated, record_table, reject_table
from indexer.staging import Staged

SEGMENT = "segments/made"
ROWS_PER_CELL = 30


def _partition(folder: Path, number: int, count: int, *, motions: bool, placed: bool) -> Staged:
    """Objects in one part of the sky or all over it, some twice, some nowhere."""
    rng = np.random.default_rng(number)
    ra = rng.uniform(0.0, 360.0, count) if number % 2 else rng.normal(100.0 + number, 1.0, count)
    dec = rng.uniform(-80.0, 80.0, count)
    # Objects of one position follow each other by their ids.
    ra[::9], dec[::9] = ra[:1], dec[:1]
    lost = np.full(count, not placed) | (rng.random(count) < 0.1)
    records = []
    for place in range(count):
        more = {"pmra": 1.5, "pmdec": float(place)} if motions else {}
        if number % 3 == 0:
            more["note"] = f"é{place}"
        if number % 3 == 1:
            more["count"] = place
        elif number % 3 == 2:
            more["count"] = place / 2
        records.append(
            Record(
                f"{rng.integers(0, 300)}",
                np.nan if lost[place] else ra[place],
                np.nan if lost[place] else dec[place],
                (),
                standard_columns(
                    redshift=float(rng.random()), object_class=str(rng.choice(["", "QSO"])), **more
                ),
                f"file-{rng.integers(0, 4)}",
                place,
            )
        )
    staged = Staged(folder / f"{number}", f"part {number}", count + 1, count, 1, {}, {})
    write_arrow(record_table(records, [1] * count), staged.path("records"))
    refused = [(Reject(f"bad{number}", "file-9", 7, "unreadable"), "")]
    write_arrow(reject_table(refused, staged.partition), staged.path("rejects"))
    shown = [place for place in range(count) for _ in range(place % 3)]
    pictures = [Preview("image", png=rng.bytes(5 + place % 7)) for place in shown]
    write_arrow(preview_table(shown, pictures), staged.path("previews"))
    return staged


def _hashes(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): sha256_of(path)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(ordering, "cells_of", lambda healpix: cells_of(healpix, ROWS_PER_CELL))

    def compare(counts: list[int], blocks: list[int], **kind: bool) -> None:
        staged = [
            _partition(tmp_path / "staged", number, count, **kind)
            for number, count in enumerate(counts)
        ]
        tables = [map_table(each.path("records")) for each in staged]
        records = concatenated(tables)
        plain, rows = tmp_path / "plain", plain_catalog.ordered(records)
        plain_catalog.write_catalog(plain, SEGMENT, "made", rows.table, "test", ROWS_PER_CELL)
        previews = [map_table(each.path("previews")) for each in staged]
        plain_catalog.write_previews(plain, SEGMENT, previews, counts, rows.origin)
        ids, files, places = (
            records.column(name).to_pylist() for name in ("object_id", "source_file", "source_row")
        )
        expected = [("bad" + str(n), "file-9", 7, "unreadable") for n in range(len(counts))]
        expected += [
            (
                ids[late],
                files[late],
                places[late],
                f"the identifier appears before, in {files[early]} row {places[early]}; "
                "the first is kept",
            )
            for late, early in rows.duplicates
        ]
        partitions = np.repeat(np.arange(len(counts)), counts)
        for block in blocks:
            monkeypatch.setattr(ordering, "BLOCK_ROWS", block)
            monkeypatch.setattr(assembling, "BLOCK_ROWS", block)
            monkeypatch.setattr(assembling, "_PREVIEWS_AT_ONCE", block)
            root = tmp_path / f"blocks-of-{block}"
            made = assembling.assemble(root, SEGMENT, "made", staged, "test")
            rejects = read_parquet(root / SEGMENT / "rejects.parquet").to_pylist()
            of_ids = ("object_id", "source_file", "source_row", "reason")
            assert [tuple(each[name] for name in of_ids) for each in rejects] == expected
            assert [each["partition"] for each in rejects[len(counts) :]] == [
                f"part {partitions[late]}" for late, _ in rows.duplicates
            ]
            (root / SEGMENT / "rejects.parquet").unlink()
            assert _hashes(root) == _hashes(plain)
            assert made.indexed == len(rows.table)
            assert made.rejected == len(counts) + len(rows.duplicates)
            np.testing.assert_array_equal(made.origin, rows.origin)

    return compare


def test_bytes_do_not_depend_on_the_blocks(compared):
    compared([120, 1, 0, 60, 90], [1, 7, 64, 2**20], motions=False, placed=True)


def test_motions_and_objects_that_are_nowhere(compared):
    compared([50, 40], [16, 2**20], motions=True, placed=False)


def test_a_release_without_an_object(compared):
    compared([0, 0], [4], motions=False, placed=True)


def test_blocks_end_where_cells_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ordering, "BLOCK_ROWS", 100)
    healpix = np.sort(np.random.default_rng(1).integers(0, 12 * 4**29, 1000))
    healpix = np.concatenate([healpix, np.full(250, -1)])
    monkeypatch.setattr(ordering, "cells_of", lambda placed: cells_of(placed, ROWS_PER_CELL))
    order = ordering.RowOrder(
        np.arange(1250), healpix, pa.table({}), np.empty((0, 2), np.int64), 1250
    )
    assert order.bounds[0] == 0
    assert order.bounds[-1] == 1250
    assert np.diff(order.bounds).max() <= 100
    assert np.diff(order.bounds).min() > 0
    starts = {each.start for each in order.cells}
    assert all(bound in starts for bound in order.bounds if bound < order.placed)


def test_ids_sorted_outside_memory(tmp_path: Path):
    rng = np.random.default_rng(3)
    runs, everything = IdRuns(tmp_path / "runs"), []
    for count in (50, 0, 400, 3, 1):
        ids = [f"{number:x}é"[number % 3 :] for number in rng.integers(0, 500, count)]
        everything += ids
        runs.add(pa.chunked_array([ids], pa.string()))
    parts = list(runs.merged())
    found = [(row["object_id"], row["place"]) for part in parts for row in part.to_pylist()]
    expected = sorted(
        ((each, place) for place, each in enumerate(everything)),
        key=lambda each: (each[0].encode(), each[1]),
    )
    assert found == expected
    assert max(map(len, parts)) < len(everything)
    lasts = [(one["object_id"][-1], two["object_id"][0]) for one, two in _neighbours(parts)]
    assert all(last.as_py() != first.as_py() for last, first in lasts)


def _neighbours(parts: list[pa.Table]) -> list[tuple[pa.Table, pa.Table]]:
    there = [each for each in parts if len(each)]
    return list(pairwise(there))


def test_tables_grow_with_nulls_slices_and_dictionaries(tmp_path: Path):
    schema = pa.schema(
        [
            ("text", pa.large_string()),
            ("code", pa.dictionary(pa.int32(), pa.string())),
            ("flag", pa.bool_()),
            ("number", pa.float32()),
            ("whole", pa.int64()),
        ]
    )
    values = {
        "text": ["a", None, "", "éé", "b", "long enough"],
        "code": ["x", "y", "x", None, "z", "y"],
        "flag": [True, False, None, True, True, False],
        "number": [1.5, None, 2.5, 3.5, float("inf"), -1.0],
        "whole": [1, 2**60, None, 4, 5, 6],
    }
    table = pa.table(values).cast(schema)
    grown = GrowingTable(tmp_path / "grown", schema)
    for start, stop in ((0, 0), (0, 2), (2, 3), (3, 6)):
        grown.append(table.slice(start, stop - start))
    mapped = grown.mapped()
    mapped.validate(full=True)
    assert mapped.schema == schema
    assert mapped.to_pydict() == values
    assert all(column.num_chunks == 1 for column in mapped.columns)


def test_texts_grow_beyond_what_32_bits_count(tmp_path: Path):
    grown = GrowingTable(tmp_path / "grown", pa.schema([("text", pa.large_string())]))
    texts: SimpleNamespace = grown._columns[0]
    # Pretend that 3 GB are there already: a hole in a file takes no room.
    grown.append(pa.table({"text": pa.array(["first"], pa.large_string())}))
    os.truncate(texts._values._path, 3 * 2**30)
    texts._size = 3 * 2**30
    grown.append(pa.table({"text": pa.array(["a", "bc"], pa.large_string())}))
    column = grown.mapped().column("text")
    assert column[2].as_py() == "bc"
    assert column.chunk(0).buffers()[1].size == 4 * 8
