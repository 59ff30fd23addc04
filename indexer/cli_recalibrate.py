"""``python -m indexer recalibrate``: fit what the decoder's redshifts are worth."""

from pathlib import Path

import click

from indexer.cli_query import labels_option

__all__ = ["recalibrate"]

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("index", type=_PATH)
@click.argument("manifest", type=_PATH)
@click.option("--root", type=_PATH, help="Folder of the survey files, if not the manifest's own.")
@labels_option
@click.option(
    "--sources",
    type=click.IntRange(50),
    default=1000,
    show_default=True,
    help="Sources of a modality to fit on; more are passed over, evenly.",
)
@click.option("--weights", metavar="WEIGHTS", help="Where the index's encoder is, if it moved.")
def recalibrate(
    index: Path,
    manifest: Path,
    root: Path | None,
    labels: tuple[Path, ...],
    sources: int,
    weights: str | None,
) -> None:
    """Recalibrate the redshifts that the frozen decoder reads, for `properties --decoder`.

    The decoder is asked about sources of known redshift in validation cells of the sky, as it
    would be asked about a file, and its probabilities are mapped to what comes true among them.
    The index is published with these maps; its vectors stay as they are.
    """
    from indexer.bar import progress_bar
    from indexer.index_file import open_index
    from indexer.labels import read_labels
    from indexer.recalibrate_index import recalibrate_index
    from indexer.survey_files import open_survey_files

    files = open_survey_files(open_index(index), manifest, root=root, weights=weights)
    with progress_bar("recalibrating", "step") as bar:
        info, fitted, reasons = recalibrate_index(
            index,
            files,
            read_labels(*labels) if labels else None,
            at_most=sources,
            announce=bar.announce,
        )
    for each in fitted:
        click.echo(f"{each.modality}: recalibrated on {each.objects} sources of validation cells")
    for reason in reasons:
        click.echo(f"not recalibrated: {reason}")
    click.echo(f"{index} is published, generation {info.generation}")
