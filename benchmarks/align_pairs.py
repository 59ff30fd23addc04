"""How long it takes to fit heads to many pairs, and how much memory.

    python -m benchmarks.align_pairs [--pairs 100000]

Planted vectors: 24 common factors of falling quality, bent by a tanh and hidden in 192 dimensions
of either side, in memory-mapped half precision like the vectors of an index. Heads are fitted as
`python -m indexer align` fits them. Prints one JSON object.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.search_latency import machine
from indexer.align import Aligned, fit_heads
from indexer.pairs import ReleasePairs

DIM, FACTORS = 192, 24
BLOCK = 10_000


def planted(folder: Path, count: int, seed: int) -> ReleasePairs:
    """Write vectors of both sides, and return the pairs."""
    rng = np.random.default_rng(seed)
    quality = np.linspace(1.0, 0.1, FACTORS)
    mixing = [rng.normal(size=(FACTORS, DIM)) / FACTORS**0.5 for _ in range(2)]
    files = [
        np.lib.format.open_memmap(folder / f"{side}.npy", "w+", np.float16, (count, DIM))
        for side in ("image", "spectrum")
    ]
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        common = rng.normal(size=(size, FACTORS))
        for side, (file, mix) in enumerate(zip(files, mixing, strict=True)):
            seen = quality * common + (1.0 - quality) * rng.normal(size=common.shape)
            bent = np.tanh((1.0 + side) * seen) @ mix + 0.05 * rng.normal(size=(size, DIM))
            bent /= np.linalg.norm(bent, axis=1, keepdims=True)
            file[start : start + size] = bent
    for file in files:
        file.flush()
    vectors = (
        np.load(folder / "image.npy", mmap_mode="r"),
        np.load(folder / "spectrum.npy", mmap_mode="r"),
    )
    rows = np.arange(count)
    return ReleasePairs(
        ("one", "other"),
        ("image", "spectrum"),
        vectors,
        (rows, rows),
        (rows, rows),
        rows,
        rng.integers(0, 12 * 4**29, count),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = planted(Path(folder), given.pairs, given.seed)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        found = fit_heads([pairs], ("image", "spectrum"), seed=given.seed)
        seconds = time.monotonic() - began
    assert isinstance(found, Aligned)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "pairs": given.pairs,
                "seconds": round(seconds, 1),
                "memory_before_gb": round(before / 1024**2, 2),
                "memory_most_gb": round(after / 1024**2, 2),
                "facts": found.facts,
                "machine": machine(),
            },
            default=str,
        )
    )


if __name__ == "__main__":
    main()
