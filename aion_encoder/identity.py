"""Who encoded: what must be equal for two vectors to be comparable."""

import hashlib
import json
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from aion_encoder.parts import parts_of

__all__ = ["LEARNED_MODALITIES", "PREPROCESSING_VERSION", "EncoderIdentity", "Pooling"]

PREPROCESSING_VERSION = 1
"""Raised whenever the way from observation to tokens changes what tokens come out."""

LEARNED_MODALITIES = ("image", "spectrum", "xp")
"""What a learned pooling knows; scalars are pooled by their mean."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Pooling(StrEnum):
    """How the tokens of one modality become one vector.

    Attributes
    ----------
    MEAN_OUTPUT
        The output of AION-1's `encode`, as published. It holds the position and modality codes,
        a constant that is the same for every object and differs between modalities.
    MEAN_CONTEXT
        The same without that constant: the projection of the encoder's last layer.
    MEAN_ENCODER
        The encoder's last layer after its normalisation, before the projection.
    PART_MEANS
        The same, one mean for each part of a modality, joined: see `aion_encoder.parts`.
    LAYERED_PART_MEANS
        The same of two layers, joined part by part: first the token embeddings as they enter the
        encoder, without position and modality codes, then its last layer.
    LEARNED
        No mean: what learned queries find among the tokens of those two layers, as vectors of
        unit length; see `aion_encoder.learned_pooling`. Scalars, which it does not know, get the
        mean of `MEAN_ENCODER`.
    """

    MEAN_OUTPUT = "mean_output"
    MEAN_CONTEXT = "mean_context"
    MEAN_ENCODER = "mean_encoder"
    PART_MEANS = "part_means"
    LAYERED_PART_MEANS = "layered_part_means"
    LEARNED = "learned"


class EncoderIdentity(BaseModel):
    """States which frozen model made a vector, and how.

    Attributes
    ----------
    repository, revision
        Where the weights were found: a repository and its commit, ``demo``, or the name of a
        local directory with an empty revision.
    codecs_repository, codecs_revision
        Where the tokenizers were found; not always where the transformer was.
    files
        SHA-256 of every file that has a part in a vector, by its path in the official layout.
    preprocessing
        Version of the way from observation to tokens.
    pooling
        How tokens become a vector.
    dim
        Width of the transformer: length of one mean. See `vector_dim`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    revision: str = ""
    codecs_repository: str
    codecs_revision: str = ""
    files: dict[str, Sha256] = Field(min_length=1)
    preprocessing: int = Field(default=PREPROCESSING_VERSION, ge=1)
    pooling: Pooling
    dim: int = Field(gt=0)

    def vector_dim(self, modality: str) -> int:
        """Return the length of the vectors of a modality."""
        if self.pooling in (Pooling.PART_MEANS, Pooling.LAYERED_PART_MEANS):
            layers = 2 if self.pooling is Pooling.LAYERED_PART_MEANS else 1
            return self.dim * layers * len(parts_of(modality))
        return self.dim

    def comparable(self, modality: str) -> bool:
        """Say whether raw vectors of a modality compare by cosine as they are.

        Vectors of a learned pooling do: that is what it is trained for. Means need at least their
        common part removed.
        """
        return self.pooling is Pooling.LEARNED and modality in LEARNED_MODALITIES

    @property
    def digest(self) -> str:
        """16 hexadecimal digits: equal exactly when the vectors are comparable.

        Only what changes a vector counts (files, preprocessing, pooling, dimension): the same
        weights give the same digest from the Hub, from a copy and from a renamed directory.
        """
        what_counts = self.model_dump(
            mode="json", include={"files", "preprocessing", "pooling", "dim"}
        )
        canonical = json.dumps(what_counts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
