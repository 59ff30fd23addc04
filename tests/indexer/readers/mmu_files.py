"""Small files in the layout of the Multimodal Universe v1, with its quirks, for tests."""

from pathlib import Path

import h5py
import numpy as np

PX = 160


def write(path: Path, **datasets: object) -> Path:
    """Write datasets into a new HDF5 file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values)
    return path


def legacy(rng: np.random.Generator, count: int, **changes: object) -> dict[str, object]:
    """Return the datasets of a Legacy Surveys file: one mask for all bands, True is good."""
    return {
        "object_id": np.array([f"b'0421p022-{i}'" for i in range(count)], "S"),
        "ra": rng.uniform(0, 360, count),
        "dec": rng.uniform(-30, 30, count),
        "healpix": np.full(count, 1234),
        "image_array": rng.normal(size=(count, 4, PX, PX)).astype("f4"),
        "image_mask": np.ones((count, PX, PX), bool),
        "image_band": np.tile(np.array([b"des-g", b"des-r", b"des-i", b"des-z"]), (count, 1)),
        "image_scale": np.full((count, 4), 0.262, "f4"),
        "FLUX_R": np.full(count, 10.0, "f4"),
        "TYPE": np.full(count, b"EXP"),
    } | changes


def hsc(rng: np.random.Generator, count: int, **changes: object) -> dict[str, object]:
    """Return the datasets of an HSC file: a mask for each band, identifiers as numbers."""
    return {
        "object_id": np.arange(count) + 75339253994786944,
        "ra": rng.uniform(0, 360, count),
        "dec": rng.uniform(-5, 5, count),
        "healpix": np.full(count, 1234),
        "image_array": (100 * rng.normal(size=(count, 5, PX, PX))).astype("f4"),
        "image_mask": np.ones((count, 5, PX, PX), bool),
        "image_band": np.tile(np.array([f"hsc-{b}".encode() for b in "grizy"]), (count, 1)),
        "image_scale": np.full((count, 5), 0.168, "f4"),
        "i_cmodel_mag": np.full(count, 20.5),
    } | changes


def sdss(rng: np.random.Generator, count: int, **changes: object) -> dict[str, object]:
    """Return the datasets of an SDSS file: big-endian, padded with a wavelength of -1."""
    pixels, pads = 3800, 25
    wavelength = np.concatenate([10 ** (3.58 + 1e-4 * np.arange(pixels)), np.full(pads, -1.0)])
    flux = rng.normal(10, 1, (count, pixels + pads))
    flux[:, pixels:] = flux[:, pixels - 1 : pixels]
    ivar = np.ones_like(flux)
    ivar[:, pixels:] = 0
    mask = np.zeros(flux.shape, bool)
    mask[:, pixels:] = True
    return {
        "object_id": np.array(
            [f"{299489676975171584 + (i << 38)}".rjust(22) for i in range(count)], "S22"
        ),
        "ra": rng.uniform(0, 360, count).astype(">f8"),
        "dec": rng.uniform(-10, 60, count).astype(">f8"),
        "healpix": np.full(count, 1234),
        "spectrum_lambda": np.tile(wavelength, (count, 1)).astype(">f4"),
        "spectrum_flux": flux.astype(">f4"),
        "spectrum_ivar": ivar.astype(">f4"),
        "spectrum_mask": mask,
        "Z": np.linspace(0.1, 0.2, count).astype(">f4"),
        "ZWARNING": np.zeros(count, bool),
        "SPECTROFLUX": np.full((count, 5), 10.0, ">f4"),
        "CLASS": np.full(count, b"GALAXY"),
    } | changes


def desi(rng: np.random.Generator, count: int, **changes: object) -> dict[str, object]:
    """Return the datasets of a DESI file: no padding, ZWARN True is good."""
    shape = (count, 7781)
    return {
        "object_id": np.arange(count) + 39633345008634465,
        "ra": rng.uniform(0, 360, count),
        "dec": rng.uniform(-10, 60, count),
        "healpix": np.full(count, 1234),
        "spectrum_lambda": np.tile(3600 + 0.8 * np.arange(7781), (count, 1)).astype("f4"),
        "spectrum_flux": rng.normal(2, 1, shape).astype("f4"),
        "spectrum_ivar": np.ones(shape, "f4"),
        "spectrum_mask": np.zeros(shape, bool),
        "Z": np.linspace(0.1, 0.2, count),
        "ZWARN": np.ones(count, bool),
        "FLUX_R": np.full(count, 10.0, "f4"),
        "SPECTYPE": np.full(count, b"GALAXY"),
    } | changes


def gaia(rng: np.random.Generator, count: int, **changes: object) -> dict[str, object]:
    """Return the datasets of a Gaia file: `source_id` and no `object_id`."""
    return {
        "source_id": np.arange(count) + 5853498713190525696,
        "ra": rng.uniform(0, 360, count),
        "dec": rng.uniform(-90, 90, count),
        "healpix": np.full(count, 1234),
        "coeff": rng.normal(100, 5, (count, 110)).astype("f4"),
        "phot_g_mean_mag": np.full(count, 15.5),
    } | changes
