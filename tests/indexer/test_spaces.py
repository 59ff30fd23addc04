"""The transforms of spaces."""

from pathlib import Path

import numpy as np
import pytest

from aion_encoder.whitening import SHRINKAGE
from indexer.errors import IndexFormatError, SearchError
from indexer.layout import space_file, space_transform_file
from indexer.spaces import Space, fit_space, read_space, to_unit, write_space


def _raw(count: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((dim, dim))
    return (rng.standard_normal((count, dim)) @ mixing + 5.0).astype(np.float32)


def _fit(raw: np.ndarray, reference=None, keep: int = 8) -> Space:
    return fit_space("image", raw, count=len(raw), keep=keep, encoder="e", reference=reference)


def test_whitened_vectors_have_the_stated_covariance():
    raw = _raw(4000)
    space = _fit(raw)
    assert space.description.method == "whitened"
    assert space.projection is not None
    white = (raw.astype(float) - space.mean) @ space.projection
    covariance = np.cov(raw.astype(float).T, bias=True)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / 8 * np.eye(8)
    # W S' W = 1 is what the inverse square root means.
    product = space.projection.astype(float) @ shrunk @ space.projection.astype(float)
    np.testing.assert_allclose(product, np.eye(8), atol=1e-4)
    np.testing.assert_allclose(white.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(space.projection, space.projection.T, atol=1e-6)


def test_a_space_keeps_no_more_dimensions_than_asked_for():
    raw = _raw(4000)
    space = _fit(raw, keep=3)
    assert (space.description.method, space.description.input_dim, space.dim) == ("whitened", 8, 3)
    covariance = np.cov(raw.astype(float).T, bias=True)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / 8 * np.eye(8)
    product = space.projection.T.astype(float) @ shrunk @ space.projection.astype(float)
    np.testing.assert_allclose(product, np.eye(3), atol=1e-4)
    assert space.apply(raw[:5]).shape == (5, 3)


@pytest.mark.parametrize(("count", "method"), [(160, "whitened"), (159, "centred"), (49, "none")])
def test_method_by_count(count: int, method: str):
    space = _fit(_raw(count))
    assert space.description.method == method
    assert space.description.fitted_on == (0 if method == "none" else count)
    unit = space.apply(_raw(30, seed=4))
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, atol=1e-6)
    assert unit.dtype == np.float32


def test_the_encoders_own_statistics_are_used_for_few_vectors():
    mean, projection = np.full(8, 2.0, np.float32), np.ones((8, 3), np.float32)
    space = _fit(_raw(100), (mean, projection))
    assert space.description.method == "reference"
    assert space.dim == 3
    raw = _raw(5)
    expected = to_unit((raw - 2.0) @ np.ones((8, 3)))
    np.testing.assert_allclose(space.apply(raw), expected, atol=1e-6)
    assert _fit(_raw(160), (mean, projection)).description.method == "whitened"


def test_written_and_read(tmp_path: Path):
    for count in (200, 60, 10):
        space = _fit(_raw(count))
        write_space(tmp_path, f"spaces/s{count}", space)
        again = read_space(tmp_path, f"spaces/s{count}")
        assert again.description == space.description
        np.testing.assert_array_equal(again.apply(_raw(20)), space.apply(_raw(20)))


def test_a_transform_that_does_not_fit_its_description(tmp_path: Path):
    write_space(tmp_path, "spaces/a", _fit(_raw(200)))
    write_space(tmp_path, "spaces/b", _fit(_raw(60, dim=5)))
    (tmp_path / space_transform_file("spaces/b")).rename(
        tmp_path / space_transform_file("spaces/a")
    )
    with pytest.raises(IndexFormatError, match="must turn 8 dimensions into 8, got 5 into 5"):
        read_space(tmp_path, "spaces/a")
    (tmp_path / space_file("spaces/a")).write_text("{}")
    with pytest.raises(IndexFormatError, match=r"space\.json cannot be read"):
        read_space(tmp_path, "spaces/a")


def test_vectors_that_do_not_fit():
    space = _fit(_raw(200))
    with pytest.raises(SearchError, match=r"takes vectors of 8 dimensions, got the shape \(1, 9\)"):
        space.apply(_raw(1, dim=9))
    with pytest.raises(SearchError, match="must be finite"):
        space.apply(np.full((1, 8), np.inf, np.float32))


def test_a_vector_without_length():
    unit = to_unit(np.zeros((2, 4)))
    np.testing.assert_array_equal(unit, [[1, 0, 0, 0]] * 2)


def test_input_is_left_alone():
    raw = _raw(200)
    before = raw.copy()
    _fit(raw).apply(raw)
    np.testing.assert_array_equal(raw, before)


@pytest.mark.parametrize("count", [10, 4000])
def test_vectors_that_are_comparable_are_only_scaled(count: int):
    raw = _raw(count)
    mean, projection = np.ones(8), np.eye(8)
    space = fit_space(
        "image",
        raw,
        count=count,
        keep=4,
        encoder="e",
        comparable=True,
        reference=(mean, projection),
    )
    assert space.description.method == "none"
    np.testing.assert_allclose(space.apply(raw[:5]), to_unit(raw[:5]), atol=1e-6)
