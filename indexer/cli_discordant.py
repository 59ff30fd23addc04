"""``python -m indexer discordant``: sources whose picture and spectrum tell different stories."""

from pathlib import Path

import click

from indexer.cli_output import chosen_format, format_option, write_out
from indexer.cli_query import labels_option

__all__ = ["discordant"]

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
@labels_option
@click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="NAME",
    help="What neighbours are compared by; may be repeated. Default: redshift and object_class.",
)
@format_option
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
    from indexer.index_file import open_index
    from indexer.labels import read_labels

    form = chosen_format(form, output)
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
    write_out(content, output, f"{len(found)} sources")
