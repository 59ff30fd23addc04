"""Train a small checkpoint: ``python -m aion_encoder.training STAGE WORK``."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from tqdm import tqdm

STAGE_NAMES = (
    "sky",
    "image-codec",
    "spectrum-codec",
    "scalar-codecs",
    "image-tokens",
    "other-tokens",
    "transformer",
    "features",
    "pooling",
    "card",
)
"""Of aion-demo, in order."""

SPECTRA = "universal-spectra"
"""All of spectra-demo: examples, training, checkpoint and card."""

HELD_OUT_SEED = 9001

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"


def _card(
    work: Path, recipe_path: Path | None, held_out: int, gallery: int, asking: int, jobs: int
) -> None:
    from dataclasses import asdict

    from aion_encoder.training.card import write_card
    from aion_encoder.training.measuring import encode_all, measure, write_spaces
    from aion_encoder.training.simulated import pack, packed_sky
    from aion_encoder.training.stages import recipe_from

    (work / "held").mkdir(exist_ok=True)
    recipe = recipe_from(recipe_path)
    chunk = recipe.chunk
    paths = [work / "held" / f"{index:03d}.npz" for index in range(-(-held_out // chunk))]
    for index, path in enumerate(paths):
        if not path.exists():
            pack(path, HELD_OUT_SEED, index * chunk, (index + 1) * chunk)
    last = paths[-(-(gallery + asking) // chunk) * -1 :]
    sky = packed_sky(last)
    checkpoint = work / "checkpoint"
    vectors = encode_all(checkpoint, paths, work, few=len(sky), jobs=jobs)
    measures = measure(checkpoint, sky, vectors, asking=asking, gallery=gallery)
    write_spaces(checkpoint, vectors, held_out)
    hours_file = work / "hours.json"
    hours = json.loads(hours_file.read_text()) if hours_file.exists() else {}
    history = work / "history.md"
    told = history.read_text() if history.exists() else ""
    write_card(checkpoint, measures, asdict(recipe), sky, work / "logs", hours, told)


@contextmanager
def _watched(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar, and give what moves it."""
    with tqdm(desc=name, unit="step") as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance


@click.command()
@click.argument("stage", type=click.Choice([*STAGE_NAMES, "all", SPECTRA]))
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--recipe", type=click.Path(path_type=Path, exists=True), help="JSON of changes.")
@click.option("--threads", type=int, default=os.cpu_count() or 1, show_default=True)
@click.option("--device", default="auto", help="cpu, cuda, or auto: a GPU if there is one.")
@click.option("--held-out", default=9000, show_default=True, help="Sources to measure on.")
@click.option("--gallery", default=2000, show_default=True, help="Of these, that are asked.")
@click.option("--asking", default=1000, show_default=True, help="Of these, that ask.")
@click.option("--install", is_flag=True, help="Copy the result to the bundled weights.")
def main(
    stage: str,
    work: Path,
    recipe: Path | None,
    threads: int,
    device: str,
    held_out: int,
    gallery: int,
    asking: int,
    install: bool,
) -> None:
    """Train a demonstration checkpoint in WORK on the simulated sky, stage by stage.

    Every stage resumes or reuses what is there; `all` runs them in order. The checkpoint grows in
    WORK/checkpoint, in the official layout. `universal-spectra` is a model of its own: the
    tokenizer of spectra on any grid.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    import torch

    from aion_encoder.devices import device_named
    from aion_encoder.training.means import Means, hardware
    from aion_encoder.training.stages import recipe_from, run_stage

    device = str(device_named(device))
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    if stage == SPECTRA:
        from aion_encoder.training.universal_spectra.stages import run

        with _watched(stage) as advance:
            run(work, recipe, Means(device, threads, advance))
        if install:
            shutil.copytree(work / "checkpoint", CHECKPOINTS / "spectra-demo", dirs_exist_ok=True)
        return
    for name in STAGE_NAMES if stage == "all" else (stage,):
        began = time.monotonic()
        if name == "card":
            _card(work, recipe, held_out, gallery, asking, threads)
        else:
            with _watched(name) as advance:
                run_stage(name, work, recipe_from(recipe), Means(device, threads, advance))
            hours_file = work / "hours.json"
            hours = json.loads(hours_file.read_text()) if hours_file.exists() else {}
            earlier = hours.get(name, {"hours": 0.0})["hours"]
            spent = (time.monotonic() - began) / 3600
            hours[name] = {"hours": earlier + spent, "on": hardware(device, threads)}
            hours_file.write_text(json.dumps(hours, indent=1))
    if install:
        shutil.copytree(work / "checkpoint", CHECKPOINTS / "aion-demo", dirs_exist_ok=True)


if __name__ == "__main__":
    main()
