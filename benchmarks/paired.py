"""Values of two ways to search over the same queries, and the interval of their difference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.evaluate.measures import Interval, bootstrap_of, r_squared
from indexer.evaluate.records import SuiteResult

__all__ = ["Sample", "Statistic", "joined", "mean", "median", "r2", "r2_log", "sample_of"]

Statistic = Callable[[np.ndarray[Any, Any]], Any]
"""Of numbers of queries, shape (..., queries, numbers of a query)."""


def mean(numbers: np.ndarray[Any, Any]) -> Any:
    """Return the mean over queries."""
    return numbers[..., 0].mean(axis=-1)


def median(numbers: np.ndarray[Any, Any]) -> Any:
    """Return the median over queries."""
    return np.median(numbers[..., 0], axis=-1)


def r2(numbers: np.ndarray[Any, Any]) -> Any:
    """Return R2 of predicted and true redshifts."""
    return r_squared(numbers[..., 0], numbers[..., 1])


def r2_log(numbers: np.ndarray[Any, Any]) -> Any:
    """Return R2 of log10(1 + z)."""
    logs = np.log10(1.0 + numbers)
    return r_squared(logs[..., 0], logs[..., 1])


@dataclass(frozen=True, eq=False)
class Sample:
    """What a value was computed from.

    Attributes
    ----------
    keys
        Of the queries.
    numbers
        One row a query: its value, or what was predicted and what is true.
    """

    keys: tuple[str, ...]
    numbers: np.ndarray[Any, Any]

    def interval(self, of: Statistic, seed: int) -> Interval:
        """Return a statistic with its 95 % bootstrap interval over queries."""
        return bootstrap_of(lambda chosen: of(self.numbers[chosen]), len(self.keys), seed)

    def minus(self, other: "Sample", of: Statistic, seed: int) -> Interval:
        """Return the difference of a statistic, over the queries that both have.

        Both are resampled together: a query that is hard for one is mostly hard for the other, so
        that the difference is known better than either value.
        """
        place = {key: at for at, key in enumerate(other.keys)}
        both = [(at, place[key]) for at, key in enumerate(self.keys) if key in place]
        mine, theirs = np.array(both, np.int64).reshape(-1, 2).T
        a, b = self.numbers[mine], other.numbers[theirs]
        return bootstrap_of(lambda chosen: of(a[chosen]) - of(b[chosen]), len(both), seed)


def joined(samples: Sequence[Sample]) -> Sample:
    """Return the queries of several samples as one."""
    return Sample(
        tuple(key for each in samples for key in each.keys),
        np.concatenate([each.numbers for each in samples]),
    )


def sample_of(result: SuiteResult, record: int) -> Sample:
    """Return the queries behind one number of a suite, those without an answer left out."""
    import pyarrow.compute as pc

    rows = result.rows.filter(pc.equal(result.rows.column("record"), record))
    keys = rows.column("query").to_pylist()
    values = rows.column("value")
    if values.null_count < len(values):
        numbers = values.to_numpy()[:, None]
    else:
        told = [rows.column(name).to_pylist() for name in ("predicted", "true")]
        numbers = np.array(told, np.float64).T.reshape(-1, 2)
    known = np.isfinite(numbers).all(axis=1)
    return Sample(tuple(key for key, good in zip(keys, known, strict=True) if good), numbers[known])
