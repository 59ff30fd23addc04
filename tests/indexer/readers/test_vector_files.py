"""Vectors that somebody else made: every layout gives the same, and bad rows cost no good one."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vector_sky as sky
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import ManifestError
from indexer.readers import partitions, read_partition
from indexer.readers.partitions import ignored_files
from indexer.readers.records import Reject
from indexer.readers.vector_files import read_vectors

GOLDEN = Path(__file__).parents[1] / "golden" / "vectors"


def read(manifest):
    """Return records, vectors and rejects of all files of a manifest."""
    release = manifest.releases[0]
    blocks = [
        block
        for partition in partitions(manifest, release)
        for block in read_vectors(manifest.root, release, partition)
    ]
    records = [each for block in blocks for each in block.records]
    rejects = [each for block in blocks for each in block.rejects]
    assert [len(block.records) for block in blocks] == [len(block.vectors) for block in blocks]
    return records, np.concatenate([block.vectors for block in blocks]), rejects


@pytest.mark.parametrize("layout", sky.LAYOUTS)
def test_every_layout_gives_the_same(layout: str, tmp_path: Path) -> None:
    vectors, table = sky.sky(20)
    name = sky.write(tmp_path, layout, vectors, table)
    records, read_vectors_, rejects = read(sky.manifest(tmp_path, layout))
    assert rejects == []
    assert np.array_equal(read_vectors_, vectors)
    assert read_vectors_.dtype == np.float32
    for number, record in enumerate(records):
        assert record.object_id == str(table["object_id"][number])
        assert (record.ra_deg, record.dec_deg) == pytest.approx(
            (table["ra"][number], table["dec"][number])
        )
        assert record.columns["redshift"] == pytest.approx(table["z"][number])
        assert (record.source_file, record.source_row) == (name, number)


@pytest.mark.parametrize("layout", [*sky.LAYOUTS, "hats"])
def test_golden_files_stay_readable(layout: str) -> None:
    expected = json.loads((GOLDEN / "expected.json").read_text())
    changes = {"files": ["dataset/**/*.parquet"]} if layout == "hats" else {}
    manifest = sky.manifest(GOLDEN / layout.replace(" ", "-"), layout, **changes)
    records, vectors, rejects = read(manifest)
    assert rejects == []
    for name in ("object_id", "ra_deg", "dec_deg"):
        assert [getattr(each, name) for each in records] == expected[name]
    assert vectors.tolist() == expected["vectors"]


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_every_precision_is_read(dtype, tmp_path: Path) -> None:
    vectors, table = sky.sky(5)
    sky.write(tmp_path, "array", vectors.astype(dtype), table)
    found = read(sky.manifest(tmp_path, "array"))[1]
    assert np.array_equal(found, vectors.astype(dtype).astype(np.float32))
    if dtype != ">f4":
        sky.write(tmp_path / "lists", "fixed lists", vectors.astype(dtype), table)
        assert np.array_equal(read(sky.manifest(tmp_path / "lists"))[1], found)


BAD = {
    "no vector": "the object has no vector",
    "short": "the vector has 3 numbers, the manifest declares 6",
    "nan": "the vector holds numbers that are not finite in single precision",
    "infinite": "the vector holds numbers that are not finite in single precision",
    "too large": "the vector holds numbers that are not finite in single precision",
    "gap": "the vector holds numbers that are not finite in single precision",
    "zero": "the vector has no direction: all its numbers are zero",
    "no id": "the object has no identifier",
    "no position": "the position (nan, 0.0) is not on the sky",
    "far south": "the position (10.0, -91.0) is not on the sky",
}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["good", *BAD]), min_size=1, max_size=30))
def test_bad_rows_are_refused_one_by_one_with_their_reasons(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    spoilt = {
        "no vector": None,
        "short": [1.0, 2.0, 3.0],
        "nan": [np.nan] * 6,
        "infinite": [np.inf, *[1.0] * 5],
        "too large": [1e300, *[1.0] * 5],
        "gap": [None, *[1.0] * 5],
        "zero": [0.0] * 6,
    }
    good = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    table = pa.table(
        {
            "object_id": [None if kind == "no id" else f"O{i}" for i, kind in enumerate(kinds)],
            "ra": [None if kind == "no position" else 10.0 for kind in kinds],
            "dec": [-91.0 if kind == "far south" else 0.0 for kind in kinds],
            "embedding": pa.array(
                [spoilt.get(kind, good) for kind in kinds], pa.list_(pa.float64())
            ),
        }
    )
    pq.write_table(table, folder / "a.parquet", row_group_size=4)
    records, vectors, rejects = read(sky.manifest(folder))
    assert [each.source_row for each in records] == [
        i for i, kind in enumerate(kinds) if kind == "good"
    ]
    assert {each.source_row: each.reason for each in rejects} == {
        i: BAD[kind] for i, kind in enumerate(kinds) if kind != "good"
    }
    assert vectors.shape == (len(records), 6)
    # The way that needs observations sees the same objects, without any.
    release = sky.manifest(folder).releases[0]
    seen = [
        each
        for partition in partitions(sky.manifest(folder), release)
        for each in read_partition(sky.manifest(folder), release, partition)
    ]
    assert sum(isinstance(each, Reject) for each in seen) == len(rejects)
    assert all(isinstance(each, Reject) or each.observations == () for each in seen)


def test_a_file_of_another_length_costs_only_its_own_rows(tmp_path: Path) -> None:
    vectors, table = sky.sky(9)
    sky.write(tmp_path, "fixed lists", vectors, table, "a")
    sky.write(tmp_path, "fixed lists", vectors[:, :4], table, "b")
    records, _, rejects = read(sky.manifest(tmp_path))
    assert (len(records), len(rejects)) == (9, 9)
    assert {each.reason for each in rejects} == {
        "the vector has 4 numbers, the manifest declares 6"
    }
    sky.write(tmp_path / "array", "array", vectors[:, :4], table)
    assert {each.reason for each in read(sky.manifest(tmp_path / "array", "array"))[2]} == {
        "the vector has 4 numbers, the manifest declares 6"
    }


def refusal(manifest) -> str:
    records, _, rejects = read(manifest)
    assert records == []
    (reject,) = rejects
    return reject.reason


def test_files_that_are_not_as_declared_are_refused_whole(tmp_path: Path) -> None:
    vectors, table = sky.sky(4)

    def told(layout: str = "fixed lists", vectors=vectors, table=table, **changes) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        sky.write(folder, layout, vectors, table)
        return refusal(sky.manifest(folder, changes.pop("read_as", layout), **changes))

    assert "the file lacks dec" in told(table={k: v for k, v in table.items() if k != "dec"})
    assert "the file lacks name, RA" in told(object_id="name", ra="RA")
    assert "must hold lists of floating-point numbers, got fixed_size_list<" in told(
        vectors=vectors.astype(np.int32)
    )
    assert "the file lacks embedding" in told("numbers", read_as="fixed lists")
    assert "there must be 6 columns 'e_{}' with successive numbers, got none" in told(
        read_as="numbers"
    )
    assert "must hold floating-point numbers, got int32" in told(
        "numbers", vectors=vectors.astype(np.int32)
    )
    assert "the array must be two-dimensional and of floating-point numbers, got float32 of" in (
        told("array", vectors=vectors.ravel())
    )
    assert "the array has 3 rows, a.parquet beside it 4" in told("array", vectors=vectors[:3])
    assert "the array has 3 rows, a.csv beside it 4" in told("array and csv", vectors=vectors[:3])


def test_successive_numbers_may_begin_anywhere_but_have_no_gap(tmp_path: Path) -> None:
    vectors, table = sky.sky(4)
    columns = {f"e_{number}": vectors[:, number - 1] for number in range(1, 7)}
    pq.write_table(pa.table({**columns, **table}), tmp_path / "a.parquet")
    assert np.array_equal(read(sky.manifest(tmp_path, "numbers"))[1], vectors)
    columns["e_9"] = columns.pop("e_2")
    pq.write_table(pa.table({**columns, **table}), tmp_path / "a.parquet")
    assert "got 6 from 1 to 9" in refusal(sky.manifest(tmp_path, "numbers"))


def test_a_damaged_part_of_a_file_costs_only_its_own_rows(tmp_path: Path) -> None:
    vectors, table = sky.sky(28)
    rows = pa.table({"embedding": sky.column("fixed lists", vectors), **table})
    path = tmp_path / "a.parquet"
    options = {"row_group_size": 7, "compression": "none", "write_page_checksum": True}
    pq.write_table(rows, path, use_dictionary=False, **options)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    spoilt = bytearray(path.read_bytes())
    spoilt[chunk.data_page_offset + chunk.total_compressed_size - 3] ^= 0xFF
    path.write_bytes(bytes(spoilt))
    records, found, rejects = read(sky.manifest(tmp_path))
    kept = [*range(7), *range(14, 28)]
    assert [each.source_row for each in records] == kept
    assert np.array_equal(found, vectors[kept])
    assert rejects[0].reason.startswith("rows 7 to 13 cannot be read: ")


@pytest.mark.parametrize("layout", ["fixed lists", "array"])
def test_a_truncated_file_is_one_reject(layout: str, tmp_path: Path) -> None:
    path = tmp_path / sky.write(tmp_path, layout, *sky.sky(50))
    path.write_bytes(path.read_bytes()[:-60])
    assert refusal(sky.manifest(tmp_path, layout)).startswith("the file cannot be read: ")


def test_partitions_are_files_and_tables_belong_to_their_arrays(tmp_path: Path) -> None:
    sky.write(tmp_path, "array", *sky.sky(3), "one")
    sky.write(tmp_path, "array", *sky.sky(3), "two")
    (tmp_path / "stray.txt").write_text("")
    manifest = sky.manifest(tmp_path, "array").model_copy(update={"every_file": True})
    assert [each.files for each in partitions(manifest, manifest.releases[0])] == [
        ("one.npy", "one.parquet"),
        ("two.npy", "two.parquet"),
    ]
    assert [each.source_file for each in ignored_files(manifest)] == ["stray.txt"]
    (tmp_path / "two.parquet").unlink()
    with pytest.raises(ManifestError, match=r"no table two\.parquet beside the array two\.npy"):
        partitions(manifest, manifest.releases[0])
