"""How strongly the lines of each kind of absorber show, from temperature, gravity and abundance.

Lines of atoms follow Boltzmann's and Saha's laws over the opacity of the negative hydrogen ion, as
in the weak-line reasoning of textbooks (Gray 2005, The Observation and Analysis of Stellar
Photospheres, chapters 8, 9 and 13); molecules follow an effective dissociation energy.
"""

from dataclasses import dataclass

import numpy as np

from demo_sky.grids import Float32Array

_REFERENCE = (5000.0, 3.5, 0.0)
_STRONGEST = 30.0
_STRONGEST_MOLECULE = 5.0


@dataclass(frozen=True)
class Absorber:
    """Lines that strengthen and weaken together.

    Attributes
    ----------
    name : str
    kind : str
        "neutral" or "ion" (of a metal), "hydrogen" or "molecule".
    excitation_ev : float
        Of the lower level; for molecules the effective energy that holds them together.
    ionisation_ev : float
        Of the neutral atom; 0 where it plays no part.
    alpha : bool
        Made by massive stars: enhanced in metal-poor ones.
    reference_k : float
        Temperature at which the strength is 1, at log g = 3.5 and solar abundance.
    """

    name: str
    kind: str
    excitation_ev: float
    ionisation_ev: float = 0.0
    alpha: bool = False
    reference_k: float = _REFERENCE[0]


ABSORBERS: tuple[Absorber, ...] = (
    Absorber("Fe I low", "neutral", 1.0, 7.90),
    Absorber("Fe I middle", "neutral", 2.8, 7.90),
    Absorber("Fe I high", "neutral", 4.8, 7.90),
    Absorber("Ti I", "neutral", 1.0, 6.83, alpha=True),
    Absorber("Ni I", "neutral", 3.5, 7.64),
    Absorber("Ca I", "neutral", 2.5, 6.11, alpha=True),
    Absorber("Si I", "neutral", 5.3, 8.15, alpha=True),
    Absorber("Mg I", "neutral", 3.5, 7.65, alpha=True),
    Absorber("Na I", "neutral", 0.0, 5.14),
    Absorber("O I", "neutral", 9.15, 13.62, alpha=True),
    Absorber("Fe II", "ion", 3.0, 7.90),
    Absorber("Ti II", "ion", 1.3, 6.83, alpha=True),
    Absorber("Ca II", "ion", 1.7, 6.11, alpha=True),
    Absorber("H I", "hydrogen", 10.2),
    Absorber("CN", "molecule", 3.2),
    Absorber("OH", "molecule", 3.6, alpha=True),
    Absorber("CO", "molecule", 4.5, alpha=True, reference_k=4300.0),
    Absorber("TiO", "molecule", 9.0, alpha=True, reference_k=3500.0),
)
ABSORBER_NUMBER: dict[str, int] = {a.name: number for number, a in enumerate(ABSORBERS)}


def alpha_enhancement(metallicity: float) -> float:
    """[alpha/Fe] in dex: 0 at solar abundance, 0.4 below [Fe/H] = -1, as in the Galaxy's stars."""
    return float(np.clip(-0.4 * metallicity, 0.0, 0.4))


def _log_electron_pressure(temperature_k: float, log_gravity: float, metallicity: float) -> float:
    """log10 of the electron pressure (dyn/cm2) where lines form.

    20 dyn/cm2 in the Sun, a factor e in 790 K (the Omega = 0.0013 of Gray 2005, chapter 9), and the
    cube roots of gravity and, while metals give the electrons, abundance. Level above 9,000 K.
    """
    electrons_of_metals = 0.33 * metallicity if temperature_k < 5500 else 0.1 * metallicity
    warm = min(temperature_k, 9000.0)
    return 1.3 + 0.00055 * (warm - 5777.0) + 0.33 * (log_gravity - 4.44) + electrons_of_metals


def _log_opacity(theta: float, log_pressure: float) -> float:
    """log10 of the continuous opacity per hydrogen atom, in units of their own.

    The negative ion's bound-free opacity goes as P theta^2.5 10^(0.754 theta) (Gray 2005,
    chapter 8); hydrogen's own (third level, 12.09 eV) equals it at 8,000 K.
    """
    negative_ion = 10.0**log_pressure * theta**2.5 * 10.0 ** (0.754 * theta)
    hydrogen = 1.3e10 * 10.0 ** (-12.09 * theta)
    return float(np.log10(negative_ion + hydrogen))


def _log_strength(
    absorber: Absorber, temperature_k: float, log_gravity: float, metallicity: float
) -> float:
    if absorber.kind in ("neutral", "ion"):
        # The layers of M stars that form atomic lines differ less in temperature than the stars do.
        temperature_k = max(temperature_k, 3800.0)
    theta = 5040.0 / temperature_k
    if absorber.kind == "hydrogen":
        # A third of Boltzmann's slope: the cores of cool stars' lines form high and stay visible.
        return -0.33 * absorber.excitation_ev * theta
    abundance = metallicity + alpha_enhancement(metallicity) * absorber.alpha
    if absorber.kind == "molecule":
        return 0.9 * abundance + absorber.excitation_ev * theta - 0.12 * log_gravity
    log_pressure = _log_electron_pressure(temperature_k, log_gravity, metallicity)
    log_ratio = 2.5 * np.log10(temperature_k) - absorber.ionisation_ev * theta - 0.18 - log_pressure
    neutral = -float(np.logaddexp(0.0, log_ratio * np.log(10.0)) / np.log(10.0))
    stage = neutral if absorber.kind == "neutral" else neutral + log_ratio
    return float(
        abundance + stage - absorber.excitation_ev * theta - _log_opacity(theta, log_pressure)
    )


_LOG_REFERENCE = tuple(
    _log_strength(absorber, absorber.reference_k, *_REFERENCE[1:]) for absorber in ABSORBERS
)


def line_strengths(temperature_k: float, log_gravity: float, metallicity: float) -> Float32Array:
    """Strength of each of `ABSORBERS` over that at its reference, at most 30 (molecules 5).

    Parameters
    ----------
    temperature_k, log_gravity, metallicity : float
        Of the atmosphere; gravity in log10 cm/s2, [Fe/H] in dex.
    """
    logs = [
        _log_strength(absorber, temperature_k, log_gravity, metallicity) - reference
        for absorber, reference in zip(ABSORBERS, _LOG_REFERENCE, strict=True)
    ]
    # No second ionisation here: metals vanish from hot stars as observed.
    fade = 1.0 / (1.0 + np.exp((temperature_k - 11500.0) / 900.0))
    # Molecules use up the carbon, oxygen and titanium that there is.
    most = [_STRONGEST_MOLECULE if a.kind == "molecule" else _STRONGEST for a in ABSORBERS]
    strengths = np.minimum(10.0 ** np.array(logs), most) * fade
    # The wide wings that hot stars' hydrogen lines have are not in these cores.
    hydrogen = ABSORBER_NUMBER["H I"]
    strengths[hydrogen] = min(10.0 ** logs[hydrogen], 6.0) * (1.0 - 0.7 * (temperature_k > 7500))
    return np.asarray(strengths, np.float32)
