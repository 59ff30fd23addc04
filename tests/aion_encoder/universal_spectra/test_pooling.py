"""Pooling over windows of wavelength: shares add up, and how finely it is sampled is not seen."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_spectra import TINY

from aion_encoder.universal_spectra.pooling import WindowPool
from aion_encoder.universal_spectra.token_encoder import Tokens

WINDOWED = TINY.model_copy(update={"pooling": "windows", "windows": 12, "window_dim": 4})


@pytest.fixture(scope="module")
def pool() -> WindowPool:
    torch.manual_seed(0)
    return WindowPool(WINDOWED).requires_grad_(False)


def spans_between(edges: np.ndarray) -> torch.Tensor:
    """Patches that fill the space between edges."""
    both = np.stack([0.5 * (edges[1:] + edges[:-1]), np.diff(edges)], axis=1)
    return torch.from_numpy(both).float()[None]


@given(st.floats(3000.0, 20_000.0), st.floats(0.001, 0.5))
@settings(max_examples=50, deadline=None)
def test_shares_are_those_of_an_integral(middle: float, width: float) -> None:
    pool = WindowPool(WINDOWED)
    low, high = middle * (1 - width / 2), middle * (1 + width / 2)
    shares = pool.shares(torch.tensor([[[middle, high - low]]]))[0, 0].numpy()
    # By the second road: the hat functions added up on a fine grid, about the patch's middle.
    half = 0.5 * np.log(high / low)
    x = np.log(middle) + np.linspace(-half, half, 20_001)
    centres = np.linspace(np.log(2500.0), np.log(25_000.0), 12)
    step = centres[1] - centres[0]
    hats = np.maximum(0.0, 1.0 - np.abs(x[:, None] - centres) / step)
    np.testing.assert_allclose(shares, hats.mean(axis=0) * 2 * half / step, atol=2e-4)


def test_a_whole_range_covers_every_window_once(pool: WindowPool) -> None:
    shares = pool.shares(spans_between(np.geomspace(2000.0, 31_000.0, 200)))
    np.testing.assert_allclose(shares.sum(dim=1)[0, 2:-2], 1.0, atol=1e-4)


def test_means_do_not_hang_on_how_finely_a_window_is_sampled(pool: WindowPool) -> None:
    coarse = np.geomspace(3500.0, 10_000.0, 13)
    fine = np.geomspace(3500.0, 10_000.0, 49)
    values = torch.randn(1, 12, 32)
    means, covered = pool.means(Tokens(values, spans_between(coarse), None))
    again, twice = pool.means(Tokens(values.repeat_interleave(4, dim=1), spans_between(fine), None))
    np.testing.assert_allclose(covered, twice, atol=0.02)
    some = covered[0] > 0.2
    np.testing.assert_allclose(means[0, some], again[0, some], atol=0.15)


def test_order_and_padding_make_no_difference(pool: WindowPool) -> None:
    spans = spans_between(np.geomspace(3600.0, 9800.0, 31))
    values = torch.randn(1, 30, 32)
    alone = pool(Tokens(values, spans, None))
    order = torch.randperm(30)
    np.testing.assert_allclose(
        pool(Tokens(values[:, order], spans[:, order], None)), alone, atol=1e-5
    )
    padded = torch.cat([values, torch.full((1, 5, 32), 9.0)], dim=1)
    wide = torch.cat([spans, spans[:, -1:].expand(1, 5, 2)], dim=1)
    seen = torch.arange(35)[None] < 30
    np.testing.assert_allclose(pool(Tokens(padded, wide, seen)), alone, atol=1e-5)


def test_what_is_not_covered_is_zero_and_is_told(pool: WindowPool) -> None:
    spans = spans_between(np.geomspace(15_100.0, 17_000.0, 20))
    joined = pool(Tokens(torch.randn(1, 19, 32), spans, None))[0]
    seen, known = joined[: 12 * 4].reshape(12, 4), joined[12 * 4 :]
    assert torch.all(seen[:8] == 0.0)
    assert torch.all(known[:8] == 0.0)
    assert known.max() > 0.5
    assert len(joined) == WINDOWED.pooled_dim


def test_what_lies_beyond_all_windows_counts_in_the_outermost(pool: WindowPool) -> None:
    for first, last, window in ((900.0, 1100.0, 0), (40_000.0, 50_000.0, 11)):
        spans = spans_between(np.linspace(first, last, 10))
        _, covered = pool.means(Tokens(torch.randn(1, 9, 32), spans, None))
        assert int(covered.argmax()) == window
        assert covered.max() > 0.3
