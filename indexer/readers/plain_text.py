"""Columns of numbers in plain text: CSV, blanks, tabs, with or without names and comments."""

import csv
import io
import re
from dataclasses import dataclass

import numpy as np

from indexer.errors import ReadError

__all__ = ["TextTable", "csv_rows", "read_text_table"]

COMMENTS = ("#", "!", ";", "%", "//")
MAX_BROKEN = 0.1
"""Share of rows that may be unreadable before the whole file is refused."""

_KEYWORD = re.compile(r"^([A-Za-z][\w-]{0,30})\s*[:=]\s*(.*?)\s*(?:/.*)?$")
_NAME_WITH_UNIT = re.compile(r"^\s*(.+?)\s*[\[(]\s*(.+?)\s*[\])]\s*$")


@dataclass(frozen=True, eq=False)
class TextTable:
    """A table of numbers.

    Parameters
    ----------
    columns
        Shape (n,) each, as double precision, in the file's order.
    names, units
        As the file states them; empty where it does not.
    header
        ``KEYWORD: value`` lines of the comments.
    broken_rows
        Lines that were left out.
    """

    columns: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    header: dict[str, str]
    broken_rows: int = 0


def read_text_table(name: str, data: bytes) -> TextTable:
    """Read numbers in columns.

    Raises
    ------
    ReadError
        If there are no rows of numbers, or too many of them are broken.
    """
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff")
    comments, lines = _split_comments(text)
    if not lines:
        raise ReadError(f"{name}: this is no astronomical file: it holds no table of numbers")
    separator = _separator(lines)
    rows = _cells(lines, separator)
    stated = [] if _numbers(rows[0]) is not None else rows.pop(0)
    numbers = [row for row in (_numbers(cells) for cells in rows) if row is not None]
    widths = [len(row) for row in numbers]
    if not widths or max(widths) < 2:
        raise ReadError(
            f"{name}: this is no astronomical file: it holds no table of numbers with at least two "
            "columns, wavelength and flux"
        )
    width = max(set(widths), key=widths.count)
    good = [row for row in numbers if len(row) == width]
    broken = len(rows) - len(good)
    if broken > MAX_BROKEN * len(rows):
        raise ReadError(
            f"{name}: {broken} of {len(rows)} rows are not {width} numbers; at most "
            f"{MAX_BROKEN:.0%} may be unreadable"
        )
    names, units = _titles(stated, comments, width)
    header = {match.group(1): match.group(2) for c in comments if (match := _KEYWORD.match(c))}
    table = np.array(good, np.float64)
    return TextTable(tuple(table.T.copy()), names, units, header, broken)


def _split_comments(text: str) -> tuple[list[str], list[str]]:
    comments, lines = [], []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(COMMENTS):
            comments.append(stripped.lstrip("#!;%/ \t"))
        elif stripped:
            lines.append(stripped)
    return comments, lines


def _separator(lines: list[str]) -> str:
    sample = lines[: min(len(lines), 20)]
    for separator in (",", "\t", ";", "|"):
        if all(separator in line for line in sample):
            return separator
    return ""


def _cells(lines: list[str], separator: str) -> list[list[str]]:
    if separator:
        # Quotes mean nothing among numbers, and a stray one would swallow the rest of the file.
        reader = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
        return [[cell.strip().strip("\"'") for cell in row] for row in reader]
    return [line.split() for line in lines]


def _numbers(cells: list[str]) -> list[float] | None:
    """Return a row as numbers; words such as ``nan``, ``null`` and nothing are missing."""
    row = []
    for cell in cells:
        try:
            row.append(float(cell))
        except ValueError:
            if cell.casefold() not in ("", "null", "none", "--", "masked"):
                return None
            row.append(float("nan"))
    return row if any(np.isfinite(row)) else None


def _titles(
    stated: list[str], comments: list[str], width: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and units of the columns, from a title line or the last fitting comment."""
    titles = stated if len(stated) == width else []
    if not titles:
        for comment in reversed(comments):
            for cells in (_cells([comment], _separator([comment]))[0], comment.split()):
                if len(cells) == width and not _KEYWORD.match(comment):
                    titles = cells
                    break
            if titles:
                break
    names, units = [], []
    for title in titles or [""] * width:
        match = _NAME_WITH_UNIT.match(title)
        names.append(match.group(1) if match else title.strip())
        units.append(match.group(2) if match else "")
    return tuple(names), tuple(units)


def csv_rows(name: str, data: bytes) -> list[dict[str, str]]:
    """Return the rows of a CSV table with a title line, as text by column name.

    Raises
    ------
    ReadError
        If it is no CSV table.
    """
    try:
        return list(csv.DictReader(io.StringIO(data.decode("utf-8", errors="replace"))))
    except csv.Error as error:
        raise ReadError(f"{name}: this is no CSV table: {error}") from None
