"""Principal components and plain means, read from a sky's own files."""

from dataclasses import replace

import numpy as np
import pytest

from aion_encoder import GaiaXp, Image, Photometry, Spectrum
from aion_encoder.fake import open_fake_encoder
from aion_encoder.training.components import fit_components, raw_features
from benchmarks.quality_features import (
    Features,
    components_of,
    frozen_means_of,
    whitened,
)
from indexer.evaluate.pool import pool_of


def test_components_by_a_second_road():
    rng = np.random.default_rng(5)
    features = (rng.normal(size=(60, 9)) * np.arange(1, 10)).astype(np.float32) @ rng.normal(
        size=(9, 200)
    ).astype(np.float32)
    fitted = fit_components(features, 6)
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    wanted = centred @ directions[:6].T / (spread[:6] / len(features) ** 0.5)
    found = fitted.apply(features)
    signs = np.sign((found * wanted).sum(axis=0))
    np.testing.assert_allclose(found * signs, wanted, atol=2e-3)
    np.testing.assert_allclose(found.std(axis=0), 1.0, atol=1e-3)
    # There are no more than what varies.
    assert fit_components(features).basis.shape == (200, 9)


def test_what_components_are_taken_of():
    flux = np.random.default_rng(1).normal(size=(2, 100, 100))
    flux[0, 50, 50] = np.nan
    image = Image(flux, ("HSC-R", "HSC-G"), "hsc")
    planes = raw_features(image).reshape(5, 96, 96)
    # Central 96 px, bands in the order of the survey, nothing where nothing is known.
    np.testing.assert_allclose(planes[0], np.arcsinh(flux[1, 2:98, 2:98] / 0.63), rtol=1e-5)
    assert planes[1, 48, 48] == 0.0
    assert not planes[2:].any()
    wave = np.linspace(3700.0, 9300.0, 3000)
    spectrum = Spectrum(wave / 1000.0, np.ones(3000), wave, "sdss")
    values = raw_features(spectrum)
    assert values.shape == (1000,)
    assert np.abs(values).mean() == pytest.approx(1.0)
    assert values[0] / values[-1] == pytest.approx(3850.0 / 9150.0)
    xp = GaiaXp(np.full(55, 2.0), np.full(55, -2.0))
    np.testing.assert_allclose(raw_features(xp)[[0, -1]], [np.arcsinh(2.0), -np.arcsinh(2.0)])
    with pytest.raises(TypeError, match="no components of a photometry"):
        raw_features(Photometry({"FLUX_R": 1.0}, "legacysurvey"))


def test_components_are_kept_and_stand_at_the_rows_of_the_index(sky, bench, tmp_path):
    components, values = components_of(sky, bench, "fake-desi", "spectrum", tmp_path)
    segment = sky.index.segment("fake-desi")
    rows = segment.rows_with("spectrum")
    assert values.shape[0] == len(segment)
    assert np.isfinite(values[rows]).all()
    row, observation = next(sky.observations("fake-desi", "spectrum"))
    np.testing.assert_allclose(
        components.apply(raw_features(observation)[None])[0], values[row], atol=1e-4
    )

    def refuse(*_):
        raise AssertionError("files were read again")

    closed = replace(sky, tools=replace(sky.tools, read_partition=refuse))
    again, same = components_of(closed, bench, "fake-desi", "spectrum", tmp_path)
    np.testing.assert_array_equal(same, values)
    np.testing.assert_array_equal(again.basis, components.basis)


def test_features_compare_releases_only_where_they_can(sky):
    index = sky.index
    values = {
        (name, "spectrum"): np.random.default_rng(0).normal(size=(len(index.segment(name)), 4))
        for name in ("fake-desi", "fake-sdss")
    }
    both = pool_of(index, "spectrum")
    assert Features(values, across=False)(both) is None
    found = Features(values, across=True)(both)
    assert found.shape == (len(both), 4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-6)
    alone = pool_of(index, "spectrum", releases=("fake-sdss",))
    expected = values["fake-sdss", "spectrum"][alone.rows["fake-sdss"]]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(Features(values, across=False)(alone), expected, atol=1e-6)
    assert Features(values, across=True)(pool_of(index, "image")) is None


def test_frozen_means_are_those_of_another_encoder_whitened(sky, tmp_path):
    encoder = open_fake_encoder("fake")
    raw = frozen_means_of(sky, "fake-images", "image", encoder, tmp_path)
    segment = sky.index.segment("fake-images")
    known = np.isfinite(raw).all(axis=1)
    assert known.sum() == len(segment.rows_with("image"))
    row, observation = next(sky.observations("fake-images", "image"))
    alone = encoder.encode([(observation,)]).vectors["image"][0]
    np.testing.assert_allclose(raw[row], alone, rtol=1e-6)
    np.testing.assert_array_equal(
        frozen_means_of(sky, "fake-images", "image", encoder, tmp_path), raw
    )
    white = whitened({"fake-images": raw}, 8)["fake-images"][known]
    assert white.shape[1] == 8
    np.testing.assert_allclose(white.mean(axis=0), 0.0, atol=1e-4)
    covariance = np.cov(white.T)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0.0, atol=1e-3)
