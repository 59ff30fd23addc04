"""``python -m indexer properties``: what labelled neighbours say of an object or a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.cli_query import example_options, labels_option, query_of, query_options, taken

if TYPE_CHECKING:
    from aion_encoder.readouts import RedshiftDistribution
    from indexer.queries import Query
    from indexer.search import Searcher

__all__ = ["properties"]

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("index", type=_PATH)
@click.argument("more", type=_PATH, nargs=-1, metavar="")
@query_options
@example_options
@labels_option
@click.option(
    "--property",
    "names",
    multiple=True,
    metavar="NAME",
    help="What to estimate; may be repeated. Default: redshift, object_class and all labels.",
)
@click.option(
    "--decoder",
    is_flag=True,
    help="Of a file, give the redshift that the frozen decoder reads from its tokens, too.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
)
@click.option("--weights", metavar="WEIGHTS", help="Where the index's encoder is, if it moved.")
def properties(
    index: Path,
    more: tuple[Path, ...],
    labels: tuple[Path, ...],
    names: tuple[str, ...],
    decoder: bool,
    form: str,
    weights: str | None,
    **values: Any,
) -> None:
    """Estimate properties of an object or a file from its labelled neighbours.

    Intervals are calibrated on the labelled objects of the index. Where no labelled neighbour is
    near enough, that is the answer. The query's own source never counts.
    """
    from indexer.labels import read_labels
    from indexer.properties import PropertyReader
    from indexer.property_report import property_document, property_text
    from indexer.search import open_searcher

    asked = taken(values, more)
    known = read_labels(*labels) if labels else None
    searcher = open_searcher(index, weights=weights)
    query = query_of(searcher, asked)
    wanted = names or tuple(
        dict.fromkeys(("redshift", "object_class", *(known.names if known else ())))
    )
    estimates = PropertyReader(searcher, known).read(query, wanted)
    verdict = searcher.verdict(query)
    read, objects = _decoded(searcher, query, weights) if decoder else (None, 0)
    if form == "json":
        document = property_document(searcher.index, query, estimates, verdict, read, objects)
        click.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        click.echo(property_text(query, estimates, verdict, read, objects))


def _decoded(
    searcher: "Searcher", query: "Query", weights: str | None
) -> tuple["RedshiftDistribution", int]:
    """Return the decoder's distribution of the redshift of an uploaded file.

    Recalibrated where the index knows how, with the number of sources behind that; 0 where not.
    """
    if query.observation is None and query.brought:
        raise click.UsageError(f"--decoder needs AION-1's tokens, but this is {query.answered}")
    if query.observation is None:
        raise click.UsageError(
            "--decoder needs the tokens of a file: give --image, --spectrum or --xp"
        )
    # Imported here: only this needs the encoder's weights and torch.
    from aion_encoder.encoder import open_encoder
    from indexer.redshift_readouts import tokens_to_redshift
    from indexer.weights import weights_of

    encoder = open_encoder(weights or weights_of(searcher.index.info.encoder), keep_decoder=True)
    told = tokens_to_redshift(encoder, [query.observation])
    readout = searcher.index.redshift_readout(query.modality)
    # What was fitted to another decoder says nothing of this one.
    if readout is None or readout.encoder != encoder.identity.digest:
        return told, 0
    return readout.recalibration.apply(told), readout.objects
