"""How far vectors lie from those that the lists were trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

from indexer import ann
from indexer.ann import recipes
from indexer.drafts import Draft
from indexer.drift import (
    FARTHER,
    IMBALANCE,
    Spread,
    drift_of,
    read_drift,
    spread_of,
    with_drift_notes,
    write_drift,
)
from indexer.errors import IndexFormatError
from indexer.fill import Filling, fill_segment, train_quantizer
from indexer.layout import segment_drift_file, segment_unit, space_unit
from indexer.spaces import to_unit

COUNT, DIM = 6000, 24
RECIPE = ann.Recipe("ivf_sq8", 64)


def _vectors(seed: int, *, centres: int = 0, few: int = 60, spread: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middle = np.random.default_rng(centres).standard_normal((60, DIM))
    chosen = middle[rng.integers(0, few, COUNT)]
    return to_unit(chosen + spread * rng.standard_normal((COUNT, DIM)))


@pytest.fixture(scope="module")
def trained():
    return ann.train(RECIPE, _vectors(0))


def test_a_spread_is_what_a_plain_count_gives(trained):
    vectors = _vectors(1)
    found = spread_of(trained, vectors)
    centres = trained.quantizer.reconstruct_n(0, 64)
    cosines = vectors @ to_unit(centres).T
    numbers, best = (vectors @ centres.T).argmax(axis=1), cosines.max(axis=1)
    assert found.vectors == COUNT
    assert len(found.cosines) == 101
    assert found.cosines[0] == pytest.approx(best.min(), abs=1e-5)
    assert found.cosines[50] == pytest.approx(np.median(best), abs=1e-5)
    same = (numbers[:, None] == numbers[None, :]).sum() - COUNT
    assert found.imbalance == pytest.approx(64 * same / (COUNT * (COUNT - 1)), abs=1e-5)


def test_the_difference_is_that_of_kolmogorov_and_smirnov(trained):
    one, two = _vectors(1), _vectors(2, spread=0.6)
    found = drift_of(spread_of(trained, two), spread_of(trained, one))
    ours, theirs = (np.sort(ann.nearest_lists(trained, each)[1]) for each in (two, one))
    at = np.concatenate([ours, theirs])
    shares = [np.searchsorted(each, at, side="right") / COUNT for each in (ours, theirs)]
    assert found.difference == pytest.approx(np.abs(shares[0] - shares[1]).max(), abs=0.01)
    assert found.farther == pytest.approx((shares[0] - shares[1]).max(), abs=0.01)


def test_more_of_the_same_does_not_drift(trained):
    reference = spread_of(trained, _vectors(1))
    drift = drift_of(spread_of(trained, _vectors(2)), reference)
    assert drift.difference < 0.05
    assert not drift.retrain
    nearer = drift_of(spread_of(trained, _vectors(3, spread=0.3)), reference)
    assert nearer.difference > FARTHER > nearer.farther
    assert not nearer.retrain


@pytest.mark.parametrize("other", [{"centres": 5}, {"few": 15}], ids=["elsewhere", "in few lists"])
def test_vectors_that_lie_otherwise_ask_for_other_lists(trained, other):
    drift = drift_of(spread_of(trained, _vectors(4, **other)), spread_of(trained, _vectors(1)))
    assert drift.retrain
    assert (drift.farther > FARTHER) == ("centres" in other)
    if "few" in other:
        assert drift.found.imbalance > IMBALANCE * drift.trained.imbalance
    note = drift.note("demo, image in space image")
    assert note.startswith("demo, image in space image: its vectors lie otherwise than those")
    assert f"farther by {drift.farther:.2f} where {FARTHER} is borne" in note
    assert "train the lists anew by building the index into another folder" in note


def test_a_segment_says_how_far_it_lies(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(recipes, "EXACT_UP_TO", 100)
    space, drafts = space_unit("image"), {}
    (tmp_path / space).mkdir(parents=True)
    kinds = {"near": _vectors(0), "far": _vectors(4, centres=5)}
    fillings = {name: Filling(tmp_path, segment_unit(name), "image", "image") for name in kinds}
    for name, vectors in kinds.items():
        fillings[name].write(COUNT, DIM, lambda chosen, vectors=vectors: vectors[chosen])
        drafts[name] = Draft(name, segment_unit(name), None, None, {"image": ("image",)})
    quantizer = train_quantizer(tmp_path, space, {"near:image": fillings["near"]})
    for filling in fillings.values():
        fill_segment(filling, None, quantizer)
    near, far = (read_drift(each.drift_path) for each in fillings.values())
    assert near is not None
    assert far is not None
    assert near.trained == far.trained == quantizer.facts.reference
    assert near.farther < 0.1 < FARTHER < far.farther
    notes = with_drift_notes(["something else"], tmp_path, drafts)
    assert notes == ("something else", far.note("far, image in space image"))
    # What was said before is found again, not said twice, or no longer holds.
    assert with_drift_notes(notes, tmp_path, drafts) == notes
    fillings["far"].drift_path.unlink()
    assert with_drift_notes(notes, tmp_path, drafts) == ("something else",)


def test_written_and_read(tmp_path: Path):
    spread = Spread(vectors=2, cosines=(0.5,) * 101, imbalance=1.0)
    path = tmp_path / segment_drift_file("segments/a", "image", "image")
    assert read_drift(path) is None
    drift = drift_of(spread, spread)
    write_drift(path, drift)
    assert read_drift(path) == drift
    assert json.loads(path.read_text())["difference"] == 0.0
    path.write_text("{}")
    with pytest.raises(IndexFormatError, match=r"drift\.json cannot be read"):
        read_drift(path)
