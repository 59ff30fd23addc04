"""How many objects a second one process reads, and how many processes a GPU of given speed needs.

    python -m benchmarks.reader_rate [--objects N] [--seed S] [--output FILE]

Files of the Multimodal Universe's layout are made from a seed (HDF5 with the small chunks that
h5py picks by itself, lzf) and read by the reader of a build, checks of every object included.
Seconds are those of the processor, so that other work on the machine counts little; the disk is
not measured.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from indexer.manifests import Manifest, ReleaseManifest
from indexer.readers import partitions, read_partition
from indexer.readers.records import Record

__all__ = ["GPU_RATES_PER_S", "measured", "processes_for"]

RESULT = Path(__file__).parent / "results" / "reader.json"
ROUNDS = 3
GPU_RATES_PER_S = (500.0, 1000.0, 2000.0, 5000.0, 10_000.0)
"""Objects a second that a GPU may encode."""

SURVEYS = {"image": "legacysurvey", "spectrum": "desi", "xp": "gaia"}


def _datasets(modality: str, count: int, rng: np.random.Generator) -> dict[str, Any]:
    made: dict[str, Any] = {
        "object_id": np.array([str(1000 + number) for number in range(count)], "S"),
        "ra": rng.uniform(0, 360, count),
        "dec": rng.uniform(-30, 30, count),
    }
    if modality == "image":
        bands = np.array([b"des-g", b"des-r", b"des-i", b"des-z"])
        return made | {
            "image_array": rng.normal(size=(count, 4, 160, 160)).astype("f4"),
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


def measured(modality: str, objects: int, seed: int, folder: Path) -> dict[str, float]:
    """Return objects and bytes a second of processor time of one process: the best of some rounds.

    Parameters
    ----------
    modality
        ``image``, ``spectrum`` or ``xp``.
    objects
        In the file that is made and read.
    folder
        Where it is made.
    """
    path = folder / modality / "healpix=7" / "001-of-001.hdf5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        for name, values in _datasets(modality, objects, np.random.default_rng(seed)).items():
            file.create_dataset(name, data=values, chunks=True, compression="lzf")
    release = ReleaseManifest(
        name=modality,
        title=modality,
        survey=SURVEYS[modality],
        reader="mmu_hdf5",
        files=(f"{modality}/healpix=*/*.hdf5",),
    )
    manifest = Manifest(name="rate", title="Rate", root=folder, releases=(release,))
    (partition,) = partitions(manifest, release)
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        read = sum(
            isinstance(each, Record) for each in read_partition(manifest, release, partition)
        )
        taken.append(time.process_time() - began)
        if read != objects:
            raise RuntimeError(f"{objects} {modality} objects were made, {read} were read")
    size = path.stat().st_size
    return {"objects_per_s": objects / min(taken), "bytes_per_s": size / min(taken)}


def processes_for(gpu_per_s: float, reader_per_s: float) -> int:
    """Return how many reading processes keep a GPU of some speed busy."""
    return math.ceil(gpu_per_s / reader_per_s)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all modalities, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=256)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    result: dict[str, Any] = {"objects": given.objects, "seed": given.seed, "readers": {}}
    with tempfile.TemporaryDirectory() as folder:
        for modality in SURVEYS:
            found = measured(modality, given.objects, given.seed, Path(folder))
            rate = found["objects_per_s"]
            result["readers"][f"mmu_hdf5.{modality}"] = {
                **{name: round(value, 1) for name, value in found.items()},
                "processes_for_gpu_per_s": {
                    f"{speed:g}": processes_for(speed, rate) for speed in GPU_RATES_PER_S
                },
            }
    text = json.dumps(result, indent=1)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
