"""Measure encoding, and write its page."""

from pathlib import Path

import click

from benchmarks.encoding.feeding import measure_feeding
from benchmarks.encoding.page import write_page
from benchmarks.encoding.rates import measure_rates
from benchmarks.encoding.steady import measure_steady
from benchmarks.encoding.whole import measure_whole
from benchmarks.scale.results import RESULTS

_PATH = click.Path(path_type=Path)

folder_argument = click.argument("folder", type=_PATH)
objects_option = click.option(
    "--objects", default=600, type=click.IntRange(1), help="Of the simulated sky."
)
results_option = click.option("--results", type=_PATH, default=RESULTS, help="Folder of results.")


@click.group(context_settings={"show_default": True})
def main() -> None:
    """Measure encoding on this machine. FOLDER keeps what is made for it."""


@main.command()
@folder_argument
@results_option
@click.option("--count", default=8, type=click.IntRange(1), help="Objects in a batch.")
@click.option("--rounds", default=3, type=click.IntRange(1), help="Their median counts.")
@click.option("--device", default="cpu", type=click.Choice(["cpu", "cuda"]), help="Where.")
def rates(folder: Path, results: Path, count: int, rounds: int, device: str) -> None:
    """Measure objects a second beside the official package; on a GPU with --count 64 or so."""
    path = measure_rates(results, folder, count=count, rounds=rounds, announce=_said, device=device)
    click.echo(f"written: {path}")


@main.command()
@folder_argument
@results_option
@objects_option
def whole(folder: Path, results: Path, objects: int) -> None:
    """Measure reading, tokenizing, encoding and writing, and each alone."""
    path = measure_whole(results, folder, objects=objects, announce=_said)
    click.echo(f"written: {path}")


@main.command()
@folder_argument
@results_option
@objects_option
@click.option("--minutes", default=60.0, type=click.FloatRange(0.0), help="For so long.")
def steady(folder: Path, results: Path, objects: int, minutes: float) -> None:
    """Measure the memory of a process that encodes again and again."""
    path = measure_steady(results, folder, objects=objects, minutes=minutes, announce=_said)
    click.echo(f"written: {path}")


@main.command()
@results_option
@click.option("--objects", default=256, type=click.IntRange(1), help="In each file.")
@click.option("--rounds", default=3, type=click.IntRange(1), help="The fastest one counts.")
def feeding(results: Path, objects: int, rounds: int) -> None:
    """Measure all that one process does for a model: reading, checks, previews, writing."""
    path = measure_feeding(results, objects=objects, rounds=rounds, announce=_said)
    click.echo(f"written: {path}")


@main.command()
@results_option
@click.option("--docs", type=_PATH, default=Path("docs"), help="Where to.")
def page(results: Path, docs: Path) -> None:
    """Write encoding.md."""
    click.echo(f"written: {write_page(results, docs)}")


def _said(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
