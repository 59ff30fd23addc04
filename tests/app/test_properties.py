"""Properties in words and numbers."""

import math

import numpy as np
import pytest

from app.properties import (
    coverage_words,
    interval_words,
    method_words,
    number_words,
    property_rows,
    property_title,
    shares_of,
)
from tests.app.fakes import NO_MAGNITUDE, invented_class, invented_number


def test_a_number_with_its_intervals():
    (row,) = property_rows([invented_number()])
    assert (row.title, row.estimate) == ("Redshift", "0.123")
    assert (row.inner, row.inner_note) == ("0.113 to 0.133", "held 67 %")
    assert (row.outer, row.outer_note) == ("0.081 to 0.171", "held 95 %")
    assert (row.labelled, row.effective) == ("5", "4.3")
    assert row.reason == ""


def test_a_class_with_how_often_such_votes_are_right():
    (row,) = property_rows([invented_class()])
    assert row.estimate == "edge on (70 %)"
    assert row.estimate_note == "such votes are right for 93 %"
    assert row.inner == row.outer == ""


@pytest.mark.parametrize(
    ("values", "words"), [([1, 1, 0, 0, 1], "yes (65 %)"), ([0, 0, 0, 0, 0], "no (100 %)")]
)
def test_a_flag_is_a_vote_without_intervals(values, words):
    (row,) = property_rows([invented_number("is_lens", values=np.array(values, float))])
    assert (row.title, row.estimate, row.inner, row.outer) == ("Is a lens", words, "", "")
    assert row.labelled == "5"


def test_no_estimate_is_an_answer_and_comes_last():
    rows = property_rows([NO_MAGNITUDE, invented_number()])
    assert [row.title for row in rows] == ["Redshift", "Magnitude (own band)"]
    assert rows[1].estimate == "no estimate"
    assert rows[1].reason == (
        "No neighbour with a known magnitude is near enough: the nearest scores 0.412."
    )


def test_intervals_that_were_not_calibrated_say_so():
    number = invented_number(calibrated=False, coverage=(math.nan, math.nan))
    (row,) = property_rows([number])
    assert row.inner_note == row.outer_note == "not calibrated"
    assert coverage_words([number]).startswith("“Not calibrated” intervals are plain quantiles")
    assert coverage_words([invented_number()]).startswith("Intervals are calibrated")
    assert coverage_words([NO_MAGNITUDE, invented_class()]) == ""


@pytest.mark.parametrize(
    ("value", "scale", "words"),
    [
        (0.12345, 0.02, "0.123"),
        (18.2519, 0.8, "18.25"),
        (5778.4, 350.0, "5,778"),
        (-0.0321, 0.05, "−0.032"),
        (-0.00001, 0.02, "0.000"),
        (0.5, 0.0, "0.5"),
        (math.nan, 0.1, "unknown"),
    ],
)
def test_decimals_follow_the_interval(value, scale, words):
    assert number_words(value, scale) == words


def test_an_interval_in_words():
    assert interval_words((-0.5, 1.25), 1.75) == "−0.5 to 1.2"


def test_shares_are_never_rounded_to_nothing():
    shares = shares_of(invented_class())
    assert [(each.name, each.percent) for each in shares] == [
        ("edge on", "70 %"),
        ("QSO", "30 %"),
        ("STAR", "< 1 %"),
    ]


def test_labels_have_titles_with_units():
    assert property_title("stellar_mass") == "Stellar mass (log M☉)"
    assert property_title("bar_strength") == "Bar strength"
    assert "whose images are nearest" in method_words("image")
