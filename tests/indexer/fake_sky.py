"""A tiny sky whose files are lists in JSON, read by its own reader: no HDF5, no simulation.

A source is a few numbers; its image, spectra and BP/RP coefficients are drawn from them, so that
similar sources look similar in every modality. Importable by worker processes.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from aion_encoder.fake import open_fake_encoder
from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum
from aion_encoder.universal_spectra import NativeSpectrum
from indexer.manifest_parts import IgnoredFiles
from indexer.manifests import Manifest, ReleaseManifest
from indexer.native_releases import NativeSpectra
from indexer.readers.records import Partition, Record, Reject, standard_columns
from indexer.tools import Tools

LATENT = 6
SURVEYS = {
    "fake-images": "legacysurvey",
    "fake-desi": "desi",
    "fake-sdss": "sdss",
    "fake-gaia": "gaia",
}
NATIVE_SURVEYS = {"fake-apogee": "apogee"}
"""Further releases, which a sky only has if they are named: AION-1 does not take their spectra."""

ALL_SURVEYS = {**SURVEYS, **NATIVE_SURVEYS}
_PREFIX = dict(zip(ALL_SURVEYS, "IDSGA", strict=True))
_WAVELENGTH = np.linspace(3600.0, 9800.0, 620)
_CENTRES = np.linspace(4000.0, 9000.0, LATENT)
_INFRARED = np.linspace(11_000.0, 24_000.0, 1300)
_INFRARED_CENTRES = np.linspace(12_000.0, 23_000.0, LATENT)


@cache
def _blobs() -> np.ndarray:
    y, x = np.mgrid[:96, :96]
    angle = np.linspace(0.0, 2.0 * np.pi, LATENT, endpoint=False)[:, None, None]
    column, row = 48 + 25 * np.cos(angle), 48 + 25 * np.sin(angle)
    return np.exp(-((x - column) ** 2 + (y - row) ** 2) / 60)


def observation(survey: str, latent: Sequence[float]) -> Observation | NativeSpectrum:
    """Draw one observation of a source."""
    values = np.asarray(latent, dtype=float)
    if survey == "legacysurvey":
        plane = 0.01 * np.tensordot(np.exp(2.0 + values), _blobs(), 1) + 1e-3
        flux = np.stack([plane * (1.0 + 0.1 * band) for band in range(4)])
        return Image(flux, ("DES-G", "DES-R", "DES-I", "DES-Z"), "legacysurvey")
    if survey == "apogee":
        lines = np.exp(-(((_INFRARED[:, None] - _INFRARED_CENTRES) / 800.0) ** 2))
        return NativeSpectrum(lines @ np.exp(values) + 0.5, _INFRARED)
    shape = sum(
        np.exp(v) * np.exp(-(((_WAVELENGTH - c) / 300.0) ** 2))
        for v, c in zip(values, _CENTRES, strict=True)
    )
    if survey == "gaia":
        coefficients = np.interp(np.linspace(3600, 9800, 110), _WAVELENGTH, shape) + 0.1
        return GaiaXp(coefficients[:55], coefficients[55:])
    return Spectrum(shape + 0.5, np.ones(620), _WAVELENGTH, survey)


def write_fake_sky(
    root: Path, releases: Sequence[str] = tuple(SURVEYS), sources: int = 140, seed: int = 3
) -> Manifest:
    """Write files of a sky and return its manifest.

    Every release sees most sources, in four files by declination. Each has one object that is
    broken, one without a position, and one identifier that appears in two files.
    """
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(10.0, 30.0, sources), rng.uniform(-20.0, 20.0, sources)
    latent = rng.normal(0.0, 0.7, (sources, LATENT))
    for release in ALL_SURVEYS:
        shift = rng.uniform(-0.2, 0.2, (2, sources)) / 3600.0
        seen = rng.uniform(size=sources) < 0.95
        files: dict[int, list[dict[str, Any]]] = {cell: [] for cell in range(4)}
        for number in np.flatnonzero(seen):
            entry = {
                "id": f"{_PREFIX[release]}{number:04d}",
                "ra": ra[number] + shift[0, number],
                "dec": dec[number] + shift[1, number],
                "latent": latent[number].tolist(),
                "z": round(float(rng.uniform(0, 1)), 4),
            }
            files[int((dec[number] + 20.0) // 10.0)].append(entry)
        files[0][0]["broken"] = "its fibre was broken"
        files[1][0] |= {"ra": None, "dec": None}
        files[3].append(dict(files[2][0]))
        if release not in releases:
            continue
        for cell, entries in files.items():
            path = root / release / f"healpix={cell}" / "objects.hdf5"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(entries))
    (root / "notes.txt").write_text("not an observation\n")
    return fake_manifest(root, releases)


def fake_manifest(root: Path, releases: Sequence[str] = tuple(SURVEYS)) -> Manifest:
    """Return the manifest of some releases of a fake sky."""
    return Manifest(
        name="fake",
        title="Fake sky (simulated)",
        root=root,
        every_file=True,
        releases=tuple(
            ReleaseManifest(
                name=name,
                title=f"Simulated {name}",
                survey=ALL_SURVEYS[name],
                reader="mmu_hdf5",
                files=(f"{name}/healpix=*/objects.hdf5",),
                simulated=True,
                native=NativeSpectra(medium="vacuum") if name in NATIVE_SURVEYS else None,
            )
            for name in releases
        ),
        ignored=(IgnoredFiles(pattern="notes.txt", reason="a note"),),
    )


def read_fake_partition(
    manifest: Manifest, release: ReleaseManifest, partition: Partition
) -> Iterator[Record | Reject]:
    """Read the objects of a fake file."""
    for name in partition.files:
        for row, entry in enumerate(json.loads((manifest.root / name).read_text())):
            if "broken" in entry:
                yield Reject(entry["id"], name, row, entry["broken"])
                continue
            yield Record(
                entry["id"],
                np.nan if entry["ra"] is None else entry["ra"],
                np.nan if entry["dec"] is None else entry["dec"],
                (observation(release.survey, entry["latent"]),),
                standard_columns(redshift=entry["z"], redshift_ok=True, bright=entry["z"] > 0.5),
                name,
                row,
            )


FAKE_TOOLS = Tools(open_encoder=open_fake_encoder, read_partition=read_fake_partition)
