"""``python -m indexer encode-tokens``: vectors of another model or pooling, without pixels."""

from pathlib import Path

import click

from aion_encoder.identity import Pooling

__all__ = ["encode_tokens"]

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("index", type=_PATH)
@click.argument("folder", type=_PATH)
@click.option(
    "--weights",
    default="demo",
    show_default=True,
    metavar="WEIGHTS",
    help="demo, a directory in the official layout, or REPOSITORY@REVISION.",
)
@click.option(
    "--pooling",
    type=click.Choice([each.value for each in Pooling]),
    help="How tokens become vectors. Default: as the weights say.",
)
def encode_tokens(index: Path, folder: Path, weights: str, pooling: str | None) -> None:
    """Encode the tokens that INDEX keeps with other weights or another pooling.

    FOLDER gets a Parquet file for each release and manifest.toml, which `build` makes an index of.
    The tokenizers must be those that the tokens are of.
    """
    from indexer.bar import progress_bar
    from indexer.from_tokens import encode_from_tokens
    from indexer.index_file import open_index
    from indexer.weights import open_weights

    opened = open_index(index)
    encoder = open_weights(weights, None if pooling is None else Pooling(pooling))
    with progress_bar("encoding", "objects") as bar:
        manifest = encode_from_tokens(opened, folder, encoder, progress=bar.progress)
    click.echo(f"written: {manifest}")
