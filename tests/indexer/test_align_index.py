"""Heads of a built index, fitted anew and published with it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fake_sky import FAKE_TOOLS

from indexer.align_index import align_index
from indexer.build import build, encode
from indexer.cli import main
from indexer.errors import BuildError, IndexFormatError
from indexer.index_file import open_index
from indexer.layout import build_dir, staged_dir
from indexer.options import SearchOptions
from indexer.search import open_searcher
from indexer.spaces import to_unit
from indexer.verify import verify

GOLDEN = Path(__file__).parent / "golden" / "format-1"


@pytest.fixture
def built(fake_index: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fake_index, tmp_path / "index"))


def test_only_the_shared_space_is_new(built: Path):
    before = open_index(built)
    info = align_index(built, seed=3)
    after = open_index(built)
    assert after.info == info
    assert verify(built).problems == ()
    assert (info.generation, info.encoder) == (before.info.generation + 1, before.info.encoder)
    assert info.links == before.info.links
    assert info.unclaimed == before.info.unclaimed
    for name in ("image", "spectrum", "xp"):
        assert info.spaces[name] == before.info.spaces[name]
    assert info.spaces["shared"].directory == "spaces/shared@2"
    for name, segment in after.segments.items():
        assert segment.info.directory == f"segments/{name}@2"
        # Nothing else of a segment is written again.
        for file in ("rows.arrow", "previews/previews.arrow", "rejects.parquet"):
            old = built / before.segment(name).info.directory / file
            assert (built / segment.info.directory / file).stat().st_ino == old.stat().st_ino
    facts = after.heads_facts
    assert facts["seed"] == 3
    assert facts["encoder"] == before.info.encoder.digest
    assert set(facts["spaces"]) == {"image", "spectrum", "xp"}
    assert facts["pairs"] + facts["validation_pairs"] + facts["test_pairs"] > 500
    # Who opened before keeps what was published then.
    assert not before.is_current()
    _, vectors = before.segment("fake-sdss").vectors("shared", "spectrum")
    assert np.isfinite(vectors).all()


def test_the_vectors_are_those_of_the_heads_and_are_found(built: Path):
    align_index(built)
    index = open_index(built)
    segment = index.segment("fake-sdss")
    _, own = segment.vectors("spectrum")
    _, shared = segment.vectors("shared", "spectrum")
    head = index.heads("spectrum")
    assert head is not None
    expected = to_unit(head.apply(np.array(own, np.float32)))
    np.testing.assert_allclose(shared, expected, atol=1e-3)
    searcher = open_searcher(built)
    key = searcher.query_text(f"fake-images:{index.segment('fake-images').object_id(7)}")
    hits = searcher.search(key, SearchOptions(k=5, to="xp", bridge="aligned"))
    assert len(hits) == 5


def test_equal_indexes_become_equal_ones(fake_index: Path, tmp_path: Path, fingerprint):
    made = []
    for name in ("one", "other"):
        index = Path(shutil.copytree(fake_index, tmp_path / name))
        align_index(index, seed=1)
        made.append(fingerprint(index))
    assert made[0] == made[1]


def test_a_build_afterwards_has_nothing_to_do(fake_sky, built: Path):
    info = align_index(built)
    report = build(fake_sky, built, weights="fake", tools=FAKE_TOOLS)
    assert not report.changed
    assert report.info == info
    # And what an earlier publication left is gone after the next one.
    align_index(built)
    assert not (built / "segments" / "fake-sdss").exists()
    assert open_index(built).segment("fake-sdss").info.directory == "segments/fake-sdss@3"


def test_too_few_pairs_leave_the_index_as_it_was(tmp_path: Path, fingerprint):
    index = Path(shutil.copytree(GOLDEN, tmp_path / "index"))
    before = fingerprint(index)
    with pytest.raises(BuildError, match=r"at least 100 linked pairs are needed, there are \d\d$"):
        align_index(index)
    assert not build_dir(index).exists() or not any(build_dir(index).iterdir())
    shutil.rmtree(build_dir(index), ignore_errors=True)
    assert fingerprint(index) == before


def test_encoded_partitions_of_an_unfinished_build_are_not_thrown_away(fake_sky, built: Path):
    encode(fake_sky, built, weights="another", tools=FAKE_TOOLS)
    assert staged_dir(built).exists()
    with pytest.raises(BuildError, match="holds an unfinished build, whose encoded files"):
        align_index(built)
    assert staged_dir(built).exists()


def test_a_folder_without_an_index_stays_empty(tmp_path: Path):
    with pytest.raises(IndexFormatError, match="is no index"):
        align_index(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command(built: Path):
    result = CliRunner().invoke(
        main, ["align", str(built), "--pairs-at-most", "500", "--seed", "2"]
    )
    assert result.exit_code == 0, result.output
    facts = open_index(built).heads_facts
    assert facts["seed"] == 2
    assert facts["pairs"] + facts["validation_pairs"] + facts["test_pairs"] <= 500
    assert "linear heads into 32 dimensions" in result.stdout
    assert "image to spectrum" in result.stdout
    assert f"{built} is published, generation 2" in result.stdout
    refused = CliRunner().invoke(main, ["align", str(built.parent / "nothing")])
    assert refused.exit_code == 1
    assert "is no index" in refused.output
    assert not (built.parent / "nothing").exists()
    info = CliRunner().invoke(main, ["info", str(built)])
    assert "aligned: " in info.stdout
    assert "{" not in info.stdout
