"""Spectra as the tokenizer sees them in the shared space: fitted, measured, asked, let go."""

import dataclasses
import json
from pathlib import Path

import fake_sky as sky
import numpy as np
import pytest
from astropy.table import Table
from fake_native import open_fake_native

from aion_encoder.fake import open_fake_encoder
from indexer.align import Aligned, fit_heads
from indexer.align_index import align_index
from indexer.align_native import with_native_head
from indexer.align_report import aligned_text
from indexer.build import build
from indexer.calibration import calibrate
from indexer.errors import SearchError
from indexer.evaluate.bench import Bench
from indexer.evaluate.partners import OfIndex, partners
from indexer.examples import examples_query
from indexer.index_file import open_index
from indexer.index_model import NATIVE
from indexer.options import SearchOptions
from indexer.pairs import ReleasePairs, Split, gather_pairs
from indexer.readers.records import Record
from indexer.readers.uploads import read_spectrum_file
from indexer.search import Searcher
from indexer.spaces import to_unit
from indexer.verify import verify

TOOLS = dataclasses.replace(sky.FAKE_TOOLS, open_native=open_fake_native)
INFRARED = "fake-apogee"
RELEASES = ("fake-images", "fake-sdss", INFRARED)
NAMES = {"weights": "fake", "native_weights": "universal"}
COUNT = 800


def planted(left: str, right: str, seen: int = COUNT) -> ReleasePairs:
    """Pairs of sources whose vectors have six common factors, with little noise."""
    common = np.random.default_rng(0).standard_normal((COUNT, 6))
    rows = np.arange(seen)
    sides = []
    for side in (left, right):
        rng = np.random.default_rng(("image", "spectrum", "xp", NATIVE).index(side))
        signal = common @ rng.standard_normal((6, 10))
        sides.append(to_unit(signal + 0.1 * rng.standard_normal(signal.shape)).astype(np.float16))
    cells = np.random.default_rng(9).integers(0, 12 * 4**29, COUNT)
    releases = (f"one-{left}", f"two-{right}")
    return ReleasePairs(
        releases, (left, right), (sides[0], sides[1]), (rows, rows), (rows, rows), rows, cells[rows]
    )


def test_a_head_joins_the_space_and_changes_nothing_else():
    pairs = [planted("image", "spectrum"), planted("image", NATIVE)]
    before = fit_heads(pairs[:1], ("image", "spectrum"))
    assert isinstance(before, Aligned)
    after = with_native_head(before, pairs, pairs_at_most=10_000, seed=0)
    assert {name: after.heads[name] for name in before.heads} == before.heads
    assert json.loads(json.dumps(after.facts)) == after.facts
    parts = Split(before.facts["split"]["healpix_order"]).parts(pairs[1].healpix_29)
    assert after.facts[NATIVE]["pairs"] == int((parts == 0).sum())
    assert after.facts[NATIVE]["test_pairs"] == int((parts == 2).sum())
    assert after.facts["pairs"] == before.facts["pairs"]
    # By another road: how often the image of the same source is among the ten nearest.
    x, y = (each.astype(np.float32)[parts == 2] for each in pairs[1].vectors)
    targets = to_unit(after.heads["image"].apply(x))
    scores = to_unit(after.heads[NATIVE].apply(y)) @ targets.T
    rank = (scores > np.diag(scores)[:, None]).sum(axis=1)
    told = after.facts["test"][f"{NATIVE}_to_image"]
    assert told["recall_at_10"] == pytest.approx(np.mean(rank < 10), abs=1e-4)
    assert told["recall_at_10"] > 0.8
    assert told["queries"] == int((parts == 2).sum())
    assert f"image_to_{NATIVE}" not in after.facts["test"]
    assert "spectrum native to image" in aligned_text(after.facts)


def test_what_was_held_out_has_no_say():
    pairs = planted("image", NATIVE)
    before = fit_heads([planted("image", "spectrum")], ("image", "spectrum"))
    first = with_native_head(before, [pairs], pairs_at_most=10_000, seed=0)
    test = Split(before.facts["split"]["healpix_order"]).parts(pairs.healpix_29) == 2
    changed = pairs.vectors[1].copy()
    changed[test] = changed[test][::-1]
    other = dataclasses.replace(pairs, vectors=(pairs.vectors[0], changed))
    second = with_native_head(before, [other], pairs_at_most=10_000, seed=0)
    np.testing.assert_array_equal(first.heads[NATIVE].projection, second.heads[NATIVE].projection)
    assert second.facts["test"][f"{NATIVE}_to_image"]["recall_at_10"] < 0.3


def test_too_few_pairs_are_told():
    before = fit_heads([planted("image", "spectrum")], ("image", "spectrum"))
    after = with_native_head(before, [planted("image", NATIVE, 60)], pairs_at_most=999, seed=0)
    assert set(after.heads) == {"image", "spectrum"}
    assert after.left_out[NATIVE] == (
        "spectrum_native is not aligned: at least 100 linked pairs with image are needed, "
        "there are 60"
    )


def test_what_only_asks_is_calibrated_and_never_a_target():
    rng = np.random.default_rng(3)
    there, asking = (to_unit(rng.standard_normal((n, 5))).astype(np.float16) for n in (40, 30))
    found = calibrate("shared", {("a", "image"): there}, {("b", NATIVE): asking})
    assert set(found.quantiles) == {
        "a:image>a:image",
        "*:image>a:image",
        f"b:{NATIVE}>a:image",
        f"*:{NATIVE}>a:image",
    }
    scores = asking.astype(np.float64) @ there.astype(np.float64).T
    half = found.quantiles[f"b:{NATIVE}>a:image"][500]
    assert half == pytest.approx(np.median(scores), abs=0.02)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return sky.write_fake_sky(tmp_path_factory.mktemp("aligned-sky"), RELEASES, sources=260)


@pytest.fixture(scope="module")
def path(manifest, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("aligned-index")
    build(manifest, path, tools=TOOLS, **NAMES)
    return path


@pytest.fixture(scope="module")
def searcher(path: Path) -> Searcher:
    return Searcher(open_index(path), open_fake_encoder, lambda: open_fake_native("universal"))


def spectra(manifest) -> dict:
    release = manifest.release(INFRARED)
    return {
        each.object_id: each.observations[0]
        for partition in TOOLS.partitions(manifest, release)
        for each in sky.read_fake_partition(manifest, release, partition)
        if isinstance(each, Record)
    }


def by_hand(index, vector: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Keys and cosines of all pictures for a unit vector in the tokenizer's space."""
    asked = to_unit(index.heads(NATIVE).apply(np.asarray(vector, np.float32)[None, :]))[0]
    segment = index.segment("fake-images")
    rows, stored = segment.vectors("shared", "image")
    scores = to_unit(stored.astype(np.float64)) @ asked
    order = np.argsort(-scores, kind="stable")
    return [f"fake-images:{segment.object_id(rows[at])}" for at in order], scores[order]


def test_an_infrared_file_finds_pictures_over_a_bridge_that_was_measured(
    searcher, manifest, tmp_path
):
    index = searcher.index
    spectrum = spectra(manifest)["A0100"]
    Table({"wavelength": spectrum.wavelength_angstrom, "flux": spectrum.flux}).write(
        tmp_path / "infrared.csv"
    )
    query = searcher.query_upload(read_spectrum_file([tmp_path / "infrared.csv"]))
    hits = searcher.search(query, SearchOptions(k=20, to="image", exclude_source=False))
    assert set(hits.bridge) == {"aligned"}
    assert set(hits.modality) == {"image"}
    assert hits.receipt["spaces"] == ["shared"]
    assert hits.receipt["space_encoder"]["repository"] == "universal"
    raw = open_fake_native("universal").encode([spectrum]).vectors
    keys, scores = by_hand(index, index.space(NATIVE).apply(raw)[0])
    assert list(hits.key) == keys[:20]
    np.testing.assert_allclose(hits.score, scores[:20], atol=3e-4)  # lengths in float16
    known = index.calibration("shared").quantiles[f"*:{NATIVE}>fake-images:image"]
    expected = np.interp(hits.score, known, np.linspace(0.0, 100.0, 1001))
    np.testing.assert_allclose(hits.percentile, expected, atol=2e-3)
    told = index.heads_facts["test"][f"{NATIVE}_to_image"]
    assert told["queries"] >= 20
    # By chance one in four and a half would be among the ten nearest.
    assert told["recall_at_10"] > 0.5
    linked = searcher.search(query, SearchOptions(k=3, to="image", bridge="linked"))
    assert set(linked.bridge) == {"linked"}
    assert linked.receipt["spaces"] == [NATIVE]


def test_an_object_of_the_index_asks_with_the_vector_that_lies_there(searcher):
    index = searcher.index
    query = searcher.query_object(f"{INFRARED}:A0100")
    hits = searcher.search(query, SearchOptions(k=10, to="image", exclude_source=False))
    segment = index.segment(INFRARED)
    rows, stored = segment.vectors(NATIVE)
    own = to_unit(stored[rows == segment.row_of("A0100")].astype(np.float64))[0]
    assert list(hits.key) == by_hand(index, own)[0][:10]
    assert set(hits.bridge) == {"aligned"}
    # A spectrum that both models take goes by AION-1 unless told otherwise.
    both = searcher.query_object("fake-sdss:S0100")
    assert "space_encoder" not in searcher.search(both, SearchOptions(to="image")).receipt
    native = searcher.search(searcher.in_space(both, NATIVE), SearchOptions(k=5, to="image"))
    assert native.receipt["space_encoder"]["repository"] == "universal"
    joined = examples_query([query, searcher.query_object(f"{INFRARED}:A0101")])
    assert set(searcher.search(joined, SearchOptions(k=5, to="image")).bridge) == {"aligned"}
    with pytest.raises(SearchError, match="this index has no xp vectors"):
        searcher.search(query, SearchOptions(to="xp", bridge="aligned"))


def test_pictures_find_no_such_spectra_in_the_shared_space(searcher):
    image = searcher.query_object("fake-images:I0102")
    hits = searcher.search(image, SearchOptions(k=1000, to="spectrum", bridge="aligned"))
    assert set(hits.release) == {"fake-sdss"}
    assert "shared" not in searcher.index.segment(INFRARED).info.spaces


def test_two_views_of_one_spectrum_are_no_pair(searcher):
    found = gather_pairs(OfIndex(searcher.index), ("image", "spectrum", "xp", NATIVE))
    kinds = {each.modalities for each in found}
    assert ("image", NATIVE) in kinds
    assert not kinds & {("spectrum", NATIVE), (NATIVE, NATIVE)}
    releases = {each.releases for each in found if each.modalities == ("image", NATIVE)}
    assert releases == {("fake-images", "fake-sdss"), ("fake-images", INFRARED)}


def test_evaluated_beside_the_others(searcher):
    found = partners(Bench(searcher.index, queries=200))
    (record,) = [
        each
        for each in found.records
        if (each.metric, each.direction, each.k, each.mode, each.arm)
        == ("r_at_k", f"{NATIVE}_to_image", 10, "exact", "aligned")
    ]
    assert record.value > 0.5


def test_aligned_anew_it_is_the_same_and_whole(manifest, path, tmp_path, fingerprint):
    build(manifest, tmp_path, tools=TOOLS, **NAMES)
    assert fingerprint(tmp_path) == fingerprint(path)
    before = open_index(tmp_path)
    align_index(tmp_path)
    after = open_index(tmp_path)
    np.testing.assert_array_equal(before.heads(NATIVE).projection, after.heads(NATIVE).projection)
    assert after.segment(INFRARED).info == before.segment(INFRARED).info
    assert set(after.heads_facts["spaces"]) == {"image", "spectrum", NATIVE}
    assert verify(tmp_path).ok
    assert not build(manifest, tmp_path, tools=TOOLS, **NAMES).changed


@pytest.mark.parametrize("releases", [RELEASES, ("fake-images", INFRARED)])
def test_a_head_of_another_tokenizer_is_let_go(manifest, tmp_path, releases):
    some = sky.fake_manifest(manifest.root, releases)
    build(some, tmp_path, tools=TOOLS, **NAMES)
    key = f"{INFRARED}:A0100"
    first = Searcher(open_index(tmp_path))
    options = SearchOptions(k=3, to="image", exclude_source=False)
    assert set(first.search(first.query_object(key), options).bridge) == {"aligned"}
    build(some, tmp_path, weights="fake", native_weights="another one", tools=TOOLS)
    index = open_index(tmp_path)
    assert index.heads(NATIVE) is None
    assert any(note.startswith(f"{NATIVE} is not aligned: the heads") for note in index.info.notes)
    assert verify(tmp_path).ok
    second = Searcher(index)
    assert set(second.search(second.query_object(key), options).bridge) == {"linked"}
    align_index(tmp_path)
    third = Searcher(open_index(tmp_path))
    assert set(third.search(third.query_object(key), options).bridge) == {"aligned"}
    assert not third.index.info.notes
