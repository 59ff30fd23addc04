"""The learned pooling: its formula by a second road, in an encoder, and in training."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erf

from aion_encoder import Encoder, GaiaXp, Image, Photometry, Pooling, Spectrum, open_encoder
from aion_encoder.bridges import read_bridges, write_bridges
from aion_encoder.checkpoint import Settings, load_transformer
from aion_encoder.checkpoint_writer import write_learned_pooling, write_settings
from aion_encoder.errors import CheckpointError
from aion_encoder.heads import LinearHead
from aion_encoder.identity import LEARNED_MODALITIES
from aion_encoder.learned_pooling import (
    CELLS,
    OBSERVATIONS,
    POOLING_FILE,
    CellPool,
    LearnedPooling,
    PoolingShape,
)
from aion_encoder.training.features import KEYS, TURNED, VIEWS, Features, features_of, turn
from aion_encoder.training.pooling import PoolingRecipe, alike, train_pooling
from aion_encoder.transformer import Transformer
from aion_encoder.vocabulary import token_count

SMALL = {
    "width": {"image": 8, "spectrum": 6, "xp": 4},
    "hidden": {"image": 9, "spectrum": 7, "xp": 5},
}
SHAPE = PoolingShape.model_validate(SMALL)


def _random_pooling(dim: int, seed: int = 3) -> LearnedPooling:
    torch.manual_seed(seed)
    pooling = LearnedPooling(dim, SHAPE)
    for pool in pooling.pools.values():
        pool.directions.normal_()
        pool.mean.normal_()
        pool.spread.uniform_(0.5, 2.0)
    return pooling.eval().requires_grad_(False)


def _by_hand(pool: CellPool, cells: np.ndarray) -> np.ndarray:
    """The formula in float64 NumPy, for one observation: an array of shape (cells, size)."""
    p = {name: value.double().numpy() for name, value in pool.state_dict().items()}

    def gelu(x: np.ndarray) -> np.ndarray:
        return np.asarray(x * 0.5 * (1 + erf(x / np.sqrt(2))))

    h = ((cells @ p["directions"] - p["mean"]) / p["spread"]).ravel()
    out = h @ p["straight.weight"].T + p["straight.bias"]
    bend = gelu(h @ p["bend.weight"].T + p["bend.bias"])
    out = out + bend @ p["bent.weight"].T + p["bent.bias"]
    return np.asarray(out / np.linalg.norm(out))


def _cells_by_hand(modality: str, tokens: np.ndarray) -> np.ndarray:
    """Cells of one observation, one by one, from its tokens of shape (tokens, 2 dim)."""
    if modality == "xp":
        return tokens
    if modality == "spectrum":
        arms = [tokens[start : start + 4].mean(axis=0) for start in range(1, 273, 4)]
        return np.stack([tokens[0], *arms])
    rings: list[list[np.ndarray]] = [[] for _ in range(5)]
    for row in range(12):
        for column in range(12):
            places = [24 * (2 * row + y) + 2 * column + x for y in (0, 1) for x in (0, 1)]
            radius = np.hypot(row - 5.5, column - 5.5)
            rings[np.searchsorted([1.0, 2.2, 3.6, 5.2], radius, "right")].append(
                tokens[places].mean(axis=0)
            )
    assert [len(ring) for ring in rings] == [4, 12, 28, 44, 56]
    return np.stack(
        [np.concatenate([np.mean(ring, axis=0), np.std(ring, axis=0, ddof=1)]) for ring in rings]
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
            assert CELLS[modality] == {"image": 5, "spectrum": 69, "xp": tokens}[modality]


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
        both = torch.cat([embedded, last], dim=1).double().numpy()
        pool = pooling.pools[item.modality]
        assert isinstance(pool, CellPool)
        expected = _by_hand(pool, _cells_by_hand(item.modality, both))
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
def folder(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of 24 sources with random tokens, in two files; cells of a tiny AION."""
    work = tmp_path_factory.mktemp("features")
    (work / "features").mkdir()
    (work / "sky").mkdir()
    rng = np.random.default_rng(5)
    model = load_transformer(tiny_directory)
    for view in VIEWS:
        survey = view.removesuffix(TURNED)
        tokens = {
            key + view[len(survey) :]: rng.integers(0, 500, (24, token_count(key))).astype("u2")
            for key in KEYS[survey]
        }
        values = features_of(model, tokens, view)
        assert values.dtype == np.float16
        np.save(work / "features" / f"{view}-000.npy", values[:12])
        np.save(work / "features" / f"{view}-001.npy", values[12:])
    for name in ("000", "001"):
        np.savez(
            work / "sky" / f"{name}.npz",
            z=rng.uniform(0, 2, 12),
            spectral_class=np.array(["STAR", "GALAXY", "QSO"] * 4),
        )
    return work


def test_features_are_the_cells_of_the_encoder(
    tiny_directory: Path, learned: Encoder, make_xp: Callable[[], GaiaXp]
) -> None:
    encoded = learned.encode([(make_xp(),), (make_xp(),)], tokens=True)
    assert encoded.tokens is not None
    cells = features_of(load_transformer(tiny_directory), encoded.tokens, "gaia")
    pooling = learned.transformer._learned
    assert pooling is not None
    vectors = pooling.pools["xp"](torch.from_numpy(cells).float()).numpy()
    # The blocks ran in bfloat16.
    assert (vectors * encoded.vectors["xp"]).sum(axis=1).min() > 0.999


def test_features_are_read_in_order(folder: Path) -> None:
    features = Features(folder, ["000", "001"])
    assert len(features) == 24
    with np.load(folder / "sky" / "001.npz") as stored:
        assert np.array_equal(features.redshift[12:], stored["z"])
    second = np.load(folder / "features" / "hsc-001.npy")
    assert np.array_equal(list(features.cells("hsc"))[1], second)
    assert [len(features.first_cells("hsc", count)) for count in (1, 12, 13, 99)] == [
        12,
        12,
        24,
        24,
    ]


def test_who_should_be_alike() -> None:
    redshift = torch.tensor([0.0, 9.0, 9.0, 10**0.02 - 1.0, 0.5])
    classes = torch.tensor([0, 0, 0, 0, 1])
    shares = alike(redshift, (classes[:, None] == classes[None]).float()).numpy()
    far = np.exp(-1 / 0.02)
    np.testing.assert_allclose(
        shares[0, :4], np.array([0, far, far, np.exp(-1)]) / np.exp(-1), atol=1e-6
    )
    np.testing.assert_allclose(shares[1], [0, 0, 1, 0, 0], atol=1e-6)
    assert not shares[4].any()


def test_training_brings_sources_together_and_resumes(folder: Path, tmp_path: Path) -> None:
    features = Features(folder, ["000", "001"])
    recipe = PoolingRecipe(**SMALL, steps=50, minutes=None, batch=24, learning_rate=1e-2, dropout=0)
    state = tmp_path / "state.pt"
    pooling, bridges, log = train_pooling(64, features, recipe, seed=1, state_path=state)
    # 24 sources of random tokens can be told apart by heart: chance is log 24 = 3.2 nats.
    assert log[-1]["spectrum"] < 2.5
    again, _, longer = train_pooling(64, features, recipe, seed=1, state_path=state)
    assert longer == log
    for name, value in pooling.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert set(log[-1]) >= {"across", "gaia", "image physics", "turned"}
    assert set(bridges) == {"image", "spectrum", "xp"}
    assert all((head.input_dim, head.dim) == (64, 128) for head in bridges.values())


def test_bridges_are_for_one_encoder(learned: Encoder, tiny: Encoder, tmp_path: Path) -> None:
    assert learned.bridges == {}
    assert read_bridges(tmp_path, learned.identity) == {}
    rng = np.random.default_rng(8)
    heads = {
        name: LinearHead(np.zeros(64), rng.normal(size=(64, 12)), np.ones(12))
        for name in ("image", "xp")
    }
    write_bridges(tmp_path, heads, learned.identity)
    found = read_bridges(tmp_path, learned.identity)
    x = rng.normal(size=(3, 64)).astype(np.float32)
    np.testing.assert_array_equal(found["xp"].apply(x), heads["xp"].apply(x))
    with pytest.raises(CheckpointError, match=r"must be for this encoder .* learn them again"):
        read_bridges(tmp_path, tiny.identity)
    heads["image"] = LinearHead(np.zeros(63), rng.normal(size=(63, 12)), np.ones(12))
    write_bridges(tmp_path, heads, learned.identity)
    with pytest.raises(CheckpointError, match="those of image are not"):
        read_bridges(tmp_path, learned.identity)
