"""Suite G on a sky whose labels follow from its data, with a decoder that knows the truth."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_sky import FAKE_TOOLS, fake_manifest

from aion_encoder import readouts as readouts_module
from aion_encoder.fake import open_fake_encoder
from aion_encoder.observations import Observation
from aion_encoder.readouts import RedshiftDistribution
from indexer import redshift_readouts as redshift_readouts_module
from indexer.errors import QueryError
from indexer.evaluate import alarms as alarms_module
from indexer.evaluate import feedback as feedback_module
from indexer.evaluate.alarms import alarms
from indexer.evaluate.bench import Bench
from indexer.evaluate.discordance import discordance
from indexer.evaluate.discoveries import discoveries
from indexer.evaluate.feedback import asked_again
from indexer.evaluate.figures import figures_of
from indexer.evaluate.pool import pool_of
from indexer.evaluate.readouts import readouts
from indexer.evaluate.records import Record, Recorder, SuiteResult
from indexer.evaluate.unseen import ElsewhereLabels
from indexer.known_values import is_known, known_values
from indexer.sky_parts import TEST, VALIDATION, sources_in
from indexer.survey_files import SurveyFiles

LEVELS = np.arange(65) / 64


def told_redshift(_encoder: Any, observations: Sequence[Observation]) -> RedshiftDistribution:
    """Give distributions about a number that follows from the pixels, much too narrow."""
    probabilities = np.zeros((len(observations), len(LEVELS)))
    for row, each in enumerate(observations):
        values = each.bp if each.modality == "xp" else each.flux
        centre = 0.5 + 0.1 * np.tanh(np.log(np.abs(values).mean()))
        probabilities[row] = np.exp(-0.5 * ((LEVELS - centre) / 0.01) ** 2) + 1e-9
    return RedshiftDistribution(LEVELS, probabilities / probabilities.sum(axis=1, keepdims=True))


@pytest.fixture(scope="module")
def files(labelled_sky: Path) -> SurveyFiles:
    return SurveyFiles(
        fake_manifest(labelled_sky / "sky"), open_fake_encoder, FAKE_TOOLS, told_redshift
    )


@pytest.fixture(scope="module")
def result(bench: Bench, files: SurveyFiles) -> SuiteResult:
    patch = pytest.MonkeyPatch()
    patch.setattr(alarms_module, "CHANGED", 30)
    patch.setattr(feedback_module, "EXAMPLES", 10)
    # The sky is small: its validation cells hold about forty sources that are no stars.
    patch.setattr(readouts_module, "FEWEST_FOR_RECALIBRATION", 20)
    patch.setattr(redshift_readouts_module, "FEWEST_FOR_RECALIBRATION", 20)
    found = discoveries(replace(bench, files=files, queries=60))
    patch.undo()
    return found


def one(result: SuiteResult, metric: str, **wanted: object) -> Record:
    (found,) = [
        each
        for each in result.records
        if each.metric == metric and all(getattr(each, k) == v for k, v in wanted.items())
    ]
    return found


def test_every_number_has_an_interval_that_holds_it(result: SuiteResult) -> None:
    assert len(result.records) > 100
    for each in result.records:
        assert each.queries > 0, each
        assert each.gallery.size > 0, each
        if np.isfinite(each.value):
            assert each.low - 1e-9 <= each.value <= each.high + 1e-9, each


def test_intervals_of_properties_hold_what_they_say(result: SuiteResult) -> None:
    answered = one(result, "answered.z", direction="spectrum")
    assert answered.value > 0.9
    inner = one(result, "coverage_68.z", direction="spectrum", mode="exact")
    outer = one(result, "coverage_95.z", direction="spectrum", mode="exact")
    assert inner.low <= 0.72
    assert inner.high >= 0.62
    assert outer.value >= inner.value
    assert inner.chance == 0.68
    width = one(result, "width_68.z", direction="spectrum", mode="exact")
    wide = one(result, "width_68.z", direction="spectrum", mode="baseline")
    assert width.value < wide.value
    assert one(result, "r2.z", direction="spectrum").value > 0.3
    right = one(result, "accuracy.object_class", direction="spectrum")
    assert right.low > right.chance - 0.1
    stated = one(result, "probability_of_truth.object_class", direction="spectrum")
    assert stated.value > stated.chance
    brier = one(result, "brier.object_class", direction="spectrum")
    assert 0.0 <= brier.value < brier.chance
    by_class = result.facts["coverage_68_by_class"]["spectrum, z"]
    assert sum(each["objects"] for each in by_class.values()) == inner.queries


def test_no_label_of_a_test_cell_takes_part(bench: Bench) -> None:
    labels = ElsewhereLabels(bench, ("z", "object_class", "metallicity"))
    assert labels.names == ("z", "object_class")
    hidden = sources_in(bench.index, TEST)
    assert not any((hidden[name] & of).any() for name, of in _validation(bench).items())
    for name in labels.names:
        for release, values in known_values(bench.index, name, labels).items():
            assert not is_known(values)[hidden[release]].any()
            assert is_known(values).any()


def _validation(bench: Bench) -> Any:
    return sources_in(bench.index, VALIDATION)


def test_discordance_by_a_second_road(result: SuiteResult) -> None:
    found = one(result, "enrichment", direction="lenses", arm="score", mode="exact", k=50)
    counts = found.note.split()
    assert found.value == pytest.approx(
        (int(counts[0]) / 50) / (int(counts[counts.index("all),") + 1]) / found.gallery.size)
    )
    # Two releases of spectra see a source: it counts once.
    facts = result.facts["discordant"]
    assert facts["sources"] == found.gallery.size < facts["in_pairs_of_releases"]
    assert facts["in_pairs_of_releases"] == sum(facts["compared"].values())
    random = one(result, "enrichment", direction="lenses", mode="random", k=50)
    assert random.low < 1.1
    assert random.high > 0.9
    assert one(result, "auc", direction="lenses", mode="random").value == pytest.approx(
        0.5, abs=0.05
    )
    spectra = "redshift of neighbours in spectra"
    wrong = one(result, "auc", direction="planted wrong redshifts", arm=spectra)
    assert wrong.value > wrong.chance


def test_discordance_says_what_it_lacks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.discordant.FEWEST_PER_NEIGHBOUR", 1000)
    recorder = Recorder("discoveries", "", 0)
    discordance(bench, recorder)
    (reason,) = recorder.skipped
    assert reason.startswith("discordant sources: discordant sources need two releases")
    assert not recorder.result().records


def test_verdicts_catch_noise_and_let_pass_what_is_unchanged(result: SuiteResult) -> None:
    for modality in ("image", "spectrum", "xp"):
        built = one(result, "false_alarms.unusual", direction=modality, arm="as built")
        assert built.value <= 0.15
        held = one(result, "false_alarms.unusual", direction=modality, arm="held out")
        assert held.value <= 0.2
        brought = f"{modality}, brought"
        same = one(result, "false_alarms.out", direction=brought, arm="unchanged")
        assert same.value <= 0.1
    noise = one(result, "caught.out", direction="xp, brought", arm="coefficients shuffled")
    assert noise.value > 0.9
    apart = one(result, "auc.strange", direction="xp, brought", arm="coefficients shuffled")
    assert apart.value > 0.95


def test_marks_help(result: SuiteResult, bench: Bench) -> None:
    kind = "fake-images, class spiral"
    single = one(result, "average_precision", direction=kind, arm="one example, 30 marked")
    probe = one(result, "average_precision", direction=kind, arm="linear probe, 30 marked")
    gain = one(result, "gain_in_average_precision", direction=kind, arm="linear probe, 30 marked")
    assert probe.value > single.value
    assert gain.value == pytest.approx(probe.value - single.value, abs=1e-9)
    assert single.chance == pytest.approx(
        (bench.of(pool_of(bench.index, "image"), "object_class") == "spiral").mean()
    )


def test_ways_to_ask_again() -> None:
    example = np.array([1.0, 0.0, 0.0], np.float32)
    marked = np.eye(3, dtype=np.float32)
    ways = asked_again(example, marked, np.array([True, False, False]))
    np.testing.assert_allclose(ways["mean of positives"], example)
    less = ways["mean of positives less 0.5 of negatives"]
    np.testing.assert_allclose(less, np.array([1.0, -0.25, -0.25]) / np.sqrt(1.125), rtol=1e-6)
    assert ways["linear probe"][0] > 0.5 > ways["linear probe"][1]
    # Nothing against, or everything against in the same place: what is left is the mean.
    alone = asked_again(example, marked[:1], np.array([True]))
    for way in alone.values():
        np.testing.assert_allclose(way, example)


def test_the_decoder_is_scored_and_recalibrated(result: SuiteResult, bench: Bench) -> None:
    for modality in ("image", "spectrum", "xp"):
        plain = one(result, "ks_of_pit", direction=modality, arm="decoder")
        better = one(result, "ks_of_pit", direction=modality, arm="decoder, recalibrated")
        assert plain.value > better.value
        assert better.value < 3.0 * better.chance
        covered = one(
            result, "coverage_68.distribution", direction=modality, arm="decoder, recalibrated"
        )
        assert covered.value == pytest.approx(0.68, abs=0.2)
        near = one(result, "crps.distribution", direction=modality, arm="16 labelled neighbours")
        told = one(result, "crps.distribution", direction=modality, arm="decoder, recalibrated")
        apart = one(
            result,
            "crps_less_that_of_neighbours",
            direction=modality,
            arm="decoder, recalibrated",
        )
        assert apart.value == pytest.approx(told.value - near.value, abs=0.01)
        assert result.facts["recalibration"][modality]["from"] == "fitted here"
        assert result.facts["recalibration"][modality]["objects"] >= 20


def test_figures_are_drawn(result: SuiteResult) -> None:
    titles = [title for title, _ in figures_of("discoveries", result.figures)]
    assert titles == [
        "Coverage of intervals",
        "Probability of a class, and how often it is right",
        "Found among the most discordant",
        "Verdicts on changed observations",
        "Average precision after marking, fake-images",
        "PIT of redshifts: image",
        "PIT of redshifts: spectrum",
        "PIT of redshifts: xp",
    ]


def test_without_files_or_decoder_it_says_so(bench: Bench) -> None:
    recorder = Recorder("discoveries", "", 0)
    bare = Bench(bench.index, queries=30)
    alarms(bare, recorder)
    readouts(bare, recorder)
    assert recorder.skipped == [
        "what a verdict catches, which takes observations and an encoder: name the manifest of "
        "the index",
        "redshifts of the frozen decoder, which take observations and a decoder: name the "
        "manifest of the index",
    ]


def test_files_must_be_those_of_the_index(bench: Bench, files: SurveyFiles) -> None:
    rows = {"fake-images": np.array([0, 5])}
    read = files.observations(bench.index, rows, "image")
    assert sorted(read) == [("fake-images", 0), ("fake-images", 5)]
    encoded = files.encoder(bench.index).encode([(read["fake-images", 5],)])
    pool = pool_of(bench.index, "image")
    vector = bench.index.space("image").apply(encoded.vectors["image"])[0]
    assert vector @ pool.vectors(np.array([5]))[0] == pytest.approx(1.0, abs=1e-3)
    other = replace(files, manifest=fake_manifest(files.manifest.root, ("fake-desi",)))
    with pytest.raises(QueryError, match="the manifest 'fake' has no release 'fake-images'"):
        other.observations(bench.index, rows, "image")
    another = replace(files, open_encoder=lambda: open_fake_encoder("other"))
    with pytest.raises(QueryError, match="must be encoded as the index was, by fake/fake"):
        another.encoder(bench.index)
