"""Changed observations: valid, deterministic, and changed in what they say."""

import numpy as np
import pytest
from fake_sky import observation

from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum
from indexer.evaluate.strange import HARMLESS, STRANGE

SURVEYS = {"image": "legacysurvey", "spectrum": "desi", "xp": "gaia"}
LATENT = (0.3, -0.2, 0.5, 1.0, -0.7, 0.1)

CHANGES = [
    (modality, name, change)
    for kind in (HARMLESS, STRANGE)
    for modality, changes in kind.items()
    for name, change in changes.items()
]


def _values(of: Observation) -> np.ndarray:
    if isinstance(of, GaiaXp):
        return np.concatenate([of.bp, of.rp])
    assert isinstance(of, Image | Spectrum)
    return np.asarray(of.flux, np.float64)


def _plain(modality: str) -> Observation:
    return observation(SURVEYS[modality], LATENT)


@pytest.mark.parametrize(("modality", "name", "change"), CHANGES)
def test_every_change_is_valid_and_repeats_itself(modality, name, change):
    plain = _plain(modality)
    before = _values(plain).copy()
    once, again = (change(plain, np.random.default_rng(5)) for _ in range(2))
    assert type(once) is type(plain)
    np.testing.assert_array_equal(_values(once), _values(again))
    np.testing.assert_array_equal(_values(plain), before)
    assert _values(once).shape == before.shape
    assert np.abs(_values(once) - before).max() > 0.0


def test_shuffled_pixels_are_the_same_pixels_with_the_same_colours():
    plain = _plain("image")
    found = STRANGE["image"]["pixels shuffled"](plain, np.random.default_rng(1))
    before, after = (_values(each).reshape(4, -1) for each in (plain, found))
    order = np.lexsort(before), np.lexsort(after)
    np.testing.assert_allclose(before[:, order[0]], after[:, order[1]], rtol=1e-6)


def test_a_quarter_turn_keeps_every_band():
    plain = _plain("image")
    found = HARMLESS["image"]["turned by 90 degrees"](plain, np.random.default_rng(1))
    np.testing.assert_array_equal(np.rot90(_values(plain), axes=(1, 2)), _values(found))


def test_noise_has_the_level_and_no_source():
    plain = _plain("image")
    found = _values(STRANGE["image"]["noise of the sky"](plain, np.random.default_rng(1)))
    before = _values(plain)
    np.testing.assert_allclose(
        np.median(found, axis=(1, 2)), np.median(before, axis=(1, 2)), rtol=0.1
    )
    assert found.max() < before.max()


def test_bad_pixels_stay_out_of_a_changed_spectrum():
    plain = _plain("spectrum")
    assert isinstance(plain, Spectrum)
    mask = np.zeros(len(plain.flux), bool)
    mask[::9] = True
    flux = np.where(mask, 1e30, plain.flux)
    masked = Spectrum(flux, plain.ivar, plain.wavelength_angstrom, "desi", mask)
    for changes in (HARMLESS["spectrum"], STRANGE["spectrum"]):
        for change in changes.values():
            found = change(masked, np.random.default_rng(2))
            assert isinstance(found, Spectrum)
            np.testing.assert_array_equal(found.mask, mask)
            assert np.abs(found.flux[~mask]).max() < 1e3


def test_a_straight_line_and_reversed_flux():
    plain = _plain("spectrum")
    line = _values(STRANGE["spectrum"]["straight line"](plain, np.random.default_rng(0)))
    np.testing.assert_allclose(np.diff(line), np.diff(line).mean(), atol=1e-5)
    turned = _values(STRANGE["spectrum"]["red and blue exchanged"](plain, np.random.default_rng(0)))
    np.testing.assert_array_equal(turned, _values(plain)[::-1])
