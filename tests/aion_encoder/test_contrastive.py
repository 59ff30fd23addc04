"""Residual heads: the loss in closed form, what training finds, and what must not matter."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from aion_encoder.contrastive import (
    LARGEST_SCALE,
    PairBlock,
    Training,
    fit_contrastive,
    info_nce,
)
from aion_encoder.heads import LinearHead, fit_linear, load_heads, save_heads
from aion_encoder.residual_head import ResidualHead

QUICK = Training(
    hidden=64, batch=128, steps=300, every=50, patience=6, learning_rate=1e-3, dropout=0.2
)


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def block_of(x, y, left="image", right="spectrum", sources=None) -> PairBlock:
    numbers = np.arange(len(x)) if sources is None else sources
    return PairBlock(left, right, numbers, lambda chosen: (x[chosen], y[chosen]))


def curved(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Simulated pairs whose sides share two angles, one of them only through its square."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1.5, 1.5, (2, count))
    x = np.stack([a, b, *0.05 * rng.normal(size=(6, count))], axis=1)
    y = np.stack([a, b**2, *0.05 * rng.normal(size=(5, count))], axis=1)
    mix = np.random.default_rng(99)
    return (
        unit(np.c_[x, np.ones(count)] @ np.linalg.qr(mix.normal(size=(9, 9)))[0]),
        unit(np.c_[y, np.ones(count)] @ np.linalg.qr(mix.normal(size=(8, 8)))[0]),
    )


def recall(heads, x, y, at=10) -> float:
    u, v = unit(heads["image"].apply(x)), unit(heads["spectrum"].apply(y))
    scores = u @ v.T
    return float(((scores > np.diagonal(scores)[:, None]).sum(axis=1) < at).mean())


def test_the_loss_of_vectors_that_are_all_alike_is_the_logarithm_of_their_number():
    u = torch.ones(8, 3) / math.sqrt(3.0)
    loss = info_nce(u, u, torch.tensor(5.0), torch.arange(8))
    assert float(loss) == pytest.approx(math.log(8), rel=1e-6)


def test_the_loss_against_sums_written_out():
    rng = np.random.default_rng(0)
    u, v, scale = unit(rng.normal(size=(6, 4))), unit(rng.normal(size=(6, 4))), 7.0
    sources = np.array([0, 1, 2, 1, 4, 5])
    terms = []
    for i in range(6):
        wrong = [j for j in range(6) if j == i or sources[j] != sources[i]]
        own = scale * float(u[i] @ v[i])
        terms.append(math.log(sum(math.exp(scale * float(u[i] @ v[j])) for j in wrong)) - own)
        terms.append(math.log(sum(math.exp(scale * float(u[j] @ v[i])) for j in wrong)) - own)
    loss = info_nce(*map(torch.from_numpy, (u, v)), torch.tensor(scale), torch.from_numpy(sources))
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-5)


def test_training_finds_what_no_linear_map_can():
    x, y = curved(4000, 0)
    linear = dict(
        zip(
            ("image", "spectrum"),
            fit_linear(x[:3000], y[:3000], dimensions=8, ridge=1e-3, emphasis=4.0),
            strict=True,
        )
    )
    validation, test = (x[3000:3500], y[3000:3500]), (x[3500:], y[3500:])
    fitted = fit_contrastive(
        linear,
        [block_of(x[:3000], y[:3000])],
        lambda heads: recall(heads, *validation),
        seed=1,
        training=QUICK,
    )
    assert fitted.score == recall(fitted.heads, *validation)
    assert fitted.step > 0
    assert recall(linear, *test) < 0.5
    assert recall(fitted.heads, *test) > recall(linear, *test) + 0.2
    assert 1.0 < fitted.scale <= LARGEST_SCALE


def test_that_it_starts_at_the_linear_heads_and_keeps_them_if_nothing_is_better():
    x, y = curved(400, 3)
    pair = fit_linear(x, y, dimensions=4, ridge=1e-3)
    start = {"image": pair[0], "spectrum": pair[1]}
    looked = []

    def falling(heads):
        looked.append(heads)
        return -float(len(looked))

    training = Training(hidden=8, batch=32, steps=500, every=5, patience=3)
    fitted = fit_contrastive(start, [block_of(x, y)], falling, seed=0, training=training)
    assert (fitted.step, fitted.steps, fitted.score) == (0, 15, -1.0)
    for side, vectors in (("image", x), ("spectrum", y)):
        np.testing.assert_allclose(
            fitted.heads[side].apply(vectors), unit(start[side].apply(vectors)), atol=1e-5
        )
    # The offset of a side that joined later is part of the start.
    shifted = LinearHead(pair[0].mean, pair[0].projection, pair[0].correlations, offset=np.ones(4))
    training = Training(hidden=8, batch=32, steps=5, every=5, patience=1)
    fitted = fit_contrastive(
        {**start, "image": shifted}, [block_of(x, y)], falling, seed=0, training=training
    )
    np.testing.assert_allclose(fitted.heads["image"].apply(x), unit(shifted.apply(x)), atol=1e-5)


def test_equal_input_gives_equal_heads_and_another_seed_others():
    x, y = curved(500, 5)
    pair = fit_linear(x, y, dimensions=4, ridge=1e-3)
    start = {"image": pair[0], "spectrum": pair[1]}
    training = Training(hidden=8, batch=64, steps=20, every=10, patience=9, learning_rate=1e-3)
    before = torch.random.get_rng_state()
    numbers = iter(range(1000))

    def rising(_):
        return float(next(numbers))

    def run(seed):
        return fit_contrastive(start, [block_of(x, y)], rising, seed=seed, training=training)

    first, second, other = run(1), run(1), run(2)
    for part in ResidualHead.parts:
        one, two = (getattr(each.heads["image"], part) for each in (first, second))
        np.testing.assert_array_equal(one, two)
    assert np.abs(first.heads["image"].projection - other.heads["image"].projection).max() > 1e-4
    # Nobody else's random numbers are touched.
    assert torch.equal(torch.random.get_rng_state(), before)


def test_three_sides_and_two_of_one_modality():
    x, y = curved(1500, 7)
    again = unit(x + 0.05 * np.random.default_rng(1).normal(size=x.shape))
    image, spectrum = fit_linear(x, y, dimensions=4, ridge=1e-3)
    start = {"image": image, "spectrum": spectrum, "xp": spectrum}
    blocks = [
        block_of(x, y),
        block_of(x, again, "image", "image"),
        block_of(x, y, "image", "xp"),
    ]
    seen = []
    fitted = fit_contrastive(
        start,
        blocks,
        lambda heads: (
            recall(heads, x[:200], y[:200])
            + recall({**heads, "spectrum": heads["xp"]}, x[:200], y[:200])
        ),
        seed=0,
        training=QUICK,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert sorted(fitted.heads) == ["image", "spectrum", "xp"]
    assert recall({**fitted.heads, "spectrum": fitted.heads["xp"]}, x[:200], y[:200]) > 0.5
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] == QUICK.steps * QUICK.batch


def test_what_is_refused():
    x, y = curved(10, 0)
    image, spectrum = fit_linear(x, y, dimensions=2, ridge=1.0)
    start = {"image": image, "spectrum": spectrum}

    def fit(*blocks):
        return fit_contrastive(start, list(blocks), lambda _: 0.0, seed=0)

    with pytest.raises(ValueError, match="at least one block of pairs is needed"):
        fit()
    with pytest.raises(ValueError, match="at least 2 pairs, that of image and spectrum has 1"):
        fit(block_of(x[:1], y[:1]))
    with pytest.raises(ValueError, match="a head to start from, xp has none"):
        fit(block_of(x, y, "image", "xp"))
    with pytest.raises(ValueError, match="a batch must have at least 2 pairs, got 1"):
        Training(batch=1)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        Training(steps=0)
    with pytest.raises(ValueError, match="dropout must lie in 0-1, below 1, got 1"):
        Training(dropout=1.0)


def random_residual(seed: int = 0) -> ResidualHead:
    rng = np.random.default_rng(seed)
    shapes = ((5,), (5, 3), (5, 7), (7,), (7, 3), (3,))
    return ResidualHead(*(rng.normal(size=shape) for shape in shapes))


def test_a_residual_head_against_torch():
    head = random_residual()
    x = np.random.default_rng(1).normal(size=(9000, 5)).astype(np.float32) * 30.0
    parts = {part: torch.from_numpy(np.array(getattr(head, part))) for part in head.parts}
    centred = torch.from_numpy(x) - parts["mean"]
    inner = torch.nn.functional.silu(centred @ parts["hidden_weight"] + parts["hidden_bias"])
    moved = inner @ parts["output_weight"] + centred @ parts["projection"] + parts["output_bias"]
    expected = torch.nn.functional.normalize(moved, dim=1).numpy()
    np.testing.assert_allclose(head.apply(x), expected, atol=2e-5)
    assert head.apply(x[:0]).shape == (0, 3)
    assert (head.input_dim, head.dim) == (5, 3)


def test_a_residual_head_refuses_what_does_not_fit():
    head = random_residual()
    parts = {part: np.array(getattr(head, part)) for part in head.parts}
    with pytest.raises(ValueError, match=r"must have the shape \(n, 5\), got \(2, 4\)"):
        head.apply(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match=r"head's hidden_weight must have the shape \(5, 7\)"):
        ResidualHead(**{**parts, "hidden_weight": np.zeros((5, 6))})
    with pytest.raises(ValueError, match="finite numbers only"):
        ResidualHead(**{**parts, "output_bias": np.full(3, np.nan)})


def test_heads_of_both_kinds_in_one_file(tmp_path: Path):
    path = tmp_path / "heads.safetensors"
    linear = LinearHead(np.zeros(5), np.ones((5, 3)), np.ones(3), offset=np.arange(3.0))
    save_heads(path, {"image": linear, "spectrum": random_residual()}, {"seed": 4})
    heads, metadata = load_heads(path)
    assert metadata == {"seed": 4}
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    np.testing.assert_array_equal(heads["image"].apply(x), linear.apply(x))
    np.testing.assert_array_equal(heads["spectrum"].apply(x), random_residual().apply(x))
    assert [heads[side].kind for side in ("image", "spectrum")] == ["linear", "residual"]
