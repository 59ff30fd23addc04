"""The learned pooling: its formula by a second road, in an encoder, and in training."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erf, softmax

from aion_encoder import Encoder, GaiaXp, Image, Photometry, Pooling, Spectrum, open_encoder
from aion_encoder.checkpoint import Settings, load_transformer
from aion_encoder.checkpoint_writer import write_learned_pooling, write_settings
from aion_encoder.errors import CheckpointError
from aion_encoder.identity import LEARNED_MODALITIES
from aion_encoder.learned_pooling import (
    CELLS,
    OBSERVATIONS,
    POOLING_FILE,
    AttentivePool,
    LearnedPooling,
    PoolingShape,
    cells_of,
)
from aion_encoder.training.features import TURNED, Features, features_of, turn
from aion_encoder.training.pooling import PoolingRecipe, train_pooling, vectors_from
from aion_encoder.transformer import Transformer
from aion_encoder.vocabulary import token_count

SHAPE = PoolingShape(width=24, queries=3, hidden=16)


def _random_pooling(dim: int, seed: int = 3) -> LearnedPooling:
    torch.manual_seed(seed)
    pooling = LearnedPooling(dim, SHAPE)
    for pool in pooling.pools.values():
        pool.centre.normal_()
        pool.spread.uniform_(0.5, 2.0)
    return pooling.eval().requires_grad_(False)


def _by_hand(pool: AttentivePool, embedded: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The formula in float64 NumPy, for one observation: arrays of shape (cells, dim)."""
    p = {name: value.double().numpy() for name, value in pool.state_dict().items()}

    def gelu(x: np.ndarray) -> np.ndarray:
        return np.asarray(x * 0.5 * (1 + erf(x / np.sqrt(2))))

    x = (np.concatenate([embedded, last], axis=1) - p["centre"]) / p["spread"]
    h = gelu(x @ p["inner.weight"].T + p["inner.bias"] + p["place"])
    weights = softmax(h @ p["query"].T / np.sqrt(h.shape[1]), axis=0)
    means = (weights.T @ h).ravel()
    out = means @ p["straight.weight"].T + p["straight.bias"]
    bend = gelu(means @ p["bend.weight"].T + p["bend.bias"])
    out = out + bend @ p["bent.weight"].T + p["bent.bias"]
    return np.asarray(out / np.linalg.norm(out))


def _four_by_four(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 tokens of a picture, one by one."""
    grid = values.reshape(24, 24, -1)
    return np.stack(
        [
            grid[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean(axis=(0, 1))
            for row in range(12)
            for column in range(12)
        ]
    )


@pytest.fixture(scope="module")
def learned_directory(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("learned") / "tiny"
    shutil.copytree(tiny_directory, copy)
    write_learned_pooling(copy, _random_pooling(64))
    write_settings(copy, Settings(pooling=Pooling.LEARNED, learned=SHAPE))
    return copy


@pytest.fixture(scope="module")
def learned(learned_directory: Path) -> Encoder:
    return open_encoder(str(learned_directory), device="cpu")


def test_what_is_known_of_it_is_the_same_everywhere() -> None:
    assert set(LEARNED_MODALITIES) == set(CELLS) == set(OBSERVATIONS)
    for modality, kinds in OBSERVATIONS.items():
        for keys in kinds:
            tokens = sum(token_count(key) for key in keys)
            assert CELLS[modality] == (tokens // 4 if modality == "image" else tokens)


def test_vectors_follow_the_formula(
    learned: Encoder,
    make_image: Callable[..., Image],
    make_spectrum: Callable[..., Spectrum],
    make_xp: Callable[[], GaiaXp],
) -> None:
    """Every survey alone, from the official encoder's hidden values."""
    objects: list[tuple[Any, ...]] = [
        (make_image(),),
        (make_image("hsc"),),
        (make_spectrum(),),
        (make_spectrum("sdss"),),
        (make_xp(),),
    ]
    encoded = learned.encode(objects, tokens=True)
    assert encoded.tokens is not None
    pooling = learned.transformer._learned
    assert pooling is not None
    for index, (item,) in enumerate(objects):
        keys = next(
            keys
            for keys in OBSERVATIONS[item.modality]
            if all((encoded.tokens[key][index] != 65535).all() for key in keys)
        )
        ids = {key: torch.from_numpy(encoded.tokens[key][index].astype(np.int64)) for key in keys}
        model = learned.model
        parts = [model.encoder_embeddings[key].token_emb(ids[key]) for key in keys]
        codes = [
            (model.encoder_embeddings[key].pos_emb + model.encoder_embeddings[key].mod_emb)[0]
            for key in keys
        ]
        embedded = torch.cat(parts)
        with torch.no_grad():
            hidden = embedded + torch.cat(codes)
            for block in model.encoder:
                hidden = block(hidden[None])[0]
            last = model.encoder_norm(hidden)
        layers = [values.double().numpy() for values in (embedded, last)]
        if item.modality == "image":
            layers = [_four_by_four(values) for values in layers]
        expected = _by_hand(pooling.pools[item.modality], *layers)
        np.testing.assert_allclose(encoded.vectors[item.modality][index], expected, atol=3e-5)


def test_objects_with_several_observations(
    learned: Encoder,
    make_image: Callable[..., Image],
    make_spectrum: Callable[..., Spectrum],
    make_photometry: Callable[..., Photometry],
) -> None:
    """Two pictures give the mean of their vectors; scalars, which it does not know, their mean."""
    both = learned.encode([(make_image(), make_image("hsc"), make_photometry())], tokens=True)
    assert both.tokens is not None
    rows = {key: values[0] for key, values in both.tokens.items()}
    mean = Transformer(learned.model, Pooling.MEAN_ENCODER, torch.device("cpu"))
    (plain,) = mean.encode([rows])
    np.testing.assert_allclose(both.vectors["photometry"][0], plain["photometry"], atol=1e-5)
    assert both.vectors["image"].shape == (1, 64)
    # Padding beside a longer object changes nothing.
    spectrum = make_spectrum()
    alone = learned.encode([(spectrum,)]).vectors["spectrum"][0]
    mixed = learned.encode([(make_image(), make_spectrum("sdss")), (spectrum,)])
    np.testing.assert_allclose(mixed.vectors["spectrum"][1], alone, atol=1e-5)


def test_identity(learned: Encoder, learned_directory: Path, tiny: Encoder, tmp_path: Path) -> None:
    assert learned.identity.pooling is Pooling.LEARNED
    assert POOLING_FILE in learned.identity.files
    assert learned.identity.vector_dim("spectrum") == 64
    assert [learned.identity.comparable(name) for name in ("xp", "photometry")] == [True, False]
    assert not tiny.identity.comparable("image")
    plain = open_encoder(str(learned_directory), pooling=Pooling.MEAN_CONTEXT, device="cpu")
    assert plain.identity.digest == tiny.identity.digest
    other = tmp_path / "other"
    shutil.copytree(learned_directory, other)
    write_learned_pooling(other, _random_pooling(64, seed=4))
    assert open_encoder(str(other), device="cpu").identity.digest != learned.identity.digest
    (other / POOLING_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"pooling.safetensors is missing"):
        open_encoder(str(other), device="cpu")


def test_a_pooling_goes_with_its_weights(tiny: Encoder) -> None:
    for pooling, weights in ((Pooling.LEARNED, None), (Pooling.PART_MEANS, _random_pooling(64))):
        with pytest.raises(ValueError, match="must be given exactly when the pooling is 'learned'"):
            Transformer(tiny.model, pooling, torch.device("cpu"), weights)


def test_turned_pictures() -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(30, 2, 12, 12)).astype(np.float32)
    turned = turn(images, np.random.default_rng(2))
    assert turned.shape == images.shape
    inner = slice(1, -1)
    for before, after in zip(images, turned, strict=True):
        # Somewhere among the eight orientations and nine shifts the middle of it is found again.
        candidates = [
            np.roll(each[:, :, ::flip], (y, x), axis=(1, 2))[:, inner, inner]
            for each in (np.rot90(before, quarter, axes=(1, 2)) for quarter in range(4))
            for flip in (1, -1)
            for y in (-1, 0, 1)
            for x in (-1, 0, 1)
        ]
        assert any(np.array_equal(each, after[:, inner, inner]) for each in candidates)


@pytest.fixture(scope="module")
def folder(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Features of 24 sources with random tokens, in two files; the last layer of a tiny AION."""
    work = tmp_path_factory.mktemp("features")
    (work / "features").mkdir()
    rng = np.random.default_rng(5)
    model = load_transformer(tiny_directory)
    tokens: dict[str, np.ndarray] = {}
    surveys = {
        "legacysurvey": ("tok_image",),
        "hsc": ("tok_image_hsc",),
        "sdss": ("tok_spectrum_sdss",),
        "desi": ("tok_spectrum_desi",),
        "gaia": ("tok_xp_bp", "tok_xp_rp"),
        f"legacysurvey{TURNED}": (f"tok_image{TURNED}",),
        f"hsc{TURNED}": (f"tok_image_hsc{TURNED}",),
    }
    for name, keys in surveys.items():
        for key in keys:
            count = token_count(key.removesuffix(TURNED))
            tokens[key] = rng.integers(0, 500, (24, count)).astype(np.uint16)
        values = features_of(model, tokens, keys)
        np.save(work / "features" / f"{name}-000.npy", values[:12])
        np.save(work / "features" / f"{name}-001.npy", values[12:])
    return work, (model, tokens)


def test_training_computes_what_the_pooling_does(folder: tuple[Path, Any]) -> None:
    work, (model, tokens) = folder
    features = Features(work, ["000", "001"])
    assert len(features) == 24
    rows = np.array([3, 14, 20])
    pooling = _random_pooling(64)
    for survey, keys, modality in (
        ("hsc", ("tok_image_hsc",), "image"),
        ("gaia", ("tok_xp_bp", "tok_xp_rp"), "xp"),
    ):
        tables = [model.encoder_embeddings[key].token_emb.weight for key in keys]
        ids = [torch.from_numpy(tokens[key][rows].astype(np.int64)) for key in keys]
        last = torch.from_numpy(features.take(survey, rows)).float()
        embedded = torch.cat([table[each] for table, each in zip(tables, ids, strict=True)], dim=1)
        expected = pooling.pools[modality](cells_of(embedded), last)
        found = vectors_from(pooling.pools[modality], tables, ids, last)
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_training_brings_sources_together_and_resumes(
    folder: tuple[Path, Any], tmp_path: Path
) -> None:
    work, (model, tokens) = folder
    features = Features(work, ["000", "001"])
    recipe = PoolingRecipe(
        width=16, queries=2, hidden=8, steps=50, minutes=None, batch=24, learning_rate=1e-2
    )
    pooling, log = train_pooling(
        model, tokens, features, recipe, seed=1, fast=False, state_path=tmp_path / "state.pt"
    )
    # 24 sources of random tokens can be told apart by heart: chance is log 24 = 3.2 nats.
    assert log[-1]["spectrum"] < 2.5
    again, longer = train_pooling(
        model, tokens, features, recipe, seed=1, fast=False, state_path=tmp_path / "state.pt"
    )
    assert longer == log
    for name, value in pooling.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
