"""The command ``plan``: what a build would read and make, or what so many objects would take."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from indexer.cli_build import root_option

if TYPE_CHECKING:
    from indexer.remote import RemoteRoot

__all__ = ["plan"]


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path), required=False)
@root_option
@click.option(
    "--objects",
    type=click.IntRange(1),
    metavar="N",
    help="In place of a manifest: predict hours, memory and disk of so many objects.",
)
@click.option(
    "--modality",
    type=click.Choice(["image", "spectrum", "xp"]),
    default="image",
    show_default=True,
    help="Of these objects.",
)
@click.option(
    "--model", default="aion-base", show_default=True, metavar="NAME", help="That encodes them."
)
@click.option("--gpu", metavar="NAME", help="Encode on h100 or h200. Default: the node's cores.")
@click.option("--gpus", type=click.IntRange(1), default=1, show_default=True, help="How many.")
@click.option(
    "--node",
    default="2 cores, 24 GB",
    show_default=True,
    help="Where the vectors are indexed and searched.",
)
def plan(
    manifest: Path | None,
    root: "Path | RemoteRoot | None",
    objects: int | None,
    modality: str,
    model: str,
    gpu: str | None,
    gpus: int,
    node: str,
) -> None:
    """Show what a build would read and make, without reading any content.

    With --objects in place of MANIFEST: predict how long an index of so many takes, and the memory
    and disk it needs; each number says whether it is measured or estimated.
    """
    if (manifest is None) == (objects is None):
        raise click.UsageError("give either MANIFEST or --objects")
    if objects is None:
        from indexer.manifests import load_manifest
        from indexer.plan import plan as make_plan
        from indexer.reports import plan_text

        assert manifest is not None
        click.echo(plan_text(make_plan(load_manifest(manifest, root=root))))
        return
    from indexer.forecast import DIMENSIONS, forecast, parse_node
    from indexer.reports import forecast_text

    if model not in DIMENSIONS:
        raise click.BadParameter(
            f"must be one of {', '.join(DIMENSIONS)}, got {model}", param_hint="'--model'"
        )
    try:
        at = parse_node(node)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--node'") from error
    predicted = forecast(
        objects,
        dim=DIMENSIONS[model],
        modality=modality,
        model=model,
        device=gpu or "cpu",
        devices=gpus,
        node=at,
    )
    click.echo(forecast_text(predicted, at))
