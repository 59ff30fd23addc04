"""The figure that draws the query over a neighbour."""

import numpy as np
import pytest

from app.drawing import Curve
from app.figures import distribution_figure, spectra_figure
from app.spectra_view import Named, View
from tests.app.fakes import invented_number


def curve(level):
    return Curve(np.linspace(3600.0, 9800.0, 50), level * np.linspace(1.0, 2.0, 50))


def test_query_lies_over_the_neighbour_on_one_wavelength_axis():
    figure = spectra_figure(Named("a:1", curve(1.0)), Named("query", curve(50.0)))
    assert [trace.name for trace in figure.data] == ["a:1", "query"]
    assert figure.layout.xaxis.title.text == "Observed wavelength (Å)"
    assert np.median(figure.data[0].y) == pytest.approx(1.0)
    assert np.allclose(figure.data[0].y, figure.data[1].y)


@pytest.mark.parametrize("query", [None, Named("query", Curve(np.array([]), np.array([])))])
def test_a_query_without_a_spectrum_is_left_out(query):
    figure = spectra_figure(Named("a:1", curve(1.0)), query)
    assert [trace.name for trace in figure.data] == ["a:1"]


def test_in_the_rest_frame_each_spectrum_has_its_own_redshift_and_lines_stand_still():
    near, far = Named("a:1", curve(1.0), 0.1), Named("query", curve(1.0), 1.0)
    figure = spectra_figure(near, far, View(rest=True, lines=True))
    assert figure.layout.xaxis.title.text == "Rest wavelength (Å)"
    assert figure.data[0].x[0] == pytest.approx(3600.0 / 1.1)
    assert figure.data[1].x[0] == pytest.approx(1800.0)
    places = {shape.name: shape.x0 for shape in figure.layout.shapes}
    assert places["Hα"] == 6564.61
    observed = spectra_figure(near, far, View(lines=True))
    places = {shape.name: shape.x0 for shape in observed.layout.shapes}
    assert places["Hα"] == pytest.approx(1.1 * 6564.61)
    assert "Lyα" not in places
    assert [note.text for note in observed.layout.annotations] == list(
        shape.name for shape in observed.layout.shapes
    )


def test_neighbours_stand_as_high_as_they_weigh_and_intervals_are_shaded():
    figure = distribution_figure(invented_number(), "Redshift", known=0.2)
    shaded = {shape.name: (shape.x0, shape.x1) for shape in figure.layout.shapes}
    assert shaded["68 %"] == (0.1134, 0.1334)
    assert shaded["95 %"] == (0.0812, 0.1712)
    assert shaded["estimate"] == (0.1234, 0.1234)
    assert shaded["the query's catalogue"] == (0.2, 0.2)
    markers = figure.data[1]
    assert list(markers.y) == pytest.approx([30.0, 25.0, 20.0, 15.0, 10.0])
    low, high = figure.layout.xaxis.range
    assert low < 0.0812
    assert high > 0.2


def test_neighbours_that_agree_still_have_an_axis():
    same = invented_number(
        median=0.0, interval_68=(0.0, 0.0), interval_95=(0.0, 0.0), values=np.zeros(5)
    )
    figure = distribution_figure(same, "Redshift")
    assert tuple(figure.layout.xaxis.range) == (-1.0, 1.0)
    assert "the query's catalogue" not in [shape.name for shape in figure.layout.shapes]
