"""Paths inside an index, and files that are whole or absent."""

from pathlib import Path

import pytest

from indexer import layout
from indexer.durable import canonical_json, digest_of, replacing, sha256_of, write_json


def test_units_and_their_generations():
    assert layout.segment_unit("demo-desi") == "segments/demo-desi"
    assert layout.segment_unit("demo-desi", 3) == "segments/demo-desi@3"
    assert layout.space_unit("image", 2) == "spaces/image@2"
    assert layout.links_unit("a", "b") == "links/a--b.arrow"
    assert layout.links_unit("a", "b", 2) == "links/a--b@2.arrow"
    assert layout.unclaimed_unit() == "unclaimed.parquet"
    for unit, generation in (
        ("segments/x", 1),
        ("segments/x@12", 12),
        ("links/a--b@3.arrow", 3),
        ("unclaimed.parquet", 1),
    ):
        assert layout.generation_of(unit) == generation


def test_names_that_cannot_be_folders():
    for name in ("", "../x", "a/b", "a--b", ".hidden", "a b"):
        with pytest.raises(ValueError, match="must match"):
            layout.segment_unit(name)
    with pytest.raises(ValueError, match="alphabetical"):
        layout.links_unit("b", "a")


def test_any_partition_has_a_folder(tmp_path: Path):
    names = ["healpix=0012", "files", "a/b/c.fits", "é ü", ".x", "y" * 400, "y" * 401, "a~b"]
    folders = [layout.staged_partition_dir(tmp_path, "r", name) for name in names]
    assert len(set(folders)) == len(names)
    for folder in folders:
        assert folder.parent == tmp_path / ".build" / "staged" / "r"
        assert len(folder.name) <= 160
        assert not folder.name.startswith(".")
        folder.mkdir(parents=True)


def test_a_file_that_failed_is_not_there(tmp_path: Path):
    path = tmp_path / "deep" / "file.txt"
    with pytest.raises(RuntimeError, match="no"):
        _fail_half_way(path)
    assert not path.exists()
    with replacing(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


def _fail_half_way(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("no")


def test_digests(tmp_path: Path):
    # The second road: the test vector of FIPS 180-2 for "abc".
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert canonical_json({"b": 1, "a": [1.5, "é"]}) == '{"a":[1.5,"\\u00e9"],"b":1}'
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    write_json(tmp_path / "v.json", {"z": 1, "a": 2})
    assert (tmp_path / "v.json").read_text() == '{\n "z": 1,\n "a": 2\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "n.json", {"a": float("nan")})
