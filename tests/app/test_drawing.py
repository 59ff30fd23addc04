"""Small drawings: well-formed, in the right place, and safe against odd data."""

import base64
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from app.drawing import (
    NEIGHBOUR_COLOUR,
    QUERY_COLOUR,
    Curve,
    coefficients_svg,
    data_uri,
    scaled,
    spectrum_svg,
)

SVG = "{http://www.w3.org/2000/svg}"


def spectrum(level=1.0, *, first=3600.0, last=9824.0, line_angstrom=None):
    wavelength = np.linspace(first, last, 1500)
    flux = np.full(1500, level)
    if line_angstrom is not None:
        flux = flux + 5 * level * np.exp(-0.5 * ((wavelength - line_angstrom) / 15) ** 2)
    return Curve(wavelength, flux)


def points_of(svg, colour):
    for line in ElementTree.fromstring(svg).iter(f"{SVG}polyline"):
        if line.get("stroke") == colour:
            return np.array([[float(v) for v in p.split(",")] for p in line.get("points").split()])
    return np.empty((0, 2))


def test_a_line_is_drawn_over_its_wavelength():
    svg = spectrum_svg(spectrum(line_angstrom=6000.0), title="t", width=280)
    points = points_of(svg, NEIGHBOUR_COLOUR)
    peak = points[np.argmin(points[:, 1]), 0]
    labels = {t.text: float(t.get("x")) for t in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    assert peak == pytest.approx(labels["6000"], abs=1.5)
    assert "Å" in labels


def test_brightness_does_not_move_a_curve():
    faint, bright = spectrum(0.01, line_angstrom=5000.0), spectrum(800.0, line_angstrom=5000.0)
    svg = spectrum_svg(faint, bright, title="t")
    assert np.allclose(
        points_of(svg, NEIGHBOUR_COLOUR), points_of(svg, QUERY_COLOUR), rtol=0, atol=0.11
    )


def test_the_query_is_drawn_only_where_the_neighbour_has_an_axis():
    svg = spectrum_svg(
        spectrum(first=5000.0, last=6000.0), spectrum(first=4000.0, last=9000.0), title="t"
    )
    across = points_of(svg, QUERY_COLOUR)[:, 0]
    assert across.min() >= 4.0
    assert across.max() <= 276.0


def test_missing_pixels_are_left_out():
    flux = np.ones(100)
    flux[10:20] = np.nan
    curve = Curve(np.linspace(4000, 5000, 100), flux)
    assert curve.flux.size == 90
    ElementTree.fromstring(spectrum_svg(curve, title="t"))


@pytest.mark.parametrize("flux", [[], [np.nan, np.nan], [1.0]])
def test_a_spectrum_of_nothing_says_so(flux):
    wavelength = np.linspace(4000, 5000, len(flux))
    root = ElementTree.fromstring(spectrum_svg(Curve(wavelength, np.array(flux)), title="t"))
    assert "no finite flux" in "".join(root.itertext())


def test_zero_flux_draws_a_flat_line():
    assert np.ptp(points_of(spectrum_svg(spectrum(0.0), title="t"), NEIGHBOUR_COLOUR)[:, 1]) == 0


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"as many wavelengths as fluxes, got \(3,\) and \(2,\)"):
        Curve(np.ones(3), np.ones(2))


def test_scaling_leaves_its_input_alone_and_survives_zeros():
    flux = np.array([2.0, 4.0, 6.0])
    assert scaled(flux) == pytest.approx([0.5, 1.0, 1.5])
    assert flux.tolist() == [2.0, 4.0, 6.0]
    assert scaled(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert scaled(np.array([])).size == 0


def test_titles_are_escaped():
    svg = spectrum_svg(spectrum(), title="<script>alert(1)</script>&")
    assert ElementTree.fromstring(svg).find(f"{SVG}title").text == "<script>alert(1)</script>&"


def test_coefficients_have_a_bar_each_and_the_query_a_line():
    values = np.linspace(-1, 1, 110)
    root = ElementTree.fromstring(coefficients_svg(values, values[::-1], title="t"))
    assert len(list(root.iter(f"{SVG}rect"))) == 110
    assert len(list(root.iter(f"{SVG}polyline"))) == 1
    ElementTree.fromstring(coefficients_svg(np.full(110, np.nan), title="t"))


def test_a_data_address_holds_its_content():
    uri = data_uri(b"\x00\xff", "image/png")
    assert base64.b64decode(uri.removeprefix("data:image/png;base64,")) == b"\x00\xff"
