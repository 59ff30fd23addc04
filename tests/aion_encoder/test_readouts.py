"""What the decoder says of a redshift, against the package's own `forward` and closed forms."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion import AION
from aion.codecs.scalar import GridScalarCodec
from aion.modalities import Z
from hypothesis import given, settings
from hypothesis import strategies as st

from aion_encoder import Encoder, EncoderError, GaiaXp, Image, Photometry, Spectrum, open_encoder
from aion_encoder.encoded import ABSENT_TOKEN
from aion_encoder.readouts import (
    Recalibration,
    RedshiftDistribution,
    fit_recalibration,
    read_redshift,
)
from aion_encoder.training.blank import write_random_checkpoint

LEVELS = np.arange(1025) / 1024


@pytest.fixture(scope="module")
def whole(tiny_directory: Path) -> Encoder:
    return open_encoder(str(tiny_directory), device="cpu", keep_decoder=True)


def _spread(*weights: float) -> RedshiftDistribution:
    """A distribution on four bins between 0 and 1, and a point at 0."""
    values = np.array([weights]) / sum(weights)
    return RedshiftDistribution(np.linspace(0.0, 1.0, len(weights)), values)


def test_against_the_official_forward(
    whole: Encoder,
    tiny_directory: Path,
    make_image: Callable[..., Image],
    make_spectrum: Callable[..., Spectrum],
    make_xp: Callable[[], GaiaXp],
    make_photometry: Callable[..., Photometry],
) -> None:
    objects: list[tuple[Any, ...]] = [
        (make_image(),),
        (make_image("hsc"), make_spectrum()),
        (make_spectrum("sdss"),),
        (make_spectrum("sdss"),),
        (make_xp(), make_photometry()),
        (make_image(), make_spectrum(), make_xp(), make_photometry()),
    ]
    encoded = whole.encode(objects, tokens=True)
    state = random.getstate()
    read = read_redshift(whole, encoded)
    assert random.getstate() == state
    official = AION.from_pretrained(str(tiny_directory)).eval()
    assert encoded.tokens is not None
    for row in range(len(objects)):
        inputs = {
            key: torch.from_numpy(table[row : row + 1].astype(np.int64))
            for key, table in encoded.tokens.items()
            if table[row, 0] != ABSENT_TOKEN
        }
        with torch.no_grad():
            logits = official(inputs, target_modality=Z)["tok_z"][0, 0]
        expected = torch.softmax(logits.double(), 0).numpy()
        np.testing.assert_allclose(read.probabilities[row], expected, rtol=2e-3, atol=1e-9)
    # The rows differ, so none can pass for another.
    assert np.abs(np.diff(read.probabilities, axis=0)).max(axis=1).min() > 1e-5


def test_bins_are_those_of_the_official_tokenizer() -> None:
    codec = GridScalarCodec(modality="Z", codebook_size=1025)
    redshift = np.array([-0.01, 0.0, 0.0004, 0.3, 0.5, 0.99999, 1.0, 1.7], np.float32)
    codes = codec.encode(Z(value=torch.from_numpy(redshift))).numpy()
    one_hot = RedshiftDistribution(LEVELS, np.eye(1025)[codes])
    within = np.clip(redshift, 0.0, 1.0)
    intervals = one_hot.interval(1.0)
    lowest = np.where(codes == 0, 0.0, LEVELS[np.maximum(codes - 1, 0)])
    np.testing.assert_allclose(one_hot.quantile(1.0), LEVELS[codes])
    assert np.all((lowest <= within) & (within <= intervals[:, 1]))
    # The package's own decoding is the upper end; the centre is half a bin below.
    decoded = codec.decode(torch.from_numpy(codes)).value.numpy()
    np.testing.assert_allclose(
        decoded - one_hot.mean(), np.where(codes == 0, 0.0, 0.5 / 1024), atol=1e-7
    )


def test_refused_objects_have_no_distribution(
    whole: Encoder, make_xp: Callable[[], GaiaXp]
) -> None:
    bad = GaiaXp(bp=np.full(55, 1e30), rp=np.full(55, 1e30))
    encoded = whole.encode([(make_xp(),), (bad,), (make_xp(),)], tokens=True)
    refused = [refusal.index for refusal in encoded.refusals]
    read = read_redshift(whole, encoded)
    assert refused
    assert np.flatnonzero(np.isnan(read.mean())).tolist() == refused
    assert np.isnan(read.interval(0.68)[refused]).all()
    assert np.isnan(read.crps(np.full(3, 0.2))[refused]).all()


def test_what_is_lacking_is_said(
    tiny: Encoder, whole: Encoder, tmp_path: Path, make_xp: Callable[[], GaiaXp]
) -> None:
    encoded = tiny.encode([(make_xp(),)], tokens=True)
    with pytest.raises(EncoderError, match="was dropped; open the encoder with keep_decoder=True"):
        read_redshift(tiny, encoded)
    with pytest.raises(EncoderError, match="were not kept; encode with tokens=True"):
        read_redshift(whole, whole.encode([(make_xp(),)]))
    mute = write_random_checkpoint(
        tmp_path, seed=1, modalities=["xp"], changes={"domains_out": ["tok_xp_bp"]}
    )
    opened = open_encoder(str(mute), device="cpu", keep_decoder=True)
    with pytest.raises(EncoderError, match=r"never say tok_z: it is not among the .*\(tok_xp_bp\)"):
        read_redshift(opened, opened.encode([(make_xp(),)], tokens=True))


def test_an_even_distribution_has_closed_forms() -> None:
    even = _spread(0, 1, 1, 1, 1)
    assert even.mean() == pytest.approx([0.5])
    np.testing.assert_allclose(even.interval(0.68), [[0.16, 0.84]])
    for truth in (0.0, 0.13, 0.5, 0.9, 1.0):
        given_truth = np.array([truth])
        assert even.pit(given_truth) == pytest.approx([truth])
        # Integral of z^2 up to the truth and of (1 - z)^2 from there.
        assert even.crps(given_truth) == pytest.approx([(truth**3 + (1 - truth) ** 3) / 3])
    assert even.crps(np.array([1.4])) == pytest.approx([1 / 3 + 0.4])
    assert even.crps(np.array([-0.2])) == pytest.approx([1 / 3 + 0.2])


def test_a_single_value_scores_its_error() -> None:
    star = _spread(1, 0, 0, 0, 0)
    assert star.mean().tolist() == star.quantile(0.5).tolist() == [0.0]
    assert star.crps(np.array([0.3])) == pytest.approx([0.3])
    assert star.crps(np.array([-0.001])) == pytest.approx([0.001])
    assert star.pit(np.array([-0.001])) == pytest.approx([0.5])
    assert star.pit(np.array([0.3])) == pytest.approx([1.0])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(0.0, 1.0), min_size=3, max_size=9).filter(lambda w: sum(w) > 0.1),
    st.floats(-0.2, 1.2),
)
def test_scores_against_sums_over_a_fine_grid(weights: list[float], truth: float) -> None:
    one = _spread(*weights)
    grid = np.linspace(-0.5, 1.5, 400_001)
    cumulative = np.cumsum(one.probabilities[0])
    height = np.where(grid < 0.0, 0.0, np.interp(grid, one.levels, cumulative))
    expected = float((((height - (grid >= truth)) ** 2) * (grid[1] - grid[0])).sum())
    assert one.crps(np.array([truth]))[0] == pytest.approx(expected, abs=2e-5)
    for level in (0.025, 0.16, 0.5, 0.84):
        place = float(one.quantile(level)[0])
        assert np.interp(place, one.levels, cumulative) >= level - 1e-9
        if place > 0.0:
            assert np.interp(place - 1e-9, one.levels, cumulative) <= level + 1e-6


def _planted(count: int, seed: int, stated_width: float) -> tuple[RedshiftDistribution, np.ndarray]:
    """Truths scattered by 0.05 about what is stated, with another width and 0.02 too low."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0.3, 0.7, count)
    truth = centre + 0.02 + rng.normal(0.0, 0.05, count)
    density = np.exp(-0.5 * ((LEVELS[None] - 0.5 / 1024 - centre[:, None]) / stated_width) ** 2)
    density[:, 0] = 0.0
    return RedshiftDistribution(LEVELS, density / density.sum(axis=1, keepdims=True)), truth


def _coverage(read: RedshiftDistribution, truth: np.ndarray, share: float) -> float:
    low, high = read.interval(share).T
    return float(np.mean((low <= truth) & (truth <= high)))


@pytest.mark.parametrize("width", [0.02, 0.1])
def test_recalibration_brings_coverage_back(width: float) -> None:
    fitted_on, fitted_truth = _planted(2000, 0, width)
    other, truth = _planted(2000, 1, width)
    assert abs(_coverage(other, truth, 0.68) - 0.68) > 0.15
    curve = fit_recalibration(fitted_on.pit(fitted_truth))
    assert curve.objects == 2000
    again = curve.apply(other)
    # Three standard deviations of a share of 2,000 are 0.031; as much again for the fit.
    assert _coverage(again, truth, 0.68) == pytest.approx(0.68, abs=0.04)
    assert _coverage(again, truth, 0.95) == pytest.approx(0.95, abs=0.03)
    assert again.crps(truth).mean() < other.crps(truth).mean()
    assert np.median(again.quantile(0.5) - truth) == pytest.approx(0.0, abs=0.005)


def test_recalibration_leaves_right_ones_alone() -> None:
    rng = np.random.default_rng(3)
    curve = fit_recalibration(np.append(rng.uniform(size=20_000), np.nan))
    one = _spread(1, 2, 3, 4, 5)
    np.testing.assert_allclose(curve.apply(one).probabilities, one.probabilities, atol=0.01)
    unknown = RedshiftDistribution(one.levels, np.full((1, 5), np.nan))
    assert np.isnan(curve.apply(unknown).probabilities).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 50 objects of known redshift, got 3"):
        fit_recalibration([0.1, 0.2, 0.3, np.nan])
    with pytest.raises(ValueError, match=r"PIT lie between 0 and 1, got -1 to 0\.5"):
        fit_recalibration([0.5] * 60 + [-1.0])
    with pytest.raises(ValueError, match="stated must ascend from 0 to 1"):
        Recalibration((0.0, 0.6, 0.5, 1.0), (0.0, 0.1, 0.2, 1.0), 100)
    with pytest.raises(ValueError, match="as many stated as observed"):
        Recalibration((0.0, 1.0), (0.0, 0.5, 1.0), 100)
    with pytest.raises(ValueError, match="one probability per level"):
        RedshiftDistribution(LEVELS, np.ones((1, 4)))
    with pytest.raises(ValueError, match="levels of a distribution must ascend"):
        RedshiftDistribution(np.array([0.0, 0.0]), np.array([[0.5, 0.5]]))
    with pytest.raises(ValueError, match="must sum to 1"):
        RedshiftDistribution(np.array([0.0, 1.0]), np.array([[0.5, 0.6]]))
    with pytest.raises(ValueError, match="asked for between 0 and 1, got 2"):
        _spread(1, 1).quantile(2)
    with pytest.raises(ValueError, match="as many true redshifts"):
        _spread(1, 1).pit(np.zeros(2))
