"""Whether a query is like what the index holds: against plain matrix products."""

import json
from pathlib import Path

import numpy as np
import pytest

from aion_encoder.observations import Image, Spectrum
from indexer.calibration import Calibration
from indexer.index_file import Index, open_index
from indexer.options import SearchOptions
from indexer.printing import hits_text
from indexer.search import Searcher, open_searcher
from indexer.verdicts import SAMPLE, Filled, nearest_scores, unknown_verdict, verdict
from tests.indexer.small_sky import RELEASES, WAVELENGTH, key_of, spectrum_of
from tests.indexer.test_search import upload_of

EVEN = tuple(np.linspace(0.0, 1.0, 1001).tolist())


@pytest.fixture(scope="module")
def searcher(small_index: Path) -> Searcher:
    return open_searcher(small_index)


def _by_hand(index: Index, modality: str) -> dict[str, np.ndarray]:
    """The best score of every object with another source, from all inner products."""
    places, vectors = [], []
    for name, segment in index.segments.items():
        if modality in segment.info.spaces.get(modality, ()):
            rows, stored = segment.vectors(modality)
            places += [(name, int(row)) for row in rows]
            vectors.append(stored.astype(np.float64))
    every = np.concatenate(vectors)
    every /= np.linalg.norm(every, axis=1, keepdims=True)
    scores = every @ every.T
    at = {place: number for number, place in enumerate(places)}
    for place, number in at.items():
        for same in index.links.source(*place):
            if same in at:
                scores[number, at[same]] = -np.inf
    best = scores.max(axis=1)
    names = np.array([name for name, _ in places])
    return {name: best[names == name] for name in set(names)}


@pytest.mark.parametrize("modality", ["image", "spectrum", "xp"])
def test_quantiles_are_of_the_nearest_other_source(searcher: Searcher, modality: str) -> None:
    expected = _by_hand(searcher.index, modality)
    kept = searcher.index.calibration(modality).nearest
    assert set(kept) == {f"{name}:{modality}" for name in (*expected, "*")}
    for name, best in expected.items():
        quantiles = np.quantile(best, np.linspace(0, 1, 1001))
        np.testing.assert_allclose(kept[f"{name}:{modality}"], quantiles, atol=2e-3)
    # Pooled, every object counts once: some three tenths of the images are of the smaller release.
    pooled = np.sort(np.concatenate(list(expected.values())))
    middle = np.quantile(pooled, np.linspace(0.05, 0.95, 19))
    stated = np.interp(np.linspace(0.05, 0.95, 19), np.linspace(0, 1, 1001), kept[f"*:{modality}"])
    np.testing.assert_allclose(stated, middle, atol=0.02 if modality != "xp" else 0.15)


def test_spaces_without_own_objects_keep_none(searcher: Searcher) -> None:
    assert searcher.index.calibration("shared").nearest == {}


def test_objects_of_the_index_are_mostly_like_it(searcher: Searcher) -> None:
    percentiles = []
    for source in RELEASES["demo-sdss"][1]:
        query = searcher.query_object(key_of("demo-sdss", source))
        hits = searcher.search(query, SearchOptions(k=1))
        percentiles.append(hits.document()["verdict"]["percentile"])
    # By construction they are spread evenly from 0 to 100.
    deciles = np.histogram(percentiles, bins=10, range=(0, 100))[0]
    assert deciles.sum() == 150
    assert deciles.min() >= 13
    assert deciles.max() <= 17


def test_what_is_unlike_all_is_said(searcher: Searcher) -> None:
    strange = Spectrum(
        np.where(np.arange(600) % 60 < 30, 1.0, 400.0), np.ones(600), WAVELENGTH, "sdss"
    )
    hits = searcher.search(searcher.query_upload(upload_of(strange)), SearchOptions(k=3))
    said = hits.receipt["verdict"]
    assert said["level"] == "out of distribution"
    assert said["percentile"] >= 99.0
    assert said["nearest"] == hits.key[0]
    assert said["score"] == pytest.approx(hits.score[0], abs=1e-6)
    assert "its neighbours may mean nothing" in hits_text(hits)
    assert json.loads(json.dumps(hits.document()))["verdict"] == said
    near = searcher.search(searcher.query_upload(upload_of(spectrum_of(3, "sdss", seed=5))))
    assert near.receipt["verdict"]["level"] == "in distribution"


def test_neither_bridge_nor_release_changes_it(searcher: Searcher) -> None:
    query = searcher.query_object(key_of("demo-legacysurvey", 20))
    said = {
        json.dumps(searcher.search(query, options).receipt["verdict"])
        for options in (
            SearchOptions(),
            SearchOptions(k=1, releases=("demo-hsc",)),
            SearchOptions(to="spectrum", bridge="linked"),
            SearchOptions(exclude_source=True),
        )
    }
    assert len(said) == 1
    nearest = json.loads(said.pop())["nearest"]
    # Its own counterpart in the other imaging release is no neighbour.
    assert nearest != key_of("demo-hsc", 20)


def test_an_index_of_before_has_none_and_says_so() -> None:
    golden = Path(__file__).parent / "golden" / "format-1"
    index = open_index(golden)
    assert index.calibration("spectrum").nearest == {}
    searcher = open_searcher(golden)
    hits = searcher.search(searcher.query_object("fake-sdss:S0007"))
    said = hits.document()["verdict"]
    assert said["level"] == "unknown"
    assert said["percentile"] is None
    assert "built before that was kept" in said["text"]
    assert said["nearest"] == hits.key[0]


@pytest.mark.parametrize(
    ("score", "level", "percentile"),
    [
        (1.0, "in distribution", 0.0),
        (0.30, "in distribution", 70.0),
        (0.04, "unusual", 96.0),
        (0.005, "out of distribution", 99.5),
        (-0.7, "out of distribution", 100.0),
    ],
)
def test_levels(score: float, level: str, percentile: float) -> None:
    calibration = Calibration(
        space="image", pairs=1, quantiles={}, nearest={"a:image": EVEN, "*:image": (0.0, 0.1)}
    )
    judged = verdict(calibration, ("a", "image"), "a:1", score)
    assert judged.level == level
    assert judged.percentile == pytest.approx(percentile)
    assert judged.text.startswith(f"{level}: {percentile:.1f} % of this index's own images")
    assert judged.document()["nearest"] == "a:1"
    # A release that is not known counts as any.
    anywhere = verdict(calibration, ("b", "image"), "a:1", 0.05)
    assert anywhere.percentile == pytest.approx(50.0)
    assert verdict(calibration, ("a", "xp"), "a:1", 0.5).level == "unknown"


def test_no_verdict_is_a_verdict() -> None:
    said = unknown_verdict("nobody knows").document()
    assert said == {
        "level": "unknown",
        "percentile": None,
        "nearest": "",
        "score": None,
        "text": "unknown: nobody knows",
    }


def test_releases_weigh_as_many_objects_as_they_have() -> None:
    """A release that was sampled still counts in full beside one that was not."""
    from indexer.ann import AnnIndex, fill, recipe_for, train

    rng = np.random.default_rng(0)
    sides = {}
    for name, count, spread in (("large", 2 * SAMPLE, 0.05), ("small", 100, 1.0)):
        raw = rng.normal(size=(count, 4)) * spread + np.eye(4)[0 if name == "large" else 1] * 2
        vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float16)
        rows = np.arange(count)
        empty = train(recipe_for(count, 4), vectors[:1].astype(np.float32))
        sides[name, "image"] = Filled(
            rows, vectors, AnnIndex(fill(empty, vectors.astype(np.float32), rows))
        )
    kept = nearest_scores(sides, lambda _, rows, __: np.full(len(rows), -1))
    limit = kept["large:image"][10]
    share = np.interp(limit, kept["*:image"], np.linspace(0, 1, 1001))
    # All of the small release and a hundredth of the large one lie below.
    small = np.interp(limit, kept["small:image"], np.linspace(0, 1, 1001))
    assert share == pytest.approx((100 * small + 0.01 * 2 * SAMPLE) / (2 * SAMPLE + 100), abs=2e-3)


def test_a_single_object_has_no_neighbour() -> None:
    from indexer.ann import AnnIndex, fill, recipe_for, train

    one = np.array([[1.0, 0.0]], np.float32)
    ann = AnnIndex(fill(train(recipe_for(1, 2), one), one, np.array([0])))
    sides = {("a", "image"): Filled(np.array([0]), one.astype(np.float16), ann)}
    assert nearest_scores(sides, lambda _, rows, __: rows) == {}


def test_an_image_of_noise_is_judged_too(searcher: Searcher) -> None:
    noise = np.random.default_rng(0).normal(0.0, 3.0, (3, 96, 96))
    query = searcher.query_upload(
        upload_of(Image(noise, ("DES-G", "DES-R", "DES-Z"), "legacysurvey"))
    )
    assert searcher.search(query).receipt["verdict"]["level"] == "out of distribution"
