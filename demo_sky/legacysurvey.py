"""Legacy Surveys: one object's picture and sweep columns, under their Multimodal Universe names."""

import math
from typing import Any

import numpy as np

from demo_sky.field import Neighbours, neighbour_colours
from demo_sky.identifiers import legacy_brick
from demo_sky.imaging import LEGACY_CAMERA, SIZE_PIXELS, colour_picture, expose
from demo_sky.photometry import BANDS, LEGACY_BANDS
from demo_sky.population import Parameters
from demo_sky.sed import Light
from demo_sky.shapes import Shape

CATALOG_ROWS = 20
TYPE_NUMBER = {"PSF": 0.0, "REX": 1.0, "EXP": 2.0, "DEV": 3.0, "SER": 4.0}
"""Numbers that stand for Tractor types in `catalog_TYPE`."""


def observe_legacysurvey(
    parameters: Parameters,
    ra_deg: float,
    dec_deg: float,
    light: Light,
    shape: Shape,
    neighbours: Neighbours,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Make one Legacy Surveys object.

    Arrays are in FITS order (row 0 is south), `image_rgb` and `blobmodel` too. The mask is True
    where the data are good in every band.
    """
    exposure = expose(LEGACY_CAMERA, light, shape, neighbours, generator, "des-r")
    name, brick, number = legacy_brick(ra_deg, dec_deg)
    fluxes = light.fluxes()
    kind = _tractor_type(parameters, shape, light)
    radius, first, second = _tractor_shape(kind, shape)
    sigma = LEGACY_CAMERA.sky_sigma
    noise = (sigma[3], sigma[1], sigma[0])
    record: dict[str, Any] = {
        "object_id": f"{name}-{number}".encode(),
        "image_array": exposure.image,
        "image_ivar": exposure.inverse_variance,
        "image_mask": exposure.good.all(axis=0),
        "image_band": np.array(LEGACY_BANDS, "S5"),
        "image_psf_fwhm": exposure.seeing_arcsec,
        "image_scale": np.full(4, LEGACY_CAMERA.scale_arcsec, np.float32),
        "image_rgb": colour_picture(exposure.image[[3, 1, 0]], noise),
        "blobmodel": colour_picture(exposure.model[[3, 1, 0]], noise),
        "object_mask": (exposure.target > sigma[1]).astype(np.uint8),
        "RELEASE": np.int16(10000),
        "BRICKID": np.int32(brick),
        "BRICKNAME": name.encode(),
        "OBJID": np.int32(number),
        "TYPE": kind.encode(),
        "EBV": np.float32(parameters.ebv_milky_way),
        "SHAPE_R": np.float32(radius),
        "SHAPE_E1": np.float32(first),
        "SHAPE_E2": np.float32(second),
        "MASKBITS": np.int32(0),
    }
    for band_number, band in enumerate(LEGACY_BANDS):
        # Photometric error: noise under the seeing disk, and one per cent of the flux.
        disk_pixels = 6.9 * max(1.0, radius / 0.6)
        error = math.hypot(sigma[band_number] * disk_pixels, 0.01 * fluxes[band])
        letter = band[-1].upper()
        record[f"FLUX_{letter}"] = np.float32(fluxes[band] + error * generator.standard_normal())
        record[f"FLUX_IVAR_{letter}"] = np.float32(1.0 / error**2)
        record[f"NOBS_{letter}"] = np.int16(generator.integers(2, 8))
    for letter, flux, error in _wise_fluxes(parameters, light):
        record[f"FLUX_{letter}"] = np.float32(flux + error * generator.standard_normal())
        record[f"FLUX_IVAR_{letter}"] = np.float32(1.0 / error**2)
    record.update(_catalog(record, kind, neighbours))
    return record


def _tractor_type(parameters: Parameters, shape: Shape, light: Light) -> str:
    if parameters.star is not None:
        return "PSF"
    if parameters.object_class == "quasar":
        return "REX" if len(light.components) > 1 else "PSF"
    if shape.half_light_arcsec < 0.6:
        return "REX"
    if shape.kind in ("elliptical", "lens"):
        return "DEV" if shape.bulge_index > 3.8 else "SER"
    return "SER" if parameters.galaxy and parameters.galaxy.bulge_share > 0.2 else "EXP"


def _tractor_shape(kind: str, shape: Shape) -> tuple[float, float, float]:
    """Half-light radius (arcsec) and the two ellipticities of Tractor."""
    if kind == "PSF":
        return 0.0, 0.0, 0.0
    if kind == "REX":
        return min(shape.half_light_arcsec, 0.6), 0.0, 0.0
    ellipticity = (1.0 - shape.axis_ratio) / (1.0 + shape.axis_ratio)
    angle = 2.0 * shape.position_angle
    return shape.half_light_arcsec, ellipticity * math.cos(angle), ellipticity * math.sin(angle)


def _wise_fluxes(parameters: Parameters, light: Light) -> list[tuple[str, float, float]]:
    """W1 to W4 in AB nanomaggies with their errors: stars fall, dust and quasars rise."""
    flux_z = light.fluxes()["des-z"]
    z = parameters.redshift
    if parameters.star is not None:
        cool = math.exp(-(parameters.star.temperature_k - 3000.0) / 2500.0)
        colours = (-1.45 + 1.3 * cool, -2.1 + 1.25 * cool, -4.0 + cool, -5.2 + cool)
    elif parameters.object_class == "quasar":
        colours = (0.7, 0.95, 1.9, 2.7)
    else:
        rate = light.log_star_formation_rate - light.log_stellar_mass
        dusty = max(rate + 11.0, 0.0)
        colours = (
            0.15 + 1.1 * min(z, 0.6),
            -0.35 + 0.9 * min(z, 0.6),
            -1.8 + 2.2 * dusty,
            -1.6 + 2.6 * dusty,
        )
    errors = (0.15, 0.45, 8.0, 70.0)
    return [
        (f"W{number}", flux_z * 10.0 ** (0.4 * colour), error)
        for number, (colour, error) in enumerate(zip(colours, errors, strict=True), start=1)
    ]


def _catalog(record: dict[str, Any], kind: str, neighbours: Neighbours) -> dict[str, Any]:
    """The brightest 20 objects of the frame, padded with zeros.

    As in the release, they are sorted from faint to bright, and X holds the row and Y the column.
    """
    half = SIZE_PIXELS / 2.0
    scale = LEGACY_CAMERA.scale_arcsec
    colours = neighbour_colours()
    by_band = neighbours.flux_r[:, None] * (neighbours.mixture @ colours)
    column = half - neighbours.east / scale
    row = half + neighbours.north / scale
    seen = (neighbours.flux_r > 0.2) & (np.abs(column - half) < half) & (np.abs(row - half) < half)
    stars = neighbours.size_arcsec == 0
    table = {
        f"FLUX_{band[-1].upper()}": np.append(
            by_band[seen, BANDS.index(band)], record[f"FLUX_{band[-1].upper()}"]
        )
        for band in LEGACY_BANDS
    }
    type_numbers = np.where(stars, TYPE_NUMBER["PSF"], TYPE_NUMBER["EXP"])[seen]
    table["TYPE"] = np.append(type_numbers, TYPE_NUMBER[kind])
    table["SHAPE_R"] = np.append(neighbours.size_arcsec[seen], record["SHAPE_R"])
    table["SHAPE_E1"] = np.append(np.zeros(seen.sum()), record["SHAPE_E1"])
    table["SHAPE_E2"] = np.append(np.zeros(seen.sum()), record["SHAPE_E2"])
    table["X"] = np.append(row[seen], half)
    table["Y"] = np.append(column[seen], half)
    order = np.argsort(table["FLUX_Z"], kind="stable")[-CATALOG_ROWS:]
    result: dict[str, Any] = {}
    for name, values in table.items():
        padded = np.zeros(CATALOG_ROWS, np.float32)
        padded[: len(order)] = values[order]
        result[f"catalog_{name}"] = padded
    return result
