"""Words of the page: captions and cards out of hits."""

import math

import numpy as np
import pytest

from app.address import SAME
from app.presentation import (
    bridge_words,
    cards,
    count_words,
    demonstration_words,
    encoder_words,
    facts_words,
    headline,
    index_sentence,
    is_demonstration,
    percentile_words,
    position_words,
    query_title,
    redshift_words,
)
from tests.app.fakes import FakeSearcher, invented_hits


@pytest.fixture
def query():
    return FakeSearcher().query_text("demo-desi:39633345008634465")


def test_a_card_for_every_hit_in_order(query):
    shown = cards(invented_hits(query, 5, "spectrum", "same"))
    assert [card.rank for card in shown] == [1, 2, 3, 4, 5]
    assert [card.release for card in shown[:2]] == ["demo-desi", "demo-sdss"]
    assert all(card.key == f"{card.release}:{card.object_id}" for card in shown)
    assert shown[0].facts == "z 0.1200 · GALAXY · 18.25 mag"
    assert shown[0].bridge == "own space"
    assert shown[0].name == (
        f"neighbour 1, {shown[0].key}, z 0.1200 · GALAXY · 18.25 mag, own space"
    )


def test_unknown_redshift_and_class_are_left_out(query):
    assert cards(invented_hits(query, 4, "spectrum", "same"))[3].facts == "18.25 mag"
    assert facts_words(math.nan, "") == ""


def test_no_hits_make_no_cards(query):
    hits = invented_hits(query, 0, "spectrum", "same")
    assert cards(hits) == ()
    assert headline(query, hits, SAME) == "No spectra found"


@pytest.mark.parametrize(
    ("count", "to", "words"),
    [
        (12, SAME, "12 nearest spectra"),
        (1, SAME, "Nearest spectrum"),
        (3, "image", "3 nearest images"),
        (2, "xp", "2 nearest Gaia XP spectra"),
    ],
)
def test_headline(query, count, to, words):
    modality = "spectrum" if to == SAME else to
    assert headline(query, invented_hits(query, count, modality, "same"), to) == words


@pytest.mark.parametrize(
    ("percentile", "words"),
    [
        (50.0, "50.0 %"),
        (99.85, "99.8 %"),
        (99.9, "99.9 %"),
        (99.99, "> 99.9 %"),
        (100.0, "> 99.9 %"),
        (math.nan, ""),
    ],
)
def test_a_percentile_is_never_a_certainty(percentile, words):
    assert percentile_words(percentile) == words


def test_bridges_are_explained():
    assert "compared directly" in bridge_words("same", "image")
    assert "shared space" in bridge_words("aligned", "spectrum")
    linked = bridge_words("linked", "spectrum", "demo-hsc:7")
    assert "(demo-hsc:7)" in linked
    assert "1 arcsec" in linked


def test_a_linked_card_names_the_object_it_was_reached_through(query):
    card = cards(invented_hits(query, 1, "image", "linked"))[0]
    assert card.bridge == "linked"
    assert card.via == "demo-desi:5"
    assert "demo-desi:5" in card.bridge_title


def test_what_is_linked_to_the_query_itself_says_so(query):
    hits = invented_hits(query, 2, "image", "linked")
    object.__setattr__(hits, "via", np.array([str(query.key), ""]))
    for card in cards(hits):
        assert card.via == "the query itself"
        assert card.bridge_title == (
            "Linked: this image is of the query's own source, within 1 arcsec of it. Nothing was "
            "compared."
        )


def test_position():
    assert position_words(150.1163, -2.2) == "150.11630 -2.20000"
    assert position_words(math.nan, 2.0) == ""


def test_counts():
    assert count_words(1, "spectrum") == "1 spectrum"
    assert count_words(12_000, "image") == "12,000 images"


def test_the_index_says_what_it_holds_and_that_it_is_simulated():
    info = FakeSearcher().index.info
    assert is_demonstration(info)
    assert index_sentence(info) == (
        "**3,000 objects** of a **simulated** sky in 5 releases: "
        "1,200 images, 1,200 spectra, 600 Gaia XP spectra."
    )
    assert encoder_words(info) == "aion-demo at v1, identity abababababababab"


def test_a_file_is_called_by_its_name(query):
    assert query_title(query) == "demo-desi:39633345008634465"
    upload = type("Upload", (), {"kind": "image", "file_name": "my galaxy.fits"})
    assert query_title(FakeSearcher().query_upload(upload)) == "my galaxy.fits"


def test_scores_without_calibration_still_show(query):
    hits = invented_hits(query, 2, "spectrum", "same")
    object.__setattr__(hits, "percentile", np.full(2, np.nan))
    card = cards(hits)[0]
    assert card.percentile == ""
    assert card.percentile_title == "Cosine similarity 0.980"


def test_what_is_a_demonstration_is_said():
    info = FakeSearcher().index.info
    assert demonstration_words(info).startswith("Simulated, and never observed: the whole sky.")
    assert "not from AION-1" in demonstration_words(info)
    for name, release in info.releases.items():
        release.simulated = name == "demo-hsc"
    info.encoder.repository = "polymathic-ai/aion-base"
    assert demonstration_words(info) == "Simulated, and never observed: demo-hsc."
    info.releases["demo-hsc"].simulated = False
    assert demonstration_words(info) == ""


@pytest.mark.parametrize(
    ("redshift", "words"),
    [(0.12345, "0.1235"), (-0.00001, "0.0000"), (-0.0012, "-0.0012"), (math.nan, "")],
)
def test_no_redshift_is_a_negative_nothing(redshift, words):
    assert redshift_words(redshift) == words
