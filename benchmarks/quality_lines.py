"""A line of the table: one measure of the index, what stands beside it, and what it should be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.paired import Sample, Statistic, joined, mean, sample_of
from benchmarks.quality_features import FROZEN_MEAN, PCA
from indexer.evaluate.bench import PHOTOMETRY
from indexer.evaluate.measures import Interval
from indexer.evaluate.records import Record, SuiteResult

__all__ = [
    "BASELINES",
    "Found",
    "Line",
    "Ways",
    "about",
    "above_baselines",
    "beside",
    "line_of",
    "with_bar",
]

BASELINES: Mapping[str, str] = {
    PCA: "pca",
    PHOTOMETRY: "colour",
    FROZEN_MEAN: "frozen_mean",
}
"""Names of baselines in an evaluation, and in keys."""

Ways = Mapping[str, Sample]
"""Queries of one measure by how neighbours were found: index, exact, random, or a baseline."""


@dataclass(frozen=True)
class Line:
    """One measure.

    Attributes
    ----------
    key
        Its name among the keys.
    title
        In words.
    section
        Part of the page where it stands.
    values
        ``index`` and whatever stands beside it.
    differences
        Index minus a baseline, over the same queries.
    gallery
        Objects that were searched; 0 where it differs.
    chance
        What a random order gives in expectation; NaN where unknown.
    bar, rule
        Our own target, and what it asks in words; NaN and empty without one.
    reached
        Whether it is met; None without one.
    published
        A published value of the same formula, and whose.
    own
        What is put behind the key for the value of the index; empty for the key alone.
    note
        What must be known beside the number.
    part
        Whether it is of one release, below a line of all.
    """

    key: str
    title: str
    section: str
    values: Mapping[str, Interval]
    differences: Mapping[str, Interval] = field(default_factory=dict)
    gallery: int = 0
    chance: float = np.nan
    bar: float = np.nan
    rule: str = ""
    reached: bool | None = None
    published: str = ""
    own: str = ""
    note: str = ""
    part: bool = False

    @property
    def value(self) -> Interval:
        """What the index gives."""
        return self.values["index"]

    def flat(self) -> dict[str, float]:
        """Return all its numbers under flat keys; those that are unknown are left out."""
        numbers: dict[str, float] = {}
        for name, interval in self.values.items():
            key = f"{self.key}{self.own}" if name == "index" else f"{self.key}.{name}"
            numbers |= _of_interval(key, interval)
        for name, interval in self.differences.items():
            numbers |= _of_interval(f"{self.key}.minus_{name}", interval)
        numbers[f"{self.key}.queries"] = self.value.queries
        numbers[f"{self.key}.gallery"] = self.gallery or np.nan
        numbers[f"{self.key}.chance"] = self.chance
        numbers[f"{self.key}.bar"] = self.bar
        numbers[f"{self.key}.reached"] = np.nan if self.reached is None else float(self.reached)
        return {key: round(number, 6) for key, number in numbers.items() if np.isfinite(number)}


def _of_interval(key: str, interval: Interval) -> dict[str, float]:
    return {key: interval.value, f"{key}.low": interval.low, f"{key}.high": interval.high}


@dataclass(frozen=True, eq=False)
class Found:
    """The numbers of one suite, to be looked up.

    Attributes
    ----------
    result
        Of the suite.
    """

    result: SuiteResult

    def records(self, metric: str, **wanted: Any) -> list[tuple[int, Record]]:
        """Return records and their places, of one metric and with given attributes."""
        return [
            (at, each)
            for at, each in enumerate(self.result.records)
            if each.metric == metric
            and all(getattr(each, name) == value for name, value in wanted.items())
        ]

    def directions(self, metric: str) -> list[str]:
        """Return the directions in which there is a metric, in their order."""
        return list(
            dict.fromkeys(each.direction for each in self.result.records if each.metric == metric)
        )

    def record(self, metric: str, **wanted: Any) -> Record | None:
        """Return the first of such records."""
        found = self.records(metric, **wanted)
        return found[0][1] if found else None

    def sample(self, metric: str, **wanted: Any) -> Sample | None:
        """Return the queries behind the first of such records; None without one or any query."""
        found = self.records(metric, **wanted)
        sample = sample_of(self.result, found[0][0]) if found else None
        return sample if sample is not None and sample.keys else None

    def ways(
        self,
        metric: str,
        arm: str = "",
        baseline: str = "{}",
        **wanted: Any,
    ) -> dict[str, Sample]:
        """Return the queries of one measure in every way in which it was measured.

        Parameters
        ----------
        baseline
            The arm of a baseline, with braces where its name goes.
        """
        asked = {mode: (mode, arm) for mode in ("index", "exact", "random")}
        asked |= {short: ("baseline", baseline.format(name)) for name, short in BASELINES.items()}
        found = {
            way: self.sample(metric, mode=mode, arm=of_arm, **wanted)
            for way, (mode, of_arm) in asked.items()
        }
        return {way: sample for way, sample in found.items() if sample is not None}


def beside(parts: Sequence[Ways]) -> dict[str, Sample]:
    """Join the queries of several releases, of every way that all of them have."""
    return {
        way: joined([part[way] for part in parts])
        for way in (parts[0] if parts else {})
        if all(way in part for part in parts)
    }


def line_of(
    key: str,
    title: str,
    section: str,
    ways: Ways,
    *,
    within: Ways | None = None,
    of: Statistic = mean,
    seed: int,
    **more: Any,
) -> Line | None:
    """Return a line; None if the index gave nothing.

    Parameters
    ----------
    ways
        Queries of the measure itself.
    within
        The same with every release asked and searched by itself, which gives the baselines that
        cannot compare releases; their difference is from the index doing the same.
    of
        The statistic.
    seed
        Of the intervals.
    """
    within = within or {}
    if "index" not in ways:
        return None
    values = {name: sample.interval(of, seed) for name, sample in ways.items()}
    differences = {
        name: ways["index"].minus(ways[name], of, seed)
        for name in BASELINES.values()
        if name in ways
    }
    if "index" in within:
        values["within_releases"] = within["index"].interval(of, seed)
        for name in set(BASELINES.values()) & set(within) - set(ways):
            values[name] = within[name].interval(of, seed)
            differences[name] = within["index"].minus(within[name], of, seed)
    return Line(key, title, section, values, differences, **more)


def about(record: Record | None) -> dict[str, Any]:
    """Return gallery, chance and published value of a record, as a line takes them."""
    if record is None:
        return {}
    known = np.isfinite(record.bar)
    return {
        "gallery": record.gallery.size,
        "chance": record.chance,
        "published": f"{record.bar:g} {record.bar_of}" if known else "",
    }


def with_bar(line: Line | None, bar: float, *, at_most: bool = False) -> Line | None:
    """Return a line with a bar, and whether its value reaches it."""
    if line is None or not np.isfinite(bar):
        return line
    value = line.value.value
    reached = value <= bar if at_most else value >= bar
    rule = f"{'at most' if at_most else 'at least'} {bar:.3g}"
    return replace(line, bar=bar, rule=rule, reached=bool(reached))


def above_baselines(line: Line | None, names: Sequence[str], words: str) -> Line | None:
    """Ask in addition that the interval of a difference lies above 0."""
    if line is None:
        return None
    above = all(name in line.differences and line.differences[name].low > 0.0 for name in names)
    rule = f"{line.rule}, {words}" if line.rule else words
    return replace(line, rule=rule, reached=above and line.reached is not False)
