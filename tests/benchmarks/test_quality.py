"""A whole measurement of a tiny index, and the two documents."""

import json
from pathlib import Path

import numpy as np
import pytest

from aion_encoder import Image
from aion_encoder.fake import open_fake_encoder
from benchmarks.paired import sample_of
from benchmarks.quality import Quality, measure, short_names, write
from benchmarks.quality_features import FROZEN_MEAN, PCA
from benchmarks.quality_lines import Found, Line, with_bar
from benchmarks.quality_overlap import PERTURBATIONS, perturbed
from benchmarks.quality_page import table_of
from indexer.evaluate.measures import Interval, r_squared

pytestmark = pytest.mark.timeout(600)
"""The whole measurement is one fixture: on a busy machine it takes longer than a test may."""


@pytest.fixture(scope="module")
def quality(sky, bench, tmp_path_factory) -> Quality:
    encoder = open_fake_encoder("fake")
    return measure(
        bench,
        sky,
        encoder,
        tmp_path_factory.mktemp("cache"),
        plain=encoder,
        frozen=("legacysurvey", "sdss", "desi"),
        images=12,
    )


@pytest.fixture(scope="module")
def keys(quality) -> dict[str, float]:
    return quality.keys()


def found(quality: Quality, name: str) -> Found:
    (result,) = (each for each in quality.evaluation.results if each.name == name)
    return Found(result)


def test_keys_are_flat_and_numbers_with_their_intervals(keys):
    assert all(isinstance(each, float | int) for each in keys.values())
    for key in list(keys):
        if key.endswith(".low"):
            plain = key.removesuffix(".low")
            assert keys[key] <= keys[plain] + 1e-9 <= keys[f"{plain}.high"] + 2e-9
    for space in ("spectrum", "image"):
        for measured in ("class_purity_at_10", "redshift_r2", "redshift_r2_log_no_stars"):
            for companion in ("", ".pca", ".frozen_mean", ".random", ".minus_pca.low"):
                assert f"{space}.{measured}{companion}" in keys
    for looked_for in ("spiral", "merger", "lens"):
        for way in ("index", "exact", "random", "pca", "colour"):
            assert f"image.ndcg10.{looked_for}.{way}" in keys
    for direction in ("image_to_spectrum", "spectrum_to_image"):
        for measured in ("r_at_10", "median_rank", "dz", "dz_at_1", "dz.colour"):
            assert f"aligned.{direction}.{measured}" in keys
        assert f"photometry.{direction}.dz" in keys
        assert f"ann.recall_at_10.{direction}" in keys
    assert keys["twin.sdss_to_desi.r_at_10.after"] >= 0.0
    assert "image.class_purity_at_10.legacysurvey" not in keys
    assert "spectrum.class_purity_at_10.sdss.pca" in keys


def test_keys_are_the_records_of_the_suites(quality, keys):
    classes = found(quality, "classes")
    record = classes.record("purity.spectral_class", mode="index", direction="spectrum", arm="")
    assert keys["spectrum.class_purity_at_10"] == pytest.approx(record.value, abs=1e-6)
    assert keys["spectrum.class_purity_at_10.low"] == pytest.approx(record.low, abs=1e-6)
    assert record.gallery.size == keys["spectrum.class_purity_at_10.gallery"] == 150
    redshifts = found(quality, "redshifts")
    arm = {"direction": "image", "arm": "16 neighbours, cosine"}
    assert keys["image.redshift_r2"] == pytest.approx(
        redshifts.record("r2", mode="index", **arm).value, abs=1e-6
    )
    assert keys["image.redshift_r2_log"] == pytest.approx(
        redshifts.record("r2_log", mode="index", **arm).value, abs=1e-6
    )
    partners = found(quality, "partners")
    sizes = {
        each.gallery.size: each.value
        for _, each in partners.records(
            "r_at_k", mode="index", arm="aligned", direction="image_to_spectrum", k=10
        )
    }
    assert keys["aligned.image_to_spectrum.r_at_10.gallery"] in sizes
    assert keys["aligned.image_to_spectrum.r_at_10"] in np.round([*sizes.values()], 6)


def test_components_search_within_each_release(quality, keys):
    redshifts = found(quality, "redshifts")
    told = []
    for release in ("fake-desi", "fake-sdss"):
        ((number, _),) = redshifts.records(
            "r2", mode="baseline", direction=f"spectrum, {release}", arm=f"16 neighbours, {PCA}"
        )
        told.append(sample_of(redshifts.result, number).numbers)
    numbers = np.concatenate(told)
    value = float(r_squared(numbers[:, 0], numbers[:, 1]))
    assert keys["spectrum.redshift_r2.pca"] == pytest.approx(value, abs=1e-6)
    assert keys["spectrum.redshift_r2.minus_pca"] == pytest.approx(
        keys["spectrum.redshift_r2.within_releases"] - value, abs=2e-6
    )
    # The plain mean is comparable across releases, and here the very vector of the index.
    assert FROZEN_MEAN in {
        each.arm for each in found(quality, "classes").result.records if each.mode == "baseline"
    }


def test_bars_are_met_or_not(quality, keys):
    for line in quality.lines:
        if line.key.startswith("image.ndcg10.") and line.own:
            twice = line.value.value >= 2.0 * line.values["random"].value
            above = all(line.differences[name].low > 0.0 for name in ("pca", "colour"))
            assert line.reached == (twice and above)
    assert keys["aligned.image_to_spectrum.dz.bar"] == pytest.approx(
        0.5 * keys["photometry.image_to_spectrum.dz"], abs=1e-6
    )
    plain = Line("key", "", "", {"index": Interval(5.0, 4.0, 6.0, 9)})
    assert with_bar(plain, 5.0).reached
    assert with_bar(plain, 5.0, at_most=True).reached
    assert not with_bar(plain, 4.9, at_most=True).reached
    assert with_bar(plain, np.nan).reached is None


def test_an_image_keeps_its_neighbours_as_far_as_its_pixels_allow(keys):
    # The same pixels give the same vector, up to the precision of those on disk.
    assert keys["overlap.encoded_again.legacysurvey"] >= 0.95
    for name in PERTURBATIONS:
        assert 0.0 <= keys[f"overlap.{name}.legacysurvey"] <= 1.0
        assert f"overlap.{name}.legacysurvey.pca" in keys
        assert keys[f"overlap.{name}.legacysurvey.queries"] == 12
    # The fake encoder sees where light lies: a pixel is less than a quarter of a turn.
    assert keys["overlap.shifted.legacysurvey"] > keys["overlap.rotated.legacysurvey"]


def test_pixels_move_with_their_mask():
    flux = np.random.default_rng(0).normal(size=(1, 96, 96))
    mask = np.zeros(flux.shape, bool)
    mask[0, 10, 20] = True
    image = Image(flux, ("DES-R",), "legacysurvey", mask)
    turned = perturbed(image, PERTURBATIONS["rotated"])
    assert turned.mask[0, 75, 10]
    np.testing.assert_array_equal(turned.flux[0], np.rot90(image.flux[0]))
    assert perturbed(image, PERTURBATIONS["flipped"]).mask[0, 10, 75]
    assert perturbed(image, PERTURBATIONS["shifted"]).mask[0, 10, 21]


def test_two_documents_are_written(quality, keys, tmp_path):
    text, document = write(quality, tmp_path, {"data": "a test"})
    assert json.loads(document.read_text()) == keys
    page = Path(text).read_text()
    assert "SIMULATED" in page
    assert quality.evaluation.document["model"]["digest"] in page
    assert "| data | a test |" in page
    for line in quality.lines:
        assert line.title in page
    (beside,) = quality.extras
    assert f"## {beside.title}" in page
    assert len({key for key in keys if key.startswith("discoveries.")}) >= len(beside.records)
    for each in beside.records:
        assert not each.note or f"- {each.note}." in page
    # Every row of a table has the columns of its header.
    width = 0
    for row in page.splitlines():
        cells = row.replace("\\|", "").count("|")
        width = (width or cells) if cells else 0
        assert cells == width


def test_a_bar_in_a_cell_does_not_end_it():
    assert table_of(("gallery",), [("all | of them",)])[2] == "| all \\| of them |"


def test_releases_of_one_survey_keep_their_own_names(sky):
    assert short_names(sky.index) == {
        "fake-images": "legacysurvey",
        "fake-desi": "desi",
        "fake-sdss": "sdss",
        "fake-gaia": "gaia",
    }
