"""The baseline that every picture must beat: colours, magnitude and size from the catalogue."""

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from jaxtyping import Float64

from indexer.evaluate.pool import Pool
from indexer.layout import catalog_dir, unplaced_file

__all__ = ["photometry_of"]

_DATASET = "dataset"
"""Folder of the Parquet files inside a HATS catalogue (IVOA note on HATS 1.0)."""

_ZERO_POINT_NANOMAGGIES = 22.5
_SIZES = ("shape_r", "size", "half_light")


def photometry_of(pool: Pool) -> Float64[np.ndarray, "n d"] | None:
    """Return standardised colours, magnitude and size of the objects of one release.

    What the catalogue of the release keeps decides: columns that begin with ``flux_`` are
    nanomaggies, columns with ``mag`` in their name are magnitudes, and ``shape_r`` is a size in
    arcsec. A value that is missing is set to the median, so that it says nothing.

    Returns
    -------
    One row an object, each column with mean 0 and deviation 1. None if the pool has several
    releases, whose photometry cannot be compared, or the catalogue fewer than two bands.
    """
    if len(pool.releases) != 1:
        return None
    (release,) = pool.releases
    columns = _columns(pool, release)
    magnitudes = {name: values for name, values in columns.items() if name not in _SIZES}
    if len(magnitudes) < 2:
        return None
    names = list(magnitudes)
    features = {names[-1]: magnitudes[names[-1]]}
    for a, b in pairwise(names):
        features[f"{a} - {b}"] = magnitudes[a] - magnitudes[b]
    features |= {name: values for name, values in columns.items() if name in _SIZES}
    return np.stack([_standard(each) for each in features.values()], axis=1)


def _columns(pool: Pool, release: str) -> dict[str, np.ndarray[Any, Any]]:
    segment = pool.index.segment(release)
    unit = segment.info.directory
    parts = (pool.index.path / catalog_dir(unit) / _DATASET, pool.index.path / unplaced_file(unit))
    tables = [ds.dataset(part, format="parquet") for part in parts if part.exists()]
    kept = sorted({name for each in tables for name in each.schema.names if _kind(name)})
    raw = {name: np.full(len(segment), np.nan) for name in kept}
    for each in tables:
        names = [name for name in kept if name in each.schema.names]
        table = each.to_table(columns=["row", *names])
        place = table.column("row").to_numpy()
        for name in names:
            raw[name][place] = table.column(name).to_numpy().astype(np.float64)
    return {
        name: _as_magnitude(name, raw[name][pool.rows[release]])
        for name in sorted(kept, key=_wavelength_order)
    }


def _kind(name: str) -> str:
    lowered = name.lower()
    if lowered in _SIZES:
        return "size"
    if lowered.startswith("flux_") and "ivar" not in lowered:
        return "flux"
    is_magnitude = lowered != "magnitude" and "mag" in lowered.split("_")
    return "magnitude" if is_magnitude and "err" not in lowered else ""


def _wavelength_order(name: str) -> tuple[int, str]:
    """Put bands in the order u g r i z y, by the one-letter part of a name."""
    bands = [part for part in name.lower().split("_") if part in "ugrizy" and len(part) == 1]
    return ("ugrizy".index(bands[0]) if bands else len("ugrizy"), name)


def _as_magnitude(name: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    kind = _kind(name)
    if kind == "magnitude":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(values)
    scaled = logs if kind == "size" else _ZERO_POINT_NANOMAGGIES - 2.5 * logs
    return np.where(np.isfinite(scaled), scaled, np.nan)


def _standard(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    filled = np.where(known, values, np.median(values[known]))
    spread = filled.std()
    return (filled - filled.mean()) / spread if spread > 0.0 else np.zeros(len(values))
