"""`python -m indexer cite`: whom to cite and to thank."""

from pathlib import Path

import click

__all__ = ["cite"]


@click.command()
@click.argument("index", type=click.Path(path_type=Path))
@click.option(
    "--release",
    "releases",
    multiple=True,
    metavar="NAME",
    help="Only for this release; may be repeated. Default: every release of the index.",
)
@click.option("--acknowledgements", "thanks", is_flag=True, help="What to say, in place of BibTeX.")
def cite(index: Path, releases: tuple[str, ...], thanks: bool) -> None:
    """Write BibTeX, or acknowledgements, for the releases of a list."""
    from indexer.citations import acknowledgements, bibtex
    from indexer.index_file import read_index_file
    from indexer.layout import INDEX_FILE

    info = read_index_file(index / INDEX_FILE)
    chosen = releases or tuple(info.releases)
    click.echo((acknowledgements if thanks else bibtex)(info, chosen), nl=False)
