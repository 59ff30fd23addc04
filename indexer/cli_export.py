"""The two kinds of export of the command line: run, and say what became of every object."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import click

from indexer.bar import progress_bar
from indexer.bulk_export import BulkSummary, export_neighbours
from indexer.identifier_lists import read_identifiers
from indexer.index_file import open_index
from indexer.neighbour_table import export_all
from indexer.options import SearchOptions

__all__ = ["export_list", "export_table"]


def export_list(
    index: Path, output: Path, options: SearchOptions, objects: Path, column: str | None
) -> None:
    """Write the neighbours of a list of identifiers."""
    identifiers = read_identifiers(objects, column)
    source = {"file": objects.name, "sha256": hashlib.sha256(objects.read_bytes()).hexdigest()}
    with progress_bar("searching", "objects") as bar:
        done = export_neighbours(
            open_index(index),
            identifiers,
            output,
            options=options,
            source=source,
            progress=bar.progress,
        )
    _tell(done, "identifiers", output)


def export_table(index: Path, output: Path, options: SearchOptions, sources: Sequence[str]) -> None:
    """Write the neighbours of every object of an index or of some releases."""
    with progress_bar("searching", "objects") as bar:
        done = export_all(
            open_index(index), output, options=options, sources=sources, progress=bar.progress
        )
    _tell(done, "objects", output)


def _tell(done: BulkSummary, what: str, output: Path) -> None:
    click.echo(
        f"{done.read} {what} read = {done.answered} answered + {done.refused} refused; "
        f"{done.rows} neighbours written to {output}"
    )
    if done.refused_file is not None:
        click.echo(f"reasons of the refused: {done.refused_file}")
