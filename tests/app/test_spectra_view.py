"""Spectra as people look at them: frames, smoothing and lines."""

import math

import numpy as np
import pytest

from app.drawing import Curve
from app.lines import LINES, lines_between
from app.spectra_view import Named, View, marked, rest_frame, seen, smoothed


def curve(flux):
    return Curve(np.linspace(4000.0, 8000.0, len(flux)), np.asarray(flux, float))


def vacuum(air):
    """Return a wavelength in vacuum from one in air (Morton 2000), by iteration."""
    found = air
    for _ in range(5):
        s2 = (1e4 / found) ** 2
        index = 1.0 + 8.34254e-5 + 2.406147e-2 / (130.0 - s2) + 1.5998e-4 / (38.9 - s2)
        found = air * index
    return found


@pytest.mark.parametrize(
    ("name", "air"),
    [
        ("Hα", 6562.80),
        ("Hβ", 4861.33),
        ("Hγ", 4340.47),
        ("Hδ", 4101.74),
        ("Ca K", 3933.66),
        ("Ca H", 3968.47),
        ("[N II]", 6583.45),
        ("[O I]", 6300.30),
        ("[S III]", 9530.6),
    ],
)
def test_wavelengths_are_those_of_the_laboratory_in_vacuum(name, air):
    found = next(line.wavelength_angstrom for line in LINES if line.name == name)
    assert found == pytest.approx(vacuum(air), abs=0.1)


def test_lines_move_with_the_redshift_and_only_those_inside_are_named():
    assert [line.name for line in lines_between(6500.0, 6800.0, 0.0)] == ["Hα", "[N II]", "[S II]"]
    (moved,) = [line for line in lines_between(4000.0, 9000.0, 0.2) if line.name == "Hα"]
    assert moved.wavelength_angstrom == pytest.approx(1.2 * 6564.61)
    assert [line.wavelength_angstrom for line in LINES] == sorted(
        line.wavelength_angstrom for line in LINES
    )


def test_a_running_mean_keeps_a_constant_and_halves_nothing_at_the_ends():
    np.testing.assert_allclose(smoothed(curve([2.0] * 20), 5).flux, 2.0)
    spike = smoothed(curve([0.0] * 10 + [5.0] + [0.0] * 10), 5).flux
    np.testing.assert_allclose(spike[8:13], 1.0)
    assert np.count_nonzero(spike) == 5
    same = curve([1.0, 2.0])
    assert smoothed(same, 1) is same
    assert smoothed(curve([]), 5).flux.size == 0


def test_a_spectrum_without_a_redshift_stays_where_it_is():
    assert rest_frame(curve([1.0, 2.0]), 1.0).wavelength_angstrom[0] == 2000.0
    unknown = Named("a", curve([1.0, 2.0]), math.nan)
    assert seen(unknown, View(rest=True)).curve.wavelength_angstrom[0] == 4000.0
    assert marked(unknown, View(lines=True)) == ()
    known = seen(Named("a", curve([1.0, 2.0]), 1.0), View(rest=True, lines=True))
    assert known.curve.wavelength_angstrom[0] == 2000.0
    assert "Mg II" in [line.name for line in marked(known, View(rest=True, lines=True))]
    assert marked(known, View(rest=True)) == ()
