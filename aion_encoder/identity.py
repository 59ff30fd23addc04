"""Who encoded: what must be equal for two vectors to be comparable."""

import hashlib
import json
import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from aion_encoder.parts import parts_of

__all__ = [
    "LEARNED_MODALITIES",
    "PREPROCESSING_VERSION",
    "DeclaredIdentity",
    "EncoderIdentity",
    "Identity",
    "Pooling",
    "is_of",
    "named",
]

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
        return _vector_dim(self.pooling, self.dim, modality)

    def comparable(self, modality: str) -> bool:
        """Say whether raw vectors of a modality compare by cosine as they are.

        Vectors of a learned pooling do: that is what it is trained for. Means need at least their
        common part removed.
        """
        return self.pooling is Pooling.LEARNED and modality in LEARNED_MODALITIES

    @property
    def tokenizers(self) -> dict[str, str]:
        """16 hexadecimal digits of each tokenizer, by its folder: equal when the tokens are."""
        folders: dict[str, dict[str, str]] = {}
        for path, sha256 in self.files.items():
            codecs, _, rest = path.partition("/")
            folder, _, name = rest.partition("/")
            if codecs == "codecs":
                folders.setdefault(folder, {})[name] = sha256
        return {
            folder: _digest({"files": files, "preprocessing": self.preprocessing})
            for folder, files in sorted(folders.items())
        }

    @property
    def digest(self) -> str:
        """16 hexadecimal digits: equal exactly when the vectors are comparable.

        Only what changes a vector counts (files, preprocessing, pooling, dimension): the same
        weights give the same digest from the Hub, from a copy and from a renamed directory.
        """
        return _digest(
            self.model_dump(mode="json", include={"files", "preprocessing", "pooling", "dim"})
        )


class DeclaredIdentity(BaseModel):
    """States who made vectors that were not made here, as far as whoever brings them knows.

    Attributes
    ----------
    repository, revision, codecs_repository, codecs_revision
        As of `EncoderIdentity`; the repository alone must be known.
    files
        SHA-256 of every file that has a part in a vector; empty where not known.
    preprocessing
        Version of the way from observation to tokens, only if it is this program's; else None.
    pooling
        One of `Pooling`, or in the words of whoever made the vectors; empty where not known.
    dim
        As of `EncoderIdentity`, so `vector_dim` is the length of a vector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    repository: str = Field(min_length=1)
    revision: str = ""
    codecs_repository: str = ""
    codecs_revision: str = ""
    files: dict[str, Sha256] = Field(default_factory=dict)
    preprocessing: int | None = Field(default=None, ge=1)
    pooling: str = ""
    dim: int = Field(gt=0)

    @property
    def known_pooling(self) -> Pooling | None:
        """The pooling, if it is one of ours."""
        return Pooling(self.pooling) if self.pooling in set(Pooling) else None

    def resolved(self) -> "Identity":
        """Return the encoder's own identity where all that makes it up is declared; else this."""
        if not self.files or self.preprocessing is None or self.known_pooling is None:
            return self
        return EncoderIdentity.model_validate(self.model_dump())

    def lacks(self) -> tuple[str, ...]:
        """Say what would have to be declared for an encoder to be known as the same."""
        lacking = []
        commits = (self.revision, self.codecs_revision)
        if not self.files and not (self.codecs_repository and all(map(_COMMIT.fullmatch, commits))):
            lacking.append(
                "the SHA-256 of its files, or the repositories and commits of weights and codecs"
            )
        if self.preprocessing is None:
            lacking.append("the version of its preprocessing")
        if self.known_pooling is None:
            lacking.append(f"a pooling that is one of {', '.join(Pooling)}")
        return tuple(lacking)

    def vector_dim(self, modality: str) -> int:
        """Return the length of the vectors of a modality."""
        return _vector_dim(self.known_pooling, self.dim, modality)

    def comparable(self, modality: str) -> bool:
        """Say whether raw vectors of a modality compare by cosine as they are, as there."""
        return self.known_pooling is Pooling.LEARNED and modality in LEARNED_MODALITIES

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over all that is declared: no encoder's identity has the same."""
        return _digest({"declared": self.model_dump(mode="json")})


Identity = Annotated[EncoderIdentity | DeclaredIdentity, Field(union_mode="left_to_right")]
"""Whose vectors: of an encoder whose files were hashed, or of one that is declared only in part."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
"""A name of a revision that cannot move, as a branch or a tag can."""


def is_of(vectors: Identity, encoder: Identity) -> bool:
    """Say whether vectors that an encoder makes are comparable with some of a stated identity.

    Where no files are declared, repository and commit stand for them, which both must be those of
    the encoder. What is not declared is never taken for the same.

    Parameters
    ----------
    vectors
        Identity that the vectors have.
    encoder
        Identity of the encoder at hand.
    """
    if vectors.digest == encoder.digest:
        return True
    if isinstance(vectors, EncoderIdentity) or vectors.files or vectors.lacks():
        return False
    counts = set(EncoderIdentity.model_fields) - {"files"}
    return vectors.model_dump(mode="json", include=counts) == encoder.model_dump(
        mode="json", include=counts
    )


def named(identity: Identity) -> str:
    """Return an identity as sentences name it: its weights and its digest."""
    revision = f"@{identity.revision}" if identity.revision else ""
    return f"{identity.repository}{revision} (identity {identity.digest})"


def _vector_dim(pooling: Pooling | None, dim: int, modality: str) -> int:
    if pooling in (Pooling.PART_MEANS, Pooling.LAYERED_PART_MEANS):
        layers = 2 if pooling is Pooling.LAYERED_PART_MEANS else 1
        return dim * layers * len(parts_of(modality))
    return dim


def _digest(what_counts: dict[str, Any]) -> str:
    canonical = json.dumps(what_counts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
