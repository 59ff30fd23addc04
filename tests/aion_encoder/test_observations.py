"""What can be encoded, and that nobody's data are changed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aion_encoder import GaiaXp, Image, ObservationError, Photometry, Spectrum
from aion_encoder.preparation import normalisation, prepare_images, prepare_spectra
from aion_encoder.surveys import SURVEYS

NOT_FINITE = [np.nan, np.inf, -np.inf]
BANDS = SURVEYS["legacysurvey"].bands
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def _arrays_of(observation: object) -> list[np.ndarray]:
    return [value for value in vars(observation).values() if isinstance(value, np.ndarray)]


def _assert_frozen(observation: object, *originals: np.ndarray) -> None:
    for array in _arrays_of(observation):
        assert not array.flags.writeable
        assert array.base is None
        assert not any(np.shares_memory(array, original) for original in originals)


@st.composite
def _damage(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A random mask and random non-finite values, from nowhere to everywhere."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < draw(st.sampled_from([0.0, 0.05, 0.4, 0.49, 0.9, 1.0]))
    broken = rng.random(shape) < draw(st.sampled_from([0.0, 0.01, 0.4, 1.0]))
    values = rng.normal(3.0, 1.0, shape)
    values[broken] = rng.choice(NOT_FINITE, int(broken.sum()))
    return values, mask


@FEW
@given(_damage((4, 100, 97)))
def test_images_with_any_damage(damage: tuple[np.ndarray, np.ndarray]) -> None:
    flux, mask = damage
    before, mask_before = flux.copy(), mask.copy()
    try:
        image = Image(flux, BANDS, "legacysurvey", mask)
    except ObservationError:
        pass
    else:
        assert image.mask is not None
        assert np.isfinite(image.flux[~image.mask]).all()
        assert (image.mask >= mask).all()
        prepared = prepare_images([image])
        assert prepared.shape == (1, 4, 96, 96)
        assert np.isfinite(prepared).all()
        _assert_frozen(image, flux, mask, prepared)
    np.testing.assert_array_equal(flux, before)
    np.testing.assert_array_equal(mask, mask_before)


@FEW
@given(_damage((3, 900)))
def test_spectra_with_any_damage(damage: tuple[np.ndarray, np.ndarray]) -> None:
    (flux, ivar, _), (mask, *_) = damage
    wavelength = np.linspace(3700.0, 9000.0, 900)
    before = flux.copy(), ivar.copy(), mask.copy(), wavelength.copy()
    try:
        spectrum = Spectrum(flux, ivar, wavelength, "sdss", mask)
    except ObservationError:
        pass
    else:
        assert spectrum.mask is not None
        good = ~spectrum.mask
        assert np.isfinite(spectrum.flux[good]).all()
        assert (spectrum.ivar[good] > 0).all()
        assert (spectrum.mask >= mask).all()
        prepared = prepare_spectra([spectrum], 1024)
        assert all(np.isfinite(values).all() for values in prepared.values())
        assert not prepared["ivar"][prepared["mask"]].any()
        np.testing.assert_array_equal(prepared["flux"][0, :900][good], spectrum.flux[good])
        assert np.isfinite(normalisation(spectrum))
        _assert_frozen(spectrum, flux, ivar, mask, wavelength, *prepared.values())
    for given_array, old in zip((flux, ivar, mask, wavelength), before, strict=True):
        np.testing.assert_array_equal(given_array, old)


@FEW
@given(
    arrays(np.float64, (2, 55), elements=st.floats(allow_nan=True, allow_infinity=True, width=32))
)
def test_xp_with_any_values(values: np.ndarray) -> None:
    before = values.copy()
    try:
        xp = GaiaXp(*values)
    except ObservationError:
        assert not np.isfinite(values).all() or not values.any(axis=1).all()
    else:
        assert np.isfinite(xp.bp).all()
        assert np.isfinite(xp.rp).all()
        _assert_frozen(xp, values)
    np.testing.assert_array_equal(values, before)


@FEW
@given(st.dictionaries(st.sampled_from(["FLUX_G", "FLUX_R", "SHAPE_R"]), st.floats()))
def test_photometry_with_any_values(values: dict[str, float]) -> None:
    try:
        photometry = Photometry(values)
    except ObservationError:
        assert not values or not np.isfinite(list(values.values())).all()
    else:
        assert dict(photometry.values) == values
        with pytest.raises(TypeError):
            photometry.values["FLUX_G"] = 1.0  # type: ignore[index]


def test_that_a_big_endian_or_read_only_array_is_taken(
    make_spectrum: Callable[..., Spectrum],
) -> None:
    plain = make_spectrum()
    swapped = Spectrum(
        plain.flux.astype(">f4"), plain.ivar.astype(">f8"), plain.wavelength_angstrom, "desi"
    )
    assert swapped.flux.dtype == np.float32
    np.testing.assert_array_equal(swapped.flux, plain.flux)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"flux": np.ones((4, 95, 300))}, "too few pixels: AION-1 needs 96 x 96.* got 300 x 95"),
        ({"bands": ("DES-G", "DES-R")}, r"shape \(bands, height, width\) with 2 bands"),
        ({"bands": ("DES-G", "DES-R", "DES-I", "des-z")}, "must be distinct and among"),
        ({"bands": ("DES-G",) * 4}, "must be distinct"),
        ({"survey": "desi"}, "gives AION-1 a spectrum, not the image"),
        ({"survey": "2mass"}, "must be one that AION-1 was trained on"),
        ({"pixel_scale_arcsec": 0.168}, "pixel scale must be 0.262"),
        ({"mask": np.zeros((4, 3, 3), bool)}, "mask must have the shape of its flux"),
        ({"mask": np.ones((4, 104, 104), bool)}, "all pixels are masked or zero"),
        ({"flux": np.zeros((4, 104, 104))}, "all pixels are masked or zero"),
        ({"flux": np.ones((4, 104, 104))}, "band DES-G is constant"),
    ],
)
def test_images_that_are_refused(
    make_image: Callable[..., Image], changes: dict[str, Any], reason: str
) -> None:
    good = {"flux": make_image().flux, "bands": BANDS, "survey": "legacysurvey"}
    with pytest.raises(ObservationError, match=reason):
        Image(**{**good, **changes})


def test_an_image_with_one_missing_band(make_image: Callable[..., Image]) -> None:
    flux = make_image().flux.copy()
    flux[2, :, 40:] = 0.0
    with pytest.raises(ObservationError, match=r"of band DES-I are missing; at most 50 %"):
        Image(flux, BANDS, "legacysurvey")
    assert Image(flux[[0, 1, 3]], ("DES-G", "DES-R", "DES-Z"), "legacysurvey").bands[2] == "DES-Z"


GRID = 3600.0 + 0.8 * np.arange(7781)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict.fromkeys(("flux", "ivar", "wavelength_angstrom"), np.ones(0)), "is empty"),
        ({"ivar": np.ones(7780)}, "one and the same length"),
        ({"wavelength_angstrom": GRID / 10}, "no overlap with 3500"),
        ({"wavelength_angstrom": np.full(7781, -1.0)}, "finite and positive; drop padded"),
        ({"ivar": np.zeros(7781)}, "all pixels are masked or have no inverse variance"),
        ({"mask": np.arange(7781) >= 150}, "too few pixels: AION-1 needs 200"),
        ({"survey": "gaia"}, "gives AION-1 a xp, not the spectrum"),
    ],
)
def test_spectra_that_are_refused(
    make_spectrum: Callable[..., Spectrum], changes: dict[str, Any], reason: str
) -> None:
    good = {name: value for name, value in vars(make_spectrum()).items() if name != "mask"}
    with pytest.raises(ObservationError, match=reason):
        Spectrum(**{**good, **changes})


def test_xp_that_is_refused() -> None:
    with pytest.raises(ObservationError, match="bp must hold 55 coefficients"):
        GaiaXp(np.ones(54), np.ones(55))
    with pytest.raises(ObservationError, match="1 of the 55 rp coefficients are not finite"):
        GaiaXp(np.ones(55), np.where(np.arange(55) == 3, np.nan, 1.0))
    with pytest.raises(ObservationError, match="all coefficients of bp or of rp are zero"):
        GaiaXp(np.ones(55), np.zeros(55))
