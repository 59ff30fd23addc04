"""Results of a suite: one record a number, and one row a query behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from indexer.evaluate.measures import Interval, bootstrap, bootstrap_of
from indexer.queries import plain_number

__all__ = ["SWEEP", "Gallery", "Mode", "Record", "Recorder", "SuiteResult"]

Mode = Literal["exact", "index", "random", "baseline"]
"""How neighbours were found: every vector compared; through the FAISS files; in random order; by
something other than the encoder's vectors."""

SWEEP = "nprobe "
"""How the name of an arm begins that is one setting of a sweep."""

QUERY_SCHEMA = pa.schema(
    [
        ("suite", pa.string()),
        ("arm", pa.string()),
        ("direction", pa.string()),
        ("mode", pa.string()),
        ("metric", pa.string()),
        ("k", pa.int32()),
        ("gallery", pa.string()),
        ("record", pa.int32()),
        ("query", pa.string()),
        ("value", pa.float64()),
        ("rank", pa.int64()),
        ("predicted", pa.string()),
        ("true", pa.string()),
    ]
)
"""Columns of the rows behind the numbers. `record` is the place, in its suite, of the number that a
row stands behind; `rank` is that of the target, `predicted` and `true` a number or a class; each
null where it has no meaning."""


@dataclass(frozen=True)
class Gallery:
    """What was searched.

    Attributes
    ----------
    name
        In words.
    size
        Objects.
    split
        Which cells of the sky the queries and the gallery are from.
    healpix_order, cells_sha256
        Of that split; None and empty where there is none.
    exclusion
        What does not count among the hits of a query.
    """

    name: str
    size: int
    split: str = "all"
    healpix_order: int | None = None
    cells_sha256: str = ""
    exclusion: str = "the query"


@dataclass(frozen=True)
class Record:
    """One number of a suite, with everything needed to compare it with another.

    Attributes
    ----------
    suite, arm, direction
        Where it belongs; the direction is such as ``image_to_spectrum`` or a release.
    metric, formula, k
        What was computed.
    mode
        How neighbours were found.
    value, low, high
        The number and its 95 % bootstrap interval over queries; NaN where there is none.
    queries
        How many.
    gallery
        What was searched.
    chance
        What a random order gives, or the ceiling where the metric says so; NaN where unknown.
    bar, bar_of
        A published value with the same formula, and whose it is; NaN and empty without one.
    note
        What must be known beside the number.
    """

    suite: str
    arm: str
    direction: str
    metric: str
    mode: Mode
    value: float
    low: float
    high: float
    queries: int
    gallery: Gallery
    k: int | None = None
    formula: str = ""
    chance: float = np.nan
    bar: float = np.nan
    bar_of: str = ""
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the record as plain values; numbers that are unknown are None."""
        values = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "gallery":
                value = {one.name: getattr(value, one.name) for one in fields(value)}
            elif isinstance(value, float):
                value = plain_number(round(value, 6))
            values[each.name] = value
        return values


@dataclass(frozen=True, eq=False)
class SuiteResult:
    """Everything that a suite found.

    Attributes
    ----------
    name, title
        Of the suite.
    records
        Its numbers.
    rows
        One row a query, columns `QUERY_SCHEMA`.
    facts
        Counts and settings, plain values.
    figures
        What figures draw: plain values by the name of the figure.
    skipped
        Why the suite, or a part of it, was not run; in sentences.
    """

    name: str
    title: str
    records: tuple[Record, ...]
    rows: pa.Table
    facts: Mapping[str, Any]
    figures: Mapping[str, Any]
    skipped: tuple[str, ...] = ()


@dataclass(eq=False)
class Recorder:
    """Gathers the numbers of one suite.

    Attributes
    ----------
    suite, title
        Its name.
    seed
        Of the intervals.
    """

    suite: str
    title: str
    seed: int
    facts: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    _records: list[Record] = field(default_factory=list)
    _rows: list[pa.Table] = field(default_factory=list)

    def add(
        self,
        metric: str,
        values: np.ndarray[Any, Any],
        *,
        keys: Sequence[str],
        gallery: Gallery,
        mode: Mode,
        arm: str = "",
        direction: str = "",
        statistic: Literal["mean", "median"] = "mean",
        rank: np.ndarray[Any, Any] | None = None,
        **more: Any,
    ) -> Record:
        """Keep one value a query, and their mean or median with its interval."""
        interval = bootstrap(values, self.seed, statistic)
        record = self._keep(metric, interval, gallery, mode, arm, direction, more)
        self._query_rows(record, keys, values=values, rank=rank)
        return record

    def add_statistic(
        self,
        metric: str,
        of: Callable[[np.ndarray[Any, Any]], Any],
        count: int,
        *,
        gallery: Gallery,
        mode: Mode,
        arm: str = "",
        direction: str = "",
        **more: Any,
    ) -> Record:
        """Keep a number that is no mean over queries, such as R2.

        Parameters
        ----------
        of
            Returns the number for some of the queries, which may repeat, along the last axis.
        count
            How many queries there are.
        """
        interval = bootstrap_of(of, count, self.seed)
        return self._keep(metric, interval, gallery, mode, arm, direction, more)

    def add_interval(
        self,
        metric: str,
        interval: Interval,
        *,
        gallery: Gallery,
        mode: Mode,
        arm: str = "",
        direction: str = "",
        **more: Any,
    ) -> Record:
        """Keep a number whose interval has a formula of its own."""
        return self._keep(metric, interval, gallery, mode, arm, direction, more)

    def add_predictions(
        self,
        record: Record,
        keys: Sequence[str],
        predicted: np.ndarray[Any, Any],
        true: np.ndarray[Any, Any],
    ) -> None:
        """Keep what was predicted for every query, beside the record that says how good it is."""
        self._query_rows(record, keys, predicted=predicted, true=true)

    def _keep(
        self,
        metric: str,
        interval: Interval,
        gallery: Gallery,
        mode: Mode,
        arm: str,
        direction: str,
        more: Mapping[str, Any],
    ) -> Record:
        record = Record(
            suite=self.suite,
            arm=arm,
            direction=direction,
            metric=metric,
            mode=mode,
            value=interval.value,
            low=interval.low,
            high=interval.high,
            queries=interval.queries,
            gallery=gallery,
            **more,
        )
        self._records.append(record)
        return record

    def _query_rows(
        self,
        record: Record,
        keys: Sequence[str],
        *,
        values: np.ndarray[Any, Any] | None = None,
        rank: np.ndarray[Any, Any] | None = None,
        predicted: np.ndarray[Any, Any] | None = None,
        true: np.ndarray[Any, Any] | None = None,
    ) -> None:
        count = len(keys)
        nothing = [None] * count
        one = {
            "suite": record.suite,
            "arm": record.arm,
            "direction": record.direction,
            "mode": record.mode,
            "metric": record.metric,
            "k": record.k,
            "gallery": record.gallery.name,
            "record": next(at for at, each in enumerate(self._records) if each is record),
        }
        columns: dict[str, Any] = {name: [value] * count for name, value in one.items()}
        columns |= {
            "query": list(keys),
            "value": nothing if values is None else np.asarray(values, np.float64),
            "rank": nothing if rank is None else np.asarray(rank, np.int64),
            "predicted": nothing if predicted is None else [str(each) for each in predicted],
            "true": nothing if true is None else [str(each) for each in true],
        }
        self._rows.append(pa.table(columns, schema=QUERY_SCHEMA))

    def result(self) -> SuiteResult:
        """Return what was gathered."""
        return SuiteResult(
            name=self.suite,
            title=self.title,
            records=tuple(self._records),
            rows=pa.concat_tables(self._rows) if self._rows else QUERY_SCHEMA.empty_table(),
            facts=dict(self.facts),
            figures=dict(self.figures),
            skipped=tuple(self.skipped),
        )
