"""The command line: ``python -m indexer COMMAND``. Each command calls one function and prints.

Exit codes: 0 done, 2 refused input or wrong usage, 1 anything else that went wrong, 75 a build that
SIGTERM or SIGUSR1 ended, to be given again.
"""

import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from indexer.bar import progress_bar
from indexer.cli_align import align
from indexer.cli_build import build
from indexer.cli_cite import cite
from indexer.cli_discordant import discordant
from indexer.cli_evaluate import evaluate
from indexer.cli_from_tokens import encode_tokens
from indexer.cli_output import chosen_format, format_option, write_out
from indexer.cli_plan import plan
from indexer.cli_properties import properties
from indexer.cli_query import example_options, query_of, query_options, space_option, taken
from indexer.cli_recalibrate import recalibrate
from indexer.errors import IndexerError, ManifestError, QueryError, ReadError, StoppedError
from indexer.filters import parse_filters
from indexer.options import LARGEST_K, SearchOptions
from indexer.software import software_version

__all__ = ["main"]

MODALITIES = ("image", "spectrum", "xp", "photometry")

_PATH = click.Path(path_type=Path)


class Refused(click.ClickException):
    """Input that was refused: one line, exit code 2."""

    exit_code = 2


class Stopped(click.ClickException):
    """Work that a signal asked to end: the code that means "try again" to schedulers."""

    exit_code = os.EX_TEMPFAIL


class OneLineErrors(click.Group):
    """Turns the errors of this package into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        # Imported here: only cheap names, but a package that `--help` does not need.
        from aion_encoder.errors import EncoderError, ObservationError

        if not sys.warnoptions:
            # What libraries remark about people's files is said by the readers, in one line.
            warnings.simplefilter("ignore")
        try:
            return super().invoke(ctx)
        except (QueryError, ReadError, ManifestError, ObservationError) as error:
            raise Refused(_one_line(error)) from error
        except StoppedError as error:
            raise Stopped(_one_line(error)) from error
        except (IndexerError, EncoderError) as error:
            raise click.ClickException(_one_line(error)) from error
        except OSError as error:
            reason = error.strerror or str(error)
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{reason}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(software_version(), message="%(version)s")
def main() -> None:
    """Build, check and search an index of astronomical objects.

    An index is built from a manifest (see data_manifests/) and is one folder. Searching takes an
    identifier, a position, or a file with an image, a spectrum or Gaia coefficients.
    """


main.add_command(plan)
main.add_command(align)
main.add_command(build)
main.add_command(cite)
main.add_command(discordant)
main.add_command(encode_tokens)
main.add_command(properties)
main.add_command(evaluate)
main.add_command(recalibrate)


@main.command()
@click.argument("index", type=_PATH)
def verify(index: Path) -> None:
    """Check every file, count and vector of an index. Exit code 1 if something is wrong."""
    from indexer.reports import verify_text
    from indexer.verify import verify as verify_index

    with progress_bar("verifying") as bar:
        report = verify_index(index, progress=bar.progress)
    click.echo(verify_text(report))
    if not report.ok:
        raise SystemExit(1)


@main.command()
@click.argument("index", type=_PATH)
def info(index: Path) -> None:
    """Show what an index holds."""
    from indexer.index_file import open_index
    from indexer.reports import info_text

    click.echo(info_text(open_index(index)))


def search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a search."""
    for option in (
        click.option(
            "--fold-duplicates",
            is_flag=True,
            help="Show only the best of the hits within 2 arcsec of each other.",
        ),
        click.option(
            "--where",
            multiple=True,
            metavar="FILTER",
            help="What every hit meets, such as 'redshift>0.1', 'object_class=GALAXY,QSO', "
            "'has(spectrum)', 'cone(150.1,2.2,5arcmin)' or '|b|>20'; may be repeated. All forms: "
            "docs/filters.md.",
        ),
        click.option(
            "--leave-out-source",
            is_flag=True,
            help="Leave out every object of the query's source, not only the query itself.",
        ),
        click.option(
            "--release",
            "releases",
            multiple=True,
            metavar="NAME",
            help="Where hits may come from; may be repeated. Default: everywhere.",
        ),
        click.option(
            "--bridge",
            type=click.Choice(["auto", "linked", "aligned"]),
            default="auto",
            show_default=True,
            help="How another modality is reached.",
        ),
        click.option("--to", type=click.Choice(MODALITIES), help="Modality to find."),
    ):
        command = option(command)
    return command


def searched(values: dict[str, Any]) -> SearchOptions:
    """Return what the options of `search_options` and ``-k`` come to."""
    return SearchOptions(
        k=values["k"],
        to=values["to"],
        bridge=values["bridge"],
        releases=values["releases"],
        exclude_source=values["leave_out_source"],
        filters=parse_filters(*values["where"]),
        fold_duplicates=values["fold_duplicates"],
    )


@main.command()
@click.argument("index", type=_PATH)
@click.argument("more", type=_PATH, nargs=-1, metavar="")
@query_options
@example_options
@space_option
@search_options
@click.option(
    "-k", "k", type=click.IntRange(1, LARGEST_K), default=10, show_default=True, help="Neighbours."
)
@format_option
@click.option("--output", type=_PATH, metavar="FILE", help="Write to a file instead.")
@click.option("--weights", metavar="WEIGHTS", help="Where the index's encoder is, if it moved.")
@click.option(
    "--native-weights",
    metavar="WEIGHTS",
    help="Where the encoder of the space spectrum_native is, if it moved.",
)
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Search without FAISS files that are missing; every answer names them.",
)
def search(
    index: Path,
    more: tuple[Path, ...],
    form: str | None,
    output: Path | None,
    weights: str | None,
    native_weights: str | None,
    allow_missing: bool,
    **values: Any,
) -> None:
    """Find what is most similar to an object or to a file.

    The query itself is left out of the answer, and so is every further example.
    """
    from indexer.search import open_searcher

    asked = taken(values, more)
    form = chosen_format(form, output)
    options = searched(values)
    searcher = open_searcher(
        index, weights=weights, native_weights=native_weights, allow_missing=allow_missing
    )
    hits = searcher.search(query_of(searcher, asked), options)
    if searcher.index.missing and (form != "table" or output is not None):
        from indexer.printing import missing_text

        click.echo(missing_text(searcher.index.missing), err=True)
    write_out(_rendered(hits, form), output, f"{len(hits)} hits")


def _rendered(hits: Any, form: str) -> bytes:
    from indexer.export import render_hits
    from indexer.printing import hits_text

    return (hits_text(hits) + "\n").encode() if form == "table" else render_hits(hits, form)


@main.command()
@click.argument("index", type=_PATH)
@click.argument("output", type=_PATH, metavar="OUT")
@click.option(
    "--objects",
    type=_PATH,
    metavar="FILE",
    help="A list of identifiers: CSV, ECSV, FITS, VOTable, Parquet, or text with one a line.",
)
@click.option("--column", metavar="NAME", help="Column of FILE that holds them.")
@click.option("--all", "every", is_flag=True, help="Every object of the index.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="NAME",
    help="With --all: only the objects of this release; may be repeated.",
)
@search_options
@click.option(
    "-k", "k", type=click.IntRange(1, LARGEST_K), default=50, show_default=True, help="Neighbours."
)
def export(
    index: Path,
    output: Path,
    objects: Path | None,
    column: str | None,
    every: bool,
    sources: tuple[str, ...],
    **values: Any,
) -> None:
    """Write the neighbours of every object of a list, or of an index, to OUT.

    With --objects OUT is a table (.csv .ecsv .fits .vot .parquet), with --all the folder of a HATS
    catalogue with one row per neighbour. Every object is answered, or refused with its reason in a
    file beside OUT that ends in .refused.csv, or in OUT/refused.parquet. What is killed leaves no
    OUT; with --all the same command goes on where it stopped.
    """
    from indexer.cli_export import export_list, export_table

    options = searched(values)
    if every == (objects is not None):
        raise click.UsageError("give either --objects FILE or --all")
    if sources and not every:
        raise click.UsageError("--from belongs to --all")
    if column is not None and objects is None:
        raise click.UsageError("--column belongs to --objects")
    if objects is not None:
        export_list(index, output, options, objects, column)
    else:
        export_table(index, output, options, sources)
