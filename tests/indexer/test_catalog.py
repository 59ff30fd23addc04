"""Row order, keys, and the catalogue as HATS, read by its own library."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from indexer.arrow_tables import map_table, read_parquet
from indexer.catalog import SERVED_COLUMNS, find_id, write_catalog
from indexer.errors import BuildError, IndexFormatError
from indexer.hats_catalog import Cell, cells_of, describe_hats, write_cells
from indexer.index_file import open_index
from indexer.readers.records import Record, Reject, standard_columns
from indexer.record_table import concatenated, record_table, reject_table
from indexer.row_order import RowOrder, healpix_of, in_row_order, row_order


def _table(ids: list[str], ra: list[float], dec: list[float], **columns: list) -> pa.Table:
    records = [
        Record(
            ids[i],
            ra[i],
            dec[i],
            (),
            standard_columns(**{name: values[i] for name, values in columns.items()}),
            f"file-{i % 2}",
            i,
        )
        for i in range(len(ids))
    ]
    return record_table(records, [1] * len(ids))


def _ordered(table: pa.Table, folder: Path) -> tuple[RowOrder, pa.Table]:
    order = row_order([table], folder / "order")
    return order, pa.concat_tables(in_row_order([table], order, folder / "dealt"))


def test_row_order_and_duplicates(tmp_path: Path):
    nan = float("nan")
    table = _table(
        ["b", "a", "z", "y", "b", "c"], [10.0, 10.0, nan, nan, 50.0, 200.0], [1, 1, 1, nan, 5, -30]
    )
    result, rows = _ordered(table, tmp_path)
    healpix = rows.column("healpix_29").to_pylist()
    ids = rows.column("object_id").to_pylist()
    assert ids[-2:] == ["y", "z"]
    assert healpix[-2:] == [-1, -1]
    assert healpix[:3] == sorted(healpix[:3])
    assert ids.index("a") + 1 == ids.index("b")
    assert result.duplicates.tolist() == [[4, 0]]
    assert [table.column("object_id")[int(i)].as_py() for i in result.origin] == ids


def test_healpix_against_known_cells():
    # Base cell 4 lies on the equator around right ascension 0, cells 0-3 around the north pole.
    ra, dec = np.array([0.0, 45.0, 45.0, np.nan]), np.array([0.0, 89.9, -89.9, 0.0])
    cells = healpix_of(ra, dec)
    assert (cells[:3] >> 58).tolist() == [4, 0, 8]
    assert cells[3] == -1


def test_ids_are_found_by_their_bytes():
    ids = sorted(["10", "9", "-5", "é", "z", "39633345008634465"], key=str.encode)
    column = pa.chunked_array([ids])
    for place, each in enumerate(ids):
        assert find_id(column, each) == place
    for missing in ("", "1", "zz", "39633345008634466"):
        assert find_id(column, missing) is None


def test_cells_divide_the_rows():
    healpix = np.sort(np.random.default_rng(0).integers(0, 12 * 4**29, 3000))
    cells = cells_of(healpix, rows_per_cell=100)
    assert [cell.start for cell in cells] == [0, *[cell.stop for cell in cells[:-1]]]
    assert cells[-1].stop == 3000
    for cell in cells:
        assert cell.stop - cell.start <= 100
        inside = healpix[cell.start : cell.stop] >> (2 * (29 - cell.order))
        assert np.all(inside == cell.pixel)
    assert cells_of(np.full(500, 12345), rows_per_cell=100)[0].stop == 500
    assert Cell(0, 1, 8, 123456).path == "dataset/Norder=8/Dir=120000/Npix=123456.parquet"


def _is_valid(catalog: Path, caplog: pytest.LogCaptureFixture) -> bool:
    from hats.io.validation import is_valid_catalog

    with caplog.at_level(logging.WARNING):
        valid = is_valid_catalog(catalog, strict=True)
    assert not caplog.records
    return bool(valid)


def test_hats_accepts_the_catalogues_of_an_index(fake_index: Path, caplog):
    for segment in open_index(fake_index).segments.values():
        catalog = fake_index / segment.info.directory / "catalog"
        assert _is_valid(catalog, caplog)


def test_hats_reads_a_divided_catalogue(tmp_path: Path, caplog):
    import hats

    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 400), np.degrees(np.arcsin(rng.uniform(-1, 1, 400)))
    table = _table([f"{i:03d}" for i in range(400)], ra.tolist(), dec.tolist())
    order, rows = _ordered(table, tmp_path / "sorting")
    cells = cells_of(order.healpix_29, 20)
    renamed = rows.rename_columns(
        ["_healpix_29" if name == "healpix_29" else name for name in rows.column_names]
    )
    write_cells(tmp_path / "hats", cells, renamed)
    describe_hats(tmp_path / "hats", "demo", cells, renamed.schema, "test")
    assert _is_valid(tmp_path / "hats", caplog)
    catalog = hats.read_hats(tmp_path / "hats")
    assert catalog.catalog_info.total_rows == 400
    pixels = catalog.get_healpix_pixels()
    assert len(pixels) == len(cells) > 12
    assert catalog.schema.names == renamed.column_names


def test_objects_without_a_position_stay_readable(tmp_path: Path):
    nan = float("nan")
    table = _table(["a", "b"], [nan, 10.0], [nan, 5.0], extra=["x", "y"])
    order, rows = _ordered(table, tmp_path)
    write_catalog(tmp_path, "segments/r", "r", order, [rows], "test", tmp_path / "columns")
    assert order.placed == 1
    unplaced = read_parquet(tmp_path / "segments/r/unplaced.parquet").to_pylist()
    assert [(each["row"], each["object_id"], each["extra"]) for each in unplaced] == [(1, "a", "x")]
    served = map_table(tmp_path / "segments/r/rows.arrow")
    assert served.schema == SERVED_COLUMNS
    assert served.column("object_id").to_pylist() == ["b", "a"]
    keys = map_table(tmp_path / "segments/r/keys.arrow").to_pylist()
    assert keys == [{"object_id": "a", "row": 1}, {"object_id": "b", "row": 0}]


def test_columns_of_partitions_are_brought_together():
    one = _table(["a"], [1.0], [1.0], count=[3], name=["x"])
    two = _table(["b"], [2.0], [2.0], count=[2.5], flag=[True])
    together = concatenated([one, two])
    assert together.column("count").to_pylist() == [3.0, 2.5]
    assert together.column("name").to_pylist() == ["x", None]
    assert together.column("flag").to_pylist() == [None, True]
    with pytest.raises(BuildError, match="disagree about a column"):
        concatenated([one, _table(["b"], [2.0], [2.0], count=["many"])])


def test_columns_that_cannot_be_kept():
    with pytest.raises(BuildError, match="may not name a column modalities"):
        _table(["a"], [1.0], [1.0], modalities=[1])
    with pytest.raises(BuildError, match="column mixed must hold one kind of value, got int, str"):
        _table(["a", "b"], [1.0, 2.0], [1.0, 2.0], mixed=[1, "x"])


def test_rejects_as_a_table():
    table = reject_table([(Reject("a", "f", 3, "why"), "image")], "cell")
    assert table.to_pylist() == [
        {
            "object_id": "a",
            "source_file": "f",
            "source_row": 3,
            "reason": "why",
            "partition": "cell",
            "modality": "image",
        }
    ]
    assert len(reject_table([], "cell")) == 0


def test_damaged_tables_are_named(tmp_path: Path):
    with pytest.raises(IndexFormatError, match=r"rows\.arrow must be an Arrow file"):
        map_table(tmp_path / "rows.arrow")
    (tmp_path / "r.parquet").write_text("no")
    with pytest.raises(IndexFormatError, match=r"r\.parquet must be a Parquet file"):
        read_parquet(tmp_path / "r.parquet")
