"""What a manifest says of a release whose spectra only the universal spectral tokenizer takes."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

from aion_encoder.surveys import SURVEYS

__all__ = ["NAME", "NativeSpectra"]

NAME = r"^[a-z0-9][a-z0-9-]*$"
"""What short names look like."""

_OF_MMU = ("mmu_hdf5", "mmu_hats")
READERS = (*_OF_MMU, "spectrum_files")


class NativeSpectra(BaseModel):
    """Says that spectra are of no survey that AION-1 knows: only the tokenizer takes them.

    Attributes
    ----------
    medium
        ``air`` or ``vacuum``: of the wavelengths. Must be stated for ``mmu_hdf5`` and
        ``mmu_hats``; loose files may state it themselves.
    wavelength_unit, flux_unit
        Of loose files that do not state them, such as ``um`` and ``mJy``. Those of the
        Multimodal Universe are in Angstrom and in 1e-17 erg/s/cm2/A.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    medium: Literal["air", "vacuum", ""] = ""
    wavelength_unit: str = ""
    flux_unit: str = ""

    def check(self, survey: str, reader: str) -> None:
        """See that survey and reader of the release go with it.

        Raises
        ------
        ValueError
            If AION-1 knows the survey, it is no short name, the reader reads no such spectra, or
            what must be stated for the reader is not, or what must not is.
        """
        if survey in SURVEYS:
            raise ValueError(
                f"AION-1 knows survey {survey!r}, whose spectra get vectors of both models: leave "
                "[releases.native] out, or name another survey"
            )
        if not re.fullmatch(NAME, survey):
            raise ValueError(
                f"survey must be in lower case, of letters, digits and hyphens, got {survey!r}"
            )
        if reader not in READERS:
            raise ValueError(
                f"spectra of other instruments are read by {' or '.join(READERS)}, got reader "
                f"{reader!r}"
            )
        if reader in _OF_MMU and not self.medium:
            raise ValueError(
                f"files of {reader} do not say whether wavelengths are in air or in vacuum: state "
                "native.medium"
            )
        if reader in _OF_MMU and (self.wavelength_unit or self.flux_unit):
            raise ValueError(
                f"files of {reader} are in Angstrom and in 1e-17 erg/s/cm2/A: leave "
                "native.wavelength_unit and native.flux_unit out"
            )
