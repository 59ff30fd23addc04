"""Filters as values and as text."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aion_encoder.observations import MODALITIES
from indexer.errors import QueryError
from indexer.filters import Filters, Has, OneOf, Range, parse_filters
from indexer.folding import FOLD_RADIUS_ARCSEC
from indexer.moc_text import moc_ranges, moc_text
from indexer.neighbours import EXACT_SURVIVORS
from indexer.row_sets import RowSet
from indexer.sky_regions import Box, Cone, Moc

GOLDEN = [
    ("redshift>0.1", "redshift>0.1"),
    (" redshift >= 1e-1 ;", "redshift>=0.1"),
    ("redshift<.5", "redshift<0.5"),
    ("redshift>0.1; redshift<=0.5; redshift>0.05", "0.1<redshift<=0.5"),
    ("-1 < pmra_mas_yr < 1.0", "-1<pmra_mas_yr<1"),
    ("pmra_mas_yr>\u22125", "pmra_mas_yr>-5"),
    ("object_class = QSO, GALAXY,QSO", "object_class=GALAXY,QSO"),
    ('object_class="Seyfert 1","a;b, \\"c\\""', 'object_class=Seyfert 1,"a;b, \\"c\\""'),
    ("redshift_ok=true", "redshift_ok=true"),
    ("|b|>=20", "|b|>=20"),
    ("|b| < 30; |b|>10", "10<|b|<30"),
    ("has(spectrum)", "has(spectrum)"),
    ("release=sdss-dr17,desi-edr", "release=desi-edr,sdss-dr17"),
    ("cone(150.1, 2.2, 30arcsec)", "cone(150.1,2.2,30arcsec)"),
    ("cone(150.1 +2.2, 0.5')", "cone(150.1,2.2,30arcsec)"),
    ("away(150.1 +2.2, 15arcmin)", "away(150.1,2.2,900arcsec)"),
    ("cone(10:00:24 +02:12:00, 0.5 deg)", "cone(150.1,2.2,1800arcsec)"),
    ("box(350..10,-5..5)", "box(350..10,-5..5)"),
    ("galactic_box(350 .. 10, -5 .. 5)", "galactic_box(350..10,-5..5)"),
    ("moc(5/0-3,8 6/400)", "moc(4/0 5/8 6/400)"),
    ("moc(s29/1)", "moc(29/1)"),
    ("redshift>1; |b|>2; has(xp)", "has(xp); redshift>1; |b|>2"),
    ("", ""),
]


@pytest.mark.parametrize(("given_text", "text"), GOLDEN)
def test_texts(given_text, text):
    filters = parse_filters(given_text)
    assert filters.text == str(filters) == text
    assert parse_filters(text) == filters
    assert bool(filters) == bool(text)


def test_several_texts_are_one():
    assert parse_filters("redshift>1", "|b|>2; redshift<3").text == "1<redshift<3; |b|>2"


numbers = st.floats(-1e9, 1e9, allow_subnormal=False)
names = st.sampled_from(["redshift", "magnitude", "|b|", "pm_2"])
texts = st.text(min_size=1, max_size=8)


@st.composite
def ranges(draw):
    low, high = sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))
    which = draw(st.integers(0, 2))
    low_counts, high_counts = draw(st.booleans()), draw(st.booleans())
    return Range(
        draw(names),
        None if which == 0 else low,
        None if which == 1 else high,
        low_counts,
        high_counts,
    )


boxes = st.builds(
    Box,
    st.floats(0.0, 180.0),
    st.floats(180.5, 360.0),
    st.floats(-90.0, -0.5),
    st.floats(0.0, 90.0),
    st.booleans(),
)
cones = st.builds(
    Cone,
    st.floats(0.0, 360.0, exclude_max=True),
    st.floats(-90.0, 90.0),
    st.floats(1e-3, 648000.0),
)
cells = st.integers(0, 12 * 4**9 - 1).map(lambda cell: Moc(f"9/{cell}"))
conditions = st.one_of(
    ranges(),
    st.builds(OneOf, st.sampled_from(["object_class", "release"]), st.lists(texts, min_size=1)),
    st.sampled_from(MODALITIES).map(Has),
    boxes,
    cones,
    cells,
)


@settings(deadline=None, max_examples=200)
@given(st.lists(conditions, max_size=4))
def test_every_text_reads_back(chosen):
    try:
        filters = Filters(tuple(chosen))
    except QueryError:
        # Two ranges of one column that have nothing in common.
        assert sum(isinstance(each, Range) for each in chosen) > 1
        return
    again = parse_filters(filters.text)
    assert again == filters
    assert again.text == filters.text
    assert Filters(tuple(reversed(chosen))) == filters


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redshift", "a filter is redshift>0.1, .* got 'redshift'"),
        ("redshift>much", "redshift needs a number, got 'much'"),
        ("redshift>nan", "redshift needs a number, got 'nan'"),
        ("redshift>0.1 and magnitude=3", "a filter is .* got 'redshift>0.1 and magnitude=3'"),
        ("redshift>2; redshift<1", "the range 2<redshift<1 is empty: no redshift can pass"),
        ("1<redshift<=1", "the range 1<redshift<=1 is empty"),
        ("object_class=a|b", "values of object_class are joined by commas, .* got 'a|b'"),
        ('object_class=""', "an empty text is an unknown one, and never passes"),
        ('object_class="a', "a quotation mark is not closed"),
        ("near(1,2)", r"near\(\) is no filter; one is "),
        ("has(spectra)", "one of image, spectrum, xp, photometry; got 'spectra'"),
        ("cone(1,2,3)", "with a radius such as 30arcsec, 2arcmin or 0.5deg; got"),
        ("cone(1,2,xarcsec)", "the radius of a cone needs a number, got 'x'"),
        ("cone(1,2,0deg)", "must be more than 0 and at most 180deg, got 0arcsec"),
        ("cone(1,99,1deg)", r"declination must lie between -90 and \+90 degrees, got 99"),
        ("box(1,2)", r"a box is written as box\(350..10,-5..5\), in degrees; got"),
        ("box(1..361,2..3)", "the right ascension of a box must be 0 to 360 degrees, got 361"),
        ("galactic_box(1..2,3..91)", r"the latitude of a box must be -90 to \+90 degrees, got 91"),
        ("box(1..2,3..3)", "a box must have a size: declination from the smaller to the larger"),
        ("moc()", 'a MOC needs at least one cell, such as "5/1-3 8 6/400"'),
        ("moc(hello)", "got 'hello'"),
        ("moc(30/1)", "orders of a MOC are 0 to 29, got 30"),
        ("moc(1/48)", "cells of order 1 of a MOC are 0 to 47, got '48'"),
    ],
)
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(QueryError, match=message.replace("|", r"\|")):
        parse_filters(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"low": np.inf}, "a limit of redshift must be a number, got inf"),
        ({}, "needs a limit on one side"),
    ],
)
def test_ranges_that_say_nothing(values, message):
    with pytest.raises(QueryError, match=message):
        Range("redshift", **values)


def test_limits_have_the_precision_of_the_values():
    stored = np.array([0.1, 0.2, np.nan, np.inf], np.float32)
    assert Range("z", high=0.1).passes(stored).tolist() == [True, False, False, False]
    assert Range("z", low=0.1, low_counts=False).passes(stored).tolist() == [
        False,
        True,
        False,
        False,
    ]
    assert Range("z", low=0.1, high=0.2).passes(stored).tolist() == [True, True, False, False]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12 * 4**5 - 1)), min_size=1, max_size=30)
)
def test_coverage_maps_are_those_of_mocpy(drawn):
    from mocpy import MOC

    cells = [(order, cell % (12 * 4**order)) for order, cell in drawn]
    orders = np.array([order for order, _ in cells], np.uint8)
    theirs = MOC.from_healpix_cells(np.array([cell for _, cell in cells], np.uint64), orders, 29)
    ranges = moc_ranges(" ".join(f"{order}/{cell}" for order, cell in cells))
    np.testing.assert_array_equal(ranges, theirs.to_depth29_ranges)
    again = MOC.from_string(moc_text(ranges), "ascii")
    np.testing.assert_array_equal(again.to_depth29_ranges, theirs.to_depth29_ranges)


@settings(deadline=None)
@given(st.integers(0, 70), st.integers(0, 2**32), st.integers(0, 80))
def test_row_sets(total, seed, most):
    rng = np.random.default_rng(seed)
    mask = rng.random(total) < rng.random()
    rows = np.flatnonzero(mask)
    vectors_of = np.flatnonzero(rng.random(total) < rng.random())
    for made in (RowSet.of_mask(mask), RowSet.of(rng.permutation(rows), total)):
        assert (made.count, made.total) == (len(rows), total)
        np.testing.assert_array_equal(made.rows(), rows)
        np.testing.assert_array_equal(made.holds(np.arange(total)), mask)
        count, places = made.among(vectors_of, most)
        assert count == mask[vectors_of].sum()
        if count <= most:
            np.testing.assert_array_equal(places, np.flatnonzero(mask[vectors_of]))
        assert made.among(vectors_of, most) == (count, places) or places is not None
        count, places = made.among(None, most)
        assert count == len(rows)
        assert (places is None) == (count > most)
        if places is not None:
            np.testing.assert_array_equal(places, rows)


def test_the_texts_of_the_documentation_are_canonical():
    page = (Path(__file__).parents[2] / "docs" / "filters.md").read_text()
    table = [line for line in page.splitlines() if line.startswith("| `")]
    texts = [line.split("`")[1].replace("\\|", "|") for line in table]
    assert len(texts) == 13
    for text in texts:
        assert parse_filters(text).text == text
    same = "cone(10:00:24 +02:12:00, 0.5arcmin)"
    assert same in page
    assert parse_filters(same).text in texts
    assert f"at most {EXACT_SURVIVORS:,} of its" in " ".join(page.split())
    assert f"within {FOLD_RADIUS_ARCSEC:g} arcsec of each other" in page
