"""Commands in the pages of docs/, as people type them."""

import re
import shlex
from pathlib import Path

import click

from indexer.cli import main

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the blocks of a page in its order: language and text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def shell_blocks(page: str) -> list[str]:
    """Return the blocks for a shell."""
    return [text for kind, text in blocks(page) if kind in ("sh", "bash")]


def commands(texts: list[str]) -> list[list[str]]:
    """Return the arguments after ``python -m indexer`` of every command."""
    lines = re.findall(r"python -m indexer (.*)", "\n".join(texts).replace("\\\n", " "))
    # What a scheduler puts there is a number.
    return [shlex.split(re.sub(r"\$\w+", "3", line).rstrip("& "), comments=True) for line in lines]


def taken(arguments: list[str]) -> click.Context:
    """Parse and check everything, and run nothing."""
    context = click.Context(main)
    name, command, rest = main.resolve_command(context, arguments)
    assert command is not None
    return command.make_context(name, list(rest), parent=context)
