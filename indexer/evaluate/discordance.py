"""Discordant sources: how much more frequent is what is rare among the most discordant?

Only columns of the catalogue take part in the ranking; labels are for the scores alone. A source
that several pairs of releases share counts once, by the pair in which it is most discordant.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from indexer.discordant import Discordants, find_discordant
from indexer.errors import SearchError
from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import redshift_error
from indexer.evaluate.rankings import area_under_curve, enrichment
from indexer.evaluate.records import Gallery, Mode, Recorder
from indexer.sky_parts import sources_of

__all__ = ["discordance"]

FIRST = (50, 100)
FIRST_SHARE = 0.05
LEAST_MARKED = 5
PERMUTATIONS = 50

PLANTED_SHARE = 0.03
"""Of sources with a known redshift, how many are given that of another one."""

WRONG = 0.05
"""A redshift is wrong from this |z - z_true| / (1 + z_true) on."""

_CURVE_POINTS = 100


def discordance(bench: Bench, recorder: Recorder) -> None:
    """Score the ranking by what it brings to the top, and its two parts alone."""
    try:
        every = find_discordant(bench.index)
    except SearchError as error:
        recorder.skipped.append(f"discordant sources: {error}")
        return
    found = _once(bench, every)
    gallery = Gallery(
        "sources with a picture and a spectrum, each once",
        len(found),
        exclusion="the source itself",
    )
    recorder.facts["discordant"] = {
        "sources": len(found),
        "in_pairs_of_releases": len(every),
        "compared": dict(found.receipt["compared"]),
    }
    apart = np.minimum(1.0, found.image_in_spectra + found.spectrum_in_images)
    scores = {
        "score": found.score,
        "vectors alone": apart,
        "properties of neighbours alone": np.nan_to_num(found.difference, nan=-1.0),
    }
    curves: list[dict[str, Any]] = []
    for kind, marks in _kinds(bench, found).items():
        if marks.sum() < LEAST_MARKED:
            recorder.skipped.append(
                f"discordant, {kind}: {LEAST_MARKED} sources are needed, there are "
                f"{int(marks.sum())}"
            )
            continue
        for arm, values in scores.items():
            _ranked(recorder, kind, arm, values, marks, gallery)
        _random(bench, recorder, kind, marks, gallery)
        curves.append(_curve(kind, marks))
    _wrong_redshifts(bench, recorder, found, gallery)
    recorder.figures["enrichment"] = curves


def _once(bench: Bench, found: Discordants) -> Discordants:
    """Keep of every source its first place: one that is seen twice is no second piece of luck."""
    sources = sources_of(bench.index)
    numbers = [sources[name][row] for name, row in _rows(bench, found)]
    _, first = np.unique(np.array(numbers), return_index=True)
    kept = np.sort(first)
    columns = {name: values[kept] for name, values in found.columns().items()}
    return Discordants(found.receipt, **columns)


def _rows(bench: Bench, found: Discordants) -> list[tuple[str, int]]:
    places = []
    for key in found.image_key.tolist():
        release, _, object_id = key.partition(":")
        row = bench.index.segment(release).row_of(object_id)
        assert row is not None
        places.append((release, row))
    return places


def _kinds(bench: Bench, found: Discordants) -> Mapping[str, np.ndarray[Any, Any]]:
    kinds = {}
    lenses = _of_sources(bench, found, "is_lens")
    if lenses is not None:
        kinds["lenses"] = lenses == 1.0
    classes = _of_sources(bench, found, "spectral_class")
    if classes is not None:
        kinds["quasars"] = np.char.upper(classes.astype(str)) == "QSO"
    return kinds


def _of_sources(bench: Bench, found: Discordants, label: str) -> np.ndarray[Any, Any] | None:
    known = bench.known(label)
    if known is None:
        return None
    return np.array([known[release][row] for release, row in _rows(bench, found)])


def _ranked(
    recorder: Recorder,
    kind: str,
    arm: str,
    scores: np.ndarray[Any, Any],
    marks: np.ndarray[Any, Any],
    gallery: Gallery,
    mode: Mode = "exact",
) -> None:
    """Keep enrichments and the area under the curve of one ranking."""
    order = np.argsort(-scores, kind="stable")
    ordered, descending = marks[order].astype(np.float64), scores[order]
    count = len(order)
    common: dict[str, Any] = {"mode": mode, "arm": arm, "direction": kind, "gallery": gallery}
    for first in _depths(count):
        share = first / count
        recorder.add_statistic(
            "enrichment",
            partial(_drawn_again, ordered, first),
            count,
            k=first,
            chance=1.0,
            note=f"{int(ordered[:first].sum())} among the first {first} ({100 * share:.1f} % of "
            f"all), {int(ordered.sum())} of {count} in all; at most "
            f"{min(1.0 / share, 1.0 / ordered.mean()):.1f}",
            **common,
        )
    recorder.add_statistic(
        "auc",
        lambda chosen: area_under_curve(descending[chosen], ordered[chosen]),
        count,
        chance=0.5,
        **common,
    )


def _drawn_again(
    ordered: np.ndarray[Any, Any], first: int, chosen: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the enrichment of some of a ranking; sorted, they keep their order in it."""
    return enrichment(ordered[np.sort(chosen, axis=-1)], first)


def _depths(count: int) -> tuple[int, ...]:
    share = max(1, round(FIRST_SHARE * count))
    return tuple(dict.fromkeys((*(each for each in FIRST if each < count), share)))


def _random(
    bench: Bench,
    recorder: Recorder,
    kind: str,
    marks: np.ndarray[Any, Any],
    gallery: Gallery,
) -> None:
    rng = np.random.default_rng(bench.seed)
    orders = np.stack([rng.permutation(len(marks)) for _ in range(PERMUTATIONS)])
    shuffled = marks[orders].astype(np.float64)
    keys = [f"permutation {each}" for each in range(PERMUTATIONS)]
    common: dict[str, Any] = {
        "keys": keys,
        "mode": "random",
        "arm": "score",
        "direction": kind,
        "gallery": gallery,
        "note": f"{PERMUTATIONS} permutations, seed {bench.seed}",
    }
    for first in _depths(len(marks)):
        recorder.add("enrichment", enrichment(shuffled, first), k=first, chance=1.0, **common)
    down = -np.broadcast_to(np.arange(len(marks)), shuffled.shape)
    recorder.add("auc", area_under_curve(down, shuffled), chance=0.5, **common)


def _curve(kind: str, marks: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return the share of what is looked for that is found, over the share of all looked at."""
    found = np.cumsum(marks) / marks.sum()
    at = np.unique(np.linspace(0, len(marks) - 1, _CURVE_POINTS).astype(np.int64))
    return {
        "kind": kind,
        "looked_at": [round(float(each), 4) for each in (at + 1) / len(marks)],
        "found": [round(float(each), 4) for each in found[at]],
    }


def _wrong_redshifts(
    bench: Bench, recorder: Recorder, found: Discordants, gallery: Gallery
) -> None:
    """Find redshifts that are wrong by how far they are from those of neighbours.

    The score of a source does not look at its own redshift; the columns beside it do.
    """
    known = np.isfinite(found.redshift) & np.isfinite(found.spectrum_redshift)
    stated, neighbours = found.redshift[known], found.spectrum_redshift[known]
    true = _of_sources(bench, found, "z")
    own = bench.labels is not None and "z" in bench.labels.names
    if true is not None and own:
        wrong = np.abs(redshift_error(stated, true[known].astype(np.float64))) > WRONG
        recorder.facts["discordant"]["wrong_redshifts_in_the_catalogue"] = int(wrong.sum())
        if wrong.sum() >= LEAST_MARKED:
            apart = np.abs(redshift_error(neighbours, stated))
            _ranked(recorder, "wrong redshifts", "redshift of neighbours", apart, wrong, gallery)
    rng = np.random.default_rng(bench.seed)
    count = round(PLANTED_SHARE * len(stated))
    if count < LEAST_MARKED:
        recorder.skipped.append(
            f"planted wrong redshifts: {LEAST_MARKED} are needed, {PLANTED_SHARE:.0%} of the "
            f"{len(stated)} sources with a redshift are {count}"
        )
        return
    changed = rng.choice(len(stated), count, replace=False)
    planted = stated.copy()
    planted[changed] = stated[rng.permutation(changed)]
    wrong = np.abs(redshift_error(planted, stated)) > WRONG
    size = Gallery("sources with a known redshift", len(stated), exclusion=gallery.exclusion)
    beside = {
        "redshift of neighbours in spectra": neighbours,
        "redshift of neighbours in pictures": found.image_redshift[known],
    }
    for arm, median in beside.items():
        apart = np.nan_to_num(np.abs(redshift_error(median, planted)), nan=0.0)
        _ranked(recorder, "planted wrong redshifts", arm, apart, wrong, size)
