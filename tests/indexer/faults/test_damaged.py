"""Damage to any file of an index is found, and named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from indexer.cli import main
from indexer.errors import IndexFormatError
from indexer.index_file import open_index, read_index_file
from indexer.verify import verify

SEED = 5


@pytest.fixture(scope="module")
def whole(after: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index whose files are damaged one at a time, and made whole again."""
    return Path(shutil.copytree(after, tmp_path_factory.mktemp("damaged") / "index"))


def _listed(index: Path) -> list[str]:
    return sorted(json.loads((index / "index.json").read_text())["files"])


def _flipped(content: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


def test_every_kind_of_file_is_there(whole: Path):
    suffixes = {Path(name).suffix for name in _listed(whole)}
    assert suffixes >= {".arrow", ".parquet", ".npy", ".faiss", ".json", ".safetensors", ".csv"}


def test_a_flipped_bit_of_any_listed_file(whole: Path):
    rng = np.random.default_rng(SEED)
    for name in _listed(whole):
        path = whole / name
        content = path.read_bytes()
        place, bit = int(rng.integers(len(content))), int(rng.integers(8))
        path.write_bytes(_flipped(content, place, bit))
        expected = f"{name} has another sha256 than listed"
        assert verify(whole).problems == (expected,), (place, bit)
        path.write_bytes(content)
    assert verify(whole).ok


def test_any_listed_file_cut_short_or_gone(whole: Path):
    for name in _listed(whole):
        path = whole / name
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        size = len(content)
        expected = f"{name} must have {size} bytes, it has {size - 1}"
        assert verify(whole, hashes=False).problems == (expected,)
        path.unlink()
        assert verify(whole, hashes=False).problems == (f"{name} is missing",)
        path.write_bytes(content)
    assert verify(whole).ok


def test_a_flipped_bit_of_index_json(whole: Path):
    """Anywhere: in a count, in a name, in the checksum itself, or in a space between."""
    path = whole / "index.json"
    content = path.read_bytes()
    drawn = np.random.default_rng(SEED).choice(len(content), 300, replace=False).tolist()
    for place in (*range(120), *sorted(drawn), len(content) - 1):
        path.write_bytes(_flipped(content, place, place % 8))
        with pytest.raises(IndexFormatError) as refused:
            read_index_file(path)
        assert str(path) in str(refused.value), place
    path.write_bytes(content)
    read_index_file(path)


def test_index_json_cut_short_at_any_place(whole: Path):
    path = whole / "index.json"
    content = path.read_bytes()
    # The line break at its end is part of it, too.
    for size in (0, 1, len(content) // 3, len(content) - 3, len(content) - 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(IndexFormatError, match="is damaged"):
            verify(whole)
    path.write_bytes(content)


def test_the_command_says_it_in_one_line(whole: Path):
    path = whole / "index.json"
    content = path.read_bytes()
    # Valid JSON, and a title that somebody might believe.
    path.write_bytes(content.replace(b"(simulated)", b"(Simulated)", 1))
    done = CliRunner().invoke(main, ["verify", str(whole)])
    path.write_bytes(content)
    assert done.exit_code == 1
    lines = [line for line in done.output.splitlines() if line.startswith("Error")]
    assert len(lines) == 1
    assert f"{path} is damaged: it must have the sha256 that it states of itself" in lines[0]


def test_an_index_from_before_it_stated_a_checksum_opens(whole: Path, tmp_path: Path):
    index = Path(shutil.copytree(whole, tmp_path / "index"))
    values = json.loads((index / "index.json").read_text())
    del values["sha256"]
    (index / "index.json").write_text(json.dumps(values))
    assert open_index(index).info == open_index(whole).info


def test_files_that_are_not_listed(whole: Path, tmp_path: Path):
    index = Path(shutil.copytree(whole, tmp_path / "index"))
    unit = read_index_file(index / "index.json").releases["fake-sdss"].directory
    (index / unit / "catalog" / "extra.parquet").write_bytes(b"x")
    (index / "links" / "a--b.arrow").write_bytes(b"x")
    (index / "notes.txt").write_bytes(b"x")
    report = verify(index)
    assert report.problems == (f"{unit}/catalog/extra.parquet is not listed",)
    assert "links/a--b.arrow" in report.leftovers
    assert report.strangers == ("notes.txt",)


def test_a_file_that_cannot_be_read_is_one_problem(whole: Path, monkeypatch: pytest.MonkeyPatch):
    """A broken disk, too, leaves the other files to be looked at."""
    victim = _listed(whole)[3]
    read = Path.open

    def broken(path: Path, *given, **named):
        if str(path).endswith(victim):
            raise OSError(5, "Input/output error", str(path))
        return read(path, *given, **named)

    monkeypatch.setattr(Path, "open", broken)
    assert verify(whole).problems == (f"{victim} cannot be read (Input/output error)",)
