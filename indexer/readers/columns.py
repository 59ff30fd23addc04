"""Columns of survey tables turned into columns of the catalogue, by a manifest's rules."""

import math
import re
from collections.abc import Mapping

import numpy as np

from indexer.column_rules import ColumnRules, Magnitude, RedshiftOk
from indexer.readers.object_ids import clean_text
from indexer.readers.records import Value, standard_columns

__all__ = ["catalogue_columns", "magnitude_of", "native", "needed_columns", "plain_value"]

_ELEMENT = re.compile(r"^(.+)\[(\d+)\]$")


def native(array: np.ndarray) -> np.ndarray:
    """Return the array in the byte order of this machine: FITS and what is made of it are not."""
    values = np.asarray(array)
    if values.dtype.byteorder in "=|":
        return values
    return values.astype(values.dtype.newbyteorder("="))


def plain_value(value: object) -> Value:
    """Return a value of a table as a plain Python one; whatever is no number becomes text."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    return clean_text(value)


def needed_columns(rules: ColumnRules) -> tuple[str, ...]:
    """Return the names of the columns in the file that the rules look at, sorted."""
    names = {rules.redshift, rules.object_class, *rules.keep.values()}
    if rules.redshift_ok is not None:
        names.add(rules.redshift_ok.column)
    if rules.magnitude is not None:
        names.add(rules.magnitude.column)
    return tuple(sorted(_split(name)[0] for name in names if name))


def catalogue_columns(rules: ColumnRules, row: Mapping[str, object]) -> dict[str, Value]:
    """Return the standard columns of one object and those that are kept.

    A column that the file does not have is unknown: NaN, False or the empty text for a standard
    column, left out for a kept one.

    Parameters
    ----------
    rules
        From the manifest.
    row
        Column name in the file to value.
    """
    redshift = _number(row, rules.redshift)
    columns: dict[str, Value] = dict(
        standard_columns(
            redshift=redshift,
            redshift_ok=math.isfinite(redshift) and _is_good(rules.redshift_ok, row),
            magnitude=magnitude_of(rules.magnitude, row),
            object_class=clean_text(row.get(rules.object_class)),
        )
    )
    for name, column in rules.keep.items():
        value = _element(row, column)
        if value is not None and _is_scalar(value):
            columns[name] = plain_value(value)
    return columns


def magnitude_of(rule: Magnitude | None, row: Mapping[str, object]) -> float:
    """Return the AB magnitude by a rule; NaN where there is none, or no positive flux."""
    if rule is None:
        return math.nan
    value = _number(row, rule.column)
    if rule.unit == "mag" or not math.isfinite(value):
        return value
    return 22.5 - 2.5 * math.log10(value) if value > 0.0 else math.nan


def _is_good(rule: RedshiftOk | None, row: Mapping[str, object]) -> bool:
    if rule is None:
        return True
    flag = _number(row, rule.column)
    if not math.isfinite(flag):
        return False
    boolean = isinstance(_element(row, rule.column), bool | np.bool_)
    return (flag != 0.0) if boolean and rule.good == "true_or_zero" else (flag == 0.0)


def _split(column: str) -> tuple[str, int | None]:
    match = _ELEMENT.match(column)
    return (match.group(1), int(match.group(2))) if match else (column, None)


def _element(row: Mapping[str, object], column: str) -> object | None:
    name, index = _split(column)
    value = row.get(name)
    if index is None or value is None:
        return value
    values = np.atleast_1d(np.asarray(value))
    element: object | None = values[index] if index < values.size else None
    return element


def _is_scalar(value: object) -> bool:
    return not isinstance(value, np.ndarray) or value.ndim == 0


def _number(row: Mapping[str, object], column: str) -> float:
    value = _element(row, column) if column else None
    if value is None or not _is_scalar(value):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
