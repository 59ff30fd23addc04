"""Words of the bridges."""

from dataclasses import replace

import pytest

from app.bridges import bridge_of, explanation, held_out_words, linked_pairs
from tests.app.fakes import FACTS, FakeSearcher, invented_hits


@pytest.fixture
def searcher():
    return FakeSearcher()


@pytest.fixture
def image(searcher):
    return searcher.query_text("demo-hsc:7")


def explained(searcher, query, bridge, to):
    return explanation(bridge, query, to, searcher.index.info, FACTS)


def test_aligned_says_what_was_recovered_on_held_out_sources(searcher, image):
    assert explained(searcher, image, "aligned", "spectrum") == (
        "**Aligned**\n\nThe query's image and every spectrum are compared in a shared space. "
        "Heads fitted on pairs of observations of the same sources bring both there.\n\n"
        "**How well it works**\n\nMeasured on 480 sources in 12 cells of the sky that the heads "
        "never saw: the right spectrum was among the 10 nearest for **43 %** (95 % interval 39 to "
        "48 %); by chance it would be 2.1 %."
    )


@pytest.mark.parametrize("facts", [{}, {"test": {}}])
def test_what_was_not_measured_is_not_claimed(facts):
    assert held_out_words(facts, "image", "xp") == (
        "This index holds too few linked sources back to measure it."
    )


def test_linked_says_how_many_links_there_are(searcher, image):
    text = explained(searcher, image, "linked", "spectrum")
    assert "There are 420 such links between images and spectra here." in text
    assert "within 1 arcsec" in text
    assert linked_pairs(searcher.index.info, "spectrum", "image") == 420
    assert linked_pairs(searcher.index.info, "image", "xp") == 0


def test_own_space_crosses_nothing(searcher, image):
    text = explained(searcher, image, "same", "image")
    assert text.startswith("**Own space**\n\nNothing is crossed")
    assert "random pairs" in text


def test_which_model_answered_is_told_beside_the_bridge(searcher, image):
    assert "Which model answered" not in explained(searcher, image, "same", "image")
    asked = replace(image, answered="answered in 'spectrum_native' by x; *bold* $y$")
    assert explained(searcher, asked, "same", "image").endswith(
        "**Which model answered**\n\nAnswered in 'spectrum\\_native' by x; \\*bold\\* \\$y\\$."
    )


def test_the_bridge_of_an_answer(image):
    assert bridge_of(invented_hits(image, 3, "spectrum", "linked")) == "linked"
    assert bridge_of(invented_hits(image, 0, "spectrum", "linked")) == ""
