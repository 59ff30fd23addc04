"""HSC: one object's picture and catalogue columns, under their Multimodal Universe names."""

import math
from typing import Any

import numpy as np

from demo_sky.field import Neighbours
from demo_sky.identifiers import hsc_object_id
from demo_sky.imaging import HSC_CAMERA, expose
from demo_sky.photometry import HSC_BANDS, magnitude_of_nanomaggies
from demo_sky.population import Parameters
from demo_sky.sed import Light
from demo_sky.shapes import Shape

# A(band) / E(B-V) of Schlafly & Finkbeiner-like dust, as in the survey's own a_* columns.
EXTINCTION_PER_EBV = {"g": 3.24, "r": 2.28, "i": 1.63, "z": 1.26, "y": 1.08}


def observe_hsc(
    parameters: Parameters,
    ra_deg: float,
    dec_deg: float,
    light: Light,
    shape: Shape,
    neighbours: Neighbours,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Make one HSC object: counts at zero point 27.0; the mask is True where data are good."""
    exposure = expose(HSC_CAMERA, light, shape, neighbours, generator)
    number, tract, patch = hsc_object_id(ra_deg, dec_deg)
    fluxes = light.fluxes()
    record: dict[str, Any] = {
        "object_id": np.int64(number),
        "tract": np.int64(tract),
        "patch": np.int64(patch),
        "image_array": exposure.image,
        "image_ivar": exposure.inverse_variance,
        "image_mask": exposure.good,
        "image_band": np.array(HSC_BANDS, "S5"),
        "image_psf_fwhm": exposure.seeing_arcsec,
        "image_scale": np.full(5, HSC_CAMERA.scale_arcsec, np.float32),
    }
    for band_number, band in enumerate(HSC_BANDS):
        letter = band[-1]
        relative = 0.006 + HSC_CAMERA.sky_sigma[band_number] * 8.0 / (
            fluxes[band] * HSC_CAMERA.units_per_nanomaggy + 1e-3
        )
        magnitude = magnitude_of_nanomaggies(fluxes[band]) + relative * generator.standard_normal()
        record[f"a_{letter}"] = np.float32(EXTINCTION_PER_EBV[letter] * parameters.ebv_milky_way)
        record[f"{letter}_cmodel_mag"] = np.float32(magnitude)
        record[f"{letter}_cmodel_magerr"] = np.float32(1.086 * relative)
        # Second moments (arcsec2) of the blurred body: a Gaussian's sigma is 0.849 half-lights.
        blur = (float(exposure.seeing_arcsec[band_number]) / 2.355) ** 2
        size = (
            0.0
            if parameters.star or parameters.object_class == "quasar"
            else shape.half_light_arcsec
        )
        major, minor = (0.849 * size) ** 2, (0.849 * size * shape.axis_ratio) ** 2
        sine, cosine = math.sin(shape.position_angle), math.cos(shape.position_angle)
        noise = 1.0 + 0.02 * generator.standard_normal(3)
        record[f"{letter}_sdssshape_shape11"] = np.float32(
            (major * sine**2 + minor * cosine**2 + blur) * noise[0]
        )
        record[f"{letter}_sdssshape_shape22"] = np.float32(
            (major * cosine**2 + minor * sine**2 + blur) * noise[1]
        )
        record[f"{letter}_sdssshape_shape12"] = np.float32(
            (major - minor) * sine * cosine * noise[2]
        )
    record["i_extendedness_value"] = np.float32(0.0 if parameters.star else 1.0)
    return record
