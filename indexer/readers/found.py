"""What the readers of loose files and uploads give: an object found in a file, or a refusal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aion_encoder.observations import Observation
from indexer.readers.records import Value, standard_columns

__all__ = ["Found", "Refused", "SpectrumOptions"]


@dataclass(frozen=True, eq=False)
class Found:
    """One object of a file that can be encoded.

    Parameters
    ----------
    observation
        What was read.
    object_id
        As the file names it; empty if it does not.
    ra_deg, dec_deg
        ICRS, degrees; NaN where unknown.
    columns
        The standard columns and the reader's own.
    row
        Row inside the file.
    assumptions
        Name of what had to be assumed to a sentence about it.
    survey
        AION-1's name of the survey that the file states; empty if it states none.
    """

    observation: Observation
    object_id: str = ""
    ra_deg: float = math.nan
    dec_deg: float = math.nan
    columns: Mapping[str, Value] = field(default_factory=standard_columns)
    row: int = 0
    assumptions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    survey: str = ""


@dataclass(frozen=True)
class Refused:
    """One object of a file that cannot be encoded, and why."""

    reason: str
    object_id: str = ""
    row: int = 0


@dataclass(frozen=True)
class SpectrumOptions:
    """What a person states about a spectrum file, before what the file says of itself.

    Parameters
    ----------
    survey
        ``sdss`` or ``desi``: whose tokens to use.
    wavelength_unit
        Such as ``nm`` or ``log10(Angstrom)``.
    flux_unit
        Such as ``mJy`` or ``1e-17 erg/s/cm2/Angstrom``.
    medium
        ``air`` or ``vacuum``.
    target_id
        Which object of a file that holds several.
    """

    survey: str | None = None
    wavelength_unit: str | None = None
    flux_unit: str | None = None
    medium: str | None = None
    target_id: str | None = None
