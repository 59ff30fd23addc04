"""The command line: ``python -m indexer COMMAND``. Each command calls one function and prints.

Exit codes: 0 done, 2 refused input or wrong usage, 1 anything else that went wrong, 75 a build that
SIGTERM or SIGUSR1 ended, to be given again.
"""

import hashlib
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from indexer.bar import progress_bar
from indexer.cli_align import align
from indexer.cli_build import build, root_option
from indexer.cli_discordant import discordant
from indexer.cli_evaluate import evaluate
from indexer.cli_output import chosen_format, format_option, write_out
from indexer.cli_properties import properties
from indexer.cli_query import example_options, query_of, query_options, space_option, taken
from indexer.cli_recalibrate import recalibrate
from indexer.errors import IndexerError, ManifestError, QueryError, ReadError, StoppedError
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


main.add_command(align)
main.add_command(build)
main.add_command(discordant)
main.add_command(properties)
main.add_command(evaluate)
main.add_command(recalibrate)


@main.command()
@click.argument("manifest", type=_PATH)
@root_option
def plan(manifest: Path, root: Path | None) -> None:
    """Show what a build would read and make, without reading any content."""
    from indexer.manifests import load_manifest
    from indexer.plan import plan as make_plan
    from indexer.reports import plan_text

    click.echo(plan_text(make_plan(load_manifest(manifest, root=root))))


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
def search(
    index: Path,
    more: tuple[Path, ...],
    k: int,
    form: str | None,
    output: Path | None,
    weights: str | None,
    native_weights: str | None,
    to: str | None,
    bridge: Any,
    releases: tuple[str, ...],
    leave_out_source: bool,
    **values: Any,
) -> None:
    """Find what is most similar to an object or to a file.

    The query itself is left out of the answer, and so is every further example.
    """
    from indexer.search import open_searcher

    asked = taken(values, more)
    form = chosen_format(form, output)
    options = SearchOptions(
        k=k, to=to, bridge=bridge, releases=releases, exclude_source=leave_out_source
    )
    searcher = open_searcher(index, weights=weights, native_weights=native_weights)
    hits = searcher.search(query_of(searcher, asked), options)
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
    required=True,
    metavar="FILE",
    help="A list of identifiers: CSV, ECSV, FITS, VOTable, Parquet, or text with one a line.",
)
@click.option("--column", metavar="NAME", help="Column of FILE that holds them.")
@search_options
@click.option(
    "-k", "k", type=click.IntRange(1, LARGEST_K), default=50, show_default=True, help="Neighbours."
)
def export(
    index: Path,
    output: Path,
    objects: Path,
    column: str | None,
    k: int,
    to: str | None,
    bridge: Any,
    releases: tuple[str, ...],
    leave_out_source: bool,
) -> None:
    """Write the neighbours of every object of a list to OUT (.csv .ecsv .fits .vot .parquet).

    Every identifier is answered, or refused with its reason in a file beside OUT that ends in
    .refused.csv.
    """
    from indexer.bulk_export import SearcherAnswers, export_neighbours
    from indexer.identifier_lists import read_identifiers
    from indexer.search import open_searcher

    options = SearchOptions(
        k=k, to=to, bridge=bridge, releases=releases, exclude_source=leave_out_source
    )
    identifiers = read_identifiers(objects, column)
    source = {"file": objects.name, "sha256": hashlib.sha256(objects.read_bytes()).hexdigest()}
    answers = SearcherAnswers(open_searcher(index), options)
    with progress_bar("searching") as bar:
        done = export_neighbours(answers, identifiers, output, source=source, progress=bar.progress)
    click.echo(
        f"{done.read} identifiers read = {done.answered} answered + {done.refused} refused; "
        f"{done.rows} neighbours written to {output}"
    )
    if done.refused_file is not None:
        click.echo(f"reasons of the refused: {done.refused_file}")
