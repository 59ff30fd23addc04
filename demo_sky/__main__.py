"""Command line: python -m demo_sky write DIR --objects 3000 --seed 7; then native, likewise."""

import time
from pathlib import Path

import click

from demo_sky.native_releases import write_native_releases
from demo_sky.write import write_sky


@click.group()
def main() -> None:
    """Make a simulated sky of five surveys, in the surveys' own file layout."""


@main.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--objects",
    default=3000,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of physical sources.",
)
@click.option(
    "--seed",
    default=7,
    show_default=True,
    type=click.IntRange(min=0),
    help="Which sky: the same seed and number give the same bytes.",
)
@click.option(
    "--workers",
    default=None,
    type=click.IntRange(min=1),
    help="Processes; by default one per core.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def write(directory: Path, objects: int, seed: int, workers: int | None, quiet: bool) -> None:
    """Write five releases and labels.parquet below DIRECTORY.

    The releases are Legacy Surveys DR10, HSC PDR3, SDSS, DESI and Gaia, one HDF5 file per HEALPix
    cell, as in the Multimodal Universe; labels.parquet holds the truth about every source.
    """
    start = time.monotonic()
    try:
        with click.progressbar(length=objects, label="Simulating", show_pos=True) as bar:

            def advance(done: int, _total: int) -> None:
                if not quiet:
                    bar.update(done - bar.pos)

            write_sky(directory, objects, seed, advance, workers)
    except (ValueError, FileExistsError) as error:
        raise click.ClickException(str(error)) from error
    if not quiet:
        size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
        click.echo(
            f"Wrote {objects} sources, {size / 1e6:.0f} MB, to {directory} "
            f"in {time.monotonic() - start:.0f} s"
        )


@main.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--objects", default=3000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0))
def native(directory: Path, objects: int, seed: int) -> None:
    """Write APOGEE and GALAH spectra of the bright stars of a sky below DIRECTORY.

    Give the numbers that `write` was given: the stars are the same sources. The files are HDF5 in
    the layout of the others; data_manifests/demo-native.toml indexes all seven releases.
    """
    try:
        with click.progressbar(length=objects, label="Simulating", show_pos=True) as bar:

            def advance(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            count = write_native_releases(directory, objects, seed, advance)
    except (ValueError, FileExistsError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {count} spectra to {directory}")


if __name__ == "__main__":
    main()
