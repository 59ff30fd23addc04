"""``python -m indexer discordant``: sources whose picture and spectrum tell different stories."""

import sys
from pathlib import Path

import click

__all__ = ["discordant"]

_FORMATS = ("table", "csv", "ecsv", "fits", "votable", "parquet", "json")
_BINARY = ("fits", "votable", "parquet")
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("index", type=_PATH)
@click.option(
    "-k",
    "k",
    type=click.IntRange(1, 1_000),
    default=16,
    show_default=True,
    help="Neighbours in pictures and in spectra to compare.",
)
@click.option(
    "--first",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="How many of the most discordant to give.",
)
@click.option(
    "--labels",
    type=_PATH,
    multiple=True,
    metavar="FILE",
    help="A table of labels; may be repeated. They go before the columns of the catalogue.",
)
@click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="NAME",
    help="What neighbours are compared by; may be repeated. Default: redshift and object_class.",
)
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), help="Default: table, or by --output."
)
@click.option("--output", type=_PATH, metavar="FILE", help="Write to a file instead.")
def discordant(
    index: Path,
    k: int,
    first: int,
    labels: tuple[Path, ...],
    properties: tuple[str, ...],
    form: str | None,
    output: Path | None,
) -> None:
    """List sources whose neighbours in pictures and in spectra disagree.

    Lenses, blends, active nuclei and wrong redshifts are among them. The score is 0 where both
    kinds of neighbours agree and 1 where the picture could belong to another source.
    """
    from indexer.bar import progress_bar
    from indexer.discordant import PROPERTIES, find_discordant
    from indexer.discordant_table import discordant_text, render_discordant
    from indexer.export import format_of, whole_or_absent
    from indexer.index_file import open_index
    from indexer.labels import read_labels

    if form is None:
        form = "table" if output is None else format_of(output)
    if output is None and form in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{form} is not for a terminal; give --output FILE")
    opened = open_index(index)
    with progress_bar("comparing", "source") as bar:
        found = find_discordant(
            opened,
            neighbours=k,
            properties=properties or PROPERTIES,
            labels=read_labels(*labels) if labels else None,
            progress=bar.progress,
        ).first(first)
    content = (
        (discordant_text(found) + "\n").encode()
        if form == "table"
        else render_discordant(found, form)
    )
    if output is None:
        click.echo(content, nl=False)
        return
    with whole_or_absent(output) as temporary:
        temporary.write_bytes(content)
    click.echo(f"{len(found)} sources written to {output}", err=True)
