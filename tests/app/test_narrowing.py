"""Filters taken apart for the controls of the page, and put together again."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.narrowing import Narrowing, alike, filters_of, narrowing_of, without
from indexer import QueryError, parse_filters

CONDITIONS = (
    "redshift>=0.1",
    "redshift>0.1",
    "0.1<=redshift<=0.5",
    "0.1<=magnitude<0.5",
    "magnitude<=20",
    "object_class=GALAXY,QSO",
    'object_class="a;b"',
    "object_class=STAR",
    "redshift_ok=true",
    "redshift_ok=false",
    "|b|>=20",
    "|b|<=20",
    "10<|b|<=30",
    "has(spectrum)",
    "has(image)",
    "release=demo-desi",
    "release=demo-desi,demo-sdss",
    "cone(150.1,2.2,30arcsec)",
    "cone(10,-2.2,1arcmin)",
    "box(350..10,-5..5)",
    "moc(5/1-3 8 6/400)",
    "moc(0/1)",
    "seeing<1.5",
)


@given(st.lists(st.sampled_from(CONDITIONS), unique=True, max_size=6))
def test_nothing_is_lost_on_the_way(texts):
    try:
        filters = parse_filters(*texts)
    except QueryError:
        return  # two of them have nothing in common
    assert filters_of(narrowing_of(filters)) == filters


def test_what_the_controls_show():
    text = (
        "0.1<=redshift<=0.5; magnitude<=20; object_class=GALAXY,QSO; redshift_ok=true; |b|>=20; "
        "has(spectrum); release=demo-desi; cone(150.1,2.2,30arcsec); moc(5/1-3 8); seeing<1.5"
    )
    assert narrowing_of(parse_filters(text)) == Narrowing(
        releases=("demo-desi",),
        modalities=("spectrum",),
        classes=("GALAXY", "QSO"),
        redshift=(0.1, 0.5),
        magnitude=(None, 20.0),
        good_redshift=True,
        latitude_deg=20.0,
        cone="150.1,2.2,30arcsec",
        moc="5/1-3 8",
        more="seeing<1.5",
    )


def test_no_control_asks_for_anything():
    assert not filters_of(Narrowing())
    assert narrowing_of(parse_filters()) == Narrowing()


@pytest.mark.parametrize(
    ("narrowing", "message"),
    [
        (Narrowing(redshift=(0.5, 0.1)), "the range 0.5<=redshift<=0.1 is empty"),
        (Narrowing(cone="150.1,2.2"), "a cone is cone"),
        (Narrowing(moc="all of it"), "a MOC is written such as"),
        (Narrowing(more="redshift~3"), "a filter is redshift>0.1"),
        (Narrowing(redshift=(0.3, None), more="redshift<0.1"), "is empty"),
    ],
)
def test_what_cannot_hold_is_refused_in_words(narrowing, message):
    with pytest.raises(QueryError, match=message):
        filters_of(narrowing)


def test_one_condition_is_taken_away():
    filters = parse_filters("redshift>0.1; has(image)")
    assert without(filters, "has(image)").text == "redshift>0.1"
    assert without(filters, "has(xp)") == filters


def test_similar_is_a_range_around_what_is_known():
    assert alike(0.123456, 0.02) == (0.1035, 0.1435)
    assert alike(math.nan, 0.02) is None
