"""Lists of identifiers, in every form."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from indexer.errors import QueryError, ReadError
from indexer.identifier_lists import read_identifiers

IDS = ["39627866878511337", "-2713437", "39633345008634465"]


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "vot", "parquet"])
@pytest.mark.parametrize("as_text", [True, False])
def test_tables(tmp_path: Path, suffix: str, as_text: bool) -> None:
    path = tmp_path / f"list.{suffix}"
    ids = IDS if as_text else [int(each) for each in IDS]
    table = Table({"z": [0.1, 0.2, 0.3], "TARGETID": ids})
    if suffix == "parquet":
        pq.write_table(pa.table({"z": [0.1, 0.2, 0.3], "TARGETID": ids}), path)
    else:
        table.write(path, format={"vot": "votable", "ecsv": "ascii.ecsv"}.get(suffix, suffix))
    assert read_identifiers(path) == IDS
    assert read_identifiers(path, "targetid") == IDS


def test_csv_keeps_every_digit_and_every_row(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("# from a query\nspecobjid,z\n10295992233222637568,0.1\n,0.2\nb'299 ',0.3\n")
    assert read_identifiers(path) == ["10295992233222637568", "", "299"]


@pytest.mark.parametrize("name", ["list.csv", "list.txt"])
def test_plain_lists(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("demo-desi:1\n266-51630-1\n\n0421p022-7410\n")
    assert read_identifiers(path) == ["demo-desi:1", "266-51630-1", "0421p022-7410"]


def test_text_may_hold_comments(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# mine\n12  # the brightest\nGaia DR3 5\n")
    assert read_identifiers(path) == ["12", "Gaia DR3 5"]


def test_the_first_likely_column_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,key\na,demo-desi:1\n")
    assert read_identifiers(path) == ["demo-desi:1"]
    assert read_identifiers(path, "name") == ["a"]


@pytest.mark.parametrize(
    ("content", "column", "error", "reason"),
    [
        ("ra,dec\n1,2\n", None, QueryError, "name the column of list.csv .* columns are ra, dec"),
        ("ra,dec\n1,2\n", "id", QueryError, "has no column 'id'; its columns are ra, dec"),
        ("", None, ReadError, "list.csv holds no identifier"),
        ("id\n", None, ReadError, "list.csv holds no identifier"),
        ("id,z\n1\n", None, ReadError, "row 2 has 1 cells, the header has 2"),
    ],
)
def test_refusals_say_why(
    tmp_path: Path, content: str, column: str | None, error: type[Exception], reason: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(content)
    with pytest.raises(error, match=reason):
        read_identifiers(path, column)


def test_floating_point_identifiers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.fits"
    Table({"targetid": np.array([39627866878511337.0])}).write(path)
    with pytest.raises(QueryError, match="are floating-point numbers"):
        read_identifiers(path)


@pytest.mark.parametrize("suffix", ["fits", "parquet", "vot", "ecsv"])
def test_broken_tables_are_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list.{suffix}"
    path.write_bytes(b"no table\n at all")
    with pytest.raises(ReadError, match=r"\Acannot read a list of identifiers from [^\n]+\Z"):
        read_identifiers(path)
