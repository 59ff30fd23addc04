"""Weights of a universal spectral tokenizer in files: found, loaded strictly, identified.

A checkpoint is a directory with ``config.json`` (its kind and version, a title and the sizes of
the model) and ``model.safetensors`` (all weights, in half precision if wanted).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from aion_encoder.errors import CheckpointError, EncoderError
from aion_encoder.identity import EncoderIdentity, Pooling
from aion_encoder.strict import load_strictly, plain_torch, read_config, save_weights, sha256_of
from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.model import UniversalSpectra
from aion_encoder.universal_spectra.preparation import PREPARATION_VERSION

__all__ = ["DEMO", "UstCheckpoint", "UstFile", "locate", "write_checkpoint"]

DEMO = Path(__file__).parents[1] / "checkpoints" / "spectra-demo"
"""The bundled weights."""

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


class UstFile(BaseModel):
    """What ``config.json`` holds.

    Attributes
    ----------
    kind
        So that no other model's weights are taken for these.
    version
        Of the layout.
    title
        What people should read about these weights.
    model
        Sizes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["universal-spectra"] = "universal-spectra"
    version: Literal[1] = 1
    title: str = ""
    model: UstConfig


@dataclass(frozen=True)
class UstCheckpoint:
    """Where a checkpoint lies, and what its configuration says. Made by `locate`.

    Attributes
    ----------
    directory
        Its folder.
    repository
        What it is called: ``spectra-demo`` or the name of the folder.
    file
        Content of ``config.json``.
    """

    directory: Path
    repository: str
    file: UstFile

    @property
    def pooling(self) -> Pooling:
        """How tokens become the vectors that these weights are meant to give."""
        learned = self.file.model.head_dim > 0 or self.file.model.pooling == "windows"
        return Pooling.LEARNED if learned else Pooling.MEAN_ENCODER

    def checked_pooling(self, wanted: Pooling | None) -> Pooling:
        """Return the pooling that is wanted, or the weights' own.

        Raises
        ------
        EncoderError
            If these weights cannot give it.
        """
        possible = {Pooling.MEAN_ENCODER, self.pooling}
        if wanted is not None and wanted not in possible:
            raise EncoderError(
                f"pooling must be {' or '.join(sorted(possible))} with the weights "
                f"{self.repository}, got {wanted}"
            )
        return wanted or self.pooling

    def load(self) -> UniversalSpectra:
        """Load the model, every tensor accounted for, in single precision on the CPU.

        Raises
        ------
        CheckpointError
            If a tensor is missing, unexpected, of another shape or not finite.
        """
        with plain_torch():
            model = UniversalSpectra(self.file.model)
        load_strictly(model, self.directory / WEIGHTS_FILE)
        return model.eval().requires_grad_(False)

    def identity(self, pooling: Pooling) -> EncoderIdentity:
        """State the identity; reads every file once to compute its SHA-256.

        Parameters
        ----------
        pooling
            ``mean_encoder``: the mean of the encoder's normalised tokens. ``learned``: what the
            pooling and the retrieval head of these weights give, of unit length.
        """
        config = self.file.model
        learned = pooling is Pooling.LEARNED
        return EncoderIdentity(
            repository=self.repository,
            codecs_repository=self.repository,
            files={name: sha256_of(self.directory / name) for name in (CONFIG_FILE, WEIGHTS_FILE)},
            preprocessing=PREPARATION_VERSION,
            pooling=pooling,
            dim=(config.head_dim or config.pooled_dim) if learned else config.dim,
        )


def locate(weights: str) -> UstCheckpoint:
    """Find weights.

    Parameters
    ----------
    weights
        ``spectra-demo`` (bundled) or a directory.

    Raises
    ------
    CheckpointError
        If they are not there, or the configuration is not one of this model.
    """
    if weights == "spectra-demo":
        directory, repository = DEMO, weights
        if not directory.is_dir():
            raise CheckpointError(
                f"the bundled weights are missing from {directory}: install the package again"
            )
    elif (directory := Path(weights).expanduser()).is_dir():
        repository = directory.resolve().name
    else:
        raise CheckpointError(
            "weights for spectra on any grid must be 'spectra-demo' or a directory, got "
            f"{weights!r}, which is none"
        )
    path = directory / CONFIG_FILE
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (directory / name).is_file():
            raise CheckpointError(
                f"{directory / name} is missing: a checkpoint must hold {CONFIG_FILE} and "
                f"{WEIGHTS_FILE}; copy it again"
            )
    try:
        file = UstFile.model_validate(read_config(path))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise CheckpointError(
            f"{path} must describe a universal spectral tokenizer, but {key}: {problem['msg']}"
        ) from error
    return UstCheckpoint(directory, repository, file)


def write_checkpoint(
    directory: Path, model: UniversalSpectra, title: str = "", *, half: bool = True
) -> None:
    """Write a checkpoint; equal weights give equal bytes.

    Parameters
    ----------
    directory
        Made if it is not there.
    model
        The model.
    title
        What people should read about these weights.
    half
        Store weights as float16.
    """
    directory.mkdir(parents=True, exist_ok=True)
    content = UstFile(title=title, model=model.config).model_dump(mode="json")
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    save_weights(model, directory / WEIGHTS_FILE, half=half)
    (directory / CONFIG_FILE).write_text(text, encoding="utf-8")
