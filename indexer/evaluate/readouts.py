"""Redshifts as distributions: the frozen decoder's, recalibrated, beside those of neighbours.

The same held-out sources are scored in every way. A recalibration is that of the index, or is
fitted here by the same rule: on sources of validation cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from aion_encoder.errors import EncoderError
from aion_encoder.observations import MODALITIES
from aion_encoder.readouts import RedshiftDistribution
from indexer.estimates import NumberEstimate, weighted_quantile
from indexer.evaluate.bench import Bench
from indexer.evaluate.forecasts import (
    covered,
    expected_distance,
    shares_in_bins,
    uniformity,
    weighted_pit,
)
from indexer.evaluate.measures import REDSHIFT_SCORES, crps
from indexer.evaluate.records import Gallery, Mode, Recorder
from indexer.evaluate.redshifts import of_some
from indexer.evaluate.unseen import ElsewhereLabels
from indexer.labelled import Place
from indexer.neighbours import key_of
from indexer.properties import NEIGHBOURS, PropertyReader
from indexer.redshift_readouts import decoded, fit_readout, known_redshifts
from indexer.sky_parts import TEST, TRAINING, VALIDATION

__all__ = ["readouts"]

SOURCES = 300
"""Sources of a modality that the decoder is asked about, at most."""

LEAST_SOURCES = 20
_BINS = 10
_SHARE = 0.68
_METRICS = ("r2", "sigma_nmad", "outliers_005", "outliers_015", "bias")


@dataclass(frozen=True, eq=False)
class _Told:
    """What one way says of all sources; NaN where it says nothing.

    Attributes
    ----------
    middle
        Median of each distribution.
    low, high
        Ends of its central 68 %.
    pit, crps
        Against the truth.
    """

    middle: np.ndarray[Any, Any]
    low: np.ndarray[Any, Any]
    high: np.ndarray[Any, Any]
    pit: np.ndarray[Any, Any]
    crps: np.ndarray[Any, Any]


def readouts(bench: Bench, recorder: Recorder) -> None:
    """Score distributions of redshift by every modality."""
    if bench.files is None or bench.files.ask_redshift is None:
        recorder.skipped.append(
            "redshifts of the frozen decoder, which take observations and a decoder: name the "
            "manifest of the index"
        )
        return
    if bench.known("z") is None:
        recorder.skipped.append("redshifts of the frozen decoder: z is not known of any object")
        return
    shown: list[dict[str, Any]] = []
    for modality in MODALITIES:
        if modality in bench.index.info.spaces:
            try:
                shown += _one(bench, recorder, modality)
            except EncoderError as error:
                recorder.skipped.append(f"redshifts of the frozen decoder, {modality}: {error}")
    recorder.figures["pit"] = shown


def _one(bench: Bench, recorder: Recorder, modality: str) -> list[dict[str, Any]]:
    index, files, labels = bench.index, bench.files, bench.labels
    assert files is not None
    places, every = known_redshifts(index, labels, modality, TEST)
    chosen = bench.picked(np.arange(len(places)), min(SOURCES, bench.queries))
    asked = [places[at] for at in chosen]
    if len(asked) < LEAST_SOURCES:
        recorder.skipped.append(
            f"redshifts of the frozen decoder, {modality}: {LEAST_SOURCES} sources of known "
            f"redshift in test cells are needed, there are {len(asked)}"
        )
        return []
    answered, stated = decoded(index, files, modality, asked)
    if stated is None or len(answered) < LEAST_SOURCES:
        recorder.skipped.append(
            f"redshifts of the frozen decoder, {modality}: it answers for {len(answered)} of "
            f"{len(asked)} sources, {LEAST_SOURCES} are needed"
        )
        return []
    asked, true = [asked[at] for at in answered], every[chosen][answered]
    ways: dict[tuple[str, Mode], _Told] = {("decoder", "exact"): _of_decoder(stated, true)}
    kept = index.redshift_readout(modality)
    if kept is not None and kept.encoder != index.info.encoder.digest:
        kept = None
    readout = kept or fit_readout(index, files, modality, labels, at_most=bench.queries)
    if isinstance(readout, str):
        recorder.skipped.append(f"recalibrated redshifts, {readout}")
    else:
        ways["decoder, recalibrated", "exact"] = _of_decoder(
            readout.recalibration.apply(stated), true
        )
        recorder.facts.setdefault("recalibration", {})[modality] = {
            "from": "fitted here" if kept is None else "kept with the index",
            "objects": readout.objects,
        }
    ways[f"{NEIGHBOURS} labelled neighbours", "exact"] = _of_neighbours(
        bench, modality, asked, true
    )
    ways["redshifts of all others", "baseline"] = _of_all(bench, modality, true)
    return _kept(bench, recorder, modality, asked, true, ways)


def _of_decoder(told: RedshiftDistribution, true: np.ndarray[Any, Any]) -> _Told:
    ends = told.interval(_SHARE)
    return _Told(told.quantile(0.5), ends[:, 0], ends[:, 1], told.pit(true), told.crps(true))


def _of_weights(
    values: np.ndarray[Any, Any], weights: np.ndarray[Any, Any], true: np.ndarray[Any, Any]
) -> _Told:
    tail = 0.5 * (1.0 - _SHARE)
    levels = (0.5, tail, 1.0 - tail)
    quantiles = np.array(
        [
            weighted_quantile(each, weight, levels) if weight.any() else np.full(3, np.nan)
            for each, weight in zip(values, weights, strict=True)
        ]
    )
    pit, score = weighted_pit(values, weights, true), crps(values, weights, true)
    return _Told(quantiles[:, 0], quantiles[:, 1], quantiles[:, 2], pit, score)


def _of_neighbours(
    bench: Bench, modality: str, asked: Sequence[Place], true: np.ndarray[Any, Any]
) -> _Told:
    reader = PropertyReader(bench.searcher, ElsewhereLabels(bench, ("z",)))
    values = np.zeros((len(asked), NEIGHBOURS))
    weights = np.zeros((len(asked), NEIGHBOURS))
    for at, (release, row) in enumerate(asked):
        key = key_of(bench.index.segment(release), row)
        query = replace(bench.searcher.query_object(key), modality=modality)
        (told,) = reader.read(query, ("z",))
        if isinstance(told, NumberEstimate):
            values[at, : len(told.values)] = told.values
            weights[at, : len(told.values)] = told.weights
    return _of_weights(values, weights, true)


def _of_all(bench: Bench, modality: str, true: np.ndarray[Any, Any]) -> _Told:
    """Tell of every source what is known of all that were not asked: no more than a histogram."""
    parts = [
        known_redshifts(bench.index, bench.labels, modality, part)[1]
        for part in (TRAINING, VALIDATION)
    ]
    every = np.concatenate(parts)
    values = np.broadcast_to(every, (len(true), len(every)))
    return _of_weights(values, np.ones_like(values), true)


def _kept(
    bench: Bench,
    recorder: Recorder,
    modality: str,
    asked: Sequence[Place],
    true: np.ndarray[Any, Any],
    ways: dict[tuple[str, Mode], _Told],
) -> list[dict[str, Any]]:
    keys = [key_of(bench.index.segment(release), row) for release, row in asked]
    gallery = Gallery(
        f"{modality} of known redshift, no stars",
        len(asked),
        split="test cells; recalibrated on validation cells",
        healpix_order=bench.split.order,
        exclusion="the source of the query",
    )
    shown = []
    for (arm, mode), told in ways.items():
        common: dict[str, Any] = {
            "gallery": gallery,
            "mode": mode,
            "arm": arm,
            "direction": modality,
        }
        good = np.isfinite(told.middle) & np.isfinite(told.pit)
        if not good.any():
            continue
        recorder.add("answered.distribution", good.astype(np.float64), keys=keys, **common)
        recorder.add("crps.distribution", told.crps, keys=keys, **common)
        inside = covered(told.low, told.high, true)
        recorder.add(
            "coverage_68.distribution",
            inside,
            keys=keys,
            chance=_SHARE,
            note="chance is what an interval of 68 % ought to hold",
            **common,
        )
        recorder.add(
            "width_68.distribution", told.high - told.low, keys=keys, statistic="median", **common
        )
        recorder.add_interval(
            "ks_of_pit",
            uniformity(told.pit),
            chance=expected_distance(int(good.sum())),
            note="chance is the mean of distributions that are right; interval by Kolmogorov",
            **common,
        )
        for metric in _METRICS:
            recorder.add_statistic(
                f"{metric}.distribution",
                partial(of_some, REDSHIFT_SCORES[metric], told.middle[good], true[good]),
                int(good.sum()),
                note="of the medians",
                **common,
            )
        shown.append(
            {
                "direction": modality,
                "arm": arm,
                "shares": [round(float(each), 4) for each in shares_in_bins(told.pit, _BINS)],
            }
        )
    _differences(recorder, keys, gallery, modality, ways)
    return shown


def _differences(
    recorder: Recorder,
    keys: Sequence[str],
    gallery: Gallery,
    modality: str,
    ways: dict[tuple[str, Mode], _Told],
) -> None:
    """Compare the decoder with the neighbours source by source."""
    near = ways[f"{NEIGHBOURS} labelled neighbours", "exact"]
    for (arm, mode), told in ways.items():
        if arm.startswith("decoder"):
            recorder.add(
                "crps_less_that_of_neighbours",
                told.crps - near.crps,
                keys=keys,
                gallery=gallery,
                mode=mode,
                arm=arm,
                direction=modality,
                chance=0.0,
                note="negative where the decoder is better, on sources that both answer",
            )
