"""Lists of identifiers as people keep them: a column of a table, or one identifier per line."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from indexer.errors import QueryError, ReadError
from indexer.identifiers import clean_identifier

__all__ = ["read_identifiers"]

LIKELY_COLUMNS = (
    "key",
    "object_id",
    "targetid",
    "specobjid",
    "source_id",
    "id",
    "identifier",
    "name",
    "objid",
)
"""Names of the column to take, the most telling first, when none is asked for."""

_TABLES = {
    ".ecsv": "ascii.ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
}


def read_identifiers(path: Path, column: str | None = None) -> list[str]:
    """Read a list of identifiers.

    Parameters
    ----------
    path
        A table (CSV, ECSV, FITS, VOTable or Parquet, by its suffix), or a text with one
        identifier per line, where ``#`` begins a comment.
    column
        Which column of a table to take; by default the first of `LIKELY_COLUMNS` that it has, or
        its only one.

    Returns
    -------
    list
        As many texts as the table has rows; empty where a row has none.

    Raises
    ------
    ReadError
        If the file cannot be read, or holds no row.
    QueryError
        If no column can be chosen, or the column holds floating-point numbers, which have lost
        the last digits of long identifiers.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            names, columns = _read_csv(path)
        elif suffix == ".parquet":
            names, columns = _read_parquet(path)
        elif suffix in _TABLES:
            names, columns = _read_table(path, _TABLES[suffix])
        else:
            names, columns = ["line"], [_read_lines(path)]
    except (OSError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ReadError(f"cannot read a list of identifiers from {path.name}: {reason}") from None
    if not columns or not len(columns[0]):
        raise ReadError(f"{path.name} holds no identifier")
    return [_text(value, path) for value in columns[_chosen(names, column, path)]]


def _chosen(names: Sequence[str], column: str | None, path: Path) -> int:
    lowered = [name.lower() for name in names]
    if column is not None:
        if column.lower() not in lowered:
            raise QueryError(
                f"{path.name} has no column {column!r}; its columns are {', '.join(names)}"
            )
        return lowered.index(column.lower())
    if len(names) == 1:
        return 0
    for likely in LIKELY_COLUMNS:
        if likely in lowered:
            return lowered.index(likely)
    raise QueryError(
        f"name the column of {path.name} that holds the identifiers; its columns are "
        f"{', '.join(names)}"
    )


def _read_csv(path: Path) -> tuple[list[str], list[Sequence[Any]]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        rows = [row for row in csv.reader(lines) if row]
    if not rows:
        return [], []
    # A single column that starts with an identifier is a list without a header.
    if len(rows[0]) == 1 and not re.fullmatch(r"[A-Za-z_][A-Za-z_ ]*", rows[0][0].strip()):
        return ["line"], [[row[0] for row in rows]]
    header = [name.strip() for name in rows[0]]
    ragged = next((at for at, row in enumerate(rows) if len(row) != len(header)), None)
    if ragged is not None:
        raise ValueError(
            f"row {ragged + 1} has {len(rows[ragged])} cells, the header has {len(header)}"
        )
    return header, [list(column) for column in zip(*rows[1:], strict=True)]


def _read_parquet(path: Path) -> tuple[list[str], list[Sequence[Any]]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return list(table.column_names), [column.to_pylist() for column in table.columns]


def _read_table(path: Path, file_format: str) -> tuple[list[str], list[Sequence[Any]]]:
    from astropy.table import Table

    table = Table.read(path, format=file_format)
    return list(table.colnames), [list(table[name]) for name in table.colnames]


def _read_lines(path: Path) -> Sequence[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8-sig").splitlines())
    return [line for line in lines if line]


def _text(value: Any, path: Path) -> str:
    if value is None or value is np.ma.masked:
        return ""
    if isinstance(value, float | np.floating):
        raise QueryError(
            f"the identifiers of {path.name} are floating-point numbers, which cannot hold all "
            "digits of one; store them as integers or as text"
        )
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return clean_identifier(str(value))
