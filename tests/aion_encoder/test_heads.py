"""Alignment heads against planted relations and a second way to compute them."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from aion_encoder import CheckpointError, LinearHead, fit_linear
from aion_encoder.heads import load_heads, save_heads


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Simulated vectors: three factors common to both sides, the rest noise of either."""
    rng = np.random.default_rng(11)
    common = rng.normal(size=(4000, 3))
    mix_x, mix_y = rng.normal(size=(12, 12)), rng.normal(size=(9, 9))
    x = np.concatenate([common, rng.normal(size=(4000, 9))], axis=1) @ mix_x + 5.0
    noisy = common * [1.0, 1.0, 1.0] + rng.normal(size=(4000, 3)) * [0.1, 0.5, 1.0]
    y = np.concatenate([noisy, rng.normal(size=(4000, 6))], axis=1) @ mix_y - 2.0
    return x.astype(np.float32), y.astype(np.float32)


def test_planted_correlations(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    """The correlation of s with s + noise of width w is 1 / sqrt(1 + w^2)."""
    head_x, head_y = fit_linear(*pairs, dimensions=9, ridge=0.0, emphasis=0.0)
    expected = 1 / np.sqrt(1 + np.array([0.1, 0.5, 1.0]) ** 2)
    np.testing.assert_allclose(head_x.correlations[:3], expected, atol=0.02)
    assert head_x.correlations[3:].max() < 0.1
    a, b = head_x.apply(pairs[0]), head_y.apply(pairs[1])
    np.testing.assert_allclose(np.cov(a.T), np.eye(9), atol=1e-3)
    np.testing.assert_allclose(np.cov(b.T), np.eye(9), atol=1e-3)
    np.testing.assert_allclose(a.T @ b / 3999, np.diag(head_x.correlations), atol=1e-3)
    np.testing.assert_allclose(a.mean(axis=0), 0.0, atol=1e-4)


@pytest.mark.parametrize("ridge", [0.0, 0.03, 1.0])
def test_against_the_generalised_eigenproblem(
    pairs: tuple[np.ndarray, np.ndarray], ridge: float
) -> None:
    x, y = (side.astype(np.float64) - side.mean(axis=0, dtype=np.float64) for side in pairs)
    n, d1, d2 = len(x), x.shape[1], y.shape[1]
    cxx, cyy, cxy = x.T @ x / (n - 1), y.T @ y / (n - 1), x.T @ y / (n - 1)
    cxx += ridge * np.trace(cxx) / d1 * np.eye(d1)
    cyy += ridge * np.trace(cyy) / d2 * np.eye(d2)
    a = np.block([[np.zeros((d1, d1)), cxy], [cxy.T, np.zeros((d2, d2))]])
    values, vectors = scipy.linalg.eigh(a, scipy.linalg.block_diag(cxx, cyy))
    head_x, head_y = fit_linear(*pairs, dimensions=4, ridge=ridge)
    np.testing.assert_allclose(head_x.correlations, values[::-1][:4], atol=1e-6)
    np.testing.assert_array_equal(head_x.correlations, head_y.correlations)
    for column in range(3):
        for head, part in ((head_x, slice(0, d1)), (head_y, slice(d1, None))):
            other = vectors[part, -1 - column]
            mine = head.projection[:, column]
            cosine = other @ mine / np.linalg.norm(other) / np.linalg.norm(mine)
            assert abs(cosine) == pytest.approx(1.0, abs=1e-5)


def test_an_exact_linear_relation() -> None:
    """A rotated and shifted copy is recovered: partners coincide."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 6))
    y = x @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 3.0
    head_x, head_y = fit_linear(x, y, dimensions=6, ridge=0.0)
    np.testing.assert_allclose(head_x.apply(x), head_y.apply(y), atol=1e-4)
    np.testing.assert_allclose(head_x.correlations, 1.0, atol=1e-6)


def test_pairs_find_each_other(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    training = [side[:3000] for side in pairs]
    head_x, head_y = fit_linear(*training, dimensions=9, ridge=1e-3)
    a, b = head_x.apply(pairs[0][3000:]), head_y.apply(pairs[1][3000:])
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    rank = ((a @ b.T) > (a * b).sum(axis=1)[:, None]).sum(axis=1)
    assert np.median(rank) < 50  # by chance: 500
    plain = fit_linear(*pairs, dimensions=9, ridge=1e-3, emphasis=0.0)[0]
    scaled = fit_linear(*pairs, dimensions=9, ridge=1e-3)[0]
    np.testing.assert_allclose(scaled.projection, plain.projection * plain.correlations, atol=1e-6)


def test_that_it_is_reproducible(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    before = [side.copy() for side in pairs]
    first, second = (fit_linear(*pairs, dimensions=3, ridge=0.1) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.projection, other.projection)
        assert one.projection.dtype == np.float32
        assert not one.projection.flags.writeable
    np.testing.assert_array_equal(pairs[0], before[0])
    np.testing.assert_array_equal(pairs[1], before[1])


def test_directions_without_variance(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pairs
    padded = np.concatenate([x, x[:, :2], np.ones((len(x), 1))], axis=1)
    head, _ = fit_linear(padded, y, dimensions=5, ridge=0.0)
    expected, _ = fit_linear(x, y, dimensions=5, ridge=0.0)
    np.testing.assert_allclose(head.correlations, expected.correlations, atol=1e-5)
    assert np.abs(head.projection).max() < 1e3


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ((10, 9), {}, "two tables of equal length"),
        ((2, 2), {}, "at least 3 pairs are needed, got 2"),
        ((10, 10), {"dimensions": 5}, "dimensions must lie in 1-4, got 5"),
        ((10, 10), {"dimensions": 0}, "dimensions must lie in 1-4, got 0"),
        ((10, 10), {"ridge": -1.0}, "ridge must be finite and not negative"),
        ((10, 10), {"ridge": np.nan}, "ridge must be finite and not negative"),
    ],
)
def test_bad_arguments(rows: tuple[int, int], changes: dict[str, float], message: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows[0], 6)), rng.normal(size=(rows[1], 4))
    with pytest.raises(ValueError, match=message):
        fit_linear(x, y, **{"dimensions": 2, "ridge": 0.1, **changes})  # type: ignore[arg-type]


def test_bad_vectors() -> None:
    x = np.random.default_rng(0).normal(size=(10, 4))
    holed = np.where(np.arange(4) == 1, np.nan, x)
    with pytest.raises(ValueError, match="must be finite; leave out pairs that lack a vector"):
        fit_linear(x, holed, dimensions=2, ridge=0.1)
    with pytest.raises(ValueError, match="all rows of one side are equal"):
        fit_linear(x, np.ones((10, 4)), dimensions=2, ridge=0.1)
    head, _ = fit_linear(x, x, dimensions=2, ridge=0.1)
    with pytest.raises(ValueError, match=r"must have the shape \(n, 4\), got \(10, 3\)"):
        head.apply(x[:, :3])
    with pytest.raises(ValueError, match=r"projection must have the shape \(4, 2\)"):
        LinearHead(np.zeros(4), np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="finite numbers only"):
        LinearHead(np.zeros(1), np.full((1, 1), np.inf), np.zeros(1))


def test_saving_and_loading(pairs: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "heads.safetensors"
    image, spectrum = fit_linear(*pairs, dimensions=3, ridge=0.1)
    heads = {"image": image, "spectrum": spectrum}
    facts = {"pairs": 4000, "recall": 0.25, "held_out": [1, 2]}
    save_heads(path, heads, facts)
    again, metadata = load_heads(path)
    assert metadata == facts
    assert list(again) == ["image", "spectrum"]
    np.testing.assert_array_equal(again["image"].apply(pairs[0]), heads["image"].apply(pairs[0]))
    content = path.read_bytes()
    save_heads(path, heads, facts)
    assert path.read_bytes() == content
    path.write_bytes(content[:-9])
    with pytest.raises(CheckpointError, match="must be a file of heads"):
        load_heads(path)
    with pytest.raises(CheckpointError, match="must be a file of heads"):
        load_heads(tmp_path / "nothing.safetensors")
