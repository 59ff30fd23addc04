"""A segment filled piece by piece: the same file, whatever happened on the way."""

import json
from pathlib import Path

import numpy as np
import pytest
from fake_sky import FAKE_TOOLS

from indexer import ann, fill
from indexer.ann import pieces as ann_pieces
from indexer.ann import recipes
from indexer.build import build
from indexer.errors import IndexFormatError
from indexer.fill import Filling, fill_segment, train_quantizer
from indexer.index_file import open_index
from indexer.layout import numbered, quantizer_facts_file, segment_unit, space_unit
from indexer.quantizers import positions_of, taken
from indexer.spaces import to_unit
from indexer.vectors import exact_scan, rerank
from indexer.verify import verify

COUNT, DIM = 5000, 64
SPACE = space_unit("image")
ROWS = np.arange(COUNT) * 2 + 7


def _vectors(seed: int, spread: float = 0.6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(4).standard_normal((40, DIM))
    return to_unit(centres[rng.integers(0, 40, COUNT)] + spread * rng.standard_normal((COUNT, DIM)))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(recipes, "EXACT_UP_TO", 100)
    monkeypatch.setattr(recipes, "EIGHT_BIT_UP_TO", 0)
    monkeypatch.setattr(fill, "SHARD_VECTORS", 700)
    monkeypatch.setattr(ann_pieces, "_LISTS_AT_ONCE", 50)


def _filling(root: Path, vectors: np.ndarray, name: str = "a", *, coded: bool = False) -> Filling:
    filling = Filling(root, segment_unit(name), "image", "image")
    filling.write(COUNT, DIM, lambda chosen: vectors[chosen], coded=coded)
    (root / SPACE).mkdir(parents=True, exist_ok=True)
    return filling


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An undisturbed fill in one piece, and what it started from."""
    root = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "EXACT_UP_TO", 100)
        patch.setattr(recipes, "EIGHT_BIT_UP_TO", 0)
        filling = _filling(root, _vectors(0))
        trained = train_quantizer(root, SPACE, {"a:image": filling})
        fill_segment(filling, ROWS, trained)
    return filling, trained


def test_pieces_give_the_same_file(made, tmp_path, monkeypatch):
    filling, trained = made
    assert not filling.ann_path.with_suffix(".pieces").exists()
    before = filling.ann_path.read_bytes()
    monkeypatch.setattr(fill, "PIECE_VECTORS", 1600)
    seen = []
    fill_segment(filling, ROWS, trained, pieces=tmp_path, progress=lambda *each: seen.append(each))
    assert filling.ann_path.read_bytes() == before
    assert seen == [(start, COUNT) for start in (0, 1600, 3200, 4800, COUNT)]
    # A piece holds its codes and ids, and nothing that is trained.
    sizes = [path.stat().st_size for path in tmp_path.glob("0-*.lists")]
    assert len(sizes) == 1
    assert sizes[0] < 1600 * 40 + 8 * (trained.facts.lists + 1) + 1000


def test_finished_pieces_are_not_filled_again(made, tmp_path, monkeypatch):
    filling, trained = made
    before = filling.ann_path.read_bytes()
    monkeypatch.setattr(fill, "PIECE_VECTORS", 1600)
    save, filled = ann.save_piece, []

    def breaks_off(index, path):
        if len(filled) == 2:
            raise KeyboardInterrupt
        filled.append(path.name)
        save(index, path)

    monkeypatch.setattr(ann, "save_piece", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        fill_segment(filling, ROWS, trained, pieces=tmp_path)
    monkeypatch.setattr(ann, "save_piece", lambda *each: (filled.append(each[1].name), save(*each)))
    fill_segment(filling, ROWS, trained, pieces=tmp_path)
    assert [name.split("-")[0] for name in filled] == ["0", "1600", "3200", "4800"]
    assert filling.ann_path.read_bytes() == before
    # Other rows are other pieces.
    fill_segment(filling, ROWS + 1, trained, pieces=tmp_path)
    assert len(filled) == len(set(filled)) == 8


def test_a_damaged_piece_is_named(made, tmp_path, monkeypatch):
    filling, trained = made
    monkeypatch.setattr(fill, "PIECE_VECTORS", 2500)
    fill_segment(filling, ROWS, trained, pieces=tmp_path)
    path = sorted(tmp_path.glob("*.lists"))[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IndexFormatError, match=r"must be a piece of inverted lists.*remove it"):
        fill_segment(filling, ROWS, trained, pieces=tmp_path)


def test_several_files_answer_like_one(made, tmp_path, monkeypatch):
    filling, trained = made
    one, queries = ann.load(filling.ann_path), _vectors(9)[:20]
    other = Filling(tmp_path, filling.segment, "image", "image")
    other.write(COUNT, DIM, lambda chosen: filling.vectors()[chosen].astype(np.float32))
    monkeypatch.setattr(fill, "PIECE_VECTORS", 1100)
    monkeypatch.setattr(fill, "FILE_BYTES", 2000 * 40)
    fill_segment(other, ROWS, trained, pieces=tmp_path / "pieces")
    assert not other.ann_path.exists()
    assert [numbered(other.ann_path, each).exists() for each in range(4)] == [True] * 3 + [False]
    several = ann.load(other.ann_path)
    assert (several.count, several.recipe, len(several.more)) == (COUNT, one.recipe, 2)
    for settings in ({}, {"nprobe": 3}, {"allowed": ROWS[::9]}):
        for found, wanted in zip(
            several.search(queries, 30, **settings),
            one.search(queries, 30, **settings),
            strict=True,
        ):
            np.testing.assert_array_equal(found, wanted)


def test_eight_bits_rank_nearly_as_well(made, tmp_path):
    filling, _ = made
    coded = _filling(tmp_path, _vectors(0), coded=True)
    assert coded.coded
    assert not filling.coded
    assert coded.vectors_path.stat().st_size < COUNT * DIM + 200
    trained = train_quantizer(tmp_path, SPACE, {"a:image": coded})
    fill_segment(coded, None, trained)
    index, queries = ann.load(coded.ann_path), _vectors(9)[:50]
    _, exact, _ = exact_scan(filling.vectors(), queries, 10)
    _, candidates, counts = index.search(queries, 200, nprobe=index.recipe.lists)
    _, best, _ = rerank(coded.vectors(), queries, candidates, counts, 10)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(exact, best, strict=True)]) > 0.95


def test_what_is_trained_says_on_what(made, tmp_path):
    filling, trained = made
    facts = json.loads((filling.root / quantizer_facts_file(SPACE)).read_text())
    assert facts == trained.facts.model_dump(mode="json")
    assert (facts["recipe"], facts["dim"], facts["device"]) == ("ivf_pq4", DIM, "cpu")
    assert facts["training"] == {"a:image": COUNT}
    assert facts["reference"]["vectors"] == facts["held_out"] == COUNT // 8
    again = taken(filling.root, SPACE, tmp_path, space_unit("image", 2))
    assert (again.sha256, again.facts) == (trained.sha256, trained.facts)


def test_a_killed_build_finds_its_quantizer_again(made, tmp_path, monkeypatch):
    filling, trained = made
    first = train_quantizer(tmp_path, SPACE, {"a:image": filling}, keep=tmp_path / "keep")
    monkeypatch.setattr(ann, "train", lambda *_: pytest.fail("it was trained again"))
    second = train_quantizer(tmp_path, SPACE, {"a:image": filling}, keep=tmp_path / "keep")
    assert first.sha256 == second.sha256 == trained.sha256
    assert first.facts == second.facts


def test_every_segment_is_in_the_sample():
    chosen = positions_of([1000, 10, 0, 1], 101)
    assert [len(each) for each in chosen] == [99, 1, 0, 1]
    assert chosen[0][:3].tolist() == [0, 10, 20]
    assert [len(each) for each in positions_of([3, 2], 100)] == [3, 2]


def test_a_build_that_broke_off_goes_on_with_its_pieces(
    fake_sky, tmp_path, fingerprint, monkeypatch
):
    monkeypatch.setattr(recipes, "EXACT_UP_TO", 20)
    monkeypatch.setattr(recipes, "EIGHT_BIT_UP_TO", 2**30)
    monkeypatch.setattr(fill, "PIECE_VECTORS", 25)
    build(fake_sky, tmp_path / "one", weights="fake", tools=FAKE_TOOLS)
    save, saved = ann.save_piece, []

    def breaks_off(index, path):
        if len(saved) == 3:
            raise KeyboardInterrupt
        saved.append(path)
        save(index, path)

    monkeypatch.setattr(ann, "save_piece", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        build(fake_sky, tmp_path / "two", weights="fake", tools=FAKE_TOOLS)
    again = []
    monkeypatch.setattr(ann, "save_piece", lambda *each: (again.append(each[1]), save(*each)))
    build(fake_sky, tmp_path / "two", weights="fake", tools=FAKE_TOOLS)
    assert again
    assert not set(again) & set(saved)
    assert fingerprint(tmp_path / "two") == fingerprint(tmp_path / "one")
    assert not (tmp_path / "two" / ".build").exists()
    index = open_index(tmp_path / "two")
    names = {Path(name).name for name in index.info.files}
    assert {"quantizer.faiss", "quantizer.json", "spectrum.drift.json"} <= names
    assert verify(tmp_path / "two").ok
