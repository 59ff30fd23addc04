"""Suite F: classes and properties of neighbours, and one source seen by two surveys."""

from functools import partial
from typing import Any

import numpy as np

from aion_encoder.observations import MODALITIES
from indexer.evaluate.bench import Bench
from indexer.evaluate.duplicates import duplicates
from indexer.evaluate.measures import bootstrap, purity, r_squared
from indexer.evaluate.pool import left_out, pool_of
from indexer.evaluate.published import R_SQUARED, bar
from indexer.evaluate.records import Gallery, Mode, Recorder, SuiteResult
from indexer.evaluate.redshifts import asked_of, of_some, predictions_of
from indexer.evaluate.searches import (
    Lists,
    exact_lists,
    feature_lists,
    index_lists,
    random_lists,
)

__all__ = ["classes"]

CLASSES = ("spectral_class", "object_class")
PROPERTIES = ("stellar_mass", "sfr", "metallicity", "age_gyr")
STARS = ("temperature_k", "logg")
_K = 10
_PROPERTY_NEIGHBOURS = (16, 64)
_LEAST = 20


def classes(bench: Bench) -> SuiteResult:
    """Score classes among the ten nearest, properties from neighbours, and twins across surveys."""
    recorder = Recorder("classes", "F. Classes, properties, duplicates", bench.seed)
    confusions: list[dict[str, Any]] = []
    for modality in MODALITIES:
        whole = pool_of(bench.index, modality)
        alone = [(name,) for name in whole.releases] if len(whole.releases) > 1 else []
        for releases in ((), *alone) if len(whole) else ():
            direction = modality if not releases else f"{modality}, {releases[0]}"
            for label in CLASSES:
                confusions += _purity(bench, recorder, modality, releases, direction, label)
            for label in (*PROPERTIES, *STARS) if not releases else ():
                _property(bench, recorder, modality, direction, label)
    recorder.figures["confusion"] = confusions
    duplicates(bench, recorder)
    return recorder.result()


def _purity(
    bench: Bench,
    recorder: Recorder,
    modality: str,
    releases: tuple[str, ...],
    direction: str,
    label: str,
) -> list[dict[str, Any]]:
    pool = pool_of(bench.index, modality, releases=releases)
    values = bench.of(pool, label)
    if values is None or (values != "").sum() < _LEAST:
        recorder.skipped.append(f"{direction}: {label} is not known of {_LEAST} objects")
        return []
    known = values != ""
    pool, values = pool.only(known), values[known]
    test, _ = bench.held_out(pool, direction)
    numbers = (
        bench.picked(np.flatnonzero(test)) if test.any() else bench.picked(np.arange(len(pool)))
    )
    vectors = pool.vectors(numbers)
    limited = bench.gallery is not None and test.any() and not test.all()
    kept = bench.drawn(~test) if limited else np.ones(len(pool), bool)
    searched, answers = pool.only(kept), values[kept]
    gone = left_out(searched, pool, numbers, near=True)
    where = "all others" if limited else "everywhere"
    gallery = Gallery(
        f"{direction} with {label}",
        len(searched),
        split=f"queries from test cells, neighbours from {where}" if test.any() else "all",
        healpix_order=bench.split.order,
        exclusion="2 arcsec around the query, and its source",
    )
    shares = np.unique(answers, return_counts=True)[1] / len(answers)
    ways: dict[tuple[str, Mode], Lists] = {
        ("", "exact"): exact_lists(searched, vectors, _K, gone),
        ("", "index"): index_lists(searched, vectors, _K, gone),
        ("", "random"): random_lists(len(searched), _K, gone, bench.seed),
    }
    for name, features_of in bench.baselines.items():
        # Of all objects at once, so that queries and neighbours are brought to one scale.
        features = features_of(pool)
        if features is not None:
            ways[name, "baseline"] = feature_lists(features[kept], features[numbers], _K, gone)
    keys = pool.keys(numbers)
    confusions = []
    for (arm, mode), lists in ways.items():
        found = lists.take(answers, "")
        recorder.add(
            f"purity.{label}",
            purity(found, values[numbers], _K),
            keys=keys,
            gallery=gallery,
            mode=mode,
            arm=arm,
            direction=direction,
            k=_K,
            chance=float((shares**2).sum()),
        )
        voted = _majority(found)
        right = (voted == values[numbers]).astype(float)
        record = recorder.add(
            f"accuracy.{label}",
            right,
            keys=keys,
            gallery=gallery,
            mode=mode,
            arm=arm,
            direction=direction,
            k=_K,
            chance=float(shares.max()),
            note="class of most of the ten nearest; chance is that of always the commonest class",
        )
        recorder.add_predictions(record, keys, voted, values[numbers])
        if mode == "index":
            confusions.append(_confusion(direction, label, values[numbers], voted))
    return confusions


def _majority(found: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the class of most hits of each query; of equals that of the nearest."""
    voted = []
    for row in found.tolist():
        named = [each for each in row if each]
        votes = {each: (named.count(each), -named.index(each)) for each in named}
        voted.append(max(votes, key=votes.__getitem__, default=""))
    return np.array(voted, dtype=str)


def _confusion(
    direction: str, label: str, true: np.ndarray[Any, Any], voted: np.ndarray[Any, Any]
) -> dict[str, Any]:
    names = sorted({*true.tolist(), *voted.tolist()} - {""})
    counts = [[int(((true == a) & (voted == b)).sum()) for b in names] for a in names]
    return {"direction": direction, "label": label, "names": names, "counts": counts}


def _property(bench: Bench, recorder: Recorder, modality: str, direction: str, label: str) -> None:
    pool = pool_of(bench.index, modality)
    question = asked_of(bench, pool, label, np.ones(len(pool), bool))
    if isinstance(question, str):
        recorder.skipped.append(question)
        return
    keys = question.queries.keys(question.numbers)
    for (arm, mode), (predicted, lists, _) in predictions_of(
        bench, question, _PROPERTY_NEIGHBOURS
    ).items():
        good = np.isfinite(predicted)
        told, true = predicted[good], question.true[good]
        common: dict[str, Any] = {
            "gallery": question.gallery,
            "mode": mode,
            "arm": arm,
            "direction": direction,
            "k": None if lists is None else lists.numbers.shape[1],
        }
        same_task = label in PROPERTIES and mode in ("exact", "index")
        beside = bar(R_SQUARED["properties"].get(modality, ()) if same_task else ())
        if beside:
            common["note"] = "the bar is the mean over mass, metallicity, age and star formation"
        record = recorder.add_statistic(
            f"r2.{label}",
            partial(of_some, r_squared, told, true),
            len(true),
            **common,
            **beside,
        )
        recorder.add_predictions(
            record, [key for key, yes in zip(keys, good, strict=True) if yes], told, true
        )
        if label in STARS and lists is not None:
            apart = np.abs(lists.take(question.values, np.nan) - question.true[:, None])
            with np.errstate(invalid="ignore"):
                spread = np.sqrt(np.nanmean(apart**2, axis=1))
            recorder.add(f"scatter.{label}", spread, keys=keys, statistic="median", **common)
    recorder.facts.setdefault("spread", {})[f"{direction}, {label}"] = {
        "standard_deviation": round(float(np.std(question.true)), 4),
        "median": round(bootstrap(question.true, 0, "median").value, 4),
    }
