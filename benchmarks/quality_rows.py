"""Records of suites -> the lines of the table, in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.paired import Statistic, mean, r2, r2_log
from benchmarks.quality_lines import (
    Found,
    Line,
    Ways,
    about,
    above_baselines,
    beside,
    line_of,
    with_bar,
)
from benchmarks.quality_overlap import PERTURBATIONS, UNCHANGED
from benchmarks.quality_sources import partner_lines, twin_lines
from indexer.evaluate.fidelity import LISTS_ARM
from indexer.evaluate.records import Record, SuiteResult
from indexer.evaluate.redshifts import NO_STARS

__all__ = ["flat_keys", "lines_of"]

NEIGHBOURS = "Neighbours within a modality"
LOOK = "Spiral arms, mergers and lenses"
STEADY = "Images turned, flipped and shifted"
APPROXIMATE = "Approximate search"

_COSINE = "16 neighbours, cosine"
_K = 10
_TOP = "50 highest fractions"
_TWICE = 2.0

_CLASS_BARS = {
    ("spectrum", "spectral_class"): 0.95,
    ("image", "object_class"): 0.80,
}
"""The class that the bar is about has the plain key: three classes for spectra, ten for images."""

_REDSHIFT_BARS = {"spectrum": 0.95, "image": 0.65}
_OVERLAP_BAR, _RECALL_BAR = 0.7, 0.99


def lines_of(
    results: Sequence[SuiteResult], surveys: Mapping[str, str], *, gallery: int | None, seed: int
) -> tuple[Line, ...]:
    """Return all lines that the suites have numbers for.

    Parameters
    ----------
    results
        Of the suites, and of `benchmarks.quality_overlap`.
    surveys
        By release the short name of its survey, for keys.
    gallery
        Objects that were searched for partners, as the evaluation was asked.
    seed
        Of the intervals.
    """
    found = {each.name: Found(each) for each in results}
    lines: list[Line | None] = []
    for modality in ("spectrum", "image"):
        if "classes" in found:
            lines += _classes(found["classes"], modality, surveys, seed)
        if "redshifts" in found:
            lines += _redshifts(found["redshifts"], modality, surveys, seed)
    for name, looked_for in (("morphology", ("spiral", "merger")), ("lenses", ("lens",))):
        for each in looked_for if name in found else ():
            lines += _ndcg(found[name], each, surveys, seed)
    for own, to in (("image", "spectrum"), ("spectrum", "image")):
        if "partners" in found:
            lines += partner_lines(found["partners"], f"{own}_to_{to}", gallery, surveys, seed)
    if "classes" in found:
        lines += twin_lines(found["classes"], surveys, seed)
    if "overlap" in found:
        lines += _overlaps(found["overlap"], surveys, seed)
    if "fidelity" in found:
        lines += _recalls(found["fidelity"], seed)
    return tuple(each for each in lines if each is not None)


def flat_keys(lines: Sequence[Line]) -> dict[str, float]:
    """Return the numbers of all lines under flat keys."""
    return {key: number for line in lines for key, number in line.flat().items()}


def _space_lines(
    key: str,
    title: str,
    modality: str,
    ways_in: Any,
    found: Found,
    metric: str,
    arm: str,
    surveys: Mapping[str, str],
    of: Statistic,
    bar: float,
    seed: int,
) -> list[Line | None]:
    """Return the line of a space, and below it one for every release by itself."""
    own = [each for each in found.directions(metric) if each.startswith(f"{modality}, ")]
    parts = {each: ways_in(direction=each) for each in own}
    record = found.record(metric, mode="index", arm=arm, direction=modality)
    line = line_of(
        key,
        title,
        NEIGHBOURS,
        ways_in(direction=modality),
        within=beside(list(parts.values())),
        of=of,
        seed=seed,
        **about(record),
    )
    lines = [above_baselines(with_bar(line, bar), ("pca",), "above the 64 components")]
    for direction, ways in parts.items():
        survey = surveys[direction.partition(", ")[2]]
        record = found.record(metric, mode="index", arm=arm, direction=direction)
        kept = about(record) | {"published": "", "part": True}
        place, _, measured = title.partition(":")
        one = line_of(
            f"{key}.{survey}",
            f"{place}, {survey} alone:{measured}",
            NEIGHBOURS,
            ways,
            of=of,
            seed=seed,
            **kept,
        )
        lines.append(above_baselines(one, ("pca",), "above the 64 components"))
    return lines


def _classes(
    found: Found, modality: str, surveys: Mapping[str, str], seed: int
) -> list[Line | None]:
    lines: list[Line | None] = []
    words = {"spectral_class": "spectral class", "object_class": "object class"}
    order = sorted(words, key=lambda label: (modality, label) not in _CLASS_BARS)
    for label in order:
        bar = _CLASS_BARS.get((modality, label), np.nan)
        metric = f"purity.{label}"
        lines += _space_lines(
            f"{modality}.{'class' if np.isfinite(bar) else label}_purity_at_10",
            f"{modality} space: purity@10 of {words[label]}",
            modality,
            partial(found.ways, metric),
            found,
            metric,
            "",
            surveys,
            mean,
            bar,
            seed,
        )
    return lines


def _redshifts(
    found: Found, modality: str, surveys: Mapping[str, str], seed: int
) -> list[Line | None]:
    lines: list[Line | None] = []
    for suffix, end, words in (("", "", ""), (NO_STARS, "_no_stars", ", no star a neighbour")):
        for of, log, scale in ((r2, "", "z"), (r2_log, "_log", "log10(1 + z)")):
            arm = f"{_COSINE}{suffix}"
            measured = _space_lines(
                f"{modality}.redshift_r2{log}{end}",
                f"{modality} space: R2 of {scale} from 16 neighbours{words}",
                modality,
                partial(
                    found.ways,
                    "r2",
                    arm,
                    f"16 neighbours, {{}}{suffix}",
                ),
                found,
                "r2",
                arm,
                surveys,
                of,
                _REDSHIFT_BARS[modality],
                seed,
            )
            # Published values are of z itself.
            lines += [each and (replace(each, published="") if log else each) for each in measured]
    return lines


def _ndcg(
    found: Found, looked_for: str, surveys: Mapping[str, str], seed: int
) -> list[Line | None]:
    metric = f"ndcg.{looked_for}"
    parts: dict[str, Ways] = {}
    records: dict[str, Record] = {}
    for direction in found.directions(metric):
        asking, _, searched = direction.partition("_to_")
        if searched not in ("", asking):
            continue
        lens_arms = ("grade A", "every lens")
        arms = (
            [_TOP]
            if looked_for != "lens"
            else [arm for arm in lens_arms if found.record(metric, direction=direction, arm=arm)]
        )
        formula = found.record(metric, direction=direction, mode="index", k=_K)
        if not arms or formula is None:
            continue
        # The first records are those that leave out the query alone, in the whole pool.
        wanted = {"direction": direction, "k": _K, "formula": formula.formula}
        parts[asking] = found.ways(metric, arms[0], f"{arms[0]}; {{}}", **wanted)
        record = found.record(metric, mode="index", arm=arms[0], **wanted)
        if record is not None:
            records[asking] = record
    titles = {"spiral": "spiral arms", "merger": "mergers", "lens": "lenses"}
    lines = []
    whole = beside(list(parts.values()))
    for asking, ways in {"": whole, **(parts if len(parts) > 1 else {})}.items():
        first = records.get(asking or next(iter(records), ""))
        line = line_of(
            f"image.ndcg10.{looked_for}" + (f".{surveys[asking]}" if asking else ""),
            f"image space, {surveys[asking] if asking else 'each release'} alone: nDCG@10 of "
            f"{titles[looked_for]}",
            LOOK,
            ways,
            seed=seed,
            own=".index",
            part=bool(asking),
            **({**about(first), "gallery": first.gallery.size if asking else 0} if first else {}),
        )
        if line is not None and "random" in line.values:
            line = with_bar(line, _TWICE * line.values["random"].value)
        lines.append(above_baselines(line, ("pca", "colour"), "above components and colours"))
    return lines


def _overlaps(found: Found, surveys: Mapping[str, str], seed: int) -> list[Line | None]:
    lines = []
    for name in (*PERTURBATIONS, UNCHANGED):
        for direction in found.directions("overlap"):
            line = line_of(
                f"overlap.{name.replace(' ', '_')}.{surveys[direction]}",
                f"{surveys[direction]}, {name}: overlap@10 with the clean query",
                STEADY,
                found.ways("overlap", name, f"{name}; {{}}", direction=direction),
                seed=seed,
                **about(found.record("overlap", arm=name, direction=direction)),
            )
            lines.append(with_bar(line, _OVERLAP_BAR if name != UNCHANGED else np.nan))
    return lines


def _recalls(found: Found, seed: int) -> list[Line | None]:
    lines = []
    for direction in found.directions("recall"):
        if "_to_" not in direction:
            continue
        lists = found.ways("recall", LISTS_ARM, direction=direction, k=_K)
        own = found.ways("recall", "", direction=direction, k=_K)
        asked = found.ways("recall", "searcher", direction=direction, k=_K)
        if "index" not in own:
            continue
        ways = {"index": lists.get("index", own["index"])}
        ways |= {"random": own["random"]} if "random" in own else {}
        ways |= {"own_files": own["index"]}
        ways |= {"searcher": asked["index"]} if "index" in asked else {}
        line = line_of(
            f"ann.recall_at_10.{direction}",
            f"{direction.replace('_', ' ')}: recall@10 of approximate search",
            APPROXIMATE,
            ways,
            seed=seed,
            note=LISTS_ARM if lists else "the index's own files, which compare every vector",
            **about(found.record("recall", direction=direction, k=_K, mode="index")),
        )
        lines.append(with_bar(line, _RECALL_BAR))
    return lines
