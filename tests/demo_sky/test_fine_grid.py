import numpy as np
import pytest

from demo_sky.fine_grid import COARSE_WINDOW, FINE_KM_S, H_WINDOW, OPTICAL_WINDOW, Window, resample
from demo_sky.grids import INFRARED_PIXELS, rest_log_wavelength, rest_wavelength
from demo_sky.line_spread import vacuum_wavelength
from demo_sky.night_sky import telluric_transmission
from demo_sky.stellar_lines import line_list, move_and_broaden


@pytest.mark.parametrize("window", [OPTICAL_WINDOW, H_WINDOW, COARSE_WINDOW])
def test_windows_lie_on_the_rest_frame_grid(window: Window) -> None:
    every = window.log_wavelength[:: window.oversampling]
    stop = window.first + window.count
    expected = rest_log_wavelength(INFRARED_PIXELS)[window.first : stop]
    np.testing.assert_allclose(every, expected, atol=1e-12)
    assert len(window) == len(window.log_wavelength)


@pytest.mark.parametrize("redshift", [-1e-3, 0.0, 0.0371, 0.4123])
def test_lines_of_the_narrowest_gas_survive_the_splines(redshift: float) -> None:
    sigma_km_s = 60.0
    wavelength = rest_wavelength(INFRARED_PIXELS)
    line = 6564.61 / (1 + redshift)

    def profile(log_wavelength: np.ndarray, centre: float) -> np.ndarray:
        velocity = (log_wavelength - np.log10(centre)) * np.log(10) * 299792.458
        return np.asarray(1.0 + np.exp(-0.5 * (velocity / sigma_km_s) ** 2))

    rest = profile(np.log10(wavelength), line).astype(np.float32)
    seen = resample(rest, redshift, OPTICAL_WINDOW)
    expected = profile(OPTICAL_WINDOW.log_wavelength, 6564.61)
    assert np.abs(seen - expected).max() < 0.04
    assert seen.sum() - len(seen) == pytest.approx(expected.sum() - len(seen), rel=5e-3)


def test_beyond_its_ends_a_spectrum_goes_on() -> None:
    spectrum = np.linspace(1.0, 2.0, INFRARED_PIXELS).astype(np.float32)
    past = Window(INFRARED_PIXELS - 5, 40, 1)
    assert resample(spectrum, 0.0, past)[-20:] == pytest.approx(2.0, abs=1e-4)


def test_lines_are_moved_by_parts_of_a_pixel_and_keep_their_strength() -> None:
    place = np.arange(len(H_WINDOW))
    narrow = (1.0 - 0.5 * np.exp(-0.5 * ((place - 6000.0) / 2.0) ** 2)).astype(np.float32)
    velocity = 33.3 * FINE_KM_S
    moved = 1.0 - move_and_broaden(narrow, velocity, 4.0 * FINE_KM_S)
    place, moved = place[5900:6200], moved[5900:6200]
    assert moved.sum() == pytest.approx((1.0 - narrow).sum(), rel=1e-3)
    centre = np.average(place, weights=moved)
    assert centre == pytest.approx(6033.3, abs=0.1)
    sigma = np.sqrt(np.average((place - centre) ** 2, weights=np.maximum(moved, 0)))
    assert sigma == pytest.approx(np.hypot(2.0, 4.0), rel=0.05)


def test_air_wavelengths_become_those_of_vacuum() -> None:
    air = np.array([5889.951, 6562.80, 8542.09])
    assert vacuum_wavelength(air) == pytest.approx([5891.583, 6564.61, 8544.44], abs=0.01)


def test_the_line_list_is_part_of_the_model() -> None:
    centre, width, absorber = line_list()
    again = line_list.__wrapped__()
    for first, second in zip((centre, width, absorber), again, strict=True):
        np.testing.assert_array_equal(first, second)
    assert (np.diff(centre) >= 0).all()
    assert (width >= 0).all()


def test_the_atmosphere_is_opaque_in_the_oxygen_band_only_in_lines() -> None:
    wavelength = 10**OPTICAL_WINDOW.log_wavelength
    transmission = telluric_transmission(OPTICAL_WINDOW)
    band = (wavelength > 7594) & (wavelength < 7660)
    assert transmission[band].min() < 0.02
    assert 0.3 < transmission[band].mean() < 0.9
    assert transmission[(wavelength > 5000) & (wavelength < 5500)].min() == 1.0
