"""Answers as files: one golden test per format, read back with other people's readers."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.io.votable.ucd import parse_ucd
from astropy.table import Table

from indexer.errors import QueryError
from indexer.export import FORMATS, format_of, render_hits, whole_or_absent, write_hits
from indexer.hits import HIT_COLUMNS, Hits
from indexer.queries import Query

BIG_ID = "10295992233222637568"


def make_hits(count: int = 3) -> Hits:
    query = Query(
        kind="image",
        text="galaxy.fits",
        modality="image",
        raw_vector=np.ones(4, np.float32),
        assumptions={"pixel scale": '0.262"/px, as the header says — "checked"'},
        sha256="ab" * 32,
        file_name="galaxy.fits",
    )
    receipt = {
        "index": {"id": "0123456789abcdef", "name": "demo"},
        "encoder": {"digest": "feedc0ffee123456", "repository": "demo"},
        "k": count,
        "left_out": ["demo-sdss:1"],
        "remark": "it's 5\u2033 wide & <odd>",
        "radius_arcsec": None,
    }
    ids = [BIG_ID, "-2713437", "0421p022-7410"][:count]
    texts = np.array(ids, dtype=str)
    return Hits(
        query=query,
        receipt=receipt,
        key=np.array([f"demo-sdss:{name}" for name in ids], dtype=str),
        release=np.full(count, "demo-sdss"),
        object_id=texts,
        rank=np.arange(1, count + 1),
        score=np.array([0.9, 0.8, 0.7], np.float32)[:count],
        percentile=np.array([99.9, 98.0, math.nan])[:count],
        bridge=np.full(count, "same"),
        via=np.full(count, ""),
        ra_deg=np.array([10.123456789012, 359.9, math.nan])[:count],
        dec_deg=np.array([-0.5, 89.9, math.nan])[:count],
        redshift=np.array([0.1, math.nan, 3.2], np.float32)[:count],
        magnitude=np.array([17.5, 20.0, math.nan], np.float32)[:count],
        object_class=np.array(["GALAXY", "", "QSO"])[:count],
        modality=np.full(count, "spectrum"),
        folded=np.array([0, 2, 0])[:count],
        folded_keys=np.array(["", "demo-sdss:1;demo-desi:2", ""])[:count],
        link=np.array(["https://example.org/?a=1&b=2", "", ""])[:count],
    )


def check_values(table: Table) -> None:
    assert list(table["rank"]) == [1, 2, 3]
    assert [str(value) for value in table["object_id"]] == [BIG_ID, "-2713437", "0421p022-7410"]
    assert str(table["key"][0]) == f"demo-sdss:{BIG_ID}"
    np.testing.assert_array_equal(np.asarray(table["score"], np.float32), make_hits().score)
    assert float(table["ra_deg"][0]) == 10.123456789012
    assert not np.isfinite(np.ma.filled(table["redshift"], np.nan)[1])


def check_descriptions(table: Table) -> None:
    for column in HIT_COLUMNS:
        assert table[column.name].info.meta["ucd"] == column.ucd
        assert table[column.name].info.description == column.description
    assert str(table["ra_deg"].unit) == "deg"


def plain_meta() -> dict[str, object]:
    hits = make_hits()
    return {"query": hits.query.summary(), "receipt": dict(hits.receipt)}


def test_ucds_are_of_the_controlled_vocabulary() -> None:
    for column in HIT_COLUMNS:
        assert parse_ucd(column.ucd, check_controlled_vocabulary=True)


def test_csv(tmp_path: Path) -> None:
    text = render_hits(make_hits(), "csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [column.name for column in HIT_COLUMNS] + ["receipt"] == list(rows[0])
    assert text.splitlines()[1].startswith(
        f"1,demo-sdss:{BIG_ID},demo-sdss,{BIG_ID},0.9,99.9,same,,10.123456789012,-0.5,0.1,17.5,GALAXY,"
    )
    assert rows[1]["redshift"] == ""
    assert json.loads(rows[0]["receipt"]) == plain_meta()
    assert [row["receipt"] for row in rows[1:]] == ["", ""]
    (tmp_path / "hits.csv").write_text(text)
    table = Table.read(tmp_path / "hits.csv", format="ascii.csv", converters={"object_id": str})
    assert len(table) == 3


def test_ecsv() -> None:
    table = Table.read(render_hits(make_hits(), "ecsv").decode(), format="ascii.ecsv")
    check_values(table)
    check_descriptions(table)
    assert dict(table.meta) == plain_meta()


def test_fits(tmp_path: Path) -> None:
    path = tmp_path / "hits.fits"
    write_hits(make_hits(), path)
    check_values(Table.read(path))
    with fits.open(path) as hdus:
        header = hdus[1].header
        for number, column in enumerate(HIT_COLUMNS, start=1):
            assert header[f"TTYPE{number}"] == column.name
            assert header[f"TUCD{number}"] == column.ucd
            assert header[f"TCOMM{number}"] == column.description
        assert header["TUNIT9"] == "deg"
        assert json.loads(header["RECEIPT"]) == plain_meta()["receipt"]
        assert json.loads(header["QUERY"]) == plain_meta()["query"]
        hdus.verify("exception")


def test_votable(tmp_path: Path) -> None:
    path = tmp_path / "hits.vot"
    write_hits(make_hits(), path)
    assert b"BINARY2" in path.read_bytes()
    assert votable.validate(path, io.StringIO(), xmllint=False)
    document = votable.parse(path)
    resource = document.resources[0]
    assert resource.coordinate_systems[0].system == "ICRS"
    check_values(resource.tables[0].to_table())
    for field, column in zip(resource.tables[0].fields, HIT_COLUMNS, strict=True):
        assert (field.ucd, field.description) == (column.ucd, column.description)
        assert field.ref == ("sky" if column.name in ("ra_deg", "dec_deg") else None)
    infos = {info.name: info.value for info in resource.infos}
    assert json.loads(infos["receipt"]) == plain_meta()["receipt"]
    assert json.loads(infos["query"]) == plain_meta()["query"]
    assert json.loads(infos["receipt.encoder"])["repository"] == "demo"


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "hits.parquet"
    write_hits(make_hits(), path)
    file = pq.ParquetFile(path)
    assert json.loads(file.metadata.metadata[b"receipt"]) == plain_meta()["receipt"]
    assert file.schema_arrow.field("ra_deg").metadata == {
        b"ucd": b"pos.eq.ra;meta.main",
        b"description": b"Right ascension (ICRS)",
        b"unit": b"deg",
    }
    check_values(Table.read(path, format="parquet"))
    with_header = Table.read(path, format="parquet.votable")
    assert str(with_header["ra_deg"].unit) == "deg"
    assert len(with_header) == 3


def test_json() -> None:
    document = json.loads(render_hits(make_hits(), "json"))
    assert list(document) == ["query", "verdict", "receipt", "hits"]
    first, second, third = document["hits"]
    assert (first["key"], first["score"], first["redshift"]) == (f"demo-sdss:{BIG_ID}", 0.9, 0.1)
    assert second["redshift"] is None
    assert third["percentile"] is None
    assert document["query"]["ra_deg"] is None
    assert document["receipt"] == plain_meta()["receipt"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_same_answer_same_bytes(file_format: str) -> None:
    assert render_hits(make_hits(), file_format) == render_hits(make_hits(), file_format)


@pytest.mark.parametrize("file_format", FORMATS)
def test_empty_answers_are_files_too(tmp_path: Path, file_format: str) -> None:
    suffix = {"votable": "vot"}.get(file_format, file_format)
    path = tmp_path / f"empty.{suffix}"
    write_hits(make_hits(0), path)
    if file_format == "json":
        assert json.loads(path.read_text())["hits"] == []
    elif file_format == "csv":
        assert path.read_text().count("\n") == 1
    else:
        assert len(Table.read(path)) == 0


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="format must be one of csv, ecsv, fits"):
        render_hits(make_hits(), "xlsx")
    with pytest.raises(QueryError, match=r"must end in \.csv, .*, got 'hits.xlsx'"):
        write_hits(make_hits(), tmp_path / "hits.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_suffixes() -> None:
    assert format_of(Path("a.VOT")) == format_of(Path("a.xml")) == "votable"


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_or_absent(tmp_path / "a.csv") as temporary:
            temporary.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_arrays_of_an_answer_have_one_length() -> None:
    hits = make_hits()
    values = {name: getattr(hits, name) for name in hits.__dataclass_fields__}
    with pytest.raises(ValueError, match="must have one length"):
        Hits(**{**values, "via": hits.via[:1]})
