"""Damage that real releases contain, put into a few rows of the written files.

================  ====================================================================
release           defects
================  ====================================================================
legacysurvey      `nan_pixels`: a block of one band is NaN;
                  `empty_band`: three quarters of one band are exactly 0
hsc               `empty_band`
sdss              `all_masked`: inverse variance 0 and mask True everywhere
desi              `dead_fibre`: inverse variance 0, yet mask False, everywhere
gaia              `nan_coefficient`: one XP coefficient is NaN
================  ====================================================================

About 0.3 % of a release's rows are damaged, and from 1,000 objects on every kind occurs at least
once. A `.lock` file lies beside one file of each release. Which rows: `damaged_rows`. Sources
made in memory are undamaged.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from demo_sky.placement import SURVEYS

DEFECTS: dict[str, tuple[str, ...]] = {
    "legacysurvey": ("nan_pixels", "empty_band"),
    "hsc": ("empty_band",),
    "sdss": ("all_masked",),
    "desi": ("dead_fibre",),
    "gaia": ("nan_coefficient",),
}
DAMAGED_FRACTION = 0.003
_ALWAYS_FROM_OBJECTS = 1000


def damaged_rows(seed: int, objects: int, survey: str, indices: Sequence[int]) -> dict[int, str]:
    """Choose which sources of a release are damaged, and how.

    Parameters
    ----------
    seed, objects : int
        Seed and size of the sky.
    survey : str
    indices : sequence of int
        Sources in the release.

    Returns
    -------
    dict
        Source index to the kind of defect.
    """
    kinds = DEFECTS[survey]
    each = round(DAMAGED_FRACTION * len(indices) / len(kinds))
    if objects >= _ALWAYS_FROM_OBJECTS:
        each = max(each, 1)
    count = min(each * len(kinds), len(indices))
    generator = np.random.default_rng([seed, SURVEYS.index(survey), 0xDEF])
    chosen = generator.choice(np.asarray(indices, np.int64), count, replace=False)
    return {int(index): kinds[number % len(kinds)] for number, index in enumerate(chosen)}


def damage(record: dict[str, Any], kind: str, generator: np.random.Generator) -> dict[str, Any]:
    """Return a damaged copy of an object's record."""
    damaged = dict(record)
    if kind == "nan_pixels":
        image = record["image_array"].copy()
        band = generator.integers(len(image))
        row, column = generator.integers(20, 120, 2)
        image[band, row : row + 14, column : column + 9] = np.nan
        damaged["image_array"] = image
    elif kind == "empty_band":
        image = record["image_array"].copy()
        image[generator.integers(len(image)), :, : int(0.76 * image.shape[-1])] = 0.0
        damaged["image_array"] = image
    elif kind in ("all_masked", "dead_fibre"):
        damaged["spectrum_ivar"] = np.zeros_like(record["spectrum_ivar"])
        damaged["spectrum_mask"] = np.full_like(record["spectrum_mask"], kind == "all_masked")
    elif kind == "nan_coefficient":
        coefficients = record["coeff"].copy()
        coefficients[generator.integers(len(coefficients))] = np.nan
        damaged["coeff"] = coefficients
    else:
        raise ValueError(f"kind must be one of {DEFECTS}, got {kind!r}")
    return damaged
