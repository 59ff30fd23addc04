"""What is asked: an object of the index, an observation that a person brought, or several."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from indexer.index_model import NATIVE

if TYPE_CHECKING:
    from aion_encoder.observations import Observation
    from aion_encoder.universal_spectra import NativeSpectrum
    from indexer.examples import Examples
    from indexer.previews import Preview

__all__ = ["DEFAULT_RADIUS_ARCSEC", "KINDS", "Query", "QueryKind", "plain_number"]

QueryKind = Literal["object", "position", "image", "spectrum", "xp", "vector", "examples"]
KINDS: tuple[QueryKind, ...] = get_args(QueryKind)

DEFAULT_RADIUS_ARCSEC = 5.0
"""How far an object may lie from a position that a person gives."""


def plain_number(value: Any) -> float | None:
    """Return a float as short as its precision allows, None where it is not finite.

    A float32 such as 0.9 would otherwise print as 0.8999999761581421.
    """
    return float(str(value)) if np.isfinite(value) else None


@dataclass(frozen=True, eq=False)
class Query:
    """One question, understood.

    Attributes
    ----------
    kind
        What was given: an ``object``, a ``position``, a file with an ``image``, a ``spectrum``
        or ``xp`` coefficients, a ``vector``, or several of these as ``examples``.
    text
        What the person gave, as given.
    modality
        What is compared when nothing else is asked for.
    key, release, row
        The object of the index, for ``object`` and ``position``; else None.
    modalities
        All modalities that the query has.
    raw_vector
        What the encoder made of a file, or a vector as it was given, shape (dim,); neither
        centred nor of unit length; None
        for an object of the index, whose vectors lie there, and for a spectrum that AION-1 does
        not take.
    native_vector
        The same of the universal spectral tokenizer, for a spectrum, if the index has its space.
    space
        ``spectrum_native`` if its spectrum is compared there; empty for the space of the modality
        that is compared. Changed by `indexer.native_queries.in_space`.
    answered
        Which space answers and why, in words; empty where there is only one.
    survey
        Short name of the survey, where known.
    object_id
        Identifier that a file names; empty where none.
    ra_deg, dec_deg, redshift
        NaN where unknown.
    object_class
        Empty where unknown.
    assumptions
        What was assumed in understanding the question, in words.
    notes
        What the encoder had to say.
    file_name, sha256
        Of an uploaded file.
    preview, observation
        For display, of an uploaded file.
    native
        The spectrum of which `native_vector` was made; None without one.
    examples
        Several queries, for and against, made one by `indexer.examples.examples_query`.
    """

    kind: QueryKind
    text: str
    modality: str
    key: str | None = None
    release: str | None = None
    row: int | None = None
    modalities: tuple[str, ...] = ()
    raw_vector: NDArray[np.float32] | None = None
    native_vector: NDArray[np.float32] | None = None
    space: str = ""
    answered: str = ""
    survey: str = ""
    object_id: str = ""
    ra_deg: float = nan
    dec_deg: float = nan
    redshift: float = nan
    object_class: str = ""
    assumptions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    file_name: str = ""
    sha256: str = ""
    preview: "Preview | None" = None
    observation: "Observation | None" = None
    native: "NativeSpectrum | None" = None
    examples: "Examples | None" = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        indexed = None not in (self.key, self.release, self.row)
        if indexed + self.brought + (self.examples is not None) != 1:
            raise ValueError(
                "a query is one of an object of the index, a vector, and several examples"
            )
        if self.space not in ("", NATIVE) or (self.space and self.modality != "spectrum"):
            raise ValueError(f"only a spectrum is asked in {NATIVE!r}, got {self.space!r}")
        if self.brought and (self.native_vector if self.space else self.raw_vector) is None:
            raise ValueError(f"a file must have a vector of the space it is asked in, {self.home}")
        object.__setattr__(self, "assumptions", MappingProxyType(dict(self.assumptions)))
        if not self.modalities:
            object.__setattr__(self, "modalities", (self.modality,))

    @property
    def approximate(self) -> str:
        """Why the query is but an approximation of what was observed; empty if it is not."""
        return self.assumptions.get("approximate", "")

    @property
    def brought(self) -> bool:
        """Whether a person brought it, as a file or as a vector."""
        return self.raw_vector is not None or self.native_vector is not None

    @property
    def home(self) -> str:
        """The space in which it is compared with its own kind."""
        return self.space or self.modality

    @property
    def has_position(self) -> bool:
        """Whether the query lies somewhere on the sky."""
        return isfinite(self.ra_deg) and isfinite(self.dec_deg)

    def summary(self) -> dict[str, Any]:
        """Return the question in plain values; a number that is unknown is None."""
        return {
            "kind": self.kind,
            "text": self.text,
            "key": self.key,
            "modality": self.modality,
            "survey": self.survey,
            "object_id": self.object_id,
            "ra_deg": plain_number(self.ra_deg),
            "dec_deg": plain_number(self.dec_deg),
            "redshift": plain_number(self.redshift),
            "object_class": self.object_class,
            "file_name": self.file_name,
            "sha256": self.sha256,
            "assumptions": dict(self.assumptions),
            "notes": list(self.notes),
            **({"space": self.space} if self.space else {}),
            **({"answered": self.answered} if self.answered else {}),
            **({} if self.examples is None else {"examples": self.examples.summary()}),
        }
