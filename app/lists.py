"""Neighbours of every object of a list that somebody brings: read, searched, and put in files."""

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app.table_files import TABLES
from app.uploaded import written
from indexer import QueryError, Searcher, SearchOptions
from indexer.bulk_export import BulkSummary, export_neighbours
from indexer.identifier_lists import read_identifiers

__all__ = [
    "FORMATS",
    "MOST_OBJECTS",
    "ListAnswer",
    "ListQuestion",
    "identifiers_of",
    "neighbours_of_list",
]

MOST_OBJECTS = 5_000
"""Objects of a list: answered in half a minute or so. The command line has no limit."""

FORMATS = {kind.title: kind.suffix for kind in TABLES}

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class ListQuestion:
    """What is asked of every object of a list.

    Attributes
    ----------
    options
        Of each search.
    suffix
        One of the values of `FORMATS`.
    column
        Of the identifiers; None: chosen by its name.
    """

    options: SearchOptions
    suffix: str
    column: str | None


@dataclass(frozen=True)
class ListAnswer:
    """What became of a list.

    Attributes
    ----------
    summary
        Counts; read = answered + refused.
    table
        The neighbours as the bytes of a file.
    suffix
        Of that file.
    refused
        Place in the list, identifier and reason of each that was refused.
    refused_csv
        The same as the bytes of a CSV file.
    """

    summary: BulkSummary
    table: bytes
    suffix: str
    refused: tuple[tuple[int, str, str], ...]
    refused_csv: bytes


def identifiers_of(name: str, content: bytes, column: str | None = None) -> list[str]:
    """Return the identifiers of an uploaded list.

    Raises
    ------
    IndexerError
        If it is no list, its column must be named, or it is too long.
    """
    with written([(name, content)]) as (path,):
        identifiers = read_identifiers(path, column)
    if len(identifiers) > MOST_OBJECTS:
        raise QueryError(
            f"the page answers lists of up to {MOST_OBJECTS:,} objects, got {len(identifiers):,}; "
            "the command `python -m indexer export INDEX neighbours.parquet --objects "
            f"{Path(name).name}` has no limit"
        )
    return identifiers


def neighbours_of_list(
    searcher: Searcher,
    name: str,
    content: bytes,
    identifiers: list[str],
    asked: ListQuestion,
    progress: Told,
) -> ListAnswer:
    """Search for the neighbours of all identifiers.

    Parameters
    ----------
    name, content
        Of the list, for the receipt.
    progress
        Called with the identifiers done, and all.
    """
    source = {"file": Path(name).name, "sha256": hashlib.sha256(content).hexdigest()}
    with TemporaryDirectory(prefix="aion-search-") as folder:
        path = Path(folder) / f"neighbours.{asked.suffix}"
        summary = export_neighbours(
            searcher.index,
            identifiers,
            path,
            options=asked.options,
            source=source,
            progress=progress,
        )
        beside = summary.refused_file
        refused_csv = b"" if beside is None else beside.read_bytes()
        return ListAnswer(summary, path.read_bytes(), asked.suffix, _rows(refused_csv), refused_csv)


def _rows(refused_csv: bytes) -> tuple[tuple[int, str, str], ...]:
    # As a stream: an identifier may hold the end of a line.
    rows = list(csv.reader(io.StringIO(refused_csv.decode(), newline="")))[1:]
    return tuple((int(number), identifier, reason) for number, identifier, reason in rows)
