"""What Gaia XP coefficients stand for: flux at wavelengths, so that people see a spectrum.

A basis is a matrix from the 55 BP and 55 RP coefficients. That of Gaia DR3 is made by the Gaia
archive's own package, GaiaXPy (``pip install 'aion-search[gaia]'``), by calibrating one coefficient
at a time; a simulated sky brings its own as a file. Vectors know nothing of it: it is for looking
at only.
"""

import functools
import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64

from aion_encoder.observations import GaiaXp
from indexer.durable import replacing
from indexer.errors import ManifestError

if TYPE_CHECKING:
    from indexer.remote import RemoteRoot

__all__ = ["GAIA_DR3", "XpBasis", "basis_named", "read_basis", "unit_sources", "write_basis"]

GAIA_DR3 = "gaia-dr3"
_COEFFICIENTS = 110

_WATT_PER_M2_NM = 1e19
"""Of GaiaXPy's unit, W/m2/nm, in 1e-17 erg/s/cm2/A."""


@dataclass(frozen=True, eq=False)
class XpBasis:
    """A matrix from coefficients to flux.

    Attributes
    ----------
    wavelength_angstrom
        Ascending.
    design
        Flux density in 1e-17 erg/s/cm2/A for each coefficient, BP then RP.
    """

    wavelength_angstrom: Float64[np.ndarray, " n"]
    design: Float64[np.ndarray, "n 110"]

    def __post_init__(self) -> None:
        count = len(self.wavelength_angstrom)
        ascending = bool(np.all(np.diff(self.wavelength_angstrom) > 0.0))
        finite = bool(np.isfinite(self.design).all())
        if self.design.shape != (count, _COEFFICIENTS) or count < 2 or not (ascending and finite):
            raise ValueError(
                "a basis needs ascending wavelengths, and at each a finite number for each of "
                f"{_COEFFICIENTS} coefficients; got {count} wavelengths and {self.design.shape}"
            )

    def flux(self, observation: GaiaXp) -> Float32[np.ndarray, " n"]:
        """Return the spectrum of coefficients."""
        given = np.concatenate([observation.bp, observation.rp]).astype(np.float64)
        return (self.design @ given).astype(np.float32)


def basis_named(name: str, root: "Path | RemoteRoot") -> XpBasis:
    """Return a basis as a manifest names it: ``gaia-dr3``, or a file below the root.

    Raises
    ------
    ManifestError
        If there is none.
    """
    if name == GAIA_DR3:
        return _gaia_dr3()
    if not isinstance(root, Path):
        raise ManifestError(f"xp_basis {name} must lie on this machine, the root is {root}")
    return read_basis(root / name)


def read_basis(path: Path) -> XpBasis:
    """Read the arrays ``wavelength_angstrom`` and ``design`` of an ``.npz`` file.

    Raises
    ------
    ManifestError
        If they are not there, or are no basis.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return XpBasis(
                np.asarray(arrays["wavelength_angstrom"], np.float64),
                np.asarray(arrays["design"], np.float64),
            )
    except (OSError, ValueError, KeyError) as error:
        raise ManifestError(f"no basis of XP coefficients in {path.name}: {error}") from None


def write_basis(basis: XpBasis, path: Path) -> None:
    """Write a basis as `read_basis` reads it."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, wavelength_angstrom=basis.wavelength_angstrom, design=basis.design)


@functools.cache
def _gaia_dr3() -> XpBasis:
    try:
        from gaiaxpy import calibrate
    except ImportError:
        raise ManifestError(
            "the basis gaia-dr3 needs GaiaXPy: pip install 'aion-search[gaia]', or leave xp_basis "
            "out of the manifest, and coefficients are drawn"
        ) from None
    # It draws progress bars, which are nobody's here.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        told, wavelengths_nm = calibrate(unit_sources(), save_file=False, truncation=False)
    told = told.sort_values("source_id")
    design = np.stack(told["flux"].to_list()).astype(np.float64).T * _WATT_PER_M2_NM
    return XpBasis(10.0 * np.asarray(wavelengths_nm, np.float64), design)


def unit_sources() -> Any:
    """Return sources that each have one coefficient, as the archive would write them."""
    import pandas as pd

    count = _COEFFICIENTS // 2
    rows = []
    for number in range(_COEFFICIENTS):
        row: dict[str, Any] = {"source_id": number, "solution_id": 0}
        for arm, first in (("bp", 0), ("rp", count)):
            coefficients = np.zeros(count)
            if first <= number < first + count:
                coefficients[number - first] = 1.0
            row |= {
                f"{arm}_basis_function_id": 56 if arm == "bp" else 57,
                f"{arm}_degrees_of_freedom": 1000,
                f"{arm}_n_parameters": count,
                f"{arm}_n_measurements": 2000,
                f"{arm}_n_rejected_measurements": 0,
                f"{arm}_standard_deviation": 1.0,
                f"{arm}_chi_squared": 1000.0,
                f"{arm}_coefficients": coefficients,
                f"{arm}_coefficient_errors": np.ones(count),
                f"{arm}_coefficient_correlations": np.zeros(count * (count - 1) // 2),
                f"{arm}_n_relevant_bases": count,
                f"{arm}_relative_shrinking": 1.0,
            }
        rows.append(row)
    return pd.DataFrame(rows)
