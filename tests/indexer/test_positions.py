"""Positions, against astropy as a second road."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import QueryError
from indexer.positions import parse_position

HOURS = SkyCoord("10:00:28.6 +02:12:21", unit=("hourangle", "deg"))


@pytest.mark.parametrize(
    "text",
    [
        "10:00:28.6 +02:12:21",
        "10:00:28.6, +02:12:21",
        "10:00:28.6+02:12:21",
        "10 00 28.6 +02 12 21",
        "10 00 28.6 02 12 21",
        "10h00m28.6s +02d12m21s",
        "10h00m28.6s+02d12m21s",
        "10h 00m 28.6s +02d 12m 21s",
        "10h00m28.6s 2d12m21s",
        "10h00m28.6s, +02°12'21\"",
        "ra=10:00:28.6 dec=+02:12:21",
        "RA 10:00:28.6, Dec +02:12:21 (J2000)",
    ],
)
def test_hours(text: str) -> None:
    position = parse_position(text)
    assert position.ra_deg == pytest.approx(HOURS.ra.deg, abs=1e-9)
    assert position.dec_deg == pytest.approx(HOURS.dec.deg, abs=1e-9)
    assert "hours" in position.notation


@pytest.mark.parametrize(
    "text",
    [
        "150.116 2.205",
        "150.116, +2.205",
        "150.116; 2.205",
        "150.116+2.205",
        "150.116d 2.205d",
        "150.116° +2.205°",
        "(150.116, 2.205)",
        "ra: 150.116 dec: 2.205",
        "  150.116\t2.205 ",
    ],
)
def test_degrees(text: str) -> None:
    position = parse_position(text)
    assert (position.ra_deg, position.dec_deg) == (150.116, 2.205)
    assert "degrees" in position.notation


def test_sign_of_minus_zero_holds_for_all_fields() -> None:
    assert parse_position("10:00:00 -00:30:36").dec_deg == pytest.approx(-0.51)
    assert parse_position("10:00:00 \u221200:30:36").dec_deg == pytest.approx(-0.51)
    assert parse_position("150 -0.51").dec_deg == -0.51
    assert parse_position("150 -00.0").dec_deg == 0.0


def test_three_fields_are_never_degrees() -> None:
    """Astropy reads this as 10 degrees when told ``unit="deg"``, without any error."""
    assert parse_position("10 00 28.6 +02 12 21").ra_deg == pytest.approx(150.11917, abs=1e-5)


@pytest.mark.parametrize(
    "name", ["SDSS J095208.87+020526.6", "J095208.87+020526.6", "2MASX J095208.87+020526.6"]
)
def test_names_hold_positions(name: str) -> None:
    truth = SkyCoord("09:52:08.87 +02:05:26.6", unit=("hourangle", "deg"))
    position = parse_position(name)
    assert position.ra_deg == pytest.approx(truth.ra.deg, abs=1e-9)
    assert position.dec_deg == pytest.approx(truth.dec.deg, abs=1e-9)
    assert 0.1 < position.precision_arcsec < 0.3


def test_short_names_are_less_precise() -> None:
    position = parse_position("J1000+0212")
    assert position.ra_deg == pytest.approx(150.0)
    assert position.dec_deg == pytest.approx(2.2)
    assert position.precision_arcsec > 60.0


def test_whole_circle_is_zero() -> None:
    assert parse_position("360 0").ra_deg == 0.0
    assert parse_position("24:00:00 0").ra_deg == 0.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a position is needed"),
        ("150.116", "a position is a right ascension and a declination"),
        ("M31", "a position is a right ascension and a declination"),
        ("361 0", "right ascension must lie between 0 and 360 degrees, got 361"),
        ("-10 0", "right ascension must lie between 0 and 360 degrees, got -10"),
        ("10 91", r"declination must lie between -90 and \+90 degrees, got 91"),
        ("10:61:00 0", "minutes of the right ascension must be less than 60, got 61"),
        ("10:00:00 10:00:60", "seconds of the declination must be less than 60, got 60"),
        ("25:00:00 0", "right ascension must be at most 24 hours"),
        ("10:00:00 91:00:00", "declination must be at most 90 degrees"),
        ("10.5:30:00 0", "only the last field of the right ascension can have decimals"),
        ("10 20 30 40", "a position is a right ascension and a declination"),
        ("nan nan", "cannot read the declination 'nan'"),
        ("abc 5", "cannot read the right ascension 'abc'"),
        ("266-51630-1", "a position is"),
        ("J12345+0212", "a name of the form"),
    ],
)
def test_refusals_say_why(text: str, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        parse_position(text)


@given(ra=st.floats(0.0, 359.999), dec=st.floats(-89.999, 89.999))
def test_both_notations_agree_with_astropy(ra: float, dec: float) -> None:
    place = SkyCoord(ra, dec, unit=u.deg)
    for text in (
        place.to_string("hmsdms", precision=5),
        place.to_string("hmsdms", precision=5, sep=":"),
        place.to_string("hmsdms", precision=5, sep=" "),
        f"{ra:.9f} {dec:.9f}",
    ):
        found = parse_position(text)
        step = np.hypot((found.ra_deg - ra + 180.0) % 360.0 - 180.0, found.dec_deg - dec)
        assert step < 1e-7, text
