"""Training of the image tokenizer: what keeps colours in its latents."""

import numpy as np
import pytest
import torch
from aion.codecs.image import ImageCodec

from aion_encoder.training.image_codec import (
    ImageRecipe,
    _compressed,
    _crops,
    _moments,
    _photometry,
    _reconstruct,
    _sky_noise,
    _whiten_latents,
    train_image_codec,
)
from aion_encoder.training.simulated import PackedSky, pack, packed_sky

BANDS = ("DES-G", "DES-R", "DES-I", "DES-Z")
CONFIG = {
    "quantizer_levels": [7, 5, 5, 5, 5],
    "hidden_dims": 16,
    "multisurvey_projection_dims": 9,
    "n_compressions": 2,
    "num_consecutive": 1,
    "embedding_dim": 5,
}


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> PackedSky:
    path = tmp_path_factory.mktemp("sky") / "000.npz"
    pack(path, 1001, 0, 12)
    return packed_sky([path])


def test_crops_are_squares_of_the_picture_turned_all_alike() -> None:
    images = torch.arange(3 * 2 * 96 * 96, dtype=torch.float32).reshape(3, 2, 96, 96)
    rows = np.array([2, 0])
    for seed in range(6):
        made = _crops(images, rows, 32, np.random.default_rng(seed))
        assert made.shape == (2, 2, 32, 32)
        for place, row in enumerate(rows):
            for band in range(2):
                values = made[place, band]
                inside = values - images[row, band].min()
                top, left = int(inside.min()) // 96, int(inside.min()) % 96
                cut = images[row, band, top : top + 32, left : left + 32]
                assert torch.equal(values.flatten().sort().values, cut.flatten().sort().values)
    whole = _crops(images, rows, 96, np.random.default_rng(0))
    assert torch.equal(whole.flatten(1).sort().values, images[rows].flatten(1).sort().values)


def test_image_latents_do_not_collapse_into_one_code(sky: PackedSky) -> None:
    surveys = {"legacysurvey": (sky.images["legacysurvey"], BANDS)}
    _, log = train_image_codec(surveys, ImageRecipe(steps=60, batch=8), seed=0, config=CONFIG)
    assert log[-1]["codes_in_batch"] > 30


def test_sources_fill_the_levels_of_every_latent(sky: PackedSky) -> None:
    """What holds for all tokens need not hold for the few that see a source."""
    images = sky.images["legacysurvey"]
    torch.manual_seed(1)
    codec = ImageCodec(**CONFIG)
    _whiten_latents(codec, torch.from_numpy(images), BANDS)
    pixels = torch.from_numpy(images[:, :, 32:64, 32:64].astype(np.float32))
    target = _compressed(codec, pixels, BANDS)
    sigma = _sky_noise(codec, torch.from_numpy(images), BANDS)
    mean, covariance = _moments(codec, _reconstruct(codec, target, BANDS)[1], target, sigma)
    assert mean.abs().max() < 0.05
    assert torch.allclose(covariance, torch.eye(len(mean)), atol=0.05)
    assert float(_photometry(codec, target, target, sigma)) == 0.0
    # All fluxes off by a tenth, all ratios right: two of three blocks or less have an error.
    linear = 1.1 * codec._reverse_range_compress(target)
    off = float(_photometry(codec, codec._range_compress(linear), target, sigma))
    assert 2.0 < off < 9.5
