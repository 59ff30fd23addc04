"""The stand-in for an encoder."""

import numpy as np
import pytest

from aion_encoder.errors import ObservationError
from aion_encoder.fake import FakeEncoder, open_fake_encoder
from aion_encoder.observations import GaiaXp, Image, Photometry, Spectrum


def _observations(scale: float = 1.0) -> list:
    wavelength = np.linspace(3600, 9800, 500)
    plane = np.exp(-np.hypot(*(np.mgrid[:96, :96] - 48.0)) / (10 * scale))
    return [
        Image(np.stack([plane, 0.5 * plane]), ("DES-G", "DES-R"), "legacysurvey"),
        Spectrum(1 + scale * np.sin(wavelength / 500) ** 2, np.ones(500), wavelength, "sdss"),
        GaiaXp(np.linspace(1, scale, 55), np.linspace(2, scale, 55)),
        Photometry({"FLUX_G": scale, "FLUX_R": 2.0}),
    ]


def test_deterministic_and_independent_of_company():
    objects = [[each] for each in _observations()]
    encoded = FakeEncoder().encode([*objects, *objects])
    alone = open_fake_encoder("fake", device="cpu").encode_alone(_observations())
    for place, (observation,) in enumerate(objects):
        of = encoded.vectors[observation.modality]
        np.testing.assert_array_equal(of[place], alone[place])
        np.testing.assert_array_equal(of[place + 4], alone[place])
        assert encoded.present[observation.modality].sum() == 2
        assert np.isnan(np.delete(of, [place, place + 4], axis=0)).all()
    assert alone.shape == (4, FakeEncoder.dim)
    assert alone.dtype == np.float32


def test_similar_observations_get_similar_vectors():
    encoder = FakeEncoder()
    near, far = encoder.encode_alone(_observations(1.05)), encoder.encode_alone(_observations(3.0))
    here = encoder.encode_alone(_observations())
    assert np.all(np.linalg.norm(here - near, axis=1) < np.linalg.norm(here - far, axis=1))


def test_identity_follows_the_weights():
    assert FakeEncoder("a").identity == FakeEncoder("a").identity
    assert FakeEncoder("a").identity.digest != FakeEncoder("b").identity.digest


def test_it_refuses_too():
    negative = Spectrum(-np.ones(500), np.ones(500), np.linspace(3600, 9800, 500), "sdss")
    encoded = FakeEncoder().encode([[negative]])
    assert encoded.refusals[0].reason == "the median flux is negative"
    assert not encoded.present["spectrum"].any()
    with pytest.raises(ObservationError, match="the median flux is negative"):
        FakeEncoder().encode_alone([negative])
    assert FakeEncoder().encode_alone([]).shape == (0, 32)
