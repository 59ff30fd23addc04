"""Identifiers, names, wavelengths and fluxes: against published values, and by round trips."""

import contextlib
import math
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aion_encoder.wavelengths import (
    FREQUENCY_UNITS,
    WAVELENGTH_UNITS,
    air_to_vacuum,
    guess_wavelength_unit,
    to_angstrom,
    vacuum_to_air,
    wavelength_unit,
)
from indexer.column_rules import ColumnRules, Magnitude
from indexer.positions import parse_position
from indexer.readers.columns import catalogue_columns, native
from indexer.readers.fluxes import (
    constant_ivar,
    flux_scale,
    guess_flux_scale,
    pixel_noise,
    reads_as_error,
)
from indexer.readers.object_ids import (
    clean_text,
    object_id_text,
    plate_mjd_fiber,
    spec_object_id,
)
from indexer.readers.sky import gaia_position, header_position, iau_name, separation_arcsec

PLAIN = st.text(string.ascii_letters + string.digits + "+-._", min_size=1, max_size=20)


@given(PLAIN, st.integers(0, 3), st.sampled_from(["'", '"']))
def test_identifiers_come_out_of_any_wrapping(text: str, depth: int, quote: str) -> None:
    wrapped = text
    for _ in range(depth):
        wrapped = f"  b{quote} {wrapped}  {quote} "
    assert clean_text(wrapped) == text
    assert clean_text(wrapped.encode() + b"\0\0") == text


@given(st.integers(-(2**63), 2**64 - 1))
def test_whole_numbers_are_exact(number: int) -> None:
    dtype = np.int64 if number < 2**63 else np.uint64
    assert object_id_text(dtype(number)) == object_id_text(number) == str(number)


@pytest.mark.parametrize("bad", ["", "  ", b"", np.ma.masked, None])
def test_no_identifier_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="no identifier"):
        object_id_text(bad)


def test_spec_obj_ids_are_those_that_sdss_published() -> None:
    assert spec_object_id(266, 51602, 1, "26") == "299489676975171584"
    assert plate_mjd_fiber("299489676975171584") == "266-51602-1"
    assert plate_mjd_fiber("0421p022-7410") == ""
    eboss = spec_object_id(8192, 57000, 5, "v5_13_2")
    assert int(eboss) >= 2**63
    assert plate_mjd_fiber(eboss) == "8192-57000-5"
    with pytest.raises(ValueError, match="run2d must be a number or a version"):
        spec_object_id(266, 51602, 1, "master")


@given(st.floats(0, 360, exclude_max=True), st.floats(-89.99, 89.99))
def test_iau_names_read_back_within_one_last_digit(ra_deg: float, dec_deg: float) -> None:
    position = parse_position(iau_name(ra_deg, dec_deg))
    step = math.radians(0.01 * 15.0 / 3600.0)
    across = separation_arcsec(ra_deg, dec_deg, position.ra_deg, dec_deg)
    assert across <= math.degrees(step) * 3600.0 + 1e-3
    assert abs(position.dec_deg - dec_deg) * 3600.0 <= 0.1 + 1e-3
    assert abs(position.dec_deg) <= abs(dec_deg) + 1e-9, "names are cut off, never rounded up"


def test_iau_names_of_known_positions() -> None:
    assert iau_name(0.0779308877236, -0.651845669667) == "J000018.70-003906.6"
    assert iau_name(146.714208787, -1.04128156958) == "J094651.41-010228.6"
    assert iau_name(359.9999999, 0.0) == "J235959.99+000000.0"
    assert iau_name(360.0, -90.0) == "J000000.00-900000.0"
    assert iau_name(0.1, 0.1) == "J000024.00+000600.0"
    with pytest.raises(ValueError, match="not on the sky"):
        iau_name(math.nan, 0.0)


def test_gaia_identifiers_hold_a_position() -> None:
    ra_deg, dec_deg = gaia_position(1666767135588491904)
    assert (ra_deg, dec_deg) == pytest.approx((215.82, 62.37), abs=0.03)
    assert math.isnan(gaia_position(2**63 - 1)[0])


def test_headers_hold_positions_in_many_forms() -> None:
    assert header_position({"RA": " 23:50:57.6", "DEC": "-00:52:00.4"}) == pytest.approx(
        (357.74, -0.866778), abs=1e-5
    )
    assert header_position({"RA": "10.5", "DEC": "-1"}) == (10.5, -1.0)
    plate = {"RA": 146.0, "DEC": -0.9, "PLUG_RA": 146.7, "PLUG_DEC": -1.0}
    assert header_position(plate) == (146.7, -1.0)
    assert all(math.isnan(each) for each in header_position({"RA": "unknown", "DEC": 3}))
    assert all(math.isnan(each) for each in header_position({"RA": 1.0, "DEC": 300.0}))


def test_air_and_vacuum_against_published_lines() -> None:
    # Vacuum and air wavelengths of H beta, [O III] and H alpha (NIST).
    vacuum = np.array([4862.683, 5008.240, 6564.61])
    air = np.array([4861.333, 5006.843, 6562.80])
    np.testing.assert_allclose(vacuum_to_air(vacuum), air, atol=0.01)
    np.testing.assert_allclose(air_to_vacuum(air), vacuum, atol=0.01)
    assert air_to_vacuum(np.array([1500.0]))[0] == 1500.0


@given(st.lists(st.floats(2100, 25000), min_size=2, max_size=50, unique=True))
def test_air_to_vacuum_inverts_and_keeps_the_order(values: list[float]) -> None:
    wavelength = np.sort(np.array(values))
    vacuum = air_to_vacuum(wavelength)
    np.testing.assert_allclose(vacuum_to_air(vacuum), wavelength, rtol=1e-11)
    assert np.all(vacuum > wavelength)
    assert np.all(np.diff(vacuum) >= 0.0)


@pytest.mark.parametrize("unit", list(WAVELENGTH_UNITS))
def test_wavelength_units_are_named_guessed_and_converted(unit: str) -> None:
    optical = np.linspace(3600.0, 9800.0, 50)
    length = WAVELENGTH_UNITS[unit]
    if length:
        numbers = optical / length
    else:
        numbers = np.log10(optical) if unit.startswith("log10") else np.log(optical)
    assert wavelength_unit(f" {unit.upper()} " if len(unit) > 3 else unit) == unit
    np.testing.assert_allclose(to_angstrom(numbers, unit), optical, rtol=1e-12)
    if unit not in ("mm", "ln(Angstrom)"):
        assert guess_wavelength_unit(numbers) == unit


def test_frequencies_give_vacuum_wavelengths() -> None:
    # Wavelength and frequency of the 21 cm line, and of a laser at 1064 nm.
    assert to_angstrom(np.array([1420.405751768]), "MHz") == pytest.approx(2.1106114054160e9)
    assert to_angstrom(np.array([281.7598]), "THz") == pytest.approx(10640.0, rel=1e-6)
    for unit, hertz in FREQUENCY_UNITS.items():
        assert wavelength_unit(unit) == unit
        frequency = 6e14 / hertz
        assert to_angstrom(np.array([frequency]), unit) == pytest.approx(4996.54097)
    assert np.isinf(to_angstrom(np.array([0.0]), "Hz"))


def test_unknown_wavelengths_are_not_guessed() -> None:
    assert wavelength_unit("parsec") is None
    assert guess_wavelength_unit(np.array([-1.0, 5000.0])) is None
    assert guess_wavelength_unit(np.array([np.nan])) is None


UNIT_PIECES = ["erg", "s", "cm2", "A", "/", " ", "^", "**", "-1", "(", ")", "1e-17", "Jy", "m", "é"]

C_ANGSTROM = 2.99792458e18


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("1e-17 erg/s/cm2/A", 1.0),
        ("1E-17 erg/cm^2/s/Ang", 1.0),
        ("10**-17 erg/(s cm2 Angstrom)", 1.0),
        ("erg s**(-1) cm**(-2) nm**(-1)", 1e16),
        ("erg/s/cm2/AA", 1e17),
        ("W/m2/um", 1e16),
        ("mJy", 1e-26 * C_ANGSTROM / 5000.0**2 * 1e17),
        ("µJy", 1e-29 * C_ANGSTROM / 5000.0**2 * 1e17),
        ("micro Jy".replace(" ", ""), 1e-29 * C_ANGSTROM / 5000.0**2 * 1e17),
    ],
)
def test_flux_units(unit: str, factor: float) -> None:
    scale = flux_scale(unit, np.array([5000.0]))
    assert scale is not None
    assert scale.factor[0] == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize("unit", ["", "counts", "ADU", "electron/s", "DU/PIXEL", "relative flux"])
def test_units_that_are_none(unit: str) -> None:
    assert flux_scale(unit, np.array([5000.0])) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(UNIT_PIECES), max_size=8).map("".join))
def test_any_text_is_a_flux_unit_or_refused(unit: str) -> None:
    scale = None
    with contextlib.suppress(ValueError):
        scale = flux_scale(unit, np.array([5000.0]))
    assert scale is None or scale.factor.shape == (1,)


def test_units_of_something_else_are_refused() -> None:
    for unit in ("kg", "bogus", "erg/s"):
        with pytest.raises(ValueError, match="is not a flux density; give flux_unit"):
            flux_scale(unit, np.array([5000.0]))


def test_fluxes_without_a_unit_are_judged_by_size() -> None:
    assert guess_flux_scale(np.full(9, 3e-17)).factor[0] == 1e17
    normalised = guess_flux_scale(np.full(9, 0.98))
    assert normalised is not None
    assert "divided by its continuum" in normalised.assumption
    assert guess_flux_scale(np.full(9, 4e4)) is None
    assert guess_flux_scale(np.zeros(9)) is None


def test_noise_is_measured_from_neighbours() -> None:
    rng = np.random.default_rng(0)
    flux = np.linspace(0, 50, 4000) + rng.normal(0, 2.0, 4000)
    assert pixel_noise(flux) == pytest.approx(2.0, rel=0.1)
    flux[3] = np.nan
    ivar = constant_ivar(flux)
    assert ivar[3] == 0.0
    assert ivar[0] == pytest.approx(0.25, rel=0.2)
    assert constant_ivar(np.full(5, 3.0))[0] > 0.0
    assert reads_as_error(flux, np.full(4000, 2.1))
    assert not reads_as_error(flux, np.full(4000, 0.26))


def test_catalogue_columns_follow_their_rules() -> None:
    rules = ColumnRules(
        redshift="Z",
        magnitude=Magnitude(column="F[2]", unit="nanomaggies", band="r"),
        object_class="C",
        keep={"a": "A", "array": "F", "absent": "X"},
    )
    row = {
        "Z": np.float32(0.5),
        "F": np.array([1.0, 2.0, 100.0]),
        "C": b"b'QSO '",
        "A": np.int16(3),
    }
    columns = catalogue_columns(rules, row)
    assert columns == {
        "redshift": 0.5,
        "redshift_ok": True,
        "magnitude": pytest.approx(17.5),
        "object_class": "QSO",
        "a": 3,
    }
    empty = catalogue_columns(rules, {"Z": np.nan, "F": np.array([1.0])})
    assert empty["redshift_ok"] is False
    assert math.isnan(float(empty["magnitude"]))
    negative = catalogue_columns(rules, {"F": np.array([0.0, 0.0, -1.0])})
    assert math.isnan(float(negative["magnitude"]))


def test_byte_order_is_made_native_without_touching_the_input() -> None:
    foreign = np.array([1.5, 2.5], ">f4")
    values = native(foreign)
    assert values.dtype.isnative
    np.testing.assert_array_equal(values, [1.5, 2.5])
    assert foreign.dtype == np.dtype(">f4")
