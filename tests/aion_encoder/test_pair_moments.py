"""Pairs gathered block by block, and heads fitted to what was gathered."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from aion_encoder.errors import CheckpointError
from aion_encoder.heads import (
    LinearHead,
    fit_linear,
    fit_linear_into,
    fit_linear_moments,
    load_heads,
    save_heads,
)
from aion_encoder.pair_moments import PairMoments


@given(st.lists(st.integers(0, 60), max_size=4), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_blocks_do_not_matter(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(1e3, 1.0, (60, 3)), rng.normal(-50.0, 2.0, (60, 2))
    moments = PairMoments()
    bounds = [0, *sorted(cuts), 60]
    for start, stop in pairwise(bounds):
        moments.add(x[start:stop], y[start:stop])
    xx, yy, xy = moments.covariances()
    together = np.cov(np.concatenate([x, y], axis=1).T)
    np.testing.assert_allclose(xx, together[:3, :3], atol=1e-9)
    np.testing.assert_allclose(yy, together[3:, 3:], atol=1e-9)
    np.testing.assert_allclose(xy, together[:3, 3:], atol=1e-9)
    np.testing.assert_allclose(moments.mean_x, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.mean_y, y.mean(axis=0), rtol=1e-12)
    assert moments.count == 60


def test_heads_of_blocks_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 6))
    y = x[:, :4] @ rng.normal(size=(4, 5)) + rng.normal(size=(900, 5))
    moments = PairMoments()
    for chosen in np.array_split(np.arange(900), 7):
        moments.add(x[chosen], y[chosen])
    whole = fit_linear(x, y, dimensions=4, ridge=0.01, emphasis=2.0)
    parts = fit_linear_moments(moments, dimensions=4, ridge=0.01, emphasis=2.0)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.projection, other.projection, atol=1e-5)
        np.testing.assert_allclose(one.mean, other.mean, atol=1e-6)


def test_what_moments_refuse() -> None:
    moments = PairMoments()
    with pytest.raises(ValueError, match="two tables of equal length"):
        moments.add(np.zeros((3, 2)), np.zeros((2, 2)))
    moments.add(np.zeros((0, 9)), np.zeros((0, 9)))
    moments.add(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"lengths of the earlier ones, \(2, 4\), got \(2, 5\)"):
        moments.add(np.zeros((3, 2)), np.zeros((3, 5)))
    with pytest.raises(ValueError, match="vectors must be finite"):
        moments.add(np.full((3, 2), np.inf), np.zeros((3, 4)))


def test_a_further_side_is_the_solution_of_the_ridge_problem() -> None:
    """Ridge regression is least squares with rows sqrt(n ridge) I added to the table."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 5)) + 3.0
    z = x[:, :3] @ rng.normal(size=(3, 3)) + 0.3 * rng.normal(size=(400, 3)) + [1.0, -2.0, 9.0]
    moments = PairMoments()
    moments.add(x, z)
    head = fit_linear_into(moments, ridge=0.2)
    centred, wanted = x - x.mean(axis=0), z - z.mean(axis=0)
    penalty = np.sqrt(399 * 0.2 * np.trace(np.cov(x.T)) / 5) * np.eye(5)
    solution, *_ = np.linalg.lstsq(
        np.concatenate([centred, penalty]), np.concatenate([wanted, np.zeros((5, 3))]), rcond=None
    )
    np.testing.assert_allclose(head.projection, solution, atol=1e-5)
    np.testing.assert_allclose(
        head.apply(x.astype(np.float32)), centred @ solution + z.mean(axis=0), atol=1e-3
    )
    expected = [np.corrcoef((centred @ solution)[:, k], z[:, k])[0, 1] for k in range(3)]
    np.testing.assert_allclose(head.correlations, expected, atol=1e-5)
    exact = fit_linear_into(moments, ridge=0.0)
    plain, *_ = np.linalg.lstsq(centred, wanted, rcond=None)
    np.testing.assert_allclose(exact.projection, plain, atol=1e-5)


def test_what_a_further_side_refuses() -> None:
    moments = PairMoments()
    moments.add(np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match="at least 3 pairs are needed, got 2"):
        fit_linear_into(moments, ridge=0.1)
    moments.add(np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match="ridge must be finite and not negative, got -1"):
        fit_linear_into(moments, ridge=-1.0)
    flat = PairMoments()
    flat.add(np.ones((5, 2)), np.eye(5))
    with pytest.raises(ValueError, match="all rows of one side are equal"):
        fit_linear_into(flat, ridge=0.1)
    with pytest.raises(ValueError, match=r"offset must have the shape \(2,\), got \(3,\)"):
        LinearHead(np.zeros(4), np.zeros((4, 2)), np.zeros(2), offset=np.zeros(3))


def test_files_of_the_time_when_all_heads_were_linear(tmp_path: Path) -> None:
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    rng = np.random.default_rng(2)
    parts = {
        "image.mean": rng.normal(size=3).astype(np.float32),
        "image.projection": rng.normal(size=(3, 2)).astype(np.float32),
        "image.correlations": np.array([0.9, 0.1], np.float32),
    }
    save_file(parts, old, metadata={"metadata": json.dumps({"pairs": 7})})
    heads, facts = load_heads(old)
    assert facts == {"pairs": 7}
    head = heads["image"]
    assert isinstance(head, LinearHead)
    assert head.offset is None
    # A program of that time finds what it looks for in a file of today.
    save_heads(new, {"image": head}, facts)
    again = load_file(new)
    assert set(again) == set(parts)
    for name, values in parts.items():
        np.testing.assert_array_equal(again[name], values)


def test_a_kind_of_the_future_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "heads.safetensors"
    header = {"metadata": json.dumps({"kinds": {"image": "quantum"}})}
    save_file({"image.mean": np.zeros(3, np.float32)}, path, metadata=header)
    with pytest.raises(CheckpointError, match="kind 'quantum', this program knows linear, resid"):
        load_heads(path)
    header["metadata"] = json.dumps({"kinds": {"image": "residual"}})
    save_file({"image.mean": np.zeros(3, np.float32)}, path, metadata=header)
    with pytest.raises(CheckpointError, match=r"must be a file of heads, got: .*projection"):
        load_heads(path)
