"""The table of features: what it names is there."""

import re
import shlex
from pathlib import Path

import pytest

from indexer.cli import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "features.md").read_text()
PREFIX = "python -m indexer "
COMMANDS = sorted(set(re.findall(rf"`{PREFIX}([^`]+)`", TEXT)))
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"^\| \d+ \|", line)
]


def test_every_feature_is_answered_once_and_in_order():
    assert [int(row[0]) for row in ROWS] == list(range(1, 72))
    assert {row[2] for row in ROWS} == {"yes", "partly", "no"}
    assert all(len(row) == 4 and row[3] for row in ROWS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command):
    name, *arguments = shlex.split(command)
    # Parsed as for running it, but not run.
    with main.commands[name].make_context(name, arguments) as context:
        assert context.params["index" if "index" in context.params else "objects"]


def test_every_page_is_there():
    source = (ROOT / "app" / "main.py").read_text()
    pages = {f"/{path}" for path in re.findall(r'url_path="(\w+)"', source)} | {"/"}
    named = set(re.findall(r"`(/\w*)`", TEXT))
    assert named == pages


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row[3].startswith("`/")], ids=lambda row: row[0]
)
def test_every_control_that_is_named_is_drawn(row):
    drawn = "\n".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    quoted = re.findall(r'"([^"]+)"', re.sub(r"`[^`]*`", "", row[3]))
    for name in quoted:
        assert name in drawn or name.replace("12 more", "{more} more") in drawn, name


@pytest.mark.parametrize("target", re.findall(r"\]\(([\w.]+)\)", TEXT))
def test_every_document_is_there(target):
    assert (ROOT / "docs" / target).exists()
