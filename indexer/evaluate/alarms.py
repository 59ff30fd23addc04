"""The verdict "out of distribution": how often it is given in vain, and what it catches."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aion_encoder.observations import MODALITIES, Observation
from indexer.evaluate.bench import Bench
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.rankings import area_under_curve
from indexer.evaluate.records import Gallery, Recorder
from indexer.evaluate.searches import exact_lists
from indexer.evaluate.strange import HARMLESS, STRANGE, Change
from indexer.queries import Query
from indexer.search import Searcher
from indexer.verdicts import OUT_PERCENTILE, UNUSUAL_PERCENTILE, Verdict

__all__ = ["alarms"]

CHANGED = 100
"""Objects of a modality that are changed, and encoded, in each way."""

LEAST_OBJECTS = 20
_LEVELS = {"out": OUT_PERCENTILE, "unusual": UNUSUAL_PERCENTILE}
_UNCHANGED = "unchanged"
_NEAR = "2 arcsec around the query, and its source"


def alarms(bench: Bench, recorder: Recorder) -> None:
    """Measure false alarms on objects of test cells; with an encoder, detections as well."""
    bars: list[dict[str, Any]] = []
    for modality in MODALITIES:
        pool = pool_of(bench.index, modality)
        if not len(pool):
            continue
        test, gallery = bench.held_out(pool, modality, exclusion=_NEAR)
        numbers = bench.picked(np.flatnonzero(test))
        if len(numbers) < LEAST_OBJECTS:
            recorder.skipped.append(
                f"verdicts, {modality}: {LEAST_OBJECTS} objects of test cells are needed, there "
                f"are {len(numbers)}"
            )
            continue
        whole = Gallery(modality, len(pool), exclusion="the source of the query")
        _as_built(bench, recorder, pool, numbers, whole)
        _held_out(bench, recorder, pool, test, numbers, gallery)
        if bench.files is not None and modality in STRANGE:
            bars += _changed(
                bench, recorder, pool, bench.picked(numbers, min(CHANGED, bench.queries)), whole
            )
    if bench.files is None:
        recorder.skipped.append(
            "what a verdict catches, which takes observations and an encoder: name the manifest "
            "of the index"
        )
    recorder.figures["alarms"] = bars


def _keep(
    recorder: Recorder,
    metric: str,
    percentiles: np.ndarray[Any, Any],
    keys: Sequence[str],
    **common: Any,
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for level, limit in _LEVELS.items():
        kept[level] = recorder.add(
            f"{metric}.{level}",
            np.where(np.isfinite(percentiles), (percentiles >= limit).astype(np.float64), np.nan),
            keys=keys,
            chance=1.0 - limit / 100.0,
            note=f"chance is the share of the index's own objects beyond the percentile {limit:g}",
            **common,
        )
    return kept


def _as_built(
    bench: Bench, recorder: Recorder, pool: Pool, numbers: np.ndarray[Any, Any], gallery: Gallery
) -> None:
    """Ask for the verdicts that people get: the thresholds know these objects."""
    searcher, keys = bench.searcher, pool.keys(numbers)
    queries = [replace(searcher.query_object(key), modality=pool.modality) for key in keys]
    found = [searcher.verdict(query).percentile for query in queries]
    _keep(
        recorder,
        "false_alarms",
        np.array(found),
        keys,
        gallery=gallery,
        mode="index",
        arm="as built",
        direction=pool.modality,
    )


def _held_out(
    bench: Bench,
    recorder: Recorder,
    pool: Pool,
    test: np.ndarray[Any, Any],
    numbers: np.ndarray[Any, Any],
    gallery: Gallery,
) -> None:
    """Judge objects of test cells by all others: the thresholds do not know them."""
    others = pool.only(~test)
    if len(others) < LEAST_OBJECTS:
        return
    own = _nearest(others, others, bench.picked(np.arange(len(others))))
    asked = _nearest(others, pool, numbers)
    own = np.sort(own[np.isfinite(own)])
    # As in `indexer.verdicts`: the percentage of own objects with a nearer neighbour.
    places = np.linspace(0.0, 100.0, len(own))
    percentiles = np.where(np.isfinite(asked), 100.0 - np.interp(asked, own, places), np.nan)
    _keep(
        recorder,
        "false_alarms",
        percentiles,
        pool.keys(numbers),
        gallery=gallery,
        mode="exact",
        arm="held out",
        direction=pool.modality,
    )


def _nearest(pool: Pool, asking: Pool, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    gone = left_out(pool, asking, numbers, near=True)
    return exact_lists(pool, asking.vectors(numbers), 1, gone).scores[:, 0]


def _changed(
    bench: Bench, recorder: Recorder, pool: Pool, numbers: np.ndarray[Any, Any], gallery: Gallery
) -> list[dict[str, Any]]:
    """Change observations of test cells, encode them, and ask for verdicts as of uploads."""
    files, modality = bench.files, pool.modality
    assert files is not None
    places = pool.places(numbers)
    rows = {
        name: np.array(sorted(row for release, row in places if release == name), np.int64)
        for name in pool.releases
    }
    read = files.observations(bench.index, rows, modality)
    there = [(place, read[place]) for place in places if place in read]
    if len(there) < LEAST_OBJECTS:
        recorder.skipped.append(
            f"changed observations, {modality}: the files hold {len(there)} of the {len(places)} "
            f"objects, {LEAST_OBJECTS} are needed"
        )
        return []
    encoder, searcher = files.encoder(bench.index), bench.searcher
    plain = _verdicts(bench, searcher, encoder, there, None, 0)
    bars = []
    changes: list[tuple[str, str, Change | None]] = [("false_alarms", _UNCHANGED, None)]
    changes += [("false_alarms", name, of) for name, of in HARMLESS[modality].items()]
    changes += [("caught", name, of) for name, of in STRANGE[modality].items()]
    for number, (metric, name, change) in enumerate(changes):
        found = (
            plain if change is None else _verdicts(bench, searcher, encoder, there, change, number)
        )
        known = [(key, each) for key, each in found if each is not None]
        refused = len(found) - len(known)
        if refused:
            recorder.facts.setdefault("refused", {})[f"{modality}, {name}"] = refused
        if not known:
            continue
        keys = [key for key, _ in known]
        percentiles = np.array([each.percentile for _, each in known])
        common: dict[str, Any] = {
            "gallery": gallery,
            "mode": "index",
            "arm": name,
            "direction": f"{modality}, brought",
        }
        kept = _keep(recorder, metric, percentiles, keys, **common)
        bars.append(
            {
                "what": name,
                "direction": modality,
                "strange": metric == "caught",
                **{
                    level: [record.value, record.low, record.high] for level, record in kept.items()
                },
            }
        )
        if metric == "caught":
            _separated(recorder, plain, known, common)
    return bars


def _separated(
    recorder: Recorder,
    plain: Sequence[tuple[str, Verdict | None]],
    strange: Sequence[tuple[str, Verdict]],
    common: Mapping[str, Any],
) -> None:
    """Keep how well the distance alone tells strange from plain, whatever the threshold."""
    own = [-each.score for _, each in plain if each is not None]
    scores = np.array([*own, *(-each.score for _, each in strange)])
    marks = np.repeat([0.0, 1.0], [len(own), len(strange)])
    recorder.add_statistic(
        "auc.strange",
        lambda chosen: area_under_curve(scores[chosen], marks[chosen]),
        len(scores),
        chance=0.5,
        note="of the distance to the nearest neighbour, against the unchanged observations",
        **common,
    )


def _verdicts(
    bench: Bench,
    searcher: Searcher,
    encoder: Any,
    there: Sequence[tuple[tuple[str, int], Observation]],
    change: Change | None,
    number: int,
) -> list[tuple[str, Verdict | None]]:
    """Return key and verdict of each; None where the encoder refuses it."""
    rng = np.random.default_rng([bench.seed, number])
    observations = [each if change is None else change(each, rng) for _, each in there]
    encoded = encoder.encode([(each,) for each in observations])
    found: list[tuple[str, Verdict | None]] = []
    for at, ((release, row), _) in enumerate(there):
        segment = bench.index.segment(release)
        key = f"{release}:{segment.object_id(row)}"
        modality = observations[at].modality
        raw = encoded.vectors[modality][at]
        if not np.isfinite(raw).all():
            found.append((key, None))
            continue
        query = Query(
            kind=_kind(modality),
            text=key,
            modality=modality,
            raw_vector=np.asarray(raw, np.float32),
            ra_deg=float(segment.column("ra_deg")[row]),
            dec_deg=float(segment.column("dec_deg")[row]),
        )
        found.append((key, searcher.verdict(query)))
    return found


def _kind(modality: str) -> Any:
    return modality
