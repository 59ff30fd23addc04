"""From nothing to a checkpoint of the universal spectral tokenizer, resumable at every file.

A working folder holds ``examples/*.npz``, the training states and ``checkpoint``.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from aion_encoder.training.figures import draw_losses
from aion_encoder.training.means import Means, hardware
from aion_encoder.training.universal_spectra.card import card
from aion_encoder.training.universal_spectra.decoder import DecoderRecipe, fit_decoder
from aion_encoder.training.universal_spectra.examples import (
    ranges_of,
    read_examples,
    write_examples,
)
from aion_encoder.training.universal_spectra.head import HeadRecipe, fit_head, windows_of
from aion_encoder.training.universal_spectra.train import UstRecipe, train_universal_spectra
from aion_encoder.training.universal_spectra.views import VIEWS, kind_of
from aion_encoder.universal_spectra.checkpoint import locate, write_checkpoint
from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.model import UniversalSpectra

__all__ = ["Logs", "Recipe", "recipe_from", "release", "run"]

logger = logging.getLogger("aion_encoder")

TITLE = "spectra-demo: a demonstration trained on simulated data"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a tokenizer becomes."""

    start: str | None = None
    """Checkpoint to go on from (``spectra-demo`` or a directory), of the same sizes."""
    seed: int = 3001
    sources: int = 24_000
    chunk: int = 50
    """Sources per file."""
    training: UstRecipe = field(default_factory=UstRecipe)
    decoder: DecoderRecipe = field(default_factory=DecoderRecipe)
    """Where native tokens were kept, the decoder is taught all views again."""
    head: HeadRecipe = field(default_factory=HeadRecipe)


@dataclass(frozen=True)
class Logs:
    """Losses on the way: of the model, and of its decoder and head if fitted afterwards."""

    model: Sequence[dict[str, Any]]
    decoder: Sequence[dict[str, Any]] = ()
    head: Sequence[dict[str, Any]] = ()


def recipe_from(path: Path | None) -> Recipe:
    """Read a recipe from JSON; what it leaves out keeps its default.

    Raises
    ------
    TypeError
        If a key is unknown.
    """
    given: dict[str, Any] = {} if path is None else json.loads(path.read_text())
    training = given.pop("training", {})
    if "model" in training:
        training["model"] = UstConfig(**training["model"])
    head = HeadRecipe(**given.pop("head", {}))
    decoder = DecoderRecipe(**given.pop("decoder", {}))
    return Recipe(**given, training=UstRecipe(**training), decoder=decoder, head=head)


def _examples(work: Path, recipe: Recipe, by: Means) -> list[Path]:
    folder = work / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-recipe.sources // recipe.chunk)
    paths = [folder / f"{number:04d}.npz" for number in range(count)]
    calls = [
        (path, recipe.seed, number * recipe.chunk, (number + 1) * recipe.chunk)
        for number, path in enumerate(paths)
        if not path.exists()
    ]
    by.spread(write_examples, calls, count)
    return paths


def release(
    checkpoint: Path,
    model: UniversalSpectra,
    recipe: Recipe,
    logs: Logs,
    hours: float,
    machine: str,
) -> None:
    """Write a trained tokenizer with its recipe, its losses and its card."""
    write_checkpoint(checkpoint, model, TITLE)
    told = asdict(recipe)
    told["training"]["model"] = recipe.training.model.model_dump(mode="json")
    (checkpoint / "recipe.json").write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")
    given_back = logs.decoder or logs.model
    if given_back:
        views = dict.fromkeys(kind_of(name) for name in VIEWS)
        keys = [name for name in views if any(name in row for row in given_back)]
        draw_losses(given_back, keys, checkpoint / "losses.png")
    agreed = logs.head or logs.model
    if agreed:
        pairs = sorted({name for row in agreed for name in row if " = " in name})
        draw_losses(agreed, pairs, checkpoint / "agreement.png")
    (checkpoint / "README.md").write_text(card(recipe, logs, hours, machine))


def run(work: Path, recipe_path: Path | None, by: Means) -> None:
    """Simulate, train and write ``WORK/checkpoint``; what is there already is used."""
    recipe = recipe_from(recipe_path)
    began = time.monotonic()
    paths = _examples(work, recipe, by)
    logger.info("examples of %d sources are there", recipe.sources)
    examples = read_examples(paths, by.device)
    config = recipe.training.model.model_copy(update={"taught_angstrom": ranges_of(examples)})
    recipe = replace(recipe, training=replace(recipe.training, model=config))
    model, log = train_universal_spectra(
        examples,
        recipe.training,
        seed=recipe.seed,
        start=None if recipe.start is None else locate(recipe.start).load(),
        state_path=work / "state.pt",
        device=by.device,
        progress=by.progress,
    )
    model.to(by.device)
    decoder_log: list[dict[str, Any]] = []
    if recipe.training.kept:
        decoder_log = fit_decoder(
            model,
            examples,
            recipe.decoder,
            seed=recipe.seed,
            state_path=work / "decoder.pt",
            progress=by.progress,
        )
    head_log: list[dict[str, Any]] = []
    if recipe.training.model.pooling == "windows":
        windows = windows_of(model, examples, recipe.head.most, by.progress)
        logger.info("windows of %d views are there", len(windows))
        head_log = fit_head(
            model,
            windows,
            recipe.head,
            seed=recipe.seed,
            state_path=work / "head.pt",
            progress=by.progress,
        )
    model.to("cpu")
    hours = (time.monotonic() - began) / 3600
    logs = Logs(log, decoder_log, head_log)
    release(work / "checkpoint", model, recipe, logs, hours, hardware(by.device, by.jobs))
