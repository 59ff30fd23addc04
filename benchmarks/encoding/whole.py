"""Reading, tokenizing, encoding and writing of a simulated sky, and reading and encoding alone."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aion_encoder.observations import Observation
from benchmarks.memory import anonymous_bytes, peak
from benchmarks.scale.results import write_results
from indexer.encode import BATCH_OBSERVATIONS
from indexer.encoding import EncodeReport, encode
from indexer.manifests import Manifest, load_manifest
from indexer.plan import plan
from indexer.progress import Progress
from indexer.readers import Reject, read_partition
from indexer.tools import EncoderLike, Tools

__all__ = ["SEED", "encode_sky", "manifest_of", "measure_whole"]

_MANIFEST = Path(__file__).parents[2] / "data_manifests" / "demo.toml"
SEED = 7
"""Of the sky."""

ROUNDS = 3
"""Each thing alone and all together take turns; the fastest counts."""


def measure_whole(
    results: Path, folder: Path, *, objects: int, announce: Callable[[str], None]
) -> Path:
    """Encode a sky with the bundled weights, and write ``encoding-whole.json``.

    Times are the clock's: reading overlaps encoding, as far as there are cores for both.

    Parameters
    ----------
    results
        Folder of the file.
    folder
        Where the sky is kept.
    objects
        Its sources.
    """
    import torch

    from aion_encoder import open_encoder

    manifest = manifest_of(folder, objects, announce)
    encoder = open_encoder("demo", device="cpu")
    index = folder / "index"
    taken: dict[str, list[float]] = {"reader": [], "encoder": [], "whole": []}
    held: list[int] = []
    most, count, indexed = 0, 0, 0

    def note(_done: int, _total: int) -> None:
        held.append(anonymous_bytes())

    for number in range(ROUNDS):
        announce(f"round {number + 1} of {ROUNDS}: reading alone")
        with _timed(taken["reader"]):
            observations = list(_read(manifest))
        count = len(observations)
        announce("encoding alone")
        encoder.encode([(each,) for each in observations[:2]])
        with _timed(taken["encoder"]):
            for start in range(0, count, BATCH_OBSERVATIONS):
                some = observations[start : start + BATCH_OBSERVATIONS]
                encoder.encode([(each,) for each in some])
        del observations
        announce("reading, encoding and writing")
        shutil.rmtree(index, ignore_errors=True)
        held.clear()
        with peak() as seen, _timed(taken["whole"]):
            indexed = encode_sky(manifest, index, encoder, note).indexed
        most = max(most, seen.bytes)
    shutil.rmtree(index)
    middle = len(held) // 2
    least = {name: min(each) for name, each in taken.items()}
    slower = max(least["reader"], least["encoder"])
    measures = {
        "reader.per_s": round(count / least["reader"], 2),
        "encoder.per_s": round(count / least["encoder"], 2),
        "whole.per_s": round(indexed / least["whole"], 2),
        "whole.over_slower": round(least["whole"] / slower - 1.0, 4),
        "memory.peak_bytes": most,
        "memory.growth_bytes": max(held[middle:]) - max(held[:middle]),
    }
    return write_results(
        results,
        "encoding-whole",
        seed=SEED,
        versions={"torch": torch.__version__},
        objects=count,
        files=len(held) - 1,
        rounds=ROUNDS,
        threads=torch.get_num_threads(),
        measures=measures,
    )


@contextmanager
def _timed(taken: list[float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    taken.append(time.perf_counter() - began)


def _read(manifest: Manifest) -> Iterator[Observation]:
    for each in plan(manifest, Tools()).releases:
        for partition in each.partitions:
            for record in read_partition(manifest, each.release, partition):
                if not isinstance(record, Reject):
                    yield from record.observations


def manifest_of(folder: Path, objects: int, announce: Callable[[str], None]) -> Manifest:
    """Return the manifest of a simulated sky of so many sources, which is written once."""
    from demo_sky import write_sky

    sky = folder / f"sky-{objects}"
    if not (sky / "labels.parquet").exists():
        announce("writing the sky")
        shutil.rmtree(sky, ignore_errors=True)
        write_sky(sky, objects, SEED)
    return load_manifest(_MANIFEST, root=sky)


def encode_sky(
    manifest: Manifest, index: Path, encoder: EncoderLike, progress: Progress
) -> EncodeReport:
    """Encode all of a sky, as a build does, with an encoder that is open already."""
    tools = Tools(open_encoder=lambda _weights: encoder)
    return encode(manifest, index, native_weights="none", progress=progress, tools=tools)
