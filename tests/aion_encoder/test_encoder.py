"""The encoder as its callers see it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aion_encoder import (
    ABSENT_TOKEN,
    CheckpointError,
    Encoder,
    GaiaXp,
    Image,
    Observation,
    ObservationError,
    Photometry,
    Spectrum,
    open_encoder,
)
from aion_encoder.reference_spaces import read_reference_spaces, write_reference_spaces
from aion_encoder.training.blank import write_random_checkpoint

Make = Callable[..., Observation]


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / norms)


@pytest.fixture
def mixed(
    make_image: Callable[..., Image],
    make_spectrum: Callable[..., Spectrum],
    make_xp: Callable[[], GaiaXp],
    make_photometry: Callable[..., Photometry],
) -> list[Observation]:
    """Observations of every kind in no order, of many sizes."""
    return [
        make_spectrum("sdss", 3700),
        make_image(),
        make_xp(),
        make_spectrum("desi"),
        make_image("hsc", 160),
        make_spectrum("sdss", 3850),
        make_photometry("FLUX_G", "FLUX_R"),
        make_image(side=96),
        make_spectrum("sdss", 3701),
        make_xp(),
        make_photometry(),
        make_image("hsc"),
    ]


def test_that_batch_mates_do_not_matter(tiny: Encoder, mixed: list[Observation]) -> None:
    alone = np.concatenate([tiny.encode_alone([item]) for item in mixed])
    for batch_size in (None, 1, 5, 64):
        together = tiny.encode_alone(mixed, batch_size=batch_size)
        assert _cosines(alone, together).min() > 1 - 1e-6
    backwards = tiny.encode_alone(mixed[::-1])[::-1]
    assert _cosines(alone, backwards).min() > 1 - 1e-6
    # Tokens do not even round differently.
    first = [result.tokens for item in mixed for result in tiny.tokenizer.encode([item])]
    second = [result.tokens for result in tiny.tokenizer.encode(mixed)]
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key]) for key in one)


def test_that_different_observations_get_different_vectors(
    tiny: Encoder, mixed: list[Observation]
) -> None:
    vectors = tiny.encode_alone(mixed)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    # Random weights tell little apart, but far more than the rounding between batches.
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    distance[np.diag_indices(len(mixed))] = np.inf
    assert distance.min() > 1e-3 * np.linalg.norm(vectors, axis=1).max()


def test_two_encoders_of_the_same_weights(
    tiny: Encoder, tiny_directory: Path, mixed: list[Observation]
) -> None:
    again = open_encoder(str(tiny_directory), device="cpu")
    assert again.identity == tiny.identity
    np.testing.assert_array_equal(again.encode_alone(mixed), tiny.encode_alone(mixed))


def test_joint_encoding(
    tiny: Encoder, make_image: Callable[..., Image], make_spectrum: Callable[..., Spectrum]
) -> None:
    """The observations of one object see each other, and no other object's."""
    image, spectrum = make_image(), make_spectrum()
    joint = tiny.encode([(image, spectrum), (image,), (spectrum,)])
    assert set(joint.vectors) == {"image", "spectrum"}
    np.testing.assert_array_equal(joint.present["image"], [True, True, False])
    np.testing.assert_array_equal(joint.present["spectrum"], [True, False, True])
    assert not np.allclose(*joint.vectors["image"][:2], atol=1e-4)
    alone = tiny.encode_alone([image, spectrum])
    np.testing.assert_allclose(joint.vectors["image"][1], alone[0], atol=1e-5)
    np.testing.assert_allclose(joint.vectors["spectrum"][2], alone[1], atol=1e-5)


def test_images_of_two_surveys_of_one_object(
    tiny: Encoder, make_image: Callable[..., Image]
) -> None:
    encoded = tiny.encode([(make_image(), make_image("hsc")), (make_image(),)], tokens=True)
    assert encoded.tokens is not None
    assert encoded.present["image"].all()
    assert (encoded.tokens["tok_image_hsc"][1] == ABSENT_TOKEN).all()
    assert encoded.tokens["tok_image_hsc"][0].max() < 4375


def test_two_observations_of_one_kind(tiny: Encoder, make_image: Callable[..., Image]) -> None:
    first, second = make_image(), make_image()
    encoded = tiny.encode([(first, second)])
    assert "more than one observation of the kind tok_image" in encoded.refusals[0].reason
    np.testing.assert_allclose(
        encoded.vectors["image"][0], tiny.encode_alone([first])[0], atol=1e-5
    )


def test_the_order_of_bands_does_not_matter(
    tiny: Encoder, make_image: Callable[..., Image]
) -> None:
    image = make_image()
    order = [2, 0, 3, 1]
    shuffled = Image(image.flux[order], tuple(image.bands[i] for i in order), "legacysurvey")
    three = Image(image.flux[[0, 1, 3]], ("DES-G", "DES-R", "DES-Z"), "legacysurvey")
    vectors = tiny.encode_alone([image, shuffled, three])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)


def test_only_the_centre_counts(tiny: Encoder, make_image: Callable[..., Image]) -> None:
    image = make_image(side=131)
    flux = image.flux.copy()
    flux[:, :17] = 3.0
    centre = flux[:, 17:113, 17:113]
    vectors = tiny.encode_alone(
        [image, *(Image(values, image.bands, "legacysurvey") for values in (flux, centre))]
    )
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_nothing(tiny: Encoder) -> None:
    encoded = tiny.encode([])
    assert encoded.vectors == {}
    assert tiny.encode_alone([]).shape == (0, 64)
    empty = tiny.encode([(), ()], tokens=True)
    assert (empty.vectors, empty.tokens, empty.refusals) == ({}, {}, ())


def test_weights_that_lack_a_modality(tmp_path: Path, mixed: list[Observation]) -> None:
    encoder = open_encoder(str(write_random_checkpoint(tmp_path, seed=1, modalities=["xp"])))
    encoded = encoder.encode([(item,) for item in mixed])
    assert encoded.present["xp"].sum() == 2
    assert not encoded.present["image"].any()
    assert np.isnan(encoded.vectors["spectrum"]).all()
    reasons = {refusal.index: refusal.reason for refusal in encoded.refusals}
    assert reasons[1] == ("these weights do not know the image of DESI Legacy Imaging Surveys")
    assert "FLUX_G left out: these weights do not know it" in reasons[6]
    assert len(reasons) == 10


def test_unknown_scalars(tiny: Encoder) -> None:
    encoded = tiny.encode([(Photometry({"FLUX_Q": 1.0}),)])
    assert "scalars must be among FLUX_G" in encoded.refusals[0].reason
    assert encoded.refusals[0].reason.endswith("got FLUX_Q")
    with pytest.raises(ObservationError, match=r"observation 0 \(photometry\) cannot be encoded"):
        tiny.encode_alone([Photometry({"FLUX_Q": 1.0})])


def test_reference_spaces(tmp_path: Path) -> None:
    directory = write_random_checkpoint(tmp_path, seed=1, modalities=["xp"])
    encoder = open_encoder(str(directory))
    assert encoder.reference_spaces == {}
    rng = np.random.default_rng(2)
    mean, projection = rng.normal(size=64), rng.normal(size=(64, 32))
    write_reference_spaces(directory, {"xp": (mean, projection)}, encoder.identity, {"objects": 3})
    again = open_encoder(str(directory))
    assert again.identity == encoder.identity
    assert list(again.reference_spaces) == ["xp"]
    np.testing.assert_allclose(again.reference_spaces["xp"][0], mean, rtol=1e-6)
    np.testing.assert_allclose(again.reference_spaces["xp"][1], projection, rtol=1e-6)

    other = encoder.identity.model_copy(update={"preprocessing": 99})
    with pytest.raises(CheckpointError, match="must be measured for this encoder"):
        read_reference_spaces(directory, other)
    write_reference_spaces(directory, {"xp": (mean, projection[:9])}, encoder.identity)
    with pytest.raises(CheckpointError, match=r"xp must have a mean \(64,\) and a projection"):
        read_reference_spaces(directory, encoder.identity)
    write_reference_spaces(directory, {"radio": (mean, projection)}, encoder.identity)
    with pytest.raises(CheckpointError, match=r"unknown tensors: radio\.mean, radio\.projection"):
        read_reference_spaces(directory, encoder.identity)
    (directory / "reference_spaces.json").unlink()
    with pytest.raises(CheckpointError, match="must be readable"):
        read_reference_spaces(directory, encoder.identity)
