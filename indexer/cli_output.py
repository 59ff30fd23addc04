"""Where commands put their tables: the options, which format is meant, and writing."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ["chosen_format", "format_option", "write_out"]

_FORMATS = ("table", "csv", "ecsv", "fits", "votable", "parquet", "json")
_BINARY = ("fits", "votable", "parquet")


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--format``."""
    return click.option(
        "--format", "form", type=click.Choice(_FORMATS), help="Default: table, or by --output."
    )(command)


def chosen_format(form: str | None, output: Path | None) -> str:
    """Return the format that is meant; a table on the terminal, else what the file is called.

    Raises
    ------
    click.UsageError
        If binary data would go to a terminal.
    """
    from indexer.export import format_of

    if form is None:
        form = "table" if output is None else format_of(output)
    if output is None and form in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{form} is not for a terminal; give --output FILE")
    return form


def write_out(content: bytes, output: Path | None, what: str) -> None:
    """Write to a file, whole or not at all, and say what was written; else to the terminal."""
    from indexer.export import whole_or_absent

    if output is None:
        click.echo(content, nl=False)
        return
    with whole_or_absent(output) as temporary:
        temporary.write_bytes(content)
    click.echo(f"{what} written to {output}", err=True)
