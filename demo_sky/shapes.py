"""Geometry of sources on the sky, drawn once per source and shared by all surveys."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from demo_sky.cosmology import kpc_per_arcsec
from demo_sky.grids import Float32Array, FloatArray
from demo_sky.population import Parameters


@dataclass(frozen=True)
class Clumps:
    """Round Gaussians: offsets and widths in arcsec, fluxes that add up to 1."""

    east: FloatArray
    north: FloatArray
    sigma: FloatArray
    flux: FloatArray


@dataclass(frozen=True)
class Shape:
    """Geometry of a source.

    Attributes
    ----------
    kind : str
        The object class, or for quasar hosts the class of the host.
    half_light_arcsec : float
        Half-light radius along the major axis of the main body.
    axis_ratio, position_angle : float
        Of the main body; the angle (rad) from north to east.
    bulge_half_light_arcsec, bulge_index, bulge_axis_ratio : float
    arms : int
    arm_strength, pitch, phase, winding : float
        Logarithmic arms: phase = arms * (angle - winding * ln(radius / scale) / tan(pitch)).
    bar : float
        Half length of the bar over the disk's scale length; 0 for none.
    lopsided : float
        Amplitude of the irregular modulation.
    texture : array, shape (40, 40)
        Random numbers behind it.
    clumps : Clumps or None
        Star-forming regions.
    tails : Clumps or None
        Tidal tails of a merger.
    companion : tuple or None
        East, north, size ratio, flux ratio, axis ratio and angle of a merger's second galaxy.
    einstein_arcsec, shear, shear_angle : float
        Of a lens.
    lensed : Clumps or None
        The galaxy behind a lens, in its own plane.
    dust : float
        Depth of dust lanes, 0 to 1.
    """

    kind: str
    half_light_arcsec: float
    axis_ratio: float
    position_angle: float
    bulge_half_light_arcsec: float
    bulge_index: float
    bulge_axis_ratio: float
    arms: int
    arm_strength: float
    pitch: float
    phase: float
    winding: float
    bar: float
    lopsided: float
    texture: Float32Array
    clumps: Clumps | None
    tails: Clumps | None
    companion: tuple[float, float, float, float, float, float] | None
    einstein_arcsec: float
    shear: float
    shear_angle: float
    lensed: Clumps | None
    dust: float

    @property
    def scale_arcsec(self) -> float:
        """Exponential scale length of the disk."""
        return self.half_light_arcsec / 1.678

    @property
    def extent_arcsec(self) -> float:
        """Half width of the square that holds nearly all of the modulated light."""
        return 5.0 * self.half_light_arcsec


def draw_shape(
    parameters: Parameters, log_stellar_mass: float, generator: np.random.Generator
) -> Shape:
    """Draw the geometry of a source; point sources get a shape that is never rendered."""
    kind = parameters.object_class
    if kind == "quasar":
        kind = (
            "spiral" if parameters.galaxy and parameters.galaxy.bulge_share < 0.5 else "elliptical"
        )
    early = kind in ("elliptical", "lens")
    mass = log_stellar_mass if np.isfinite(log_stellar_mass) else 10.0
    size_kpc = 4.6 * 10 ** (0.52 * (mass - 10.8)) if early else 5.6 * 10 ** (0.24 * (mass - 10.5))
    size_kpc *= 10 ** generator.normal(0.0, 0.12)
    half_light = float(
        np.clip(size_kpc / kpc_per_arcsec(max(parameters.redshift, 0.004)), 0.35, 8.5)
    )
    angle = float(generator.uniform(0, np.pi))
    cosine = generator.uniform(0.3, 1.0)
    axis_ratio = {
        "elliptical": generator.uniform(0.55, 1.0),
        "lens": generator.uniform(0.7, 1.0),
        "edge_on": generator.uniform(0.08, 0.16),
        "irregular": generator.uniform(0.45, 0.95),
        "ring": generator.uniform(0.6, 1.0),
        "merger": generator.uniform(0.45, 1.0),
    }.get(kind, float(np.sqrt(cosine**2 * 0.97 + 0.03)))
    galaxy = parameters.galaxy
    bulge_share = galaxy.bulge_share if galaxy else 0.0
    arms = int(generator.choice([2, 2, 2, 2, 3, 4]))
    shape: dict[str, Any] = {
        "kind": kind,
        "half_light_arcsec": half_light,
        "axis_ratio": axis_ratio,
        "position_angle": angle,
        "bulge_half_light_arcsec": half_light
        if early
        else half_light * (0.12 + 0.35 * bulge_share),
        "bulge_index": generator.uniform(3.0, 5.5) if early else generator.uniform(1.3, 3.0),
        "bulge_axis_ratio": axis_ratio if early else max(axis_ratio, generator.uniform(0.6, 0.95)),
        "arms": arms,
        "arm_strength": generator.uniform(0.8, 2.4),
        "pitch": np.radians(generator.uniform(11.0, 27.0)),
        "phase": generator.uniform(0, 2 * np.pi),
        "winding": float(generator.choice([-1.0, 1.0])),
        "bar": generator.uniform(0.7, 1.3)
        if kind == "spiral" and generator.random() < 0.35
        else 0.0,
        "lopsided": {
            "irregular": 1.1,
            "merger": 0.8,
            "spiral": 0.35,
            "ring": 0.35,
            "edge_on": 0.25,
        }.get(kind, 0.0),
        "texture": generator.standard_normal((40, 40), dtype=np.float32),
        "clumps": None,
        "tails": None,
        "companion": None,
        "einstein_arcsec": 0.0,
        "shear": 0.0,
        "shear_angle": 0.0,
        "lensed": None,
        "dust": min(0.9, generator.uniform(0.25, 1.0))
        if kind in ("spiral", "edge_on", "merger")
        else 0.0,
    }
    drawn = Shape(**shape)
    extra: dict[str, Any] = {}
    if kind in ("spiral", "edge_on", "irregular", "ring", "merger"):
        extra["clumps"] = _draw_clumps(drawn, generator)
    if kind == "merger":
        extra["tails"] = _draw_tails(drawn, generator)
        distance, direction = (
            half_light * generator.uniform(0.7, 2.2),
            generator.uniform(0, 2 * np.pi),
        )
        extra["companion"] = (
            distance * np.sin(direction),
            distance * np.cos(direction),
            generator.uniform(0.4, 0.9),
            generator.uniform(0.25, 0.5),
            generator.uniform(0.4, 1.0),
            generator.uniform(0, np.pi),
        )
    if kind == "lens":
        extra.update(_draw_lens(generator))
    return replace(drawn, **extra)


def _draw_clumps(shape: Shape, generator: np.random.Generator) -> Clumps:
    """Star-forming regions: on the arms or the ring, along an edge-on disk, or anywhere."""
    count = int(generator.integers(14, 45))
    radius = shape.scale_arcsec * generator.gamma(3.2, 0.62, count)
    angle = generator.uniform(0, 2 * np.pi, count)
    if shape.kind == "spiral":
        arm = generator.integers(0, shape.arms, count) * (2 * np.pi / shape.arms)
        angle = arm + shape.phase / shape.arms + generator.normal(0, 0.13, count)
        angle += (
            shape.winding
            * np.log(np.maximum(radius / shape.scale_arcsec, 0.2))
            / np.tan(shape.pitch)
        )
    elif shape.kind == "ring":
        radius = shape.half_light_arcsec * generator.normal(1.35, 0.09, count)
    elif shape.kind == "irregular":
        radius *= 0.8
    along = radius * np.cos(angle)
    across = radius * np.sin(angle) * shape.axis_ratio
    sine, cosine = np.sin(shape.position_angle), np.cos(shape.position_angle)
    flux = generator.lognormal(0.0, 0.8, count)
    width = shape.scale_arcsec * generator.uniform(0.05, 0.16, count) * flux**0.25
    return Clumps(
        along * sine + across * cosine, along * cosine - across * sine, width, flux / flux.sum()
    )


def _draw_tails(shape: Shape, generator: np.random.Generator) -> Clumps:
    """One to three curved tails, fading and widening outward."""
    parts: list[FloatArray] = []
    start = generator.uniform(0, 2 * np.pi)
    for number in range(int(generator.integers(1, 4))):
        t = np.linspace(0.0, 1.0, 40)
        length = generator.uniform(2.0, 4.5)
        turn = generator.uniform(0.6, 2.2) * generator.choice([-1.0, 1.0])
        radius = shape.half_light_arcsec * (0.6 + length * t)
        angle = start + number * np.pi + generator.normal(0, 0.3) + turn * t**0.8
        width = shape.half_light_arcsec * generator.uniform(0.16, 0.28) * (1.0 + 0.9 * t)
        flux = generator.uniform(0.5, 1.0) * np.exp(-1.6 * t) * (1 + 0.35 * np.sin(9 * t + number))
        parts.append(np.stack([radius * np.sin(angle), radius * np.cos(angle), width, flux]))
    east, north, width, flux = np.concatenate(parts, axis=1)
    return Clumps(east, north, width, flux / flux.sum())


def _draw_lens(generator: np.random.Generator) -> dict[str, Any]:
    einstein = generator.uniform(1.1, 2.3)
    offset = einstein * generator.choice([0.05, 0.25, 0.4]) * generator.uniform(0.7, 1.3)
    direction = generator.uniform(0, 2 * np.pi)
    east = offset * np.sin(direction) + np.array([0.0, *generator.normal(0, 0.13, 2)])
    north = offset * np.cos(direction) + np.array([0.0, *generator.normal(0, 0.13, 2)])
    width = np.array([generator.uniform(0.12, 0.22), 0.06, 0.06])
    return {
        "einstein_arcsec": einstein,
        "shear": generator.uniform(0.0, 0.14),
        "shear_angle": generator.uniform(0, np.pi),
        "lensed": Clumps(east, north, width, np.array([0.7, 0.15, 0.15])),
    }
