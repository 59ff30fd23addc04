"""Whether memory stays what it is while objects are encoded for a long time."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.encoding.whole import SEED, encode_sky, manifest_of
from benchmarks.memory import anonymous_bytes, growth
from benchmarks.scale.results import write_results

__all__ = ["growth_per_hour", "measure_steady"]

WARM = 0.2
"""Share of the time after which memory has to stay."""


def growth_per_hour(held: list[tuple[float, int]]) -> float:
    """Return how many bytes an hour memory grows, by the line through what was held once warm.

    Parameters
    ----------
    held
        Seconds since the beginning, and bytes.
    """
    return 3600.0 * growth(held, WARM * held[-1][0])


def measure_steady(
    results: Path, folder: Path, *, objects: int, minutes: float, announce: Callable[[str], None]
) -> Path:
    """Encode a sky again and again in one process, and write ``encoding-steady.json``.

    Parameters
    ----------
    results
        Folder of the file.
    folder
        Where the sky is kept.
    objects
        Its sources.
    minutes
        No round begins after so many.
    """
    import torch

    from aion_encoder import open_encoder

    manifest = manifest_of(folder, objects, announce)
    encoder = open_encoder("demo", device="cpu")
    index = folder / "index"
    held: list[tuple[float, int]] = []
    done, rounds, began = 0, 0, time.perf_counter()

    def note(_done: int, _total: int) -> None:
        held.append((time.perf_counter() - began, anonymous_bytes()))

    while time.perf_counter() - began < 60.0 * minutes:
        shutil.rmtree(index, ignore_errors=True)
        done += encode_sky(manifest, index, encoder, note).indexed
        rounds += 1
        announce(f"{done:,} objects in {held[-1][0] / 60:.0f} min, {held[-1][1] / 2**20:.0f} MiB")
    shutil.rmtree(index, ignore_errors=True)
    return write_results(
        results,
        "encoding-steady",
        seed=SEED,
        versions={"torch": torch.__version__},
        objects=done,
        rounds=rounds,
        measures={
            "minutes": round(held[-1][0] / 60.0, 2),
            "memory.growth_bytes_an_hour": round(growth_per_hour(held)),
            "memory.most_bytes": max(size for _, size in held),
            "memory.least_bytes": min(size for _, size in held),
        },
    )
