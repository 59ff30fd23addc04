"""Spectra that reach beyond the wavelengths that a model was taught.

What a model makes of light that it has never seen says nothing, and draws what it makes of the rest
along: of a prism's spectrum to 2.4 um, seen whole, `spectra-demo` finds the source among 2,000 SDSS
spectra four times less often than of its optical part (docs/decisions.md).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.universal_spectra.preparation import PreparedSpectrum, prepare
from aion_encoder.universal_spectra.spectrum import NativeSpectrum

__all__ = ["Range", "joined_ranges", "prepare_taught"]

Range = tuple[float, float]
"""First and last vacuum wavelength, in Angstrom."""


def joined_ranges(ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Return ranges in ascending order, those that overlap joined."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def prepare_taught(spectrum: NativeSpectrum, taught: Sequence[Range]) -> PreparedSpectrum:
    """Prepare a spectrum, pixels beyond what was taught left out as if they were bad.

    If too little is left then, all of it is prepared, with a note.

    Parameters
    ----------
    taught
        Ranges that training covered; none for all.

    Raises
    ------
    ObservationError
        See `prepare`.
    """
    wavelength = spectrum.wavelength_angstrom
    inside = np.zeros(wavelength.size, bool)
    for first, last in taught:
        inside |= (wavelength >= first) & (wavelength <= last)
    beyond = int((spectrum.good & ~inside).sum())
    if not taught or not beyond:
        return prepare(spectrum)
    told = " and ".join(f"{first:.0f}-{last:.0f} A" for first, last in taught)
    of = f"{beyond:,} of {int(spectrum.good.sum()):,} good pixels lie beyond"
    left_out = f"{of} {told}, which these weights were taught, and are left out"
    bad = ~spectrum.good | ~inside
    try:
        return prepare(replace(spectrum, mask=bad, steps=(*spectrum.steps, left_out)))
    except ObservationError:
        little = f"{of} {told}, which these weights were taught: what they make of it means little"
        return prepare(replace(spectrum, steps=(*spectrum.steps, little)))
