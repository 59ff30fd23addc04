"""Labels: what is known of objects from elsewhere, matched to the rows of an index.

An object is found in a table by its key, else by the bare identifier of its survey, else by its
position: the nearest row of the table within 1 arcsec. Every road is counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from indexer.errors import QueryError
from indexer.index_file import Index
from indexer.label_catalogues import LABEL_NAMES, TEXT_LABELS
from indexer.label_tables import LabelTable, read_label_table
from indexer.links import LINK_RADIUS_ARCSEC, unit_sphere
from indexer.segment import Segment

__all__ = ["LABEL_NAMES", "Labels", "MatchCounts", "Matched", "read_labels"]

_ARCSEC = np.pi / 180.0 / 3600.0
_NOT_THERE = -1


@dataclass(frozen=True)
class MatchCounts:
    """How the rows of one table met the objects of an index.

    Attributes
    ----------
    table, sha256, layout
        Name and hash of the file, and the kind of catalogue.
    rows
        Of the table.
    unmatched
        Rows that no object of the index takes its labels from, duplicated ones apart.
    duplicated
        Rows that name an object, or lie within 1 arcsec of a place, that an earlier row has: the
        earlier one counts.
    by_key, by_identifier, by_position
        Objects of the index that were found, per release.
    objects
        Objects of each release, found or not.
    distrusted
        By label, values that were not used because a flag beside them says so.
    """

    table: str
    sha256: str
    layout: str
    rows: int
    unmatched: int
    duplicated: int
    by_key: Mapping[str, int]
    by_identifier: Mapping[str, int]
    by_position: Mapping[str, int]
    objects: Mapping[str, int]
    distrusted: Mapping[str, int]

    @property
    def matched(self) -> Mapping[str, int]:
        """Objects that were found, per release, by whatever road."""
        return {
            name: self.by_key[name] + self.by_identifier[name] + self.by_position[name]
            for name in self.objects
        }

    def plain(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return {
            "table": self.table,
            "sha256": self.sha256,
            "layout": self.layout,
            "rows": self.rows,
            "unmatched": self.unmatched,
            "duplicated": self.duplicated,
            "distrusted": dict(self.distrusted),
            "releases": {
                name: {
                    "objects": self.objects[name],
                    "matched": self.matched[name],
                    "by_key": self.by_key[name],
                    "by_identifier": self.by_identifier[name],
                    "by_position": self.by_position[name],
                }
                for name in self.objects
            },
        }


@dataclass(frozen=True, eq=False)
class Matched:
    """One table beside one index.

    Attributes
    ----------
    rows
        Per release, the row of the table of every object; -1 without one.
    counts
        How they were found.
    """

    rows: Mapping[str, Int64[np.ndarray, " n"]]
    counts: MatchCounts


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of some tables; where two know a label of one object, the earlier table counts."""

    tables: tuple[LabelTable, ...]
    _matched: WeakKeyDictionary[Index, tuple[Matched, ...]] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def __post_init__(self) -> None:
        if not self.tables:
            raise QueryError("labels need at least one table, got none")

    @property
    def names(self) -> tuple[str, ...]:
        """What there are labels of, in the order of `LABEL_NAMES`."""
        there = {name for table in self.tables for name in table.labels}
        return tuple(name for name in LABEL_NAMES if name in there)

    def match(self, index: Index) -> tuple[Matched, ...]:
        """Find the objects of an index in every table; kept while the index is open."""
        found = self._matched.get(index)
        if found is None:
            found = tuple(_match(table, index) for table in self.tables)
            self._matched[index] = found
        return found

    def values(self, name: str, index: Index) -> dict[str, np.ndarray[Any, Any]]:
        """Return one label of every object of an index.

        Parameters
        ----------
        name
            One of `names`.
        index
            An open index.

        Returns
        -------
        By release an array over its rows: float64 with NaN, or text, empty, where the label is
        not known.

        Raises
        ------
        QueryError
            If no table has that label; those there are are listed.
        """
        if name not in self.names:
            raise QueryError(
                f"there is no label {name!r} in {', '.join(t.name for t in self.tables)}; there "
                f"are {', '.join(self.names)}"
            )
        nothing: Any = "" if name in TEXT_LABELS else np.nan
        values: dict[str, np.ndarray[Any, Any]] = {}
        for release, segment in index.segments.items():
            found = np.full(len(segment), nothing)
            for table, matched in zip(self.tables, self.match(index), strict=True):
                if name in table.labels:
                    found = _filled(found, table.labels[name], matched.rows[release])
            for table in self.tables:
                if name in table.elsewhere:
                    found = np.where(np.isfinite(found), found, table.elsewhere[name])
            values[release] = found
        return values


def read_labels(*paths: Path | str) -> Labels:
    """Read tables of labels; `docs/labels.md` says what they may look like.

    Raises
    ------
    ReadError
        If a file cannot be read, or is no table of labels.
    """
    return Labels(tuple(read_label_table(path) for path in paths))


def _filled(
    found: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], rows: Int64[np.ndarray, " n"]
) -> np.ndarray[Any, Any]:
    """Take what is not known yet from a further table."""
    unknown = (found == "") if found.dtype.kind == "U" else ~np.isfinite(found)
    taken = np.flatnonzero(unknown & (rows != _NOT_THERE))
    # Texts must not be cut to the length of those that are there already.
    found = found.astype(np.result_type(found, labels))
    found[taken] = labels[rows[taken]]
    return found


def _match(table: LabelTable, index: Index) -> Matched:
    rows: dict[str, np.ndarray[Any, Any]] = {}
    counts: dict[str, dict[str, int]] = {"key": {}, "identifier": {}, "position": {}}
    for release, segment in index.segments.items():
        found = np.full(len(segment), _NOT_THERE, dtype=np.int64)
        ids = segment.rows.column("object_id")
        for road, texts in (
            ("key", _ids_in(table.keys, release)),
            ("identifier", table.identifiers.get(segment.info.survey)),
        ):
            fresh = np.full(len(segment), _NOT_THERE) if texts is None else _by_text(ids, texts)
            taken = (found == _NOT_THERE) & (fresh != _NOT_THERE)
            found[taken] = fresh[taken]
            counts[road][release] = int(taken.sum())
        near = _by_position(table, segment, np.flatnonzero(found == _NOT_THERE))
        found = np.where(found == _NOT_THERE, near, found)
        counts["position"][release] = int((near != _NOT_THERE).sum())
        rows[release] = found
    met = np.zeros(len(table), dtype=bool)
    for each in rows.values():
        met[each[each != _NOT_THERE]] = True
    duplicated = _duplicated(table)
    return Matched(
        rows,
        MatchCounts(
            table=table.name,
            sha256=table.sha256,
            layout=table.layout,
            rows=len(table),
            unmatched=int((~met & ~duplicated).sum()),
            duplicated=int(duplicated.sum()),
            by_key=counts["key"],
            by_identifier=counts["identifier"],
            by_position=counts["position"],
            objects={release: len(segment) for release, segment in index.segments.items()},
            distrusted=table.distrusted,
        ),
    )


def _ids_in(keys: Sequence[str] | None, release: str) -> list[str] | None:
    """Return the object ids of the keys of one release; empty for those of others."""
    if keys is None:
        return None
    start = f"{release}:"
    return [key[len(start) :] if key.startswith(start) else "" for key in keys]


def _by_text(ids: pa.ChunkedArray, texts: Sequence[str]) -> Int64[np.ndarray, " n"]:
    """Return for each object id the first row of the table that has it, or -1."""
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        if text:
            first.setdefault(text, row)
    if not first:
        return np.full(len(ids), _NOT_THERE, dtype=np.int64)
    places = pc.index_in(ids, value_set=pa.array(list(first), ids.type))
    at = places.fill_null(_NOT_THERE).to_numpy(zero_copy_only=False)
    rows = np.fromiter(first.values(), np.int64, len(first))
    return np.where(at >= 0, rows[at], _NOT_THERE).astype(np.int64)


def _placed(table: LabelTable) -> Int64[np.ndarray, " n"]:
    return np.flatnonzero(np.isfinite(table.ra_deg) & np.isfinite(table.dec_deg))


def _chord() -> float:
    return float(2.0 * np.sin(0.5 * LINK_RADIUS_ARCSEC * _ARCSEC))


def _by_position(
    table: LabelTable, segment: Segment, wanted: Int64[np.ndarray, " m"]
) -> Int64[np.ndarray, " n"]:
    """Return the nearest row of the table within 1 arcsec of each wanted object, or -1."""
    # Imported here: it takes longer than opening an index, which needs no tree.
    from scipy.spatial import cKDTree

    found = np.full(len(segment), _NOT_THERE, dtype=np.int64)
    placed = _placed(table)
    ra_deg = np.asarray(segment.column("ra_deg"), np.float64)[wanted]
    dec_deg = np.asarray(segment.column("dec_deg"), np.float64)[wanted]
    good = np.isfinite(ra_deg) & np.isfinite(dec_deg)
    wanted = wanted[good]
    if not len(placed) or not len(wanted):
        return found
    tree = cKDTree(unit_sphere(table.ra_deg[placed], table.dec_deg[placed]))
    points = unit_sphere(ra_deg[good], dec_deg[good])
    distance, nearest = tree.query(points, distance_upper_bound=_chord() * (1.0 + 1e-9))
    there = np.isfinite(distance)
    found[wanted[there]] = placed[nearest[there]]
    return found


def _duplicated(table: LabelTable) -> np.ndarray[Any, Any]:
    """Return True for rows that repeat an earlier one: in an identifier, else in the position."""
    repeated = np.zeros(len(table), dtype=bool)
    named = [texts for texts in (table.keys, *table.identifiers.values()) if texts is not None]
    for texts in named:
        seen: set[str] = set()
        for row, text in enumerate(texts):
            repeated[row] |= bool(text) and text in seen
            seen.add(text)
    if not named:
        from scipy.spatial import cKDTree

        placed = _placed(table)
        if len(placed):
            tree = cKDTree(unit_sphere(table.ra_deg[placed], table.dec_deg[placed]))
            pairs = tree.query_pairs(_chord(), output_type="ndarray")
            repeated[placed[pairs.max(axis=1)] if len(pairs) else []] = True
    return repeated
