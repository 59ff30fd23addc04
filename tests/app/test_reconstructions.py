"""What the tokenizer understood: points, spans and words."""

import numpy as np
import pytest

from app.figures import reconstruction_figure
from app.reconstructions import MAX_POINTS, caption, drawn, ignored_spans
from tests.app.fakes import invented_understood


def test_every_pixel_is_a_point_and_no_line_crosses_a_gap():
    told = invented_understood()
    shown = drawn(told)
    assert shown.averaged == 1
    assert np.flatnonzero(np.isnan(shown.wavelength_angstrom)).tolist() == [320]
    pixels = np.delete(np.arange(641), 320)
    np.testing.assert_array_equal(shown.wavelength_angstrom[pixels], told.wavelength_angstrom)
    median = np.median(told.flux[~told.ignored])
    np.testing.assert_allclose(shown.flux[pixels], told.flux / median)
    np.testing.assert_allclose(shown.given_back[pixels], 2.0 / median)


def test_a_long_spectrum_is_averaged_over_its_good_pixels():
    told = invented_understood(3 * MAX_POINTS - 1)
    shown = drawn(told)
    assert shown.averaged == 3
    assert shown.flux.size <= MAX_POINTS + 2
    median = np.median(told.flux[~told.ignored])
    # Pixels 99 to 101 and 300 to 302: only the first of the former is good, the first of these bad.
    assert shown.flux[33] == pytest.approx(told.flux[99] / median)
    assert np.isnan(shown.flux[34:40]).all()
    assert shown.flux[100] == pytest.approx(told.flux[301:303].mean() / median)
    assert shown.wavelength_angstrom[33] == pytest.approx(told.wavelength_angstrom[99:102].mean())


def test_spans_hold_what_was_ignored_and_nothing_else():
    told = invented_understood()
    # The last pixel of the first run and the first of the second: two spans, not one over the gap.
    told.ignored[[319, 320]] = True
    spans = ignored_spans(told)
    assert len(spans) == 4
    inside = np.zeros(640, bool)
    for low, high in spans:
        inside |= (told.wavelength_angstrom > low) & (told.wavelength_angstrom < high)
    np.testing.assert_array_equal(inside, told.ignored)
    step = told.wavelength_angstrom[1] - told.wavelength_angstrom[0]
    np.testing.assert_allclose(spans[1, 1] - spans[1, 0], step)
    np.testing.assert_allclose(np.diff(spans[0]), 32 * step)
    assert len(ignored_spans(invented_understood(ignored=np.zeros(640, bool)))) == 0


def test_spans_of_overlapping_arms_stay_in_their_arm():
    told = invented_understood()
    told.wavelength_angstrom[320:] -= 1500.0
    told.ignored[:] = False
    told.ignored[318:322] = True
    step = told.wavelength_angstrom[1] - told.wavelength_angstrom[0]
    spans = ignored_spans(told)
    np.testing.assert_allclose(np.diff(spans, axis=1).ravel(), [2 * step, 2 * step])


def test_the_caption_says_how_good_and_what_was_not_seen():
    assert caption(invented_understood(), 1) == (
        "By the universal spectral tokenizer invented. Reduced χ² over 607 good pixels: **1.04**. "
        "Errors are the file's. It did not see 33 of 640 pixels: bad ones, and patches of which "
        "more than half is bad."
    )
    clean = invented_understood(
        ignored=np.zeros(640, bool), errors_estimated=True, chi_square=12_345.6
    )
    assert caption(clean, 8) == (
        "By the universal spectral tokenizer invented. Reduced χ² over 640 good pixels: "
        "**12,346**. The file has no errors: they are estimated from differences of neighbouring "
        "pixels. It saw every pixel. A point is the mean of 8 pixels."
    )


def test_the_model_lies_over_the_spectrum_and_what_it_did_not_see_is_shaded():
    told = invented_understood()
    told.flux[10] = 1e6
    figure = reconstruction_figure(drawn(told), ignored_spans(told))
    assert [trace.name for trace in figure.data] == ["spectrum", "given back"]
    (shade,) = figure.layout.shapes
    assert shade.path.count("M") == 2
    assert (shade.xref, shade.yref, shade.layer) == ("x", "y domain", "below")
    low, high = figure.layout.yaxis.range
    assert low <= 0.0
    assert 1.0 < high < 2.0
    clean = np.empty((0, 2))
    assert not reconstruction_figure(drawn(told), clean).layout.shapes
