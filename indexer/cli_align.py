"""``python -m indexer align``: fit the heads of an index anew."""

from pathlib import Path

import click

__all__ = ["align"]


@click.command()
@click.argument("index", type=click.Path(path_type=Path))
@click.option(
    "--pairs-at-most",
    type=click.IntRange(100),
    default=200_000,
    show_default=True,
    help="Linked pairs to use; more are passed over, evenly.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of training.")
def align(index: Path, pairs_at_most: int, seed: int) -> None:
    """Fit the heads between modalities anew, on the linked pairs of an index.

    Linear heads are compared with small networks on cells of the sky that neither was fitted to;
    the better are published with the index, with what they recover on cells that had no say.
    """
    from indexer.align_index import align_index
    from indexer.align_report import aligned_text
    from indexer.bar import progress_bar
    from indexer.index_file import open_index

    with progress_bar("aligning", "pair") as bar:
        align_index(
            index,
            pairs_at_most=pairs_at_most,
            seed=seed,
            progress=bar.progress,
            announce=bar.announce,
        )
    opened = open_index(index)
    click.echo(aligned_text(opened.heads_facts))
    for note in opened.info.notes:
        click.echo(f"note: {note}")
    click.echo(f"{index} is published, generation {opened.info.generation}")
