"""Measure an index of a simulated sky, and write `quality.md` and `quality.json`.

    python -m benchmarks.quality FOLDER [--docs docs] [--queries 1000] [--gallery 2000]

FOLDER holds `sky` (with `labels.parquet`) and `index`; `make quality` makes them. Components and
plain means of the encoder are kept in FOLDER for the next time, the full evaluation with one row a
query goes to FOLDER/evaluation.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from aion_encoder.identity import Pooling
from aion_encoder.training.components import Components
from benchmarks.quality_features import (
    FROZEN_MEAN,
    PCA,
    Features,
    Sky,
    components_of,
    frozen_means_of,
    whitened,
)
from benchmarks.quality_lines import Line
from benchmarks.quality_overlap import overlaps
from benchmarks.quality_page import page
from benchmarks.quality_rows import flat_keys, lines_of
from indexer.durable import replacing, write_json
from indexer.evaluate.bench import PHOTOMETRY, Baseline, Bench
from indexer.evaluate.evaluation import Evaluation, evaluate, write_evaluation
from indexer.evaluate.photometry import photometry_of
from indexer.evaluate.records import SuiteResult
from indexer.index_file import Index, open_index
from indexer.labels import read_labels
from indexer.progress import Announce, mute
from indexer.survey_files import open_survey_files
from indexer.tools import EncoderLike
from indexer.upload_queries import open_same_encoder
from indexer.weights import weights_of

__all__ = ["Quality", "measure", "short_names", "write"]

REPOSITORY = Path(__file__).parents[1]

MODALITIES = ("image", "spectrum", "xp")

IN_FULL = ("discoveries",)
"""Suites that no line of the table is made of: each gets a section of its own."""


@dataclass(frozen=True, eq=False)
class Quality:
    """Everything that was measured.

    Attributes
    ----------
    evaluation
        Of all suites.
    lines
        Of the table.
    extras
        Results of the suites `IN_FULL`.
    """

    evaluation: Evaluation
    lines: tuple[Line, ...]
    extras: tuple[SuiteResult, ...]

    def keys(self) -> dict[str, float]:
        """Return all numbers under flat keys."""
        return {**flat_keys(self.lines), **_keys_of(self.extras)}


def short_names(index: Index) -> dict[str, str]:
    """Return by release the name of its survey; its own name where several are of one survey."""
    surveys = {name: info.survey for name, info in index.info.releases.items()}
    alone = {name for name, of in surveys.items() if [*surveys.values()].count(of) == 1}
    return {name: of if name in alone else name for name, of in surveys.items()}


def measure(
    bench: Bench,
    sky: Sky,
    encoder: EncoderLike,
    cache: Path,
    *,
    plain: EncoderLike | None = None,
    frozen: Sequence[str] = (),
    images: int = 100,
    announce: Announce = mute,
) -> Quality:
    """Run all suites with further baselines, and turn what they find into lines.

    Parameters
    ----------
    bench
        The index, its labels and the settings; its baselines are kept, others put beside them.
    sky
        The index and its files.
    encoder
        The very one that the index was made by.
    cache
        Folder where features are kept for the next time.
    plain
        The encoder whose whitened vectors are the baseline `FROZEN_MEAN`; without one there is no
        such baseline.
    frozen
        Surveys that are encoded by it.
    images
        Of every release, that are turned, flipped and shifted.
    announce
        Called with what is done next.
    """
    components: dict[tuple[str, str], Components] = {}
    values: dict[tuple[str, str], np.ndarray[Any, Any]] = {}
    plain_values: dict[tuple[str, str], np.ndarray[Any, Any]] = {}
    for modality in MODALITIES:
        releases = [
            name
            for name, info in sky.index.info.releases.items()
            if modality in info.spaces.get(modality, ())
        ]
        raw = {}
        for release in releases:
            announce(f"components of {release}")
            fitted = components_of(sky, bench, release, modality, cache)
            components[release, modality], values[release, modality] = fitted
            if plain is not None and sky.index.info.releases[release].survey in frozen:
                announce(f"frozen means of {release}")
                raw[release] = frozen_means_of(sky, release, modality, plain, cache)
        if plain is not None and raw:
            white = whitened(raw, plain.identity.dim)
            plain_values |= {(name, modality): each for name, each in white.items()}
    by_components = Features(values, across=False)
    baselines: dict[str, Baseline] = {**bench.baselines, PCA: by_components}
    if plain_values:
        baselines[FROZEN_MEAN] = Features(plain_values, across=True)
    bench = replace(bench, baselines=baselines)
    evaluation = evaluate(bench, announce=announce)
    announce("images turned, flipped and shifted")
    of_images = {name: each for (name, kind), each in components.items() if kind == "image"}
    changed = overlaps(bench, sky, encoder, of_images, by_components, images=images)
    lines = lines_of(
        (*evaluation.results, changed),
        short_names(sky.index),
        gallery=bench.gallery,
        seed=bench.seed,
    )
    extras = tuple(each for each in evaluation.results if each.name in IN_FULL)
    return Quality(evaluation, lines, extras)


def write(quality: Quality, folder: Path, facts: Mapping[str, str]) -> tuple[Path, Path]:
    """Write `quality.md` and `quality.json` into a folder, and return both."""
    document, text = folder / "quality.json", folder / "quality.md"
    write_json(document, quality.keys())
    with replacing(text) as temporary:
        temporary.write_text(
            page(quality.evaluation.document, quality.lines, quality.extras, facts),
            encoding="utf-8",
        )
    return text, document


def _keys_of(extras: Sequence[SuiteResult]) -> dict[str, float]:
    keys: dict[str, float] = {}
    for result in extras:
        for each in result.records:
            metric = each.metric if each.k is None else f"{each.metric}_at_{each.k}"
            parts = (result.name, metric, each.direction, each.arm, each.formula, each.mode)
            key = ".".join(_slug(part) for part in parts if part)
            of = {"": each.value, ".low": each.low, ".high": each.high, ".chance": each.chance}
            keys |= {f"{key}{end}": round(v, 6) for end, v in of.items() if np.isfinite(v)}
    return keys


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "_", text.lower()).strip("_")


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--docs", default=Path("docs"), type=click.Path(path_type=Path), help="Where to.")
@click.option("--queries", default=1000, type=click.IntRange(1), help="Of a kind, at most.")
@click.option("--gallery", default=2000, type=click.IntRange(1), help="Objects that are searched.")
@click.option("--images", default=100, type=click.IntRange(1), help="Of a release, to be turned.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Of all draws.")
@click.option("--sky-seed", default="", help="That the sky was written with, to be stated.")
@click.option(
    "--frozen",
    multiple=True,
    default=("legacysurvey", "hsc", "sdss", "desi"),
    help="Surveys that are encoded once more, with plain means; may be repeated.",
)
@click.option("--weights", help="Of the index. Default: where the index says they were.")
def main(
    folder: Path,
    docs: Path,
    queries: int,
    gallery: int,
    images: int,
    seed: int,
    sky_seed: str,
    frozen: tuple[str, ...],
    weights: str | None,
) -> None:
    """Measure FOLDER/index beside baselines from FOLDER/sky, and write two documents."""
    from aion_encoder import open_encoder

    index = open_index(folder / "index")
    files = open_survey_files(
        index,
        REPOSITORY / "data_manifests" / f"{index.info.manifest.name}.toml",
        root=folder / "sky",
        weights=weights,
    )
    labels = read_labels(folder / "sky" / "labels.parquet")
    bench = Bench(
        index,
        labels,
        queries=queries,
        seed=seed,
        baselines={PHOTOMETRY: photometry_of},
        gallery=gallery,
        files=files,
    )
    encoder = open_same_encoder(index, weights)
    named = weights or weights_of(index.info.encoder)
    plain = open_encoder(named, pooling=Pooling.LAYERED_PART_MEANS) if frozen else None
    quality = measure(
        bench,
        Sky(index, files.manifest, files.tools),
        encoder,
        folder,
        plain=plain,
        frozen=frozen,
        images=images,
        announce=click.echo,
    )
    write_evaluation(quality.evaluation, folder / "evaluation")
    sources = len(labels.tables[0])
    facts = {
        "data": f"simulated sky (`demo_sky`) of {sources:,} sources"
        + (f", seed {sky_seed}" if sky_seed else ""),
        "test cells": f"HEALPix order {bench.split.order}, the split by which heads were fitted",
        "galleries": f"{gallery:,} objects, or as the table says",
    }
    if plain is not None:
        facts[FROZEN_MEAN] = (
            f"{plain.identity.pooling}, whitened to {plain.identity.dim} dimensions; "
            f"{', '.join(frozen)}"
        )
    for path in write(quality, docs, facts):
        click.echo(f"written: {path}")
    reached = {line.key: line.reached for line in quality.lines if line.reached is not None}
    click.echo(json.dumps({"reached": sum(reached.values()), "bars": len(reached)}))


if __name__ == "__main__":
    main()
