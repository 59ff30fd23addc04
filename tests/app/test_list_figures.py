"""A list as a whole: histograms and maps."""

import math

import numpy as np
import pytest

from app.link_outs import pages_at
from app.list_figures import coverage_figure, hammer, histogram_figure, sky_figure


def test_a_histogram_counts_what_is_known():
    values = np.array([0.1, 0.1, 0.2, 0.5, math.nan])
    figure = histogram_figure(values, "Redshift", known=0.3)
    assert sum(figure.data[0].y) == 4
    assert figure.layout.xaxis.title.text == "Redshift"
    assert [(shape.name, shape.x0) for shape in figure.layout.shapes] == [("query", 0.3)]


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5]])
def test_equal_values_have_a_bar(values):
    assert sum(histogram_figure(np.array(values), "z").data[0].y) == len(values)


def test_the_map_of_the_sky_keeps_areas():
    """By differences: the area of a small patch on the map over that on the sphere is 1."""
    rng = np.random.default_rng(3)
    ra, dec, step = rng.uniform(-170.0, 170.0, 50), rng.uniform(-80.0, 80.0, 50), 1e-4
    x0, y0 = hammer(ra, dec)
    x1, y1 = hammer(ra + step, dec)
    x2, y2 = hammer(ra, dec + step)
    area = np.abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))
    np.testing.assert_allclose(area, np.cos(np.radians(dec)) * np.radians(step) ** 2, rtol=1e-4)
    left, _ = hammer(np.array([10.0]), np.array([0.0]))
    assert left[0] < 0.0


def test_a_small_field_is_drawn_as_it_lies_through_0h():
    figure = sky_figure(np.array([359.9, 0.1]), np.array([1.0, 1.1]), ["a", "b"])
    (trace,) = figure.data
    assert abs(trace.x[1] - trace.x[0]) == pytest.approx(0.2)
    assert figure.layout.xaxis.autorange == "reversed"
    assert list(trace.text) == ["a<br>359.90000 +1.00000", "b<br>0.10000 +1.10000"]


def test_a_wide_list_is_drawn_on_the_whole_sky_with_the_query():
    ra, dec = np.array([10.0, 200.0, math.nan]), np.array([0.0, -60.0, math.nan])
    figure = sky_figure(ra, dec, ["a", "b", "c"], query=(50.0, 10.0))
    names = [trace.name for trace in figure.data]
    assert names == ["graticule", "hours", "neighbour", "query"]
    assert len(figure.data[2].x) == 2


def test_a_list_without_positions_is_an_empty_sky():
    figure = sky_figure(np.array([math.nan]), np.array([math.nan]), ["a"])
    assert len(figure.data[-1].x) == 0


def test_coverage_is_drawn_in_powers_of_ten():
    counts = np.array([1, 1000])
    figure = coverage_figure(np.array([0.0, 90.0]), np.array([0.0, 45.0]), counts)
    assert list(figure.data[-1].marker.color) == [0.0, 3.0]
    assert list(figure.data[-1].text) == ["0.0 +0.0: 1", "90.0 +45.0: 1,000"]


def test_pages_elsewhere_are_of_the_place():
    pages = pages_at(150.116, 2.205)
    assert list(pages) == ["Legacy Surveys", "Aladin Lite", "SIMBAD", "VizieR", "SkyServer"]
    assert "target=150.116000%20%2B2.205000" in pages["Aladin Lite"]
    assert "Coord=150.116000d%2B2.205000d" in pages["SIMBAD"]
    assert "Coord=150.116000d-2.205000d" in pages_at(150.116, -2.205)["SIMBAD"]
    assert "ra=150.116000&dec=2.205000" in pages["SkyServer"]
    assert pages_at(math.nan, 2.0) == {}
