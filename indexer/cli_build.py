"""``python -m indexer build``: a whole build, or one slice of its encoding."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.bar import progress_bar

if TYPE_CHECKING:
    from indexer.remote import RemoteRoot
    from indexer.runners.stop import Stop
    from indexer.runners.turns import Runner

__all__ = ["build", "root_option"]

_PATH = click.Path(path_type=Path)


class Root(click.ParamType["Path | RemoteRoot"]):
    """A folder on this machine, or an address."""

    name = "path"

    def convert(self, value: Any, param: Any, ctx: Any) -> "Path | RemoteRoot":
        """Return what is named."""
        del param, ctx
        from indexer.remote import root_named

        return root_named(str(value))


root_option = click.option(
    "--root",
    type=Root(),
    metavar="PATH",
    help="Folder of the survey files, instead of the manifest's own; or an address such as "
    "hf://datasets/OWNER/NAME, s3://BUCKET/FOLDER or https://.",
)


@click.command()
@click.argument("manifest", type=_PATH)
@click.argument("index", type=_PATH)
@click.option(
    "--shard",
    metavar="I/N",
    help="Only encode a slice of the partitions, counted from 0: of --shard 0/4 to 3/4 each takes "
    "a quarter. Job arrays run one each; a build without it then finds their work done.",
)
@click.option(
    "--runner",
    type=click.Choice(["processes", "ray"]),
    default="processes",
    show_default=True,
    help="Where partitions are encoded: on this machine, or on the cluster of RAY_ADDRESS.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Processes; with ray, actors. Default: 1; with ray, as many as the cluster holds.",
)
@click.option(
    "--gpus-per-task",
    type=click.FloatRange(0.0),
    default=0.0,
    metavar="GPUS",
    help="With ray: what each actor asks for, such as 1, or 0.5 for two on each. Default: none.",
)
@click.option(
    "--weights",
    default="demo",
    show_default=True,
    metavar="WEIGHTS",
    help="demo, a directory in the official layout, or REPOSITORY@REVISION.",
)
@click.option(
    "--native-weights",
    metavar="WEIGHTS",
    help="Encode spectra with the universal spectral tokenizer, too: spectra-demo, a directory, or "
    "none. Default: as the manifest says, else spectra-demo with the weights demo.",
)
@click.option(
    "--keep-tokens",
    is_flag=True,
    help="Keep the tokens of every observation, as keep_tokens does in a release of the manifest: "
    "encode-tokens then needs no pixels.",
)
@click.option(
    "--bfloat16",
    is_flag=True,
    help="Multiply matrices of the transformer in bfloat16, as a GPU does anyway: faster on a CPU "
    "with AMX, slower elsewhere. Vectors change by a cosine of less than 0.001.",
)
@root_option
@click.option(
    "--log-json",
    type=_PATH,
    metavar="FILE",
    help="Append a JSON line for each step, each partition of each process, and every ten seconds "
    "how far the work is, its rate and the time left.",
)
def build(
    manifest: Path,
    index: Path,
    shard: str | None,
    runner: str,
    jobs: int | None,
    gpus_per_task: float,
    weights: str,
    native_weights: str | None,
    keep_tokens: bool,
    bfloat16: bool,
    root: "Path | RemoteRoot | None",
    log_json: Path | None,
) -> None:
    """Build an index, or bring it up to date; goes on where an earlier build stopped.

    SIGTERM and SIGUSR1 end it after the partitions that are being encoded, with exit code 75: the
    same command goes on from there. What a build read, made and took is written beside the index,
    to INDEX.run.json.
    """
    from indexer.build import build as build_index
    from indexer.build import encode
    from indexer.kept_tokens import keeping_tokens
    from indexer.manifests import load_manifest
    from indexer.reports import totals_text
    from indexer.run_log import RunLog, run_report, write_report
    from indexer.runners.job_array import parse_slice
    from indexer.runners.stop import Stop
    from indexer.tools import Tools
    from indexer.weights import open_weights

    if gpus_per_task and runner != "ray":
        raise click.UsageError("--gpus-per-task needs --runner ray")
    try:
        part = None if shard is None else parse_slice(shard)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--shard'") from error
    loaded = load_manifest(manifest, root=root)
    if keep_tokens:
        loaded = keeping_tokens(loaded)
    tools = Tools(open_encoder=partial(open_weights, bfloat16=True) if bfloat16 else open_weights)
    with progress_bar("planning") as bar, Stop() as stop:
        where = _runner(runner, jobs, gpus_per_task, stop)
        told = RunLog(log_json, bar.progress, bar.announce)
        if part is not None:
            told.announce("encoding")
            encoded = encode(
                loaded,
                index,
                weights=weights,
                native_weights=native_weights,
                progress=told.progress,
                part=part,
                runner=where,
                tools=tools,
                log=log_json,
            )
            told.end()
        else:
            built = build_index(
                loaded,
                index,
                weights=weights,
                native_weights=native_weights,
                progress=told.progress,
                runner=where,
                announce=told.announce,
                tools=tools,
                log=log_json,
            )
            told.end()
    if part is not None:
        click.echo(encoded.message)
        return
    if built.changed:
        write_report(index, run_report(index, built.info, told))
    click.echo(totals_text(built.info))
    for note in built.info.notes:
        click.echo(f"note: {note}")
    click.echo(built.message)


def _runner(name: str, jobs: int | None, gpus: float, stop: "Stop") -> "Runner":
    from indexer.runners.local import Processes
    from indexer.runners.ray_actors import RayActors

    return RayActors(jobs, gpus, stop) if name == "ray" else Processes(jobs or 1, stop)
