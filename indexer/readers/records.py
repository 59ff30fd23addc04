"""What readers give: a record, or a reject with its reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aion_encoder.observations import Observation
from aion_encoder.universal_spectra import NativeSpectrum

__all__ = ["STANDARD_COLUMNS", "Partition", "Record", "Reject", "Value", "standard_columns"]

Value = float | int | str | bool

STANDARD_COLUMNS: Mapping[str, Value] = MappingProxyType(
    {"redshift": math.nan, "redshift_ok": False, "magnitude": math.nan, "object_class": ""}
)
"""Columns that every record carries, with the value that means "unknown"."""


def standard_columns(**known: Value) -> Mapping[str, Value]:
    """Return the standard columns with what is known filled in, and any further columns."""
    return MappingProxyType({**STANDARD_COLUMNS, **known})


@dataclass(frozen=True, eq=False)
class Record:
    """One object, as read.

    Parameters
    ----------
    object_id
        The survey's own identifier, as clean text.
    ra_deg, dec_deg
        ICRS position in degrees; NaN where unknown.
    observations
        At most one of each modality. A `NativeSpectrum` is for the universal spectral tokenizer
        alone; a `Spectrum` is for AION-1, and for the tokenizer if there is one.
    columns
        The standard columns and those that the manifest keeps.
    source_file
        Path relative to the manifest's root, with forward slashes.
    source_row
        Row inside that file; 0 where a file holds one object.
    """

    object_id: str
    ra_deg: float
    dec_deg: float
    observations: tuple[Observation | NativeSpectrum, ...]
    columns: Mapping[str, Value] = field(default_factory=standard_columns)
    source_file: str = ""
    source_row: int = 0


@dataclass(frozen=True)
class Reject:
    """One thing that was read and cannot be indexed, and why. `object_id` may be empty."""

    object_id: str
    source_file: str
    source_row: int
    reason: str


@dataclass(frozen=True)
class Partition:
    """The unit of encoding work.

    Parameters
    ----------
    release
        Name of the release.
    name
        Unique inside the release; names sort as partitions are ordered.
    files
        Paths relative to the manifest's root, sorted; an array of vectors is before its table.
    """

    release: str
    name: str
    files: tuple[str, ...]
