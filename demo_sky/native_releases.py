"""Write two releases more of a sky: bright stars as APOGEE and GALAH see them.

In the layout of the Multimodal Universe, as the five others: one HDF5 file for each HEALPix cell, a
row an object. They have a command of their own, because nothing of AION-1 takes such spectra.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demo_sky.hdf5_layout import ReleaseFileWriter
from demo_sky.native import observe_native_source
from demo_sky.placement import SLOTS, file_pixel_of_position, shift_position, slot_of
from demo_sky.population import Parameters, draw_parameters

NATIVE_FOLDER = {"apogee": "apogee/apogee", "galah": "galah/galah"}
"""Folder of each release below the root."""

FAINTEST_R = {"apogee": 16.0, "galah": 14.5}
"""Magnitude (DES r) of the faintest stars that a survey points at."""

_SCATTER_ARCSEC = 0.05
_LARGEST_OFFSET_ARCSEC = 0.14
_STREAM = 0x4E52


@dataclass(frozen=True)
class _Star:
    index: int
    surveys: tuple[str, ...]
    parameters: Parameters


def write_native_releases(
    directory: str | os.PathLike[str],
    objects: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write both releases below a directory; they depend on `objects` and `seed` alone.

    Parameters
    ----------
    directory : path
        Made if absent, such as the one of `write_sky`; must hold neither of the two yet.
    objects : int
        Number of physical sources of the sky; of these the bright stars are observed.
    seed : int
        Which sky.
    progress : callable, optional
        Called as progress(stars done, stars in all).

    Returns
    -------
    Number of spectra.

    Raises
    ------
    ValueError
        If a number is out of range, or no star of the sky is bright enough.
    FileExistsError
        If a release is already there.
    """
    root = Path(directory)
    if not 1 <= objects <= SLOTS:
        raise ValueError(f"objects must be 1 to {SLOTS}, got {objects}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    for folder in NATIVE_FOLDER.values():
        if (root / folder).exists():
            raise FileExistsError(f"{root / folder} exists already; give a directory without it")
    stars = list(_bright_stars(seed, objects))
    if not stars:
        raise ValueError(
            f"no star among {objects} sources is brighter than r = {max(FAINTEST_R.values())}; "
            "take more"
        )
    files: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for done, star in enumerate(stars, 1):
        for survey, record in _observe(seed, star).items():
            files[survey, int(record["healpix"])].append(record)
        if progress is not None:
            progress(done, len(stars))
    for (survey, pixel), records in sorted(files.items()):
        path = root / NATIVE_FOLDER[survey] / f"healpix={pixel}" / "001-of-001.hdf5"
        with ReleaseFileWriter(path, survey, len(records)) as writer:
            for record in records:
                writer.add(record)
    return sum(len(records) for records in files.values())


def _bright_stars(seed: int, objects: int) -> Iterator[_Star]:
    for index in range(objects):
        parameters = draw_parameters(seed, index, np.random.default_rng([seed, index]))
        surveys = tuple(
            name for name, faintest in FAINTEST_R.items() if parameters.magnitude_r < faintest
        )
        if parameters.object_class == "star" and surveys:
            yield _Star(index, surveys, parameters)


def _observe(seed: int, star: _Star) -> dict[str, dict[str, Any]]:
    source = observe_native_source(seed, star.index, star.surveys)
    truth = star.parameters.star
    assert truth is not None
    records = {}
    for survey in star.surveys:
        number = list(NATIVE_FOLDER).index(survey)
        generator = np.random.default_rng([seed, star.index, number, _STREAM])
        offset = generator.normal(0.0, _SCATTER_ARCSEC, 2)
        offset *= min(1.0, _LARGEST_OFFSET_ARCSEC / float(np.hypot(*offset)))
        ra_deg, dec_deg = shift_position(
            star.parameters.ra_deg, star.parameters.dec_deg, *offset.tolist()
        )
        spectrum = source.spectra[survey].joined()
        records[survey] = {
            "object_id": _object_id(survey, seed, star.index, ra_deg, dec_deg),
            "ra": np.float64(ra_deg),
            "dec": np.float64(dec_deg),
            "healpix": np.int64(file_pixel_of_position(ra_deg, dec_deg)),
            "spectrum_lambda": spectrum.wavelength_angstrom,
            "spectrum_flux": spectrum.flux,
            "spectrum_ivar": spectrum.ivar,
            "spectrum_mask": spectrum.mask,
            "teff": np.float32(truth.temperature_k * generator.normal(1.0, 0.01)),
            "logg": np.float32(truth.log_gravity + generator.normal(0.0, 0.05)),
            "fe_h": np.float32(truth.metallicity + generator.normal(0.0, 0.03)),
            "radial_velocity": np.float32(truth.radial_velocity_km_s + generator.normal(0.0, 0.1)),
            "mag_r": np.float32(star.parameters.magnitude_r),
        }
    return records


def _object_id(survey: str, seed: int, index: int, ra_deg: float, dec_deg: float) -> bytes:
    if survey == "galah":
        return f"{140000000000000 + slot_of(seed, index)}".encode()
    hundredths = int(ra_deg * 24000.0) % 8_640_000
    tenths = int(abs(dec_deg) * 36000.0)
    hours, minutes = divmod(hundredths // 6000, 60)
    degrees, arcminutes = divmod(tenths // 600, 60)
    sign = "-" if dec_deg < 0.0 else "+"
    east = f"{hours:02d}{minutes:02d}{hundredths % 6000:04d}"
    return f"2M{east}{sign}{degrees:02d}{arcminutes:02d}{tenths % 600:03d}".encode()
