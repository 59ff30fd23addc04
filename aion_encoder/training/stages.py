"""The stages of training a demonstration checkpoint, each resumable on its own.

A working folder holds ``sky/*.npz`` (packed simulated sources), ``tokens/*.npz``, the training
state and the logs; the checkpoint is written in the official layout beside them.
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aion.codecs.scalar import GridScalarCodec, LogScalarCodec, MultiScalarCodec
from aion.modalities import Image as AionImage
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
from aion_encoder.training.batches import XP_KEYS, MaskedRecipe, TokenSky
from aion_encoder.training.features import IMAGE_KEYS, Features, write_features, write_turned
from aion_encoder.training.image_codec import IMAGE_CODEC, ImageRecipe, train_image_codec
from aion_encoder.training.masked import train_transformer, transformer_config
from aion_encoder.training.pooling import LOOKED_AT, PoolingRecipe, train_pooling
from aion_encoder.training.simulated import BANDS, SCALARS, PackedSky, pack, packed_sky
from aion_encoder.training.spectrum_codec import (
    SPECTRUM_CODEC,
    SpectrumRecipe,
    train_spectrum_codec,
)

__all__ = ["STAGES", "Recipe", "load_codecs", "recipe_from", "run_stage"]

logger = logging.getLogger("aion_encoder")

Progress = Callable[[int, int], None]

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


def stage_sky(work: Path, recipe: Recipe, progress: Progress | None) -> None:
    """Simulate and pack the training sources that are not there yet."""
    (work / "sky").mkdir(parents=True, exist_ok=True)
    paths = _chunks(work, recipe, max(recipe.sources, recipe.codec_sources))
    for index, path in enumerate(paths):
        if not path.exists():
            pack(path, recipe.seed, index * recipe.chunk, (index + 1) * recipe.chunk)
        if progress is not None:
            progress(index + 1, len(paths))


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


def stage_image_codec(work: Path, recipe: Recipe, progress: Progress | None) -> None:
    """Train the image tokenizer and write it to ``checkpoint/codecs/image``."""
    sky = _codec_sky(work, recipe)
    surveys = {name: (sky.images[name], bands) for name, bands in BANDS.items()}
    codec, log = train_image_codec(
        surveys,
        recipe.image,
        seed=recipe.seed,
        config=recipe.image_codec,
        start=_started(recipe, "image"),
        progress=progress,
    )
    write_codec(work / "checkpoint", "image", codec, recipe.image_codec)
    _save_log(work, "image_codec", log)


def stage_spectrum_codec(work: Path, recipe: Recipe, progress: Progress | None) -> None:
    """Train the spectrum tokenizer and write it to ``checkpoint/codecs/spectrum``."""
    sky = _codec_sky(work, recipe)
    codec, log = train_spectrum_codec(
        sky.spectra,
        recipe.spectrum,
        seed=recipe.seed,
        config=recipe.spectrum_codec,
        start=_started(recipe, "spectrum"),
        progress=progress,
    )
    write_codec(work / "checkpoint", "spectrum", codec, recipe.spectrum_codec)
    _save_log(work, "spectrum_codec", log)


def stage_scalar_codecs(work: Path, recipe: Recipe, progress: Progress | None) -> None:
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
        if progress is not None:
            progress(done, len(values))


@torch.inference_mode()
def _tokenize(codecs: Mapping[str, Any], sky: PackedSky, kind: str) -> dict[str, np.ndarray]:
    """Tokenize the images, or everything else, of a packed sky."""
    tokens: dict[str, list[np.ndarray]] = {}
    rows = np.arange(len(sky))
    for part in np.array_split(rows, max(1, len(rows) // 50)):
        for survey, bands in BANDS.items() if kind == "images" else ():
            pixels = torch.from_numpy(sky.images[survey][part].astype(np.float32))
            key = "tok_image" if survey == "legacysurvey" else "tok_image_hsc"
            coded = codecs["image"].encode(AionImage(flux=pixels, bands=list(bands)))
            tokens.setdefault(key, []).append(coded.numpy())
        for survey, arrays in sky.spectra.items() if kind != "images" else ():
            coded = codecs["spectrum"].encode(arrays.batch(part))
            tokens.setdefault(f"tok_spectrum_{survey}", []).append(coded.numpy())
    out = {key: np.concatenate(parts).astype(np.uint16) for key, parts in tokens.items()}
    if kind != "images":
        by_key = {m.token_key: m for m in ScalarModalities.values()}
        values = {key: np.asarray(sky.scalars[key], np.float32) for key in SCALARS}
        values["tok_xp_bp"], values["tok_xp_rp"] = np.split(sky.coefficients, 2, axis=1)
        for key, array in values.items():
            filled = np.nan_to_num(array, nan=0.0)
            coded = codecs[key].encode(by_key[key](value=torch.from_numpy(filled)))
            out[key] = coded.numpy().astype(np.uint16).reshape(len(sky), -1)
    return out


def load_codecs(checkpoint: Path, wanted: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Read the trained tokenizers back: ``image``, ``spectrum`` and one per scalar token key.

    Parameters
    ----------
    wanted
        Only these; by default all.
    """
    by_key = {modality.token_key: modality for modality in ScalarModalities.values()}
    folders = {"image": "image", "spectrum": "spectrum"}
    folders |= {key: by_key[key].name for key in (*SCALARS, *XP_KEYS)}
    return {
        key: load_codec(checkpoint, folder)
        for key, folder in folders.items()
        if wanted is None or key in wanted
    }


KINDS = ("images", "others")


@contextmanager
def _claimed(target: Path) -> Iterator[bool]:
    """Say whether a file is this process's to make: two may share a stage, whoever comes first."""
    claim = target.with_suffix(".claimed")
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        claim.unlink()


def _tokens(work: Path, recipe: Recipe, kind: str, progress: Progress | None) -> None:
    wanted = ("image",) if kind == "images" else None
    codecs = load_codecs(work / "checkpoint", wanted)
    (work / "tokens").mkdir(exist_ok=True)
    paths = _chunks(work, recipe, recipe.sources)
    for done, path in enumerate(paths, 1):
        target = work / "tokens" / f"{kind}-{path.name}"
        with _claimed(target) as mine:
            if mine and not target.exists():
                TokenSky(_tokenize(codecs, packed_sky([path]), kind)).save(target)
        if progress is not None:
            progress(done, len(paths))


def stage_image_tokens(work: Path, recipe: Recipe, progress: Progress | None) -> None:
    """Tokenize the pictures of the training sky, file by file."""
    _tokens(work, recipe, "images", progress)


def stage_other_tokens(work: Path, recipe: Recipe, progress: Progress | None) -> None:
    """Tokenize spectra and scalars of the training sky, file by file."""
    _tokens(work, recipe, "others", progress)


def _token_sky(work: Path, recipe: Recipe) -> TokenSky:
    tokens: dict[str, list[np.ndarray]] = {}
    for path in _chunks(work, recipe, recipe.sources):
        for kind in KINDS:
            part = TokenSky.load(work / "tokens" / f"{kind}-{path.name}")
            for key, values in part.tokens.items():
                tokens.setdefault(key, []).append(values)
    return TokenSky({key: np.concatenate(parts) for key, parts in tokens.items()})


def stage_transformer(work: Path, recipe: Recipe, progress: Progress | None) -> None:
    """Train the transformer and write ``checkpoint/config.json`` and its weights."""
    sky = _token_sky(work, recipe)
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
        progress=progress,
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


def stage_features(work: Path, recipe: Recipe, progress: Progress | None) -> None:
    """Turn and tokenize pictures, and encode the sources that the pooling is learned from."""
    codec = load_codecs(work / "checkpoint", ("image",))["image"]
    (work / "features").mkdir(exist_ok=True)
    paths = _chunks(work, recipe, recipe.pooling_sources)
    for done, path in enumerate(paths, 1):
        with _claimed(work / "features" / path.name) as mine:
            if mine:
                write_turned(codec, path, work / "turned", recipe.seed)
                write_features(work / "checkpoint", work, path.stem)
        if progress is not None:
            progress(done, len(paths))


def stage_pooling(work: Path, recipe: Recipe, progress: Progress | None) -> None:
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
        progress=progress,
    )
    _save_log(work, "pooling", log)
    settings = Settings(title=TITLE, pooling=Pooling.LEARNED, learned=recipe.pooling.shape)
    write_learned_pooling(work / "checkpoint", pooling, half=True)
    write_settings(work / "checkpoint", settings)
    _forget(work / "checkpoint")
    identity = locate(str(work / "checkpoint")).identity(recipe.dim, Pooling.LEARNED)
    write_bridges(work / "checkpoint", bridges, identity)


STAGES: Mapping[str, Callable[[Path, Recipe, Progress | None], None]] = {
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


def run_stage(name: str, work: Path, recipe: Recipe, progress: Progress | None = None) -> None:
    """Run one stage and record the recipe beside it."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2, default=list) + "\n")
    STAGES[name](work, recipe, progress)
    logger.info("stage %s is done; %s free", name, shutil.disk_usage(work).free)
