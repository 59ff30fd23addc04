"""Verification notices what is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer.durable import sha256_of
from indexer.errors import BuildError
from indexer.index_file import write_checked
from indexer.layout import rejects_file, segment_vectors_file
from indexer.reports import verify_text
from indexer.verify import verify

VECTORS = segment_vectors_file("segments/fake-desi", "spectrum", "spectrum")


@pytest.fixture
def copy(fake_index: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fake_index, tmp_path / "copy"))


def _relist(index: Path, name: str) -> None:
    """Make index.json agree with a changed file, so that only its contents are wrong."""
    values = json.loads((index / "index.json").read_text())
    path = index / name
    values["files"][name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    _write(index, values)


def _edit(index: Path, change: Callable[[dict], None]) -> None:
    values = json.loads((index / "index.json").read_text())
    change(values)
    _write(index, values)


def _write(index: Path, values: dict) -> None:
    write_checked(index / "index.json", values)


def _problems(index: Path) -> str:
    report = verify(index)
    assert not report.ok
    return "; ".join(report.problems)


def test_missing_short_changed_and_unlisted_files(copy: Path):
    (copy / "segments/fake-gaia/rows.arrow").unlink()
    (copy / rejects_file("segments/fake-sdss")).write_bytes(b"short")
    path = copy / VECTORS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (copy / "segments/fake-desi/extra.txt").write_text("x")
    problems = _problems(copy)
    assert "segments/fake-gaia/rows.arrow is missing" in problems
    assert "segments/fake-sdss/rejects.parquet must have" in problems
    assert "bytes, it has 5" in problems
    assert f"{VECTORS} has another sha256 than listed" in problems
    assert "segments/fake-desi/extra.txt is not listed" in problems
    assert f"{VECTORS} has another" not in "; ".join(verify(copy, hashes=False).problems)


def test_vectors_that_are_not_of_unit_length(copy: Path):
    vectors = np.load(copy / VECTORS)
    vectors[3] *= 2
    np.save(copy / VECTORS, vectors)
    _relist(copy, VECTORS)
    assert "vectors must have unit length, one is off by 1" in _problems(copy)


def test_vectors_that_are_not_finite(copy: Path):
    vectors = np.load(copy / VECTORS)
    vectors[3] = np.nan
    np.save(copy / VECTORS, vectors)
    _relist(copy, VECTORS)
    assert "vectors must be finite" in _problems(copy)


def test_vectors_that_are_too_few(copy: Path):
    np.save(copy / VECTORS, np.load(copy / VECTORS)[:-1])
    _relist(copy, VECTORS)
    problems = _problems(copy)
    assert "131 vectors are there for 132 objects" in problems
    assert "the FAISS file must hold" in problems


def test_counts_that_are_wrong(copy: Path):
    def change(values: dict) -> None:
        values["releases"]["fake-sdss"]["read"] += 1
        values["releases"]["fake-sdss"]["rejected"] += 1
        values["releases"]["fake-gaia"]["placed"] -= 1
        values["links"][0]["count"] += 1
        values["unclaimed_files"] = 5

    _edit(copy, change)
    problems = _problems(copy)
    assert "fake-sdss: 3 were rejected, rejects.parquet lists 2" in problems
    assert "fake-gaia:" in problems
    assert "are listed" in problems
    assert "5 unclaimed files are listed, the table has 1" in problems


def test_links_that_are_too_far(copy: Path, fake_index: Path):
    import pyarrow as pa

    from indexer.arrow_tables import map_table, write_arrow

    name = "links/fake-desi--fake-sdss.arrow"
    table = map_table(copy / name)
    turned = table.set_column(1, "row_b", pa.array(table.column("row_b").to_pylist()[::-1]))
    write_arrow(turned, copy / "turned.arrow")
    (copy / "turned.arrow").rename(copy / name)
    _relist(copy, name)
    problems = _problems(copy)
    assert "links fake-desi to fake-sdss: must lie within 1.0 arcsec" in problems
    assert "separations must be those of the positions" in problems


def test_rows_and_keys_out_of_order(copy: Path):
    from indexer.arrow_tables import map_table, write_arrow

    for name in ("rows", "keys"):
        path = copy / f"segments/fake-sdss/{name}.arrow"
        table = map_table(path)
        order = [1, 0, *range(2, len(table))]
        write_arrow(table.take(order), copy / "new.arrow")
        (copy / "new.arrow").rename(path)
        _relist(copy, f"segments/fake-sdss/{name}.arrow")
    problems = _problems(copy)
    assert "rows must be in the order of healpix_29, then object_id" in problems
    assert "keys.arrow must list every object id once, in order" in problems


def test_leftovers_are_named_but_not_wrong(copy: Path):
    (copy / "segments" / "fake-desi@9").mkdir()
    (copy / "thesis.tex").write_text("important")
    report = verify(copy)
    assert report.ok
    assert report.leftovers == ("segments/fake-desi@9",)
    assert report.strangers == ("thesis.tex",)
    text = verify_text(report)
    assert "not part of the index: segments/fake-desi@9" in text
    assert "not of this program: thesis.tex" in text


def test_problems_can_be_raised(copy: Path):
    verify(copy).raise_for_problems()
    (copy / "unclaimed.parquet").unlink()
    with pytest.raises(BuildError, match=r"has 1 problems: unclaimed\.parquet is missing"):
        verify(copy).raise_for_problems()


def test_progress_counts_files(copy: Path):
    calls: list[tuple[int, int]] = []
    verify(copy, progress=lambda done, total: calls.append((done, total)))
    assert (
        calls[-1][0] == calls[-1][1] == len(json.loads((copy / "index.json").read_text())["files"])
    )
