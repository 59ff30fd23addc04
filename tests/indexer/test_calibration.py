"""What scores are worth."""

from pathlib import Path

import numpy as np
import pytest

from indexer.calibration import ANY_RELEASE, calibrate, read_calibration, write_calibration
from indexer.errors import IndexFormatError


def _unit(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, 6)) + shift
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


A, B = ("one", "image"), ("two", "image")


def test_percentile_is_the_share_of_random_pairs_below(tmp_path: Path):
    vectors = {A: _unit(300, 0), B: _unit(200, 1, 1.0)}
    calibration = calibrate("image", vectors)
    scores = (vectors[A].astype(float) @ vectors[B].astype(float).T).ravel()
    for share in (0.05, 0.5, 0.99):
        score = np.quantile(scores, share)
        percentile = calibration.percentile(np.array([score], np.float32), A, B)[0]
        assert percentile == pytest.approx(100 * share, abs=1.0)
    ends = calibration.percentile(np.array([-1.0, 1.0], np.float32), A, A)
    assert ends.tolist() == [0.0, 100.0]
    assert np.all(np.diff(calibration.quantiles["one:image>two:image"]) >= 0)
    write_calibration(tmp_path / "c.json", calibration)
    assert read_calibration(tmp_path / "c.json") == calibration


def test_an_object_is_not_paired_with_itself():
    # Two opposite vectors: every honest pair scores -1.
    vectors = {A: np.array([[1, 0], [-1, 0]], np.float16)}
    assert max(calibrate("image", vectors).quantiles["one:image>one:image"]) == -1.0
    assert calibrate("image", {A: _unit(1, 0)}).quantiles == {}


def test_a_query_of_no_release_counts_as_any():
    vectors = {A: _unit(300, 0), B: _unit(200, 1, 1.0)}
    calibration = calibrate("image", vectors)
    scores = np.array([0.1, 0.4], np.float32)
    anywhere = calibration.percentile(scores, (ANY_RELEASE, "image"), A)
    np.testing.assert_array_equal(calibration.percentile(scores, ("upload", "image"), A), anywhere)
    known = [calibration.percentile(scores, side, A) for side in (A, B)]
    np.testing.assert_allclose(anywhere, np.mean(known, axis=0), atol=1.0)


def test_unknown_pairs_have_no_percentile():
    calibration = calibrate("image", {A: _unit(30, 0)})
    assert np.isnan(calibration.percentile(np.zeros(2, np.float32), A, ("x", "xp"))).all()


def test_damaged_file(tmp_path: Path):
    with pytest.raises(IndexFormatError, match=r"calibration\.json cannot be read"):
        read_calibration(tmp_path / "calibration.json")
