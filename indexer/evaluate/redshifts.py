"""Suite E: redshift from labelled neighbours, by the published recipe and through the index.

Queries are from test cells of the sky, neighbours from all others. Scored are queries that are no
star, as far as classes are known; neighbours may be of any class, and once more no stars either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from aion_encoder.observations import MODALITIES
from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import (
    REDSHIFT_SCORES,
    Score,
    crps,
    redshift_error,
    redshift_scores,
)
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.published import R_SQUARED, bar
from indexer.evaluate.records import Gallery, Mode, Recorder, SuiteResult
from indexer.evaluate.regression import (
    mean_of_neighbours,
    neighbour_weights,
    ridge,
    standardised,
)
from indexer.evaluate.searches import (
    Lists,
    exact_lists,
    feature_lists,
    index_lists,
    random_lists,
)

__all__ = ["NO_STARS", "Question", "asked_of", "of_some", "predictions_of", "redshifts"]

NEIGHBOURS = (16, 64)
RECIPE_NEIGHBOURS = 64
"""Of the reference recipe (AstroCLIP: standardised dimensions, weights by inverse distance)."""

NO_STARS = "; no stars among them"
"""How the name of an arm ends whose neighbours are no stars either."""

LEAST_QUERIES, LEAST_TRAINING = 10, 100
_MAGNITUDE_BINS = 4
_STAR = "STAR"
_SHOWN = 2000


@dataclass(frozen=True, eq=False)
class Question:
    """Objects of test cells that ask for a number, and those that may answer.

    Attributes
    ----------
    train
        The pool that is searched, every object of it labelled; `values` are its labels.
    queries, numbers, true
        The pool of those that ask, which of its objects do, and their labels.
    gallery
        The same in words.
    """

    train: Pool
    values: np.ndarray[Any, Any]
    queries: Pool
    numbers: np.ndarray[Any, Any]
    true: np.ndarray[Any, Any]
    gallery: Gallery


def asked_of(bench: Bench, pool: Pool, label: str, scored: np.ndarray[Any, Any]) -> Question | str:
    """Divide a pool by cells of the sky into those that ask and those that answer.

    Parameters
    ----------
    scored
        True for the objects that may ask.

    Returns
    -------
    The question, or the reason why there is none.
    """
    values = bench.of(pool, label)
    if values is None:
        return f"{label} is not known of any {pool.modality}"
    known = np.isfinite(values)
    pool, values, scored = pool.only(known), values[known], scored[known]
    test, gallery = bench.held_out(
        pool,
        f"{pool.modality} with {label}",
        exclusion="2 arcsec around the query, and its source",
    )
    asking = np.flatnonzero(test & scored)
    if len(asking) < LEAST_QUERIES or (~test).sum() < LEAST_TRAINING:
        return (
            f"{label} from {pool.modality}: {LEAST_QUERIES} labelled objects in test cells and "
            f"{LEAST_TRAINING} in others are needed, there are {len(asking)} and "
            f"{int((~test).sum())}"
        )
    numbers = bench.picked(asking)
    searched = bench.drawn(~test)
    gallery = replace(gallery, size=int(searched.sum()))
    return Question(pool.only(searched), values[searched], pool, numbers, values[numbers], gallery)


def predictions_of(
    bench: Bench, question: Question, neighbours: tuple[int, ...]
) -> dict[tuple[str, Mode], tuple[np.ndarray[Any, Any], Lists | None, np.ndarray[Any, Any] | None]]:
    """Read the number of every query in every way.

    Returns
    -------
    By arm and mode: predictions, and the neighbours with their weights where there are any.
    """
    train, values = question.train, question.values
    vectors = question.queries.vectors(question.numbers)
    gone = left_out(train, question.queries, question.numbers, near=True)
    found: dict[tuple[str, Mode], Any] = {}

    def neighbourly(arm: str, mode: Mode, lists: Lists, *, cosine: bool) -> None:
        weights = neighbour_weights(lists, cosine=cosine)
        found[arm, mode] = (mean_of_neighbours(lists, values, weights), lists, weights)

    for k in neighbours:
        arm = f"{k} neighbours, cosine"
        neighbourly(arm, "exact", exact_lists(train, vectors, k, gone), cosine=True)
        neighbourly(arm, "index", index_lists(train, vectors, k, gone), cosine=True)
    own, asked = standardised(train.vectors(np.arange(len(train))), vectors)
    recipe = feature_lists(own, asked, RECIPE_NEIGHBOURS, gone)
    neighbourly("reference recipe", "exact", recipe, cosine=False)
    lists = random_lists(len(train), neighbours[0], gone, bench.seed)
    even = (lists.numbers >= 0).astype(np.float64)
    arm = f"{neighbours[0]} neighbours, cosine"
    found[arm, "random"] = (mean_of_neighbours(lists, values, even), lists, even)
    found["ridge", "baseline"] = (ridge(own, values, asked), None, None)
    middle = np.full(len(question.numbers), np.median(values))
    found["median", "baseline"] = (middle, None, None)
    shuffled = np.random.default_rng(bench.seed).permutation(values)
    lists = found[f"{neighbours[0]} neighbours, cosine", "exact"][1]
    weights = neighbour_weights(lists, cosine=True)
    told = mean_of_neighbours(lists, shuffled, weights)
    found["shuffled labels", "baseline"] = (told, None, None)
    for name, features_of in bench.baselines.items():
        # Of all objects at once, so that queries and neighbours are brought to one scale.
        features = features_of(question.queries)
        if features is not None:
            at = _numbers_in(question)
            near = feature_lists(features[at], features[question.numbers], neighbours[0], gone)
            neighbourly(f"{neighbours[0]} neighbours, {name}", "baseline", near, cosine=False)
    return found


def _numbers_in(question: Question) -> np.ndarray[Any, Any]:
    """Return the numbers that the training objects have among those that ask."""
    numbers = []
    for release, rows in question.train.rows.items():
        every = question.queries.rows[release]
        numbers.append(question.queries.starts[release] + np.searchsorted(every, rows))
    return np.concatenate(numbers)


def redshifts(bench: Bench) -> SuiteResult:
    """Score redshifts from neighbours, per modality and per release of images."""
    recorder = Recorder("redshifts", "E. Redshift from neighbours", bench.seed)
    shown: list[dict[str, Any]] = []
    for modality in MODALITIES:
        whole = pool_of(bench.index, modality)
        alone = [(name,) for name in whole.releases] if len(whole.releases) > 1 else []
        for releases in ((), *alone):
            pool = pool_of(bench.index, modality, releases=releases)
            if len(pool):
                name = modality if not releases else f"{modality}, {releases[0]}"
                shown += _one(bench, recorder, pool, name)
    recorder.figures["predicted"] = shown
    return recorder.result()


def _one(bench: Bench, recorder: Recorder, pool: Pool, direction: str) -> list[dict[str, Any]]:
    classes = bench.of(pool, "spectral_class")
    scored = np.ones(len(pool), bool) if classes is None else classes != _STAR
    question = asked_of(bench, pool, "z", scored)
    if isinstance(question, str):
        recorder.skipped.append(question)
        return []
    _scores(bench, recorder, question, direction, NEIGHBOURS, "")
    if not scored.all():
        apart = asked_of(bench, pool.only(scored), "z", scored[scored])
        if isinstance(apart, str):
            recorder.skipped.append(f"{apart}, stars left out")
        else:
            _scores(bench, recorder, apart, direction, NEIGHBOURS[:1], NO_STARS)
    return [_shown(question, direction, bench)]


def _scores(
    bench: Bench,
    recorder: Recorder,
    question: Question,
    direction: str,
    neighbours: tuple[int, ...],
    suffix: str,
) -> None:
    keys = question.queries.keys(question.numbers)
    magnitudes = bench.of(question.queries, "mag_r")
    bins = None if magnitudes is None else _bins(magnitudes[question.numbers])
    for (way, mode), (predicted, lists, weights) in predictions_of(
        bench, question, neighbours
    ).items():
        arm = f"{way}{suffix}"
        good = np.isfinite(predicted)
        told, true = predicted[good], question.true[good]
        common: dict[str, Any] = {
            "gallery": question.gallery,
            "mode": mode,
            "arm": arm,
            "direction": direction,
            "k": None if lists is None else lists.numbers.shape[1],
        }
        beside = bar(R_SQUARED["z"].get(question.train.modality, ()))
        for metric, of in REDSHIFT_SCORES.items():
            record = recorder.add_statistic(
                metric,
                partial(of_some, of, told, true),
                len(true),
                **common,
                **(beside if metric == "r2" and mode in ("exact", "index") else {}),
            )
            if metric == "r2":
                asked = [key for key, yes in zip(keys, good, strict=True) if yes]
                recorder.add_predictions(record, asked, told, true)
        if lists is not None and weights is not None:
            values = np.nan_to_num(lists.take(question.values, 0.0))
            recorder.add("crps", crps(values, weights, question.true), keys=keys, **common)
        if bins is not None and mode in ("exact", "index"):
            recorder.facts.setdefault("by_magnitude", {})[f"{direction}; {arm}; {mode}"] = (
                _by_magnitude(bins, predicted, question.true)
            )


def of_some(
    of: Score,
    told: np.ndarray[Any, Any],
    true: np.ndarray[Any, Any],
    chosen: np.ndarray[Any, Any],
) -> Any:
    """Return a score of some of the predictions, for a bootstrap."""
    return of(told[chosen], true[chosen])


def _bins(magnitudes: np.ndarray[Any, Any]) -> Mapping[str, np.ndarray[Any, Any]]:
    """Divide queries into bins of equal number by magnitude."""
    known = np.isfinite(magnitudes)
    if not known.any():
        return {}
    edges = np.quantile(magnitudes[known], np.linspace(0.0, 1.0, _MAGNITUDE_BINS + 1))
    return {
        f"{low:.1f} to {high:.1f}": known
        & (magnitudes >= low)
        & ((magnitudes < high) if at < _MAGNITUDE_BINS - 1 else (magnitudes <= high))
        for at, (low, high) in enumerate(pairwise(edges.tolist()))
    }


def _by_magnitude(
    bins: Mapping[str, np.ndarray[Any, Any]],
    predicted: np.ndarray[Any, Any],
    true: np.ndarray[Any, Any],
) -> dict[str, dict[str, float | int | None]]:
    table: dict[str, dict[str, float | int | None]] = {}
    for name, chosen in bins.items():
        inside = chosen & np.isfinite(predicted)
        scores = redshift_scores(predicted[inside], true[inside])
        table[name] = {
            "queries": int(inside.sum()),
            **{each: round(v, 5) if np.isfinite(v) else None for each, v in scores.items()},
        }
    return table


def _shown(question: Question, direction: str, bench: Bench) -> dict[str, Any]:
    """Return predicted and true redshifts for a figure."""
    k = NEIGHBOURS[0]
    vectors = question.queries.vectors(question.numbers)
    gone = left_out(question.train, question.queries, question.numbers, near=True)
    lists = index_lists(question.train, vectors, k, gone)
    weights = neighbour_weights(lists, cosine=True)
    predicted = mean_of_neighbours(lists, question.values, weights)
    at = bench.picked(np.flatnonzero(np.isfinite(predicted)), _SHOWN)
    return {
        "direction": direction,
        "arm": f"{k} neighbours, cosine, through the index",
        "true": [round(float(each), 4) for each in question.true[at]],
        "predicted": [round(float(each), 4) for each in predicted[at]],
        "error": [
            round(float(each), 4) for each in redshift_error(predicted[at], question.true[at])
        ],
    }
