"""Run a benchmark, compare its results with their budgets, write the page."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.scale.budgets import compared, read_budgets
from benchmarks.scale.comparison import compare
from benchmarks.scale.encoding import measure_encoding
from benchmarks.scale.filtering import SIZES as FILTER_SIZES
from benchmarks.scale.filtering import filter_all
from benchmarks.scale.growth import SIZES as GROWTH_SIZES
from benchmarks.scale.growth import grow
from benchmarks.scale.page import write_page
from benchmarks.scale.rates import write_rates
from benchmarks.scale.results import BENCHMARKS, RESULTS, read_results
from benchmarks.scale.systems import SYSTEMS

_PATH = click.Path(path_type=Path)


def _sizes(_: Any, __: Any, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(float(each)) for each in value.split(","))
    except ValueError as error:
        raise click.BadParameter("numbers with commas between them are needed") from error


def _sizes_option(sizes: Sequence[int]) -> Any:
    default = ",".join(str(each) for each in sizes)
    return click.option("--sizes", default=default, callback=_sizes, help="Numbers of vectors.")


folder_argument = click.argument("folder", type=_PATH)
results_option = click.option("--results", type=_PATH, default=RESULTS, help="Folder of results.")
seed_option = click.option("--seed", default=1, help="Of the vectors.")


@click.group(context_settings={"show_default": True})
def main() -> None:
    """Measure indexes of many vectors. FOLDER keeps what a broken-off run goes on with."""


@main.command()
@folder_argument
@results_option
@seed_option
@click.option("--count", default=1_000_000, help="Number of vectors.")
@click.option("--dim", default=768, type=click.IntRange(1, 768), help="Of the vectors.")
@click.option("--queries", default=1000, help="Asked of each system.")
@click.option("--limit-s", default=900.0, help="A build, or a search, is broken off after this.")
@click.option(
    "--system",
    "names",
    multiple=True,
    type=click.Choice(list(SYSTEMS)),
    help="Only this one; may be repeated.",
)
def peers(
    folder: Path,
    results: Path,
    seed: int,
    count: int,
    dim: int,
    queries: int,
    limit_s: float,
    names: tuple[str, ...],
) -> None:
    """Measure this project's indexes beside other libraries."""
    path = compare(
        folder.absolute(),
        results,
        count=count,
        dim=dim,
        seed=seed,
        asked=queries,
        limit_s=limit_s,
        names=names or tuple(SYSTEMS),
        announce=_said,
    )
    click.echo(f"written: {path}")


@main.command()
@folder_argument
@results_option
@seed_option
@_sizes_option(GROWTH_SIZES)
@click.option("--dim", default=192, type=click.IntRange(1, 768), help="Of the vectors.")
def growth(folder: Path, results: Path, seed: int, sizes: tuple[int, ...], dim: int) -> None:
    """Measure how building and searching change with the number of vectors."""
    path = grow(folder.absolute(), results, sizes=sizes, dim=dim, seed=seed, announce=_said)
    click.echo(f"written: {path}")


@main.command()
@folder_argument
@results_option
@seed_option
@_sizes_option(FILTER_SIZES)
@click.option("--dim", default=192, type=click.IntRange(1, 768), help="Of the vectors.")
def filtered(folder: Path, results: Path, seed: int, sizes: tuple[int, ...], dim: int) -> None:
    """Measure searches among a part of the rows."""
    path = filter_all(folder.absolute(), results, sizes=sizes, dim=dim, seed=seed, announce=_said)
    click.echo(f"written: {path}")


@main.command()
@results_option
@click.option("--weights", default="demo", help="demo, a directory, or REPOSITORY@REVISION.")
@click.option("--device", default="cpu", help="cpu, cuda or auto.")
def encoding(results: Path, weights: str, device: str) -> None:
    """Measure how many objects a second are encoded."""
    click.echo(f"written: {measure_encoding(results, weights, device)}")


@main.command()
@results_option
def rates(results: Path) -> None:
    """Write the rates that `python -m indexer plan` predicts from."""
    click.echo(f"written: {write_rates(results)}")


@main.command()
@results_option
@click.argument("benchmarks", nargs=-1, type=click.Choice(BENCHMARKS))
def check(results: Path, benchmarks: tuple[str, ...]) -> None:
    """Compare results with their budgets. Exit code 1 if one is missed, or was not measured."""
    budgets = [each for each in read_budgets() if not benchmarks or each.benchmark in benchmarks]
    verdicts = compared(budgets, read_results(results))
    for verdict in verdicts:
        click.echo(verdict.text)
    missed = sum(not verdict.met for verdict in verdicts)
    click.echo(f"{len(verdicts) - missed} of {len(verdicts)} budgets are met")
    if missed:
        sys.exit(1)


@main.command()
@results_option
@click.option("--docs", type=_PATH, default=Path("docs"), help="Where to.")
def page(results: Path, docs: Path) -> None:
    """Write scale.md and scale.svg."""
    for path in write_page(results, docs):
        click.echo(f"written: {path}")


def _said(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
