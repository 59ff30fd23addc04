"""Axes of any unit, medium and order become ascending vacuum wavelengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion_encoder import ObservationError
from aion_encoder.universal_spectra import NativeSpectrum, ascending_vacuum, native_spectrum
from aion_encoder.wavelengths import FREQUENCY_UNITS, WAVELENGTH_UNITS, vacuum_to_air

OPTICAL = np.linspace(3600.0, 9800.0, 300)
LIGHT = 2.99792458e18


def written(unit: str) -> np.ndarray:
    """The optical axis as a file in this unit would have it."""
    if unit in FREQUENCY_UNITS:
        return np.asarray(LIGHT / OPTICAL / FREQUENCY_UNITS[unit])
    if unit.startswith("log10"):
        return np.log10(OPTICAL)
    if unit.startswith("ln"):
        return np.log(OPTICAL)
    return np.asarray(OPTICAL / WAVELENGTH_UNITS[unit])


def test_an_axis_that_is_as_it_should_be() -> None:
    axis = ascending_vacuum(OPTICAL)
    np.testing.assert_array_equal(axis.wavelength_angstrom, OPTICAL)
    np.testing.assert_array_equal(axis.pixels, np.arange(300))
    np.testing.assert_array_equal(axis.places, np.arange(300))
    assert axis.steps == ()


@pytest.mark.parametrize("unit", [*WAVELENGTH_UNITS, *FREQUENCY_UNITS])
def test_every_unit(unit: str) -> None:
    # Files list frequencies from the lowest on.
    values = np.sort(written(unit))
    axis = ascending_vacuum(values, unit)
    np.testing.assert_allclose(axis.wavelength_angstrom, OPTICAL, rtol=1e-12)
    if unit in FREQUENCY_UNITS:
        assert axis.steps == (
            f"vacuum wavelengths computed from frequencies in {unit}",
            "descending wavelengths reversed",
        )
        np.testing.assert_array_equal(axis.pixels, np.arange(300)[::-1])
    elif unit != "Angstrom":
        assert axis.steps == (f"wavelengths converted from {unit} to Angstrom",)


def test_a_unit_guessed_by_range() -> None:
    axis = ascending_vacuum(np.linspace(0.9, 2.4, 50), "")
    assert axis.wavelength_angstrom[-1] == pytest.approx(24000.0)
    assert axis.steps[0] == "no unit stated: um assumed by the range of the numbers"


def test_air() -> None:
    """H alpha lies at 6562.80 A in air and at 6564.61 A in vacuum (NIST)."""
    axis = ascending_vacuum(np.array([656.280, 700.0]), "nm", "air")
    assert axis.wavelength_angstrom[0] == pytest.approx(6564.61, abs=0.01)
    assert axis.steps == (
        "wavelengths converted from nm to Angstrom",
        "air wavelengths converted to vacuum (Morton 2000)",
    )


def test_disorder_padding_and_repeats() -> None:
    axis = ascending_vacuum(np.array([5000.0, -1.0, 4000.0, np.nan, 5000.0, 4500.0]))
    np.testing.assert_array_equal(axis.wavelength_angstrom, [4000.0, 4500.0, 5000.0])
    np.testing.assert_array_equal(axis.pixels, [2, 5, 0, 4])
    np.testing.assert_array_equal(axis.places, [0, 1, 2, 2])
    assert axis.steps == (
        "2 pixels without a positive wavelength left out",
        "pixels sorted by wavelength",
        "1 pixels that repeat a wavelength joined with the one before",
    )


@pytest.mark.parametrize(
    ("values", "unit", "medium", "message"),
    [
        ([[5000.0]], "nm", "vacuum", r"must have one dimension, got the shape \(1, 1\)"),
        ([5000.0], "parsec", "vacuum", r"must be one of Angstrom, nm, .*GHz.*, got 'parsec'"),
        ([-5.0], "", "vacuum", "the numbers of the axis fit no unit; state one of Angstrom"),
        ([5000.0], "A", "water", "the medium must be vacuum or air, got 'water'"),
        ([600.0], "THz", "air", "a frequency is the same in air and in vacuum"),
        ([0.0, np.nan], "A", "vacuum", "no pixel has a finite, positive wavelength"),
        ([0.0], "Hz", "vacuum", "no pixel has a finite, positive wavelength"),
    ],
)
def test_axes_that_are_refused(values: object, unit: str, medium: str, message: str) -> None:
    with pytest.raises(ObservationError, match=message):
        ascending_vacuum(np.array(values), unit, medium)


@given(
    st.lists(st.floats(2001.0, 49000.0), min_size=1, max_size=60),
    st.sampled_from([*WAVELENGTH_UNITS, *FREQUENCY_UNITS]),
    st.booleans(),
)
def test_any_axis_comes_out_ascending_with_every_pixel_accounted_for(
    vacuum: list[float], unit: str, in_air: bool
) -> None:
    in_air = in_air and unit not in FREQUENCY_UNITS
    truth = np.array(vacuum)
    seen = vacuum_to_air(truth) if in_air else truth
    if unit in FREQUENCY_UNITS:
        values = LIGHT / seen / FREQUENCY_UNITS[unit]
    elif WAVELENGTH_UNITS[unit]:
        values = seen / WAVELENGTH_UNITS[unit]
    else:
        values = np.log10(seen) if unit.startswith("log10") else np.log(seen)
    axis = ascending_vacuum(values, unit, "air" if in_air else "vacuum")
    assert np.all(np.diff(axis.wavelength_angstrom) > 0.0)
    assert sorted(axis.pixels) == list(range(truth.size))
    np.testing.assert_allclose(axis.wavelength_angstrom[axis.places], truth[axis.pixels], rtol=1e-9)


@given(st.permutations(list(range(40))))
def test_the_order_of_pixels_does_not_matter(order: list[int]) -> None:
    rng = np.random.default_rng(3)
    flux, ivar, wavelength = rng.normal(5, 1, 40), rng.uniform(1, 2, 40), OPTICAL[:40]
    mask = rng.random(40) < 0.2
    straight = native_spectrum(flux, wavelength, ivar, mask)
    mixed = native_spectrum(flux[order], wavelength[order], ivar[order], mask[order])
    for name in ("flux", "wavelength_angstrom", "ivar", "mask"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(straight, name))


def test_pixels_of_one_wavelength_become_one() -> None:
    """Good ones only, by inverse variance; a lone pixel keeps its flux to the last bit."""
    spectrum = native_spectrum(
        flux=np.array([0.1, 1.0, 4.0, 7.0, np.nan]),
        axis=np.array([4000.0, 5000.0, 5000.0, 5000.0, 6000.0]),
        ivar=np.array([1.0, 1.0, 2.0, 9.0, 1.0]),
        mask=np.array([False, False, False, True, False]),
    )
    np.testing.assert_array_equal(spectrum.flux[:2], [0.1, 3.0])
    np.testing.assert_array_equal(spectrum.ivar, [1.0, 3.0, 0.0])
    np.testing.assert_array_equal(spectrum.good, [True, True, False])
    assert spectrum.steps == ("2 pixels that repeat a wavelength joined with the one before",)
    plain = native_spectrum(np.array([1.0, 2.0, 5.0]), np.array([4.0, 3.0, 3.0]), unit="um")
    np.testing.assert_array_equal(plain.flux, [3.5, 1.0])
    assert plain.ivar is None


def test_arrays_of_different_lengths() -> None:
    with pytest.raises(ObservationError, match=r"one and the same length, got \(4,\), \(5,\)"):
        native_spectrum(np.ones(4), np.arange(5))
    with pytest.raises(ObservationError, match="the spectrum is empty"):
        native_spectrum(np.ones(0), np.ones(0))
    assert isinstance(native_spectrum(np.ones(4), np.arange(1, 5) * 1e3), NativeSpectrum)
