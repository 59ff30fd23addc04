"""Finds weights, loads them strictly and states their identity.

Official layout: ``config.json``, ``model.safetensors`` and, per tokenizer,
``codecs/<name>/{config.json,model.safetensors}``. Our own optional ``aion_search.json`` beside
them states how the tokens are pooled; a learned pooling is in ``pooling.safetensors``.
"""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from aion_encoder.bridges import BRIDGES_FILE
from aion_encoder.codecs import (
    READING_CODECS,
    codec_folder,
    codec_folders,
    load_codec,
    without_decoder,
)
from aion_encoder.errors import CheckpointError
from aion_encoder.hub import fetch, split_revision
from aion_encoder.identity import EncoderIdentity, Pooling
from aion_encoder.learned_pooling import POOLING_FILE, LearnedPooling, PoolingShape
from aion_encoder.strict import load_strictly, plain_torch, read_config, sha256_of

__all__ = ["Checkpoint", "Settings", "load_transformer", "locate"]

DEMO = Path(__file__).parent / "checkpoints" / "aion-demo"
CODECS_REPOSITORY = "polymathic-ai/aion-base"
"""Where tokenizers come from when a repository has none of its own, as in the official package."""

SETTINGS_FILE = "aion_search.json"
_TRANSFORMER_FILES = ("config.json", "model.safetensors")
ESSENTIAL = ("tok_image", "tok_spectrum", "tok_xp")
"""Beginnings of token keys whose tokenizer must be there; a scalar's may be missing."""

_CODEC_PATTERNS = [f"codecs/{name}/*" for name in (*READING_CODECS, "Z")]

_SPECIAL_KEYS = {"domains_in", "domains_out", "norm_bias", "act_layer"}


class Settings(BaseModel):
    """Our own settings of a checkpoint, in ``aion_search.json``.

    Attributes
    ----------
    pooling
        How the tokens of one modality become one vector.
    learned
        Sizes of the learned pooling.
    title
        What people should read about these weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pooling: Pooling = Pooling.MEAN_CONTEXT
    learned: PoolingShape = PoolingShape()
    title: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """Where a checkpoint lies.

    Attributes
    ----------
    directory, repository, revision
        The transformer's folder, and what it is called.
    codecs_directory, codecs_repository, codecs_revision
        The same of the tokenizers.
    token_keys
        The token keys that the transformer's encoder takes and that may go into a vector.
    settings
        What ``aion_search.json`` says, or the defaults.
    """

    directory: Path
    repository: str
    revision: str
    codecs_directory: Path
    codecs_repository: str
    codecs_revision: str
    token_keys: tuple[str, ...]
    settings: Settings

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the tokenizers that take part in vectors and are there, sorted."""
        return tuple(
            name
            for name in codec_folders(self.token_keys)
            if (self.codecs_directory / "codecs" / name).is_dir()
        )

    def identity(self, dim: int, pooling: Pooling) -> EncoderIdentity:
        """State the identity; reads every file once to compute its SHA-256."""
        codec_files = [
            f"codecs/{folder}/{name}"
            for folder in self.folders
            for name in ("config.json", "model.safetensors")
        ]
        learned = (POOLING_FILE,) if pooling is Pooling.LEARNED else ()
        files = {name: sha256_of(self.directory / name) for name in (*_TRANSFORMER_FILES, *learned)}
        files |= {name: sha256_of(self.codecs_directory / name) for name in codec_files}
        return EncoderIdentity(
            repository=self.repository,
            revision=self.revision,
            codecs_repository=self.codecs_repository,
            codecs_revision=self.codecs_revision,
            files=files,
            pooling=pooling,
            dim=dim,
        )

    def load_learned_pooling(self, dim: int) -> LearnedPooling:
        """Load the learned pooling, every tensor accounted for.

        Raises
        ------
        CheckpointError
            If the file or a tensor is missing, unexpected or of the wrong form.
        """
        pooling = LearnedPooling(dim, self.settings.learned)
        load_strictly(pooling, self.directory / POOLING_FILE)
        return pooling.eval().requires_grad_(False)

    def load_codecs(self) -> dict[str, nn.Module]:
        """Load every tokenizer that takes part in vectors, one module per folder, to encode."""
        return {
            name: without_decoder(load_codec(self.codecs_directory, name)) for name in self.folders
        }


def _settings(directory: Path) -> Settings:
    path = directory / SETTINGS_FILE
    if not path.exists():
        return Settings()
    try:
        return Settings.model_validate(read_config(path))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise CheckpointError(f"{path}: {key}: {problem['msg']}") from error


def _domains(directory: Path) -> tuple[str, ...]:
    domains = _checked_config(directory)["domains_in"]
    return tuple(key for key in domains if codec_folder(key) is not None)


def locate(weights: str) -> Checkpoint:
    """Find weights.

    Parameters
    ----------
    weights
        ``demo`` (bundled), a local directory in the official layout, or a repository of the
        Hugging Face Hub such as ``polymathic-ai/aion-base@<revision>``.

    Raises
    ------
    CheckpointError
        If they cannot be had, or lack a file; the message says what to do.
    """
    if weights == "demo":
        directory, repository, revision, from_hub = DEMO, "demo", "", False
        if not directory.is_dir():
            raise CheckpointError(
                f"the bundled weights are missing from {directory}: install the package again"
            )
    elif (local := Path(weights).expanduser()).is_dir():
        directory, repository, revision, from_hub = local, local.resolve().name, "", False
    elif named := split_revision(weights):
        repository, from_hub = named[0], True
        ours = [SETTINGS_FILE, POOLING_FILE, BRIDGES_FILE, "reference_spaces.*"]
        wanted = [*_TRANSFORMER_FILES, *ours, *_CODEC_PATTERNS]
        directory, revision = fetch(*named, wanted)
    else:
        raise CheckpointError(
            "weights must be 'demo', a directory in the official layout or a repository such as "
            f"'polymathic-ai/aion-base@main'; there is no directory {weights!r}"
        )
    keys = _domains(directory)
    if not (directory / "model.safetensors").is_file():
        raise CheckpointError(f"{directory / 'model.safetensors'} is missing; fetch it again")
    codecs, codecs_repository, codecs_revision = directory, repository, revision
    if from_hub and not (directory / "codecs").is_dir() and repository != CODECS_REPOSITORY:
        codecs, codecs_revision = fetch(CODECS_REPOSITORY, None, _CODEC_PATTERNS)
        codecs_repository = CODECS_REPOSITORY
    lacking = [
        name
        for name in codec_folders(tuple(key for key in keys if key.startswith(ESSENTIAL)))
        if not (codecs / "codecs" / name).is_dir()
    ]
    if lacking:
        raise CheckpointError(
            f"{codecs / 'codecs'} must hold the tokenizers of these weights; missing: "
            f"{', '.join(lacking)}; copy them from {CODECS_REPOSITORY}"
        )
    return Checkpoint(
        directory=directory,
        repository=repository,
        revision=revision,
        codecs_directory=codecs,
        codecs_repository=codecs_repository,
        codecs_revision=codecs_revision,
        token_keys=keys,
        settings=_settings(directory),
    )


def _checked_config(directory: Path) -> dict[str, Any]:
    from aion.fourm.fm import FourM
    from aion.fourm.modality_info import MODALITY_INFO

    path = directory / "config.json"
    config = read_config(path)
    made_by_package = {"self", "encoder_embeddings", "decoder_embeddings", "modality_info"}
    known = set(inspect.signature(FourM.__init__).parameters) - made_by_package - {"norm_layer"}
    known |= _SPECIAL_KEYS
    unknown, missing = sorted(set(config) - known), sorted(_SPECIAL_KEYS - set(config))
    if unknown or missing:
        raise CheckpointError(
            f"{path} must hold the options of AION-1; unknown: {', '.join(unknown) or 'none'}; "
            f"missing: {', '.join(missing) or 'none'}"
        )
    for key in ("domains_in", "domains_out"):
        strange = sorted(str(name) for name in config[key] if name not in MODALITY_INFO)
        if strange:
            raise CheckpointError(f"{path}: {key} names unknown modalities: {', '.join(strange)}")
    dim, heads = config.get("dim", 768), config.get("num_heads", 12)
    if not (isinstance(dim, int) and isinstance(heads, int) and heads > 0 and dim % heads == 0):
        raise CheckpointError(f"{path}: dim must divide by num_heads, got {dim} and {heads}")
    if not hasattr(nn, str(config["act_layer"])):
        raise CheckpointError(f"{path}: act_layer {config['act_layer']!r} is none of torch.nn")
    return config


def load_transformer(directory: Path, *, keep_decoder: bool = False) -> nn.Module:
    """Load the official transformer, every tensor accounted for.

    Parameters
    ----------
    directory
        A directory in the official layout.
    keep_decoder
        The decoder, some 60 % of the parameters, takes no part in vectors and is dropped unless
        asked for.

    Raises
    ------
    CheckpointError
        If a file, a key of config.json or a tensor is missing, unexpected or of the wrong form.
    """
    from aion import AION

    config = _checked_config(directory)
    try:
        with plain_torch():
            model: nn.Module = AION(config)
    except (AssertionError, RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"AION-1 cannot be built from {directory / 'config.json'}: {error}"
        ) from error
    load_strictly(model, directory / "model.safetensors")
    if not keep_decoder:
        model.decoder = nn.ModuleList()
        model.decoder_embeddings = nn.ModuleDict()
        model.decoder_norm = nn.Identity()
    return model.eval().requires_grad_(False)
