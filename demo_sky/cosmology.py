"""Distances in a flat universe with matter and a cosmological constant."""

import functools

import numpy as np
from numpy.typing import NDArray

HUBBLE_KM_S_MPC = 70.0
MATTER_DENSITY = 0.3
SPEED_OF_LIGHT_KM_S = 299792.458
CM_PER_MPC = 3.0856775814913673e24


@functools.lru_cache(maxsize=1)
def _comoving_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    redshift = np.linspace(0.0, 6.0, 6001)
    expansion = np.sqrt(MATTER_DENSITY * (1 + redshift) ** 3 + 1 - MATTER_DENSITY)
    steps = 0.5 * (1 / expansion[1:] + 1 / expansion[:-1]) * np.diff(redshift)
    distance = np.concatenate([[0.0], np.cumsum(steps)]) * SPEED_OF_LIGHT_KM_S / HUBBLE_KM_S_MPC
    return redshift, distance


def comoving_distance_mpc(redshift: float) -> float:
    """Line-of-sight comoving distance in Mpc."""
    return float(np.interp(redshift, *_comoving_table()))


def luminosity_distance_mpc(redshift: float) -> float:
    """Luminosity distance in Mpc."""
    return (1.0 + redshift) * comoving_distance_mpc(redshift)


def kpc_per_arcsec(redshift: float) -> float:
    """Proper transverse kpc that one second of arc spans."""
    return comoving_distance_mpc(redshift) / (1.0 + redshift) * 1e3 * np.pi / 648000.0


def redshift_of_luminosity_distance(distance_mpc: float) -> float:
    """Redshift at which the luminosity distance has this value."""
    redshift, comoving = _comoving_table()
    return float(np.interp(distance_mpc, comoving * (1 + redshift), redshift))
