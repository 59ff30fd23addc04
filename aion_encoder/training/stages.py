"""The stages of training a demonstration checkpoint, each resumable on its own.

A working folder holds ``sky/*.npz`` (packed simulated sources), ``tokens/*.npz``, the training
state and the logs; the checkpoint is written in the official layout beside them.
"""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aion.codecs.scalar import GridScalarCodec, LogScalarCodec, MultiScalarCodec
from aion.modalities import ScalarModalities
from aion.model import AION

from aion_encoder.bridges import BRIDGES_FILE, write_bridges
from aion_encoder.checkpoint import Settings, load_transformer, locate
from aion_encoder.checkpoint_writer import (
    write_codec,
    write_learned_pooling,
    write_settings,
    write_transformer,
)
from aion_encoder.codecs import load_codec
from aion_encoder.identity import Pooling
from aion_encoder.reference_spaces import SPACES_FILES
from aion_encoder.training.batches import XP_KEYS, MaskedRecipe
from aion_encoder.training.features import IMAGE_KEYS, Features, write_features, write_turned
from aion_encoder.training.image_codec import IMAGE_CODEC, ImageRecipe, train_image_codec
from aion_encoder.training.masked import train_transformer, transformer_config
from aion_encoder.training.means import Means
from aion_encoder.training.pooling import LOOKED_AT, PoolingRecipe, train_pooling
from aion_encoder.training.simulated import BANDS, SCALARS, PackedSky, pack, packed_sky
from aion_encoder.training.spectrum_codec import (
    SPECTRUM_CODEC,
    SpectrumRecipe,
    train_spectrum_codec,
)
from aion_encoder.training.tokens import claimed, load_codecs, read_tokens, write_tokens

__all__ = ["STAGES", "Recipe", "recipe_from", "run_stage"]

logger = logging.getLogger("aion_encoder")

TITLE = "aion-demo: a demonstration trained on simulated data"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a demonstration checkpoint becomes."""

    start: str | None = None
    """Checkpoint to go on from (``demo`` or a directory): its tokenizers are trained further, its
    tables of scalars are kept, and the transformer begins with its weights. A tokenizer with 0
    steps stays as it is; an image tokenizer that is trained further gives other codes, so that the
    transformer learns the tables of images anew."""
    seed: int = 1001
    codec_sources: int = 5000
    sources: int = 15000
    chunk: int = 500
    """Sources per packed file."""
    image: ImageRecipe = field(default_factory=ImageRecipe)
    spectrum: SpectrumRecipe = field(default_factory=SpectrumRecipe)
    masked: MaskedRecipe = field(default_factory=MaskedRecipe)
    pooling: PoolingRecipe = field(default_factory=PoolingRecipe)
    pooling_sources: int = 15000
    """Of the training sources, the first are what the pooling is learned from."""
    image_codec: Mapping[str, Any] = field(default_factory=lambda: dict(IMAGE_CODEC))
    spectrum_codec: Mapping[str, Any] = field(default_factory=lambda: dict(SPECTRUM_CODEC))
    dim: int = 192
    encoder_depth: int = 6
    decoder_depth: int = 2
    num_heads: int = 6
    domains_out: tuple[str, ...] = ("tok_z",)
    """What the released decoder can still give. The tables of the others would be two thirds of
    the file."""


_PARTS = {
    "image": ImageRecipe,
    "spectrum": SpectrumRecipe,
    "masked": MaskedRecipe,
    "pooling": PoolingRecipe,
}


def recipe_from(path: Path | None) -> Recipe:
    """Read a recipe from JSON; what it leaves out keeps its default.

    Raises
    ------
    TypeError
        If a key is unknown.
    """
    given: dict[str, Any] = {} if path is None else json.loads(path.read_text())
    for name, part in _PARTS.items():
        if name in given:
            given[name] = part(**given[name])
    return Recipe(**given)


def _chunks(work: Path, recipe: Recipe, count: int) -> list[Path]:
    return [work / "sky" / f"{index:03d}.npz" for index in range(-(-count // recipe.chunk))]


def stage_sky(work: Path, recipe: Recipe, by: Means) -> None:
    """Simulate and pack the training sources that are not there yet."""
    (work / "sky").mkdir(parents=True, exist_ok=True)
    paths = _chunks(work, recipe, max(recipe.sources, recipe.codec_sources))
    calls = [
        (path, recipe.seed, k * recipe.chunk, (k + 1) * recipe.chunk)
        for k, path in enumerate(paths)
        if not path.exists()
    ]
    by.spread(pack, calls, len(paths))


def _started(recipe: Recipe, folder: str) -> Any:
    """Return a tokenizer of the checkpoint to go on from, or None."""
    if recipe.start is None:
        return None
    return load_codec(locate(recipe.start).codecs_directory, folder)


def _codec_sky(work: Path, recipe: Recipe) -> PackedSky:
    return packed_sky(_chunks(work, recipe, recipe.codec_sources))


def _save_log(work: Path, name: str, log: list[dict[str, Any]]) -> None:
    (work / "logs").mkdir(exist_ok=True)
    (work / "logs" / f"{name}.json").write_text(json.dumps(log, indent=1))


def stage_image_codec(work: Path, recipe: Recipe, by: Means) -> None:
    """Train the image tokenizer and write it to ``checkpoint/codecs/image``."""
    sky = _codec_sky(work, recipe)
    surveys = {name: (sky.images[name], bands) for name, bands in BANDS.items()}
    codec, log = train_image_codec(
        surveys,
        recipe.image,
        seed=recipe.seed,
        config=recipe.image_codec,
        start=_started(recipe, "image"),
        device=by.device,
        progress=by.progress,
    )
    write_codec(work / "checkpoint", "image", codec, recipe.image_codec)
    _save_log(work, "image_codec", log)


def stage_spectrum_codec(work: Path, recipe: Recipe, by: Means) -> None:
    """Train the spectrum tokenizer and write it to ``checkpoint/codecs/spectrum``."""
    sky = _codec_sky(work, recipe)
    codec, log = train_spectrum_codec(
        sky.spectra,
        recipe.spectrum,
        seed=recipe.seed,
        config=recipe.spectrum_codec,
        start=_started(recipe, "spectrum"),
        device=by.device,
        progress=by.progress,
    )
    write_codec(work / "checkpoint", "spectrum", codec, recipe.spectrum_codec)
    _save_log(work, "spectrum_codec", log)


def stage_scalar_codecs(work: Path, recipe: Recipe, by: Means) -> None:
    """Fit the quantile tables of scalars and Gaia coefficients, or keep those gone on from."""
    by_key = {modality.token_key: modality for modality in ScalarModalities.values()}
    if recipe.start is not None:
        for key in (*SCALARS, *XP_KEYS):
            part = Path("codecs") / by_key[key].name
            source = locate(recipe.start).codecs_directory / part
            shutil.copytree(source, work / "checkpoint" / part, dirs_exist_ok=True)
        return
    sky = _codec_sky(work, recipe)
    values = {key: np.asarray(sky.scalars[key], np.float32) for key in SCALARS}
    values["tok_xp_bp"], values["tok_xp_rp"] = np.split(sky.coefficients, 2, axis=1)
    rng = np.random.default_rng(recipe.seed)
    for done, (key, column) in enumerate(values.items(), 1):
        name = by_key[key].name
        config: dict[str, Any] = {"modality": name, "codebook_size": 1024}
        if key == "tok_z":
            config["codebook_size"] = 1025
            codec: Any = GridScalarCodec(**config)
        else:
            config["reservoir_size"] = 1024
            if key in XP_KEYS:
                config |= {
                    "compression_fns": ["arcsinh"],
                    "decompression_fns": ["sinh"],
                    "num_quantizers": 55,
                }
                codec = MultiScalarCodec(**config)
            else:
                codec = LogScalarCodec(**config)
            usable = column[np.isfinite(column).reshape(len(column), -1).all(axis=1)]
            # One pass fills the reservoir, from which the quantiles are taken.
            codec.quantizer(torch.from_numpy(usable[rng.permutation(len(usable))[:1024]]))
        write_codec(work / "checkpoint", name, codec, config)
        by.tell(done, len(values))


def stage_image_tokens(work: Path, recipe: Recipe, by: Means) -> None:
    """Tokenize the pictures of the training sky, file by file."""
    write_tokens(work, _chunks(work, recipe, recipe.sources), "images", by)


def stage_other_tokens(work: Path, recipe: Recipe, by: Means) -> None:
    """Tokenize spectra and scalars of the training sky, file by file."""
    write_tokens(work, _chunks(work, recipe, recipe.sources), "others", by)


def stage_transformer(work: Path, recipe: Recipe, by: Means) -> None:
    """Train the transformer and write ``checkpoint/config.json`` and its weights."""
    sky = read_tokens(work, _chunks(work, recipe, recipe.sources))
    scalars = tuple(SCALARS)
    config = transformer_config(
        recipe.dim, recipe.encoder_depth, recipe.decoder_depth, recipe.num_heads, scalars
    )
    model, log = train_transformer(
        sky,
        config,
        recipe.masked,
        scalars=scalars,
        seed=recipe.seed,
        start=None
        if recipe.start is None
        else load_transformer(locate(recipe.start).directory, keep_decoder=True),
        # A tokenizer that is trained further begins by turning its latents: its codes are others.
        anew=tuple(IMAGE_KEYS.values()) if recipe.image.steps else (),
        state_path=work / "transformer.pt",
        device=by.device,
        progress=by.progress,
    )
    _save_log(work, "transformer", log)
    release_transformer(work / "checkpoint", model, config, recipe.domains_out)


def release_transformer(
    checkpoint: Path, model: AION, config: Mapping[str, Any], domains_out: tuple[str, ...]
) -> None:
    """Write a trained transformer in half precision, without the outputs that are not released."""
    released = {**config, "domains_out": sorted(domains_out)}
    small = AION(dict(released))
    state = model.state_dict()
    small.load_state_dict({name: state[name] for name in small.state_dict()})
    write_transformer(checkpoint, small, released, half=True)
    write_settings(checkpoint, Settings(title=TITLE, pooling=Pooling.LAYERED_PART_MEANS))
    _forget(checkpoint)


def _forget(checkpoint: Path) -> None:
    """Delete what was measured or learned for vectors that the checkpoint no longer gives."""
    for name in (BRIDGES_FILE, *SPACES_FILES):
        (checkpoint / name).unlink(missing_ok=True)


def stage_features(work: Path, recipe: Recipe, by: Means) -> None:
    """Turn and tokenize pictures, and encode the sources that the pooling is learned from."""
    codec = load_codecs(work / "checkpoint", ("image",))["image"].to(by.device)
    (work / "features").mkdir(exist_ok=True)
    paths = _chunks(work, recipe, recipe.pooling_sources)
    for done, path in enumerate(paths, 1):
        with claimed(work / "features" / path.name) as mine:
            if mine:
                write_turned(codec, path, work / "turned", recipe.seed, by.device)
                write_features(work / "checkpoint", work, path.stem, by.device)
        by.tell(done, len(paths))


def stage_pooling(work: Path, recipe: Recipe, by: Means) -> None:
    """Learn a pooling of the trained encoder, and make it the one that the checkpoint asks for."""
    paths = _chunks(work, recipe, recipe.pooling_sources)
    features = Features(work, [path.stem for path in paths])
    pooling, bridges, log = train_pooling(
        recipe.dim,
        features,
        recipe.pooling,
        seed=recipe.seed,
        fluxes=features.first_fluxes(LOOKED_AT),
        state_path=work / "pooling.pt",
        device=by.device,
        progress=by.progress,
    )
    _save_log(work, "pooling", log)
    settings = Settings(title=TITLE, pooling=Pooling.LEARNED, learned=recipe.pooling.shape)
    write_learned_pooling(work / "checkpoint", pooling, half=True)
    write_settings(work / "checkpoint", settings)
    _forget(work / "checkpoint")
    identity = locate(str(work / "checkpoint")).identity(recipe.dim, Pooling.LEARNED)
    write_bridges(work / "checkpoint", bridges, identity)


STAGES: Mapping[str, Callable[[Path, Recipe, Means], None]] = {
    "sky": stage_sky,
    "image-codec": stage_image_codec,
    "spectrum-codec": stage_spectrum_codec,
    "scalar-codecs": stage_scalar_codecs,
    "image-tokens": stage_image_tokens,
    "other-tokens": stage_other_tokens,
    "transformer": stage_transformer,
    "features": stage_features,
    "pooling": stage_pooling,
}


def run_stage(name: str, work: Path, recipe: Recipe, by: Means) -> None:
    """Run one stage and record the recipe beside it."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2, default=list) + "\n")
    STAGES[name](work, recipe, by)
    logger.info("stage %s is done; %s free", name, shutil.disk_usage(work).free)
