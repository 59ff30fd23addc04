"""Filters on an open index: which rows of each release pass.

Columns are looked at through the mapped files, `_BLOCK` rows at a time, so that a hundred million
rows need no memory of their own but a bit each. Where a number, a text or a position is missing,
no condition on it holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float64, Int64

from indexer.errors import QueryError
from indexer.filters import GALACTIC_LATITUDE, RELEASE, Condition, Filters, Has, OneOf, Range
from indexer.index_file import Index
from indexer.index_model import bits_of
from indexer.row_sets import RowSet
from indexer.segment import Segment
from indexer.sky_regions import Box, Cells, Cone, Moc, Region, band_margin, cells_of, galactic

__all__ = ["Passing", "column_kinds"]

_BLOCK = 262_144
"""Rows at a time; a multiple of 8, so that blocks of bits join."""

_NO_COLUMNS = ("healpix_29", "modalities")
"""Numbers of our own making, which nobody asks for."""

Test = Callable[[int, int], Bool[np.ndarray, " block"]]
"""Says of the rows from one to before another whether they pass."""


class Passing:
    """The rows of an index that pass some filters; safe to use from several threads.

    Parameters
    ----------
    index, filters
        Of at least one condition.

    Raises
    ------
    QueryError
        If a condition names a column or a release that the index does not have, or asks of a
        column what its type cannot answer. The message lists what there is.
    """

    def __init__(self, index: Index, filters: Filters) -> None:
        self.index = index
        self.filters = filters
        self._kinds = column_kinds(index)
        for condition in filters.conditions:
            self._check(condition)
        self._passing: dict[str, RowSet] = {}
        self._reaching: dict[tuple[str, str, tuple[str, ...]], RowSet] = {}

    def chosen(self, releases: Sequence[str]) -> list[str]:
        """Return those of some releases that the filters choose.

        Raises
        ------
        QueryError
            If they choose none of them.
        """
        sets = [
            each.values
            for each in self.filters.conditions
            if isinstance(each, OneOf) and each.column == RELEASE
        ]
        found = [name for name in releases if all(name in names for names in sets)]
        if not found:
            raise QueryError(
                f"the filters {self.filters.text!r} leave none of the releases that could be "
                f"searched: {', '.join(releases)}"
            )
        return found

    def rows(self, release: str) -> RowSet:
        """Return the rows of a release that pass; they are found on the first call."""
        # Two threads may both find them, and find the same.
        if release not in self._passing:
            self._passing[release] = self._found(self.index.segment(release))
        return self._passing[release]

    def within(self, releases: Sequence[str]) -> dict[str, RowSet]:
        """Return the rows that pass, by release."""
        return {name: self.rows(name) for name in releases}

    def reaching(self, release: str, to: str, releases: Sequence[str]) -> RowSet:
        """Return the rows of a release that have a counterpart that passes.

        Parameters
        ----------
        to, releases
            Modality of the counterpart, and where it may be. An object that has the modality
            itself is its own.
        """
        key = (release, to, tuple(releases))
        if key not in self._reaching:
            rows = [
                self._linked_rows(release, target, to, self.rows(target)) for target in releases
            ]
            total = len(self.index.segment(release))
            self._reaching[key] = RowSet.of(np.concatenate([np.empty(0, np.int64), *rows]), total)
        return self._reaching[key]

    def nothing_found(self, to: str, releases: Sequence[str]) -> str:
        """Say in words why nothing was found, and how many objects of each release pass."""
        passing = [
            f"{name} {self.rows(name).count:,} of {len(self.index.segment(name)):,}"
            for name in releases
        ]
        return (
            f"no {to} that can be found passes the filters {self.filters.text!r}; objects that "
            f"pass: {', '.join(passing)}"
        )

    def _linked_rows(
        self, release: str, target: str, to: str, passing: RowSet | None
    ) -> Int64[np.ndarray, " n"]:
        """Return the rows of a release whose counterpart in another has a modality, and passes."""
        if target == release:
            mine = other = self.index.segment(target).rows_with(to)
        else:
            links = self.index.links.between(release, target)
            if links is None:
                return np.empty(0, dtype=np.int64)
            mine, other = links.of(release)
            there = (self.index.segment(target).column("modalities")[other] & bits_of(to)) > 0
            mine, other = mine[there], other[there]
        return mine if passing is None else mine[passing.holds(other)]

    def _check(self, condition: Condition) -> None:
        if not isinstance(condition, Range | OneOf):
            return
        column = condition.column
        if isinstance(condition, OneOf) and column == RELEASE:
            unknown = [name for name in condition.values if name not in self.index.releases]
            if unknown:
                raise QueryError(
                    f"{', '.join(unknown)} is no release of this index; it has: "
                    f"{', '.join(self.index.releases)}"
                )
            return
        kind = "number" if column == GALACTIC_LATITUDE else self._kinds.get(column)
        if kind is None:
            raise QueryError(
                f"this index has no column {column!r}; filters know {', '.join(self._kinds)}, "
                f"{GALACTIC_LATITUDE} and {RELEASE}"
            )
        if (kind == "number") != isinstance(condition, Range):
            how = {
                "number": f"a number: write {column}>=0.1 or 0.1<={column}<0.5",
                "flag": f"a flag: write {column}=true or {column}=false",
                "text": f"a text: write {column}=ONE,OTHER",
            }
            raise QueryError(f"{column} is {how[kind]}; got {condition.text!r}")
        if kind == "flag" and isinstance(condition, OneOf):
            other = set(condition.values) - {"true", "false"}
            if other:
                raise QueryError(
                    f"{column} is a flag, true or false, got {', '.join(sorted(other))}"
                )

    def _found(self, segment: Segment) -> RowSet:
        total = len(segment)
        bits = np.zeros(-(-total // 8), dtype=np.uint8)
        if total:
            # Regions first: they leave whole blocks out.
            columns_last = sorted(
                self.filters.conditions, key=lambda each: isinstance(each, OneOf | Range)
            )
            tests = [self._test(segment, each) for each in columns_last]
            for start in range(0, total, _BLOCK):
                stop = min(start + _BLOCK, total)
                passing = np.ones(stop - start, dtype=bool)
                for test in tests:
                    passing &= test(start, stop)
                    if not passing.any():
                        break
                bits[start // 8 : -(-stop // 8)] = np.packbits(passing, bitorder="little")
        return RowSet(bits, total)

    def _test(self, segment: Segment, condition: Condition) -> Test:
        """Return what says which rows of a segment pass one condition."""
        match condition:
            case Has():
                rows = [
                    self._linked_rows(segment.name, name, condition.modality, None)
                    for name in self.index.releases
                ]
                return _is_one_of(np.unique(np.concatenate(rows)))
            case Moc():
                return _in_cells(segment, Cells(condition.ranges, condition.ranges[:0]), None)
            case Cone() | Box():
                return _in_cells(segment, cells_of(condition), condition)
            case Range(column=column) if column == GALACTIC_LATITUDE:
                band = _LatitudeBand(condition)
                return _in_cells(segment, cells_of(band), band)
            case OneOf(column=column) if column == RELEASE:
                return _everything if segment.name in condition.values else _nothing
            case _:
                return _of_column(segment, condition)


def column_kinds(index: Index) -> dict[str, str]:
    """Return the columns of all releases that filters know: number, text or flag."""
    found: dict[str, str] = {}
    for segment in index.segments.values():
        for field in segment.rows.schema:
            kind = _kind(field.type)
            if field.name not in _NO_COLUMNS and kind is not None:
                found.setdefault(field.name, kind)
    return found


def _kind(arrow: pa.DataType) -> str | None:
    if pa.types.is_boolean(arrow):
        return "flag"
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow):
        return "number"
    text = arrow.value_type if pa.types.is_dictionary(arrow) else arrow
    is_text = pa.types.is_string(text) or pa.types.is_large_string(text)
    return "text" if is_text else None


def _everything(start: int, stop: int) -> Bool[np.ndarray, " block"]:
    return np.ones(stop - start, dtype=bool)


def _nothing(start: int, stop: int) -> Bool[np.ndarray, " block"]:
    return np.zeros(stop - start, dtype=bool)


def _is_one_of(rows: Int64[np.ndarray, " n"]) -> Test:
    """Test for ascending rows."""

    def test(start: int, stop: int) -> Bool[np.ndarray, " block"]:
        passing = np.zeros(stop - start, dtype=bool)
        first, last = np.searchsorted(rows, [start, stop])
        passing[rows[first:last] - start] = True
        return passing

    return test


def _of_column(segment: Segment, condition: Range | OneOf) -> Test:
    if condition.column not in segment.rows.column_names:
        # Another release has it: here it is missing of every object.
        return _nothing
    if isinstance(condition, Range):
        values = segment.column(condition.column)
        return lambda start, stop: condition.passes(values[start:stop])
    column = segment.rows.column(condition.column)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_boolean(kind):
        wanted = pa.array([value == "true" for value in condition.values])
    else:
        wanted = pa.array(condition.values, kind)

    def test(start: int, stop: int) -> Bool[np.ndarray, " block"]:
        block = column.slice(start, stop - start)
        if pa.types.is_dictionary(block.type):
            block = block.cast(kind)
        return np.asarray(pc.is_in(block, value_set=wanted).to_numpy())

    return test


@dataclass(frozen=True)
class _LatitudeBand:
    """Positions whose Galactic latitude has a size in a range."""

    sizes: Range

    def contains(
        self, ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """See `Region`."""
        return self.sizes.passes(np.abs(galactic(ra_deg, dec_deg)[1]))

    def margin_deg(
        self, ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, " n"]:
        """See `Region`."""
        low, high = self.sizes.low, self.sizes.high
        # A band from 0 on has no edge at the equator, unless 0 itself does not count.
        no_edge = low is None or low < 0.0 or (low == 0.0 and self.sizes.low_counts)
        sizes = np.abs(galactic(ra_deg, dec_deg)[1])
        lowest = -90.0 if no_edge or low is None else low
        return band_margin(sizes, lowest, 90.0 if high is None else high)


def _in_cells(segment: Segment, cells: Cells, region: Region | None) -> Test:
    """Test for rows in cells; those in the cells at an edge are looked at one by one."""
    placed = slice(0, segment.info.placed)
    healpix = segment.column("healpix_29")[placed]
    starts, stops = np.searchsorted(healpix, cells.inside).T
    used = starts < stops
    starts, stops = starts[used], stops[used]
    edges = np.searchsorted(healpix, cells.edge)
    if region is None or not len(edges):
        edge_rows = np.empty(0, dtype=np.int64)
    else:
        candidates = np.concatenate([np.arange(first, last) for first, last in edges])
        ra_deg = segment.column("ra_deg")[candidates]
        dec_deg = segment.column("dec_deg")[candidates]
        edge_rows = candidates[region.contains(ra_deg, dec_deg)]
    at_edge = _is_one_of(edge_rows)

    def test(start: int, stop: int) -> Bool[np.ndarray, " block"]:
        first = np.searchsorted(stops, start, side="right")
        last = np.searchsorted(starts, stop)
        changes = np.zeros(stop - start + 1, dtype=np.int32)
        np.add.at(changes, np.maximum(starts[first:last], start) - start, 1)
        np.add.at(changes, np.minimum(stops[first:last], stop) - start, -1)
        return (np.cumsum(changes[:-1]) > 0) | at_edge(start, stop)

    return test
