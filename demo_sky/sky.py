"""The simulated sky: one source, or a run of them, as the surveys would deliver it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo_sky.desi import observe_desi
from demo_sky.field import draw_neighbours
from demo_sky.gaia import observe_gaia
from demo_sky.hsc import observe_hsc
from demo_sky.identifiers import (
    desi_target_id,
    gaia_source_id,
    hsc_object_id,
    legacy_brick,
    sdss_spec_object_id,
)
from demo_sky.legacysurvey import observe_legacysurvey
from demo_sky.placement import SURVEYS, file_pixel_of_position, shift_position, slot_of
from demo_sky.population import Parameters, draw_parameters
from demo_sky.sdss import observe_sdss
from demo_sky.sed import Light, make_light
from demo_sky.shapes import Shape, draw_shape

ASTROMETRIC_SCATTER_ARCSEC = {
    "legacysurvey": 0.03,
    "hsc": 0.03,
    "sdss": 0.06,
    "desi": 0.03,
    "gaia": 0.002,
}
_LARGEST_OFFSET_ARCSEC = 0.14
"""So that two surveys differ by less than 0.3 arcsec."""


@dataclass(frozen=True)
class Source:
    """One physical source and what the surveys have of it.

    Attributes
    ----------
    index : int
        Number of the source in its sky.
    labels : dict
        The truth: `source`, ids by survey (None where it was not observed), `ra_deg`, `dec_deg`,
        `object_class`, `spectral_class`, `z`, `stellar_mass` (log10 solar masses), `sfr` (log10
        solar masses a year), `temperature_k`, `logg`, `votes_spiral`, `votes_merger` (fractions),
        `is_lens`, `mag_r`. Numbers that do not apply are NaN.
    surveys : tuple of str
        Surveys that observed it, whatever data were asked for.
    data : dict
        Survey to arrays and catalogue columns of this one object, under the names of the
        Multimodal Universe.
    """

    index: int
    labels: dict[str, Any]
    surveys: tuple[str, ...]
    data: dict[str, dict[str, Any]]


def simulate_source(seed: int, index: int, surveys: Sequence[str] | None = None) -> Source:
    """Simulate one source, from (seed, index) alone.

    Parameters
    ----------
    seed, index : int
        Which sky, and which of its sources; both at least 0.
    surveys : sequence of str, optional
        Make the data of exactly these surveys, also where they did not observe the source. By
        default, of those that did. A survey's data do not depend on which others are made.

    Raises
    ------
    ValueError
        For a negative number or an unknown survey.
    """
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must be at least 0, got {seed} and {index}")
    generator = np.random.default_rng([seed, index])
    parameters = draw_parameters(seed, index, generator)
    light = make_light(parameters, generator)
    shape = draw_shape(parameters, light.log_stellar_mass, generator)
    labels = _labels(parameters, light, shape, generator)
    wanted = parameters.surveys if surveys is None else tuple(surveys)
    for survey in wanted:
        if survey not in SURVEYS:
            raise ValueError(f"surveys must be among {', '.join(SURVEYS)}; got {survey!r}")
    positions = {
        survey: _observed_position(seed, parameters, survey)
        for survey in {*wanted, *parameters.surveys}
    }
    slot = slot_of(seed, index)
    for survey in SURVEYS:
        observed = survey in parameters.surveys
        labels[survey] = _object_id(survey, slot, *positions[survey]) if observed else None
    data = {
        survey: _observe(seed, parameters, survey, positions[survey], slot, light, shape)
        for survey in wanted
    }
    return Source(index, labels, parameters.surveys, data)


def simulate(
    seed: int, start: int, stop: int, surveys: Sequence[str] | None = None
) -> Iterator[Source]:
    """Simulate the sources start to stop - 1 of a sky, one after the other."""
    for index in range(start, stop):
        yield simulate_source(seed, index, surveys)


def _survey_generator(seed: int, index: int, survey: str, purpose: int) -> np.random.Generator:
    # SFC64 makes the quarter of a million normal numbers of a source fastest.
    return np.random.Generator(np.random.SFC64([seed, index, 1 + SURVEYS.index(survey), purpose]))


def _observed_position(seed: int, parameters: Parameters, survey: str) -> tuple[float, float]:
    generator = _survey_generator(seed, parameters.index, survey, 1)
    offset = generator.normal(0.0, ASTROMETRIC_SCATTER_ARCSEC[survey], 2)
    length = float(np.hypot(*offset))
    if length > _LARGEST_OFFSET_ARCSEC:
        offset *= _LARGEST_OFFSET_ARCSEC / length
    return shift_position(parameters.ra_deg, parameters.dec_deg, *offset)


def _object_id(survey: str, slot: int, ra_deg: float, dec_deg: float) -> str:
    if survey == "legacysurvey":
        name, _, number = legacy_brick(ra_deg, dec_deg)
        return f"{name}-{number}"
    if survey == "hsc":
        return str(hsc_object_id(ra_deg, dec_deg)[0])
    if survey == "sdss":
        return str(sdss_spec_object_id(slot)[0])
    if survey == "desi":
        _, brick, number = legacy_brick(ra_deg, dec_deg)
        return str(desi_target_id(brick, number))
    return str(gaia_source_id(ra_deg, dec_deg))


def _observe(
    seed: int,
    parameters: Parameters,
    survey: str,
    position: tuple[float, float],
    slot: int,
    light: Light,
    shape: Shape,
) -> dict[str, Any]:
    generator = _survey_generator(seed, parameters.index, survey, 2)
    ra_deg, dec_deg = position
    if survey in ("legacysurvey", "hsc"):
        # The field is the sky's, not the survey's: both cameras see the same neighbours.
        neighbours = draw_neighbours(
            parameters.object_class,
            parameters.magnitude_r,
            np.random.default_rng([seed, parameters.index, 0, 3]),
        )
        observe = observe_legacysurvey if survey == "legacysurvey" else observe_hsc
        record = observe(parameters, ra_deg, dec_deg, light, shape, neighbours, generator)
    elif survey == "sdss":
        record = observe_sdss(parameters, slot, light, shape, generator)
    elif survey == "desi":
        record = observe_desi(parameters, ra_deg, dec_deg, light, shape, generator)
    else:
        record = observe_gaia(parameters, ra_deg, dec_deg, light, generator)
    record["ra"] = np.float64(ra_deg)
    record["dec"] = np.float64(dec_deg)
    record["healpix"] = np.int64(file_pixel_of_position(ra_deg, dec_deg))
    return record


def _labels(
    parameters: Parameters, light: Light, shape: Shape, generator: np.random.Generator
) -> dict[str, Any]:
    star = parameters.star
    spiral, merger = _votes(parameters, shape, generator)
    return {
        "source": parameters.index,
        "ra_deg": float(parameters.ra_deg),
        "dec_deg": float(parameters.dec_deg),
        "object_class": parameters.object_class,
        "spectral_class": parameters.spectral_class,
        "z": parameters.redshift,
        "stellar_mass": light.log_stellar_mass,
        "sfr": light.log_star_formation_rate,
        "temperature_k": star.temperature_k if star else math.nan,
        "logg": star.log_gravity if star else math.nan,
        "votes_spiral": spiral,
        "votes_merger": merger,
        "is_lens": parameters.object_class == "lens",
        "mag_r": parameters.magnitude_r,
    }


def _votes(
    parameters: Parameters, shape: Shape, generator: np.random.Generator
) -> tuple[float, float]:
    """Fractions of people who would see arms, and a merger: clear in large, face-on pictures."""
    first, second = generator.beta(3.0, 1.2), generator.beta(1.2, 20.0)
    third = generator.beta(2.0, 5.0)
    if parameters.spectral_class != "GALAXY":
        return 0.0, 0.0
    clarity = 1.0 / (1.0 + math.exp(-(shape.half_light_arcsec - 1.1) / 0.35))
    face_on = min(1.0, shape.axis_ratio / 0.6)
    spiral = {
        "spiral": 0.1 + 0.9 * first * clarity * (0.35 + 0.65 * face_on),
        "edge_on": 0.5 * third,
        "ring": 0.8 * third,
        "merger": 0.5 * third,
        "irregular": 0.3 * third,
    }.get(parameters.object_class, float(second))
    merger = (
        0.1 + 0.9 * first * (0.3 + 0.7 * clarity) if parameters.object_class == "merger" else second
    )
    return min(float(spiral), 1.0), min(float(merger), 1.0)
