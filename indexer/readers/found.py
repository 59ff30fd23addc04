"""What the readers of loose files and uploads give: an object found in a file, or a refusal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aion_encoder.observations import Observation, Spectrum
from aion_encoder.universal_spectra import NativeSpectrum
from indexer.readers.records import Value, standard_columns

__all__ = ["Found", "Refused", "SpectrumOptions"]


@dataclass(frozen=True, eq=False)
class Found:
    """One object of a file that can be encoded.

    Parameters
    ----------
    observation
        What was read; None for a spectrum that AION-1 does not take.
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
    native
        A spectrum as the file has it, if that is more than `observation` holds: on its own grid,
        without errors where there are none.
    """

    observation: Observation | None
    object_id: str = ""
    ra_deg: float = math.nan
    dec_deg: float = math.nan
    columns: Mapping[str, Value] = field(default_factory=standard_columns)
    row: int = 0
    assumptions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    survey: str = ""
    native: NativeSpectrum | None = None

    @property
    def for_tokenizer(self) -> NativeSpectrum | None:
        """What the universal spectral tokenizer gets of it; None if it takes nothing of it."""
        if self.native is None and isinstance(self.observation, Spectrum):
            # Just as an index is built: a file that is in it finds itself.
            return NativeSpectrum.of(self.observation)
        return self.native


@dataclass(frozen=True)
class Refused:
    """One object of a file that AION-1 does not take, and why.

    `native_reason` is set where the universal spectral tokenizer does not take it either.

    Parameters
    ----------
    reason
        In words.
    object_id, row
        As of `Found`.
    instead
        The same object for the universal spectral tokenizer, if that takes it: `native` is set,
        `observation` is not.
    """

    reason: str
    object_id: str = ""
    row: int = 0
    instead: Found | None = None
    native_reason: str = ""


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
