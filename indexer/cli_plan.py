"""The command ``plan``: what a build would read and make, or what so many objects would take."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from indexer.cli_build import root_option

if TYPE_CHECKING:
    from indexer.remote import RemoteRoot

__all__ = ["plan"]

_NODE, _GPU_NODE = "2 cores, 24 GB", "16 cores, 128 GB"


class _Count(click.ParamType[int]):
    """A whole number, as people write large ones: 200e6, 200_000_000."""

    name = "count"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            number = float(value)
            whole = int(number)
        except (ValueError, OverflowError):
            number, whole = 0.0, 0
        if whole != number or whole < 1:
            told = f"must be a whole number such as 200e6, at least 1, got {value!r}"
            self.fail(told, param, ctx)
        return whole


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path), required=False)
@root_option
@click.option(
    "--objects",
    type=_Count(),
    metavar="N",
    help="Predict hours, memory and disk of so many objects, such as 200e6.",
)
@click.option(
    "--modality",
    type=click.Choice(["image", "spectrum", "xp"]),
    help="Of these objects, where no MANIFEST divides them. Default: image.",
)
@click.option(
    "--model", default="aion-base", show_default=True, metavar="NAME", help="That encodes them."
)
@click.option("--gpu", default="", metavar="NAME", help="Encode on h100 or h200. Default: cores.")
@click.option(
    "--gpus", type=click.IntRange(1), default=1, show_default=True, help="How many on each node."
)
@click.option(
    "--nodes", type=click.IntRange(1), default=1, show_default=True, help="How many nodes encode."
)
@click.option(
    "--node",
    metavar="TEXT",
    help="Each of them; on one the vectors are indexed and searched. "
    f"Default: {_NODE}; with --gpu {_GPU_NODE}.",
)
def plan(
    manifest: Path | None,
    root: "Path | RemoteRoot | None",
    objects: int | None,
    modality: str | None,
    model: str,
    gpu: str,
    gpus: int,
    nodes: int,
    node: str | None,
) -> None:
    """Show what a build would read and make, without reading any content.

    With --objects: predict how long an index of so many takes, and the memory and disk it needs;
    each number says whether it is measured or estimated. MANIFEST then says how these objects
    divide among surveys: by the counts that they publish, else by the sizes of the files there.
    """
    if objects is None:
        if manifest is None:
            raise click.UsageError("give MANIFEST, --objects, or both")
        if gpu:
            raise click.UsageError("--gpu belongs to a forecast: give --objects, too")
        from indexer.manifests import load_manifest
        from indexer.plan import plan as make_plan
        from indexer.reports import plan_text

        click.echo(plan_text(make_plan(load_manifest(manifest, root=root))))
        return
    if manifest is not None and modality is not None:
        raise click.UsageError("give MANIFEST or --modality: the manifest says what they are")
    from indexer.fleet import Fleet, parse_node
    from indexer.forecast import DIMENSIONS, forecast
    from indexer.reports import forecast_text
    from indexer.workload import Portion, workload

    if model not in DIMENSIONS:
        raise click.BadParameter(
            f"must be one of {', '.join(DIMENSIONS)}, got {model}", param_hint="'--model'"
        )
    try:
        each = parse_node(node or (_GPU_NODE if gpu else _NODE))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--node'") from error
    portions = (
        (Portion(modality or "image", "mmu_hdf5", objects),)
        if manifest is None
        else workload(manifest, objects, root)
    )
    fleet = Fleet(nodes, each, gpu, gpus)
    click.echo(forecast_text(forecast(portions, model=model, fleet=fleet)))
