"""Properties from labelled neighbours: do their intervals and probabilities hold what they say?

Asked are sources of test cells; no label of these cells takes part, neither as a neighbour nor in
the calibration of the intervals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from aion_encoder.observations import MODALITIES
from indexer.estimates import ClassEstimate, Estimate, NoEstimate, NumberEstimate
from indexer.evaluate.bench import Bench
from indexer.evaluate.forecasts import covered, reliability
from indexer.evaluate.measures import REDSHIFT_SCORES, r_squared
from indexer.evaluate.pool import EXCLUDED_ARCSEC, Pool, pool_of
from indexer.evaluate.records import Gallery, Mode, Recorder
from indexer.evaluate.redshifts import of_some
from indexer.evaluate.unseen import ElsewhereLabels
from indexer.known_values import is_known
from indexer.properties import NEIGHBOURS, PropertyReader

__all__ = ["NUMBERS", "intervals"]

NUMBERS = (
    "z",
    "stellar_mass",
    "sfr",
    "metallicity",
    "age_gyr",
    "temperature_k",
    "logg",
    "mag_r",
)
CLASSES = ("object_class", "spectral_class")

LEAST_QUERIES = 10
_BINS = 10
_ARM = f"{NEIGHBOURS} labelled neighbours"
_REDSHIFT_METRICS = ("sigma_nmad", "outliers_005", "outliers_015", "bias")
_LEVELS = {"68": (0.68, (16.0, 84.0)), "95": (0.95, (2.5, 97.5))}


def intervals(bench: Bench, recorder: Recorder) -> None:
    """Score estimates of every property that is known, by every modality."""
    labels = ElsewhereLabels(bench, (*NUMBERS, *CLASSES))
    reader = PropertyReader(bench.searcher, labels)
    bars: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for modality in MODALITIES:
        pool = pool_of(bench.index, modality)
        for name in labels.names if len(pool) else ():
            values = bench.of(pool, name)
            known = np.zeros(len(pool), bool) if values is None else is_known(values)
            asked = np.flatnonzero(known & labels.hidden(pool))
            if values is None or len(asked) < LEAST_QUERIES:
                recorder.skipped.append(
                    f"{name} from {modality}: {LEAST_QUERIES} labelled objects in test cells are "
                    f"needed, there are {len(asked)}"
                )
                continue
            numbers = bench.picked(asked)
            keys, true = pool.keys(numbers), values[numbers]
            told = _read(bench, reader, keys, modality, name)
            gallery = _gallery(bench, pool, known & ~labels.hidden(pool), name)
            answered = np.array([not isinstance(each, NoEstimate) for each in told])
            common: dict[str, Any] = {"gallery": gallery, "direction": modality}
            recorder.add(
                f"answered.{name}",
                answered.astype(np.float64),
                keys=keys,
                mode="exact",
                arm=_ARM,
                note="the others have no labelled neighbour that is near enough",
                **common,
            )
            if not answered.any():
                continue
            kept = [key for key, yes in zip(keys, answered, strict=True) if yes]
            given = [each for each in told if not isinstance(each, NoEstimate)]
            if name in CLASSES:
                curves += _classes(recorder, name, given, true[answered], kept, common)
            else:
                training = values[known & ~labels.hidden(pool)]
                bars += _numbers(recorder, name, given, true[answered], kept, training, common)
                by_class = _by_class(bench, pool, numbers[answered], given, true[answered])
                recorder.facts.setdefault("coverage_68_by_class", {})[f"{modality}, {name}"] = (
                    by_class
                )
    recorder.figures["coverage"] = bars
    recorder.figures["reliability"] = curves


def _read(
    bench: Bench, reader: PropertyReader, keys: Sequence[str], modality: str, name: str
) -> list[Estimate]:
    queries = [replace(bench.searcher.query_object(key), modality=modality) for key in keys]
    return [reader.read(query, (name,))[0] for query in queries]


def _gallery(bench: Bench, pool: Pool, labelled: np.ndarray[Any, Any], name: str) -> Gallery:
    _, gallery = bench.held_out(
        pool,
        f"{pool.modality} with {name} outside the test cells",
        exclusion=f"{EXCLUDED_ARCSEC:g} arcsec around the query, and its source",
    )
    return replace(gallery, size=int(labelled.sum()))


def _numbers(
    recorder: Recorder,
    name: str,
    given: Sequence[Estimate],
    true: np.ndarray[Any, Any],
    keys: Sequence[str],
    training: np.ndarray[Any, Any],
    common: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Keep coverage and width of the intervals, and how good the medians are."""
    told = [each for each in given if isinstance(each, NumberEstimate)]
    middle = np.array([each.median for each in told])
    bars = []
    for level, (nominal, percentiles) in _LEVELS.items():
        ends = np.array([getattr(each, f"interval_{level}") for each in told]).T
        every = np.percentile(training, percentiles)
        ways: dict[tuple[str, Mode], np.ndarray[Any, Any]] = {
            (_ARM, "exact"): ends,
            ("quantiles of all labels", "baseline"): np.repeat(every[:, None], len(true), axis=1),
        }
        for (arm, mode), (low, high) in ways.items():
            record = recorder.add(
                f"coverage_{level}.{name}",
                covered(low, high, true),
                keys=keys,
                mode=mode,
                arm=arm,
                chance=nominal,
                note=f"chance is what an interval of {100 * nominal:g} % ought to hold",
                **common,
            )
            recorder.add(
                f"width_{level}.{name}",
                high - low,
                keys=keys,
                mode=mode,
                arm=arm,
                statistic="median",
                **common,
            )
            if mode == "exact":
                bars.append(
                    {
                        "what": f"{name}, {common['direction']}",
                        "nominal": nominal,
                        "value": record.value,
                        "low": record.low,
                        "high": record.high,
                    }
                )
    record = recorder.add_statistic(
        f"r2.{name}",
        partial(of_some, r_squared, middle, true),
        len(true),
        mode="exact",
        arm=_ARM,
        **common,
    )
    recorder.add_predictions(record, keys, middle, true)
    for metric in _REDSHIFT_METRICS if name == "z" else ():
        recorder.add_statistic(
            f"{metric}.z",
            partial(of_some, REDSHIFT_SCORES[metric], middle, true),
            len(true),
            mode="exact",
            arm=_ARM,
            **common,
        )
    return bars


def _classes(
    recorder: Recorder,
    name: str,
    given: Sequence[Estimate],
    true: np.ndarray[Any, Any],
    keys: Sequence[str],
    common: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Keep how often the vote is right, and whether it is as sure as it may be."""
    told = [each for each in given if isinstance(each, ClassEstimate)]
    right = np.array([each.best == one for each, one in zip(told, true, strict=True)], np.float64)
    stated = np.array([each.probabilities[each.best] for each in told])
    of_true = np.array(
        [each.probabilities.get(str(one), 0.0) for each, one in zip(told, true, strict=True)]
    )
    squares = np.array([sum(p**2 for p in each.probabilities.values()) for each in told])
    _, counts = np.unique(true, return_counts=True)
    frequency = counts / counts.sum()
    measured: dict[str, tuple[np.ndarray[Any, Any], dict[str, Any]]] = {
        "accuracy": (right, {"chance": float(frequency.max())}),
        "probability_of_truth": (of_true, {"chance": float((frequency**2).sum())}),
        # Of shares of classes, sum (p - [true])^2 = sum p^2 - 2 p_true + 1 (Brier 1950).
        "brier": (
            squares - 2.0 * of_true + 1.0,
            {"chance": float(1.0 - (frequency**2).sum())},
        ),
        "overconfidence": (
            stated - right,
            {"chance": 0.0, "note": "probability of the best class less how often it is right"},
        ),
    }
    for metric, (values, more) in measured.items():
        record = recorder.add(
            f"{metric}.{name}", values, keys=keys, mode="exact", arm=_ARM, **more, **common
        )
        if metric == "accuracy":
            recorder.add_predictions(record, keys, np.array([each.best for each in told]), true)
    what = f"{name}, {common['direction']}"
    return [{"what": what, "bins": list(reliability(stated, right, _BINS))}]


def _by_class(
    bench: Bench,
    pool: Pool,
    numbers: np.ndarray[Any, Any],
    given: Sequence[Estimate],
    true: np.ndarray[Any, Any],
) -> dict[str, Any]:
    """Return the coverage of each class: right on average may be wrong for some."""
    classes = bench.of(pool, "spectral_class")
    if classes is None:
        return {}
    told = [each for each in given if isinstance(each, NumberEstimate)]
    ends = np.array([each.interval_68 for each in told]).T
    inside = covered(ends[0], ends[1], true)
    mine = classes[numbers]
    return {
        str(one) or "unknown": {
            "coverage": round(float(inside[mine == one].mean()), 3),
            "objects": int((mine == one).sum()),
        }
        for one in np.unique(mine)
    }
