"""What an encoder gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, UInt16

__all__ = ["ABSENT_TOKEN", "Encoded", "Note", "Refusal"]

ABSENT_TOKEN = 65535
"""Stands in `Encoded.tokens` where an object lacks these tokens; above every vocabulary."""


@dataclass(frozen=True)
class Refusal:
    """An observation that was not encoded.

    Attributes
    ----------
    index
        Which object it belongs to.
    modality
        ``image``, ``spectrum``, ``xp`` or ``photometry``.
    reason
        Why, for a person.
    """

    index: int
    modality: str
    reason: str


@dataclass(frozen=True)
class Note:
    """Something to know about an observation that was encoded all the same.

    Attributes
    ----------
    index, modality
        Which object, and which of its observations.
    text
        What there is to know, for a person.
    """

    index: int
    modality: str
    text: str


@dataclass(frozen=True, eq=False)
class Encoded:
    """Vectors of n objects.

    Attributes
    ----------
    vectors
        Per modality that was given, shape (n, dim): raw vectors, neither centred nor of unit
        length; rows of NaN where an object lacks the modality or was refused.
    present
        Per modality, shape (n,): True where there is a vector.
    tokens
        Per token key (such as ``tok_image``), shape (n, count), `ABSENT_TOKEN` where absent;
        None unless asked for.
    refusals, notes
        In the order of the objects.
    """

    vectors: Mapping[str, Float32[np.ndarray, "n dim"]]
    present: Mapping[str, Bool[np.ndarray, " n"]]
    tokens: Mapping[str, UInt16[np.ndarray, "n count"]] | None = None
    refusals: tuple[Refusal, ...] = field(default=())
    notes: tuple[Note, ...] = field(default=())
