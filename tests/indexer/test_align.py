"""Heads on linked pairs."""

import json

import numpy as np
import pytest

from aion_encoder.contrastive import Training
from indexer.align import Aligned, fit_heads
from indexer.align_report import aligned_text
from indexer.pairs import ReleasePairs
from indexer.partner_recall import Gallery, galleries, partner_found, recalls
from indexer.spaces import to_unit

QUICK = Training(
    hidden=32, batch=128, steps=200, every=50, patience=4, learning_rate=1e-3, dropout=0.2
)


class Sources:
    """Simulated sources with six common factors, seen by several releases."""

    def __init__(self, count: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.count = count
        self.common = self.rng.standard_normal((count, 6))
        self.healpix = self.rng.integers(0, 12 * 4**29, count)
        self._mix = {
            modality: np.random.default_rng(number).standard_normal((6, dim))
            for number, (modality, dim) in enumerate((("image", 12), ("spectrum", 9), ("xp", 10)))
        }

    def vectors(self, modality: str, noise: float = 0.1) -> np.ndarray:
        signal = self.common @ self._mix[modality]
        noisy = signal + noise * self.rng.standard_normal(signal.shape)
        return to_unit(noisy).astype(np.float16)

    def pairs(self, left: str, right: str, seen: int | None = None, shuffle=False) -> ReleasePairs:
        rows = np.arange(self.count if seen is None else seen)
        partners = self.rng.permutation(rows) if shuffle else rows
        releases = (f"one-{left}", f"two-{right}")
        return ReleasePairs(
            releases,
            (left, right),
            (self.vectors(left), self.vectors(right)),
            (rows, partners),
            (rows, partners),
            rows,
            self.healpix[rows],
        )


def fitted(*pairs: ReleasePairs, **values) -> Aligned:
    found = fit_heads(pairs, values.pop("modalities", ("image", "spectrum")), **values)
    assert isinstance(found, Aligned)
    # What is kept beside the heads is JSON.
    assert json.loads(json.dumps(found.facts)) == found.facts
    return found


def test_heads_find_what_is_common():
    found = fitted(Sources(900).pairs("image", "spectrum"))
    facts = found.facts
    assert facts["dimensions"] == 9
    assert facts["pairs"] + facts["validation_pairs"] + facts["test_pairs"] == 900
    assert facts["method"] == "linear"
    assert facts["residual"] == "not tried: at least 1000 training pairs are needed, got " + str(
        facts["pairs"]
    )
    for direction in ("image_to_spectrum", "spectrum_to_image"):
        assert facts[f"recall_at_10_{direction}"] > 0.8
        values = facts["test"][direction]
        assert values["low"] <= values["recall_at_10"] <= values["high"]
        assert values["queries"] == facts["test_pairs"]
    assert sum(facts["split"]["cells"].values()) <= 900
    assert found.left_out == {}


def test_what_was_held_out_has_no_say():
    """Other vectors on the test cells give the same heads, and the same validation figures."""
    sources = Sources(900)
    pairs = sources.pairs("image", "spectrum")
    first = fitted(pairs)
    from indexer.pairs import split_cells

    test = split_cells(pairs.healpix_29).parts(pairs.healpix_29) == 2
    changed = pairs.vectors[0].copy()
    changed[test] = changed[test][::-1]
    other = ReleasePairs(
        pairs.releases,
        pairs.modalities,
        (changed, pairs.vectors[1]),
        pairs.places,
        pairs.rows,
        pairs.sources,
        pairs.healpix_29,
    )
    second = fitted(other)
    np.testing.assert_array_equal(first.heads["image"].projection, second.heads["image"].projection)
    assert first.facts["validation"] == second.facts["validation"]
    assert first.facts["pairs_sha256"] == second.facts["pairs_sha256"]
    assert second.facts["test"]["image_to_spectrum"]["recall_at_10"] < 0.3


def test_heads_that_the_encoder_brought_are_kept_where_they_are_better():
    brought = fitted(Sources(3000, seed=5).pairs("image", "spectrum")).heads
    few = Sources(160, seed=6).pairs("image", "spectrum")
    found = fitted(few, brought=brought)
    validation = {
        kind: np.mean([each["recall_at_10"] for each in figures.values()])
        for kind, figures in found.facts["validation"].items()
    }
    assert set(validation) == {"linear", "brought"}
    assert validation["brought"] > validation["linear"]
    assert found.facts["start"] == "brought by the encoder"
    assert found.heads["image"] is brought["image"]
    assert "linear heads (brought by the encoder)" in aligned_text(found.facts)
    # Those of other vectors lose, and heads for some of the modalities only are not tried.
    strange = {side: fitted(few).heads[side] for side in ("spectrum",)}
    assert "brought" not in fitted(few, brought=strange).facts["validation"]
    shuffled = fitted(Sources(900).pairs("image", "spectrum", shuffle=True)).heads
    lost = fitted(Sources(900).pairs("image", "spectrum"), brought=shuffled)
    assert lost.facts["start"] == "fitted"
    assert "brought" in lost.facts["validation"]


def test_unrelated_pairs_are_measured_as_such():
    found = fitted(Sources(900).pairs("image", "spectrum", shuffle=True))
    assert found.facts["recall_at_10_image_to_spectrum"] < 0.25


def test_too_few_pairs_are_refused_with_the_number():
    assert fit_heads([Sources(99).pairs("image", "spectrum")]) == (
        "modalities are not aligned: at least 100 linked pairs are needed, there are 99"
    )
    assert fit_heads([]) == (
        "modalities are not aligned: at least 100 linked pairs are needed, there are 0"
    )
    # Two observations in one modality are no bridge.
    assert fit_heads([Sources(500).pairs("image", "image")]) == (
        "modalities are not aligned: at least 100 linked pairs are needed, there are 0"
    )
    assert isinstance(fit_heads([Sources(100).pairs("image", "spectrum")]), Aligned)


def test_a_third_modality_joins_where_it_has_pairs_enough():
    sources = Sources(900)
    both = sources.pairs("image", "spectrum")
    modalities = ("image", "spectrum", "xp")
    alone = fitted(both)
    with_xp = fitted(both, sources.pairs("spectrum", "xp", seen=400), modalities=modalities)
    assert with_xp.facts["recall_at_10_xp_to_spectrum"] > 0.8
    # Images reach the coefficients though no pair of these was there to fit.
    image = to_unit(with_xp.heads["image"].apply(sources.vectors("image").astype(np.float32)))
    xp = to_unit(with_xp.heads["xp"].apply(sources.vectors("xp").astype(np.float32)))
    found = partner_found(image[400:], xp[400:], np.arange(400, 900))
    assert found.mean() > 0.8
    # The first two are what they would be without it.
    np.testing.assert_array_equal(
        with_xp.heads["image"].projection, alone.heads["image"].projection
    )
    few = fitted(both, sources.pairs("image", "xp", seen=99), modalities=modalities)
    assert sorted(few.heads) == ["image", "spectrum"]
    assert few.left_out == {
        "xp": "xp is not aligned: at least 100 linked pairs with image or spectrum are needed, "
        "there are 99"
    }


def test_residual_heads_are_taken_only_where_they_are_better():
    sources = Sources(2500, seed=3)
    straight = fitted(
        sources.pairs("image", "spectrum"), sources.pairs("image", "image"), training=QUICK
    )
    assert set(straight.facts["validation"]) == {"linear", "residual"}
    assert "image_to_image" in straight.facts["test"]
    means = {
        kind: np.mean([each["recall_at_10"] for each in values.values()])
        for kind, values in straight.facts["validation"].items()
    }
    better = "residual" if means["residual"] > means["linear"] else "linear"
    assert straight.facts["method"] == better
    # Now one of the factors is told by its square only.
    sources._mix["spectrum"] = np.eye(6, 9)
    sources._mix["image"] = np.eye(6, 12)
    pairs = sources.pairs("image", "spectrum")
    sources.common = np.concatenate(
        [sources.common[:, :1], 3.0 * np.abs(sources.common[:, 1:])], axis=1
    )
    bent = ReleasePairs(
        pairs.releases,
        pairs.modalities,
        (pairs.vectors[0], sources.vectors("spectrum")),
        pairs.places,
        pairs.rows,
        pairs.sources,
        pairs.healpix_29,
    )
    seen = []
    found = fitted(bent, training=QUICK, progress=lambda done, total: seen.append((done, total)))
    assert found.facts["method"] == "residual"
    figures = found.facts["validation"]
    for direction in ("image_to_spectrum", "spectrum_to_image"):
        assert figures["residual"][direction]["low"] > figures["linear"][direction]["high"]
    assert found.facts["residual"]["step"] > 0
    assert seen[-1][0] == seen[-1][1]
    again = fitted(bent, training=QUICK)
    assert again.facts == found.facts
    np.testing.assert_array_equal(
        again.heads["image"].hidden_weight, found.heads["image"].hidden_weight
    )
    assert fitted(bent, training=QUICK, seed=1).facts["split"] == found.facts["split"]
    text = aligned_text(found.facts)
    assert "residual heads into 9 dimensions" in text
    assert "image to spectrum" in text
    assert f"{figures['linear']['image_to_spectrum']['recall_at_10']:.2f} (" in text


def test_no_more_pairs_than_asked_for():
    found = fitted(Sources(900).pairs("image", "spectrum"), pairs_at_most=300)
    facts = found.facts
    assert facts["pairs"] + facts["validation_pairs"] + facts["test_pairs"] == 300


def test_partners_are_found_as_by_sorting():
    rng = np.random.default_rng(0)
    queries, targets = (to_unit(rng.normal(size=(700, 5))) for _ in range(2))
    targets = to_unit(targets + queries)
    sources = np.arange(700)
    order = np.argsort(-(queries @ targets.T), axis=1)
    expected = [i in order[i, :10] for i in range(700)]
    found = partner_found(queries, targets, sources)
    assert found.tolist() == expected
    assert 0.1 < found.mean() < 0.9


def test_ties_count_against_the_partner_and_its_own_source_does_not():
    same = np.ones((20, 2), np.float32)
    assert not partner_found(same, same, np.arange(20)).any()
    assert partner_found(same, same, np.zeros(20, np.int64)).all()
    assert partner_found(
        np.eye(20, dtype=np.float32), np.eye(20, dtype=np.float32), np.arange(20)
    ).all()
    assert len(partner_found(same[:0], same[:0], np.zeros(0, np.int64))) == 0


def test_the_interval_is_that_of_a_share():
    class AsItIs:
        input_dim = dim = 40

        def apply(self, x):
            return x

    # 30 of 120 queries have no wrong answer that ties with their partner.
    x = np.zeros((120, 40), np.float32)
    x[:30, :30] = np.eye(30)
    x[30:, 39] = 1.0
    gallery = Gallery("image", "spectrum", x, x, np.arange(120))
    values = recalls({"image": AsItIs(), "spectrum": AsItIs()}, [gallery], seed=0)
    both = values["image_to_spectrum"]
    assert both["recall_at_10"] == 0.25
    spread = 1.96 * np.sqrt(0.25 * 0.75 / 120)
    assert both["low"] == pytest.approx(0.25 - spread, abs=0.015)
    assert both["high"] == pytest.approx(0.25 + spread, abs=0.015)


def test_galleries_pool_releases_and_are_no_larger_than_asked():
    pairs = [
        Sources(900).pairs("image", "spectrum"),
        Sources(100, 1).pairs("image", "spectrum"),
        Sources(19).pairs("image", "xp"),
    ]
    (one,) = galleries(pairs, at_most=100)
    assert (one.left, one.right, len(one.x), len(one.y)) == ("image", "spectrum", 100, 100)
    np.testing.assert_array_equal(one.x[:3], pairs[0].take(one.sources[:3])[0])
    assert len(galleries(pairs)[0].x) == 1000
