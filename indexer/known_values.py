"""What is known of the objects of an index: a column of the catalogue, or a label, per source.

A picture has no redshift, but the spectrum of the same source has. So a value that an object
lacks is taken from its counterparts, in the order of the names of their releases.
"""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np

from indexer.errors import QueryError
from indexer.index_file import Index
from indexer.segment import Segment

__all__ = [
    "CATALOGUE_VALUES",
    "LabelSource",
    "Values",
    "is_known",
    "known_values",
    "property_names",
]

CATALOGUE_VALUES = ("redshift", "object_class", "magnitude")
"""Columns of every catalogue. Redshifts count only where the survey trusts them; magnitudes are
in each release's own band."""

_LABELS = {"redshift": "z"}
"""Tables of labels have their own word for some columns of the catalogue."""

Values = Mapping[str, np.ndarray[Any, Any]]
"""Per release one value a row: float64, NaN where unknown, or text, empty where unknown."""


class LabelSource(Protocol):
    """Labels from elsewhere; `indexer.labels.Labels` is one."""

    @property
    def names(self) -> Collection[str]:
        """What there are labels of."""

    def values(self, name: str, index: Index) -> Values:
        """Return one label for every row of every release."""


def is_known(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return True where a value is known."""
    return np.asarray(np.isfinite(values) if values.dtype.kind == "f" else values != "")


def property_names(labels: LabelSource | None = None) -> tuple[str, ...]:
    """Return what is known of some object: columns, then labels that are not one of these."""
    there = () if labels is None else labels.names
    columns = {*CATALOGUE_VALUES, *(_LABELS.get(name, name) for name in CATALOGUE_VALUES)}
    return (*CATALOGUE_VALUES, *(name for name in there if name not in columns))


def known_values(index: Index, name: str, labels: LabelSource | None = None) -> Values:
    """Return the values of a property for every object, those of counterparts included.

    Parameters
    ----------
    name
        One of `CATALOGUE_VALUES`, or a label. A label goes before a column of the same name, and
        the label ``z`` before the column ``redshift``.
    labels
        Where labels come from.

    Raises
    ------
    QueryError
        If neither the catalogue nor the labels have that name.
    """
    label = name
    if labels is not None and name not in labels.names:
        label = _LABELS.get(name, name)
    if labels is not None and label in labels.names:
        own = {release: np.asarray(each) for release, each in labels.values(label, index).items()}
    elif name in CATALOGUE_VALUES:
        own = {release: _column(segment, name) for release, segment in index.segments.items()}
    else:
        there = sorted({*CATALOGUE_VALUES, *(() if labels is None else labels.names)})
        raise QueryError(
            f"{name!r} is not known of any object; known are {', '.join(there)}. Further ones "
            "come from a table of labels"
        )
    return {release: _with_counterparts(index, own, release) for release in own}


def _column(segment: Segment, name: str) -> np.ndarray[Any, Any]:
    if name == "object_class":
        return np.array(segment.rows.column(name).to_pylist(), dtype=str)
    values = np.asarray(segment.column(name), dtype=np.float64)
    if name == "redshift":
        return np.where(np.asarray(segment.column("redshift_ok"), dtype=bool), values, np.nan)
    return values


def _with_counterparts(index: Index, own: Values, release: str) -> np.ndarray[Any, Any]:
    values = own[release]
    for other in sorted(own):
        links = index.links.between(release, other)
        if links is None or other == release:
            continue
        lacking = np.flatnonzero(~is_known(values))
        partners = links.partners(release, lacking)
        there = partners >= 0
        found = own[other][partners[there]]
        # Texts must not be cut to the length of those that are there already.
        values = values.astype(np.result_type(values, found))
        values[lacking[there]] = found
    return values
