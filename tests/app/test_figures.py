"""The figure that draws the query over a neighbour."""

import numpy as np
import pytest

from app.drawing import Curve
from app.figures import spectra_figure


def curve(level):
    return Curve(np.linspace(3600.0, 9800.0, 50), level * np.linspace(1.0, 2.0, 50))


def test_query_lies_over_the_neighbour_on_one_wavelength_axis():
    figure = spectra_figure(curve(1.0), curve(50.0), neighbour_name="a:1", query_name="query")
    assert [trace.name for trace in figure.data] == ["a:1", "query"]
    assert figure.layout.xaxis.title.text == "Observed wavelength (Å)"
    assert np.median(figure.data[0].y) == pytest.approx(1.0)
    assert np.allclose(figure.data[0].y, figure.data[1].y)


@pytest.mark.parametrize("query", [None, Curve(np.array([]), np.array([]))])
def test_a_query_without_a_spectrum_is_left_out(query):
    figure = spectra_figure(curve(1.0), query, neighbour_name="a:1", query_name="query")
    assert [trace.name for trace in figure.data] == ["a:1"]
