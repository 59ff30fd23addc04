"""How many objects a second one process makes ready for a model, and how many processes it takes.

Files of the Multimodal Universe are made from a seed, in both of its packings, and encoded as a
build does it, by a model that answers at once.
"""

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aion_encoder.encoded import Encoded
from aion_encoder.heads import LinearHead
from aion_encoder.identity import Identity
from aion_encoder.observations import Observation
from benchmarks.encoding.made_up import KINDS
from benchmarks.encoding.whole import encode_sky
from benchmarks.scale.results import write_results
from indexer.manifests import Manifest, ReleaseManifest
from indexer.plan import plan
from indexer.progress import silent
from indexer.readers import Reject, read_partition

__all__ = ["PACKINGS", "measure_feeding", "processes_for"]

PACKINGS = ("mmu_hdf5", "mmu_hats")
"""Readers that are measured: version 1 of the Multimodal Universe, and version 1.5."""

SEED = 7
_SURVEYS = {"image": "legacysurvey", "spectrum": "desi", "xp": "gaia"}
_FIELDS = {
    **{f"image_{name}": ("image", name) for name in ("mask", "band", "scale")},
    "image_array": ("image", "flux"),
    **{f"spectrum_{name}": ("spectrum", name) for name in ("lambda", "flux", "ivar", "mask")},
    "coeff": ("spectral_coefficients", "coeff"),
}
"""Struct and field of each dataset in version 1.5."""


@dataclass(frozen=True)
class _AtOnce:
    """A model that takes no time."""

    identity: Identity
    bridges: Mapping[str, LinearHead] = field(default_factory=dict)
    reference_spaces: Mapping[str, Any] = field(default_factory=dict)

    def encode(self, objects: Sequence[Sequence[Observation]], *, tokens: bool = False) -> Encoded:
        del tokens
        kinds = np.array([only.modality for (only,) in objects])
        present = {kind: kinds == kind for kind in np.unique(kinds).tolist()}
        vectors = {
            kind: np.where(there[:, None], np.float32(1.0), np.float32(np.nan))
            * np.ones((1, self.identity.dim), np.float32)
            for kind, there in present.items()
        }
        return Encoded(vectors, present)


def measure_feeding(
    results: Path, *, objects: int, rounds: int, announce: Callable[[str], None]
) -> Path:
    """Read and stage files of every modality and packing, and write ``encoding-feeding.json``.

    Seconds are those of the processor, of several rounds the least, so that other work on the
    machine counts little; files were just written, so a disk counts for nothing.

    Parameters
    ----------
    results
        Folder of the file.
    objects
        In each file.
    rounds
        How often each is read.
    """
    from aion_encoder import open_encoder

    identity = open_encoder("demo", device="cpu").identity
    measures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for packing in PACKINGS:
            for modality in KINDS:
                announce(f"{packing}, {modality}")
                manifest = _written(Path(folder) / packing, packing, modality, objects)
                measures |= {
                    f"{packing}.{modality}.{name}": value
                    for name, value in _rates(manifest, identity, objects, rounds).items()
                }
    return write_results(
        results,
        "encoding-feeding",
        seed=SEED,
        versions={"h5py": h5py.__version__, "pyarrow": pa.__version__},
        objects=objects,
        rounds=rounds,
        measures=measures,
    )


def processes_for(wanted_per_s: float, per_s: float) -> int:
    """Return how many processes feed a model that encodes so many a second."""
    return math.ceil(wanted_per_s / per_s)


def _rates(manifest: Manifest, identity: Identity, objects: int, rounds: int) -> dict[str, float]:
    (release,) = plan(manifest).releases
    read_s, fed_s = [], []
    for number in range(rounds):
        began = time.process_time()
        found = [
            not isinstance(each, Reject)
            for partition in release.partitions
            for each in read_partition(manifest, release.release, partition)
        ]
        read_s.append(time.process_time() - began)
        assert isinstance(manifest.root, Path)
        index = manifest.root / f"index-{number}"
        began = time.process_time()
        done = encode_sky(manifest, index, _AtOnce(identity), silent)
        fed_s.append(time.process_time() - began)
        if (sum(found), done.indexed) != (objects, objects):
            raise RuntimeError(
                f"of {objects} objects that were made {sum(found)} were read and {done.indexed} "
                "would be indexed; all must be"
            )
    return {
        "read_per_s": round(objects / min(read_s), 1),
        "fed_per_s": round(objects / min(fed_s), 1),
        "bytes_per_object": round(release.input_bytes / objects),
    }


def _written(folder: Path, packing: str, modality: str, objects: int) -> Manifest:
    """Write a file of so many objects, and return a manifest of it alone."""
    datasets = _datasets(modality, objects, np.random.default_rng(SEED))
    if packing == "mmu_hdf5":
        name = f"{modality}/healpix=7/001-of-001.hdf5"
        (folder / name).parent.mkdir(parents=True)
        with h5py.File(folder / name, "w") as file:
            for key, values in datasets.items():
                # The small chunks that h5py picks by itself are what the files have.
                file.create_dataset(key, data=values, chunks=True, compression="lzf")
    else:
        name = f"{modality}/dataset/Norder=3/Dir=0/Npix=45.parquet"
        (folder / name).parent.mkdir(parents=True)
        pq.write_table(_nested(datasets), folder / name, compression="zstd", row_group_size=64)
    given: dict[str, Any] = {"preview": _PREVIEW} if modality == "image" else {}
    release = ReleaseManifest(
        name=modality,
        title=modality,
        survey=_SURVEYS[modality],
        reader=packing,
        files=(name,),
        **given,
    )
    return Manifest(name="feeding", title="Feeding", root=folder, releases=(release,))


_PREVIEW = {"rgb": ("DES-Z", "DES-R", "DES-G"), "scale": (2.2, 3.4, 6.0)}


def _datasets(modality: str, count: int, rng: np.random.Generator) -> dict[str, Any]:
    made: dict[str, Any] = {
        "object_id": np.array([str(1000 + number) for number in range(count)], "S"),
        "ra": rng.uniform(0, 360, count),
        "dec": rng.uniform(-30, 30, count),
    }
    if modality == "image":
        bands = np.array([b"des-g", b"des-r", b"des-i", b"des-z"])
        return made | {
            "image_array": _pictures(count, rng),
            "image_mask": np.ones((count, 160, 160), bool),
            "image_band": np.tile(bands, (count, 1)),
            "image_scale": np.full((count, 4), 0.262, "f4"),
        }
    if modality == "spectrum":
        pixels = 7781
        return made | {
            "spectrum_lambda": np.tile((3600 + 0.8 * np.arange(pixels)).astype("f4"), (count, 1)),
            "spectrum_flux": rng.normal(5, 1, (count, pixels)).astype("f4"),
            "spectrum_ivar": np.ones((count, pixels), "f4"),
            "spectrum_mask": np.zeros((count, pixels), bool),
        }
    return made | {"coeff": rng.normal(size=(count, 110)).astype("f4")}


def _pictures(count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return a galaxy in noise each, in nanomaggies: files and previews become smaller by it."""
    y, x = np.mgrid[-79.5:80, -79.5:80]
    radius = rng.uniform(3, 15, (count, 1, 1, 1))
    flux = rng.lognormal(0, 1, (count, 4, 1, 1))
    noise = 0.02 * rng.normal(size=(count, 4, 160, 160))
    return np.asarray(flux * np.exp(-np.hypot(x, y) / radius) + noise, np.float32)


def _nested(datasets: Mapping[str, Any]) -> pa.Table:
    """Return datasets as version 1.5 has them: nested lists in structs."""
    plain: dict[str, pa.Array] = {}
    structs: dict[str, dict[str, pa.Array]] = {}
    for name, values in datasets.items():
        flat = values.ravel()
        column = pa.array(flat.astype(str) if flat.dtype.kind == "S" else flat)
        for size in values.shape[:0:-1]:
            ends = np.arange(0, len(column) + 1, size, dtype=np.int32)
            column = pa.ListArray.from_arrays(ends, column)
        struct, place = _FIELDS.get(name, ("", name))
        if struct:
            structs.setdefault(struct, {})[place] = column
        else:
            plain[name] = column
    made = {
        name: pa.StructArray.from_arrays(list(fields.values()), list(fields))
        for name, fields in structs.items()
    }
    return pa.table(plain | made)
