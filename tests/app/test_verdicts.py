"""Words of the verdict."""

import math

import pytest

from app.verdicts import verdict_of, verdict_warning, verdict_words
from tests.app.fakes import VERDICT, FakeSearcher, invented_hits


def judged(level, percentile, text=""):
    return verdict_words({"level": level, "percentile": percentile, "text": text}, "spectrum")


@pytest.mark.parametrize(
    ("level", "percentile", "kind", "title", "text"),
    [
        (
            "in distribution",
            37.24,
            "in",
            "In distribution",
            "37.2 % of this index's own spectra have a nearer neighbour than this query: it lies "
            "among what the index holds.",
        ),
        (
            "in distribution",
            0.0,
            "in",
            "In distribution",
            "Less than 0.1 % of this index's own spectra have a nearer neighbour than this query: "
            "it lies among what the index holds.",
        ),
        (
            "unusual",
            96.0,
            "unusual",
            "Unusual",
            "96.0 % of this index's own spectra have a nearer neighbour than this query: few lie "
            "so far apart, so read the neighbours with care.",
        ),
        (
            "out of distribution",
            100.0,
            "out",
            "Out of distribution",
            "More than 99.9 % of this index's own spectra have a nearer neighbour than this query: "
            "it is unlike anything the index holds, and its neighbours may mean nothing.",
        ),
    ],
)
def test_a_verdict_in_words(level, percentile, kind, title, text):
    words = judged(level, percentile)
    assert (words.kind, words.title, words.text) == (kind, title, text)


def test_levels_differ_in_more_than_colour():
    levels = ("in distribution", "unusual", "out of distribution")
    assert len({judged(level, 50.0).mark for level in levels}) == 3


def test_an_unknown_verdict_gives_its_reason():
    words = judged("unknown", None, "unknown: the index has no other xp")
    assert (words.kind, words.title) == ("unknown", "No verdict")
    assert words.text == "The index has no other xp."
    assert math.isnan(words.place)


@pytest.mark.parametrize(
    ("percentile", "place"),
    [(0.0, 0.0), (47.5, 32.0), (95.0, 64.0), (97.0, 73.0), (99.0, 82.0), (100.0, 100.0)],
)
def test_the_scale_gives_room_to_its_end(percentile, place):
    assert judged("unusual", percentile).place == place


def test_only_what_is_out_of_distribution_is_warned_of():
    assert verdict_warning(judged("unusual", 96.0), of_file=True) == ""
    assert verdict_warning(None, of_file=True) == ""
    out = judged("out of distribution", 99.5)
    assert verdict_warning(out, of_file=False) == (
        "**Out of distribution.** This query is unlike anything the index holds: the neighbours "
        "below are only the least unlike, and what is read from them may be wrong."
    )
    assert "units, wavelengths and pixel scale" in verdict_warning(out, of_file=True)


def test_an_answer_carries_its_verdict():
    query = FakeSearcher().query_text("demo-desi:1")
    crossed = verdict_of(query, invented_hits(query, 3, "image", "aligned"))
    assert crossed == verdict_words(VERDICT, "spectrum")
    hits = invented_hits(query, 3, "spectrum", "same")
    object.__setattr__(hits, "receipt", {})
    assert verdict_of(query, hits) is None
