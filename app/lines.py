"""Spectral lines that people look for, by their wavelengths in vacuum. Pure."""

from dataclasses import dataclass

__all__ = ["LINES", "Line", "lines_between"]


@dataclass(frozen=True)
class Line:
    """A line: its name, and its wavelength in vacuum, in Angstrom, at rest."""

    name: str
    wavelength_angstrom: float


LINES = (
    Line("Lyα", 1215.67),
    Line("C IV", 1549.06),
    Line("C III]", 1908.73),
    Line("Mg II", 2799.12),
    Line("[O II]", 3728.48),
    Line("Ca K", 3934.77),
    Line("Ca H", 3969.59),
    Line("Hδ", 4102.89),
    Line("Hγ", 4341.68),
    Line("Hβ", 4862.68),
    Line("[O III]", 4960.30),
    Line("[O III]", 5008.24),
    Line("Mg b", 5176.63),
    Line("Na D", 5895.60),
    Line("[O I]", 6302.05),
    Line("Hα", 6564.61),
    Line("[N II]", 6585.27),
    Line("[S II]", 6725.48),
    Line("Ca II", 8500.36),
    Line("Ca II", 8544.44),
    Line("Ca II", 8664.52),
    Line("[S III]", 9533.20),
)
"""Close doublets at their mean."""


def lines_between(low_angstrom: float, high_angstrom: float, redshift: float) -> tuple[Line, ...]:
    """Return the lines between two wavelengths, at the wavelengths of a redshift."""
    moved = (Line(each.name, each.wavelength_angstrom * (1.0 + redshift)) for each in LINES)
    return tuple(
        each for each in moved if low_angstrom <= each.wavelength_angstrom <= high_angstrom
    )
