"""How an index of many vectors is trained, filled and searched, and what it finds.

    python -m benchmarks.index_scale FOLDER [--vectors 100000] [--dim 192] [--queries 500]
        [--seed 1] [--recipe ivf_pq4]

Makes vectors with the structure of embeddings (`benchmarks.synthetic_vectors`), writes them below
FOLDER, trains and fills a FAISS file as a build does, and asks it one query at a time, candidates
being re-ranked from the mapped vectors, with the settings that a search has by default and with
half and twice the lists. Prints a table,
and one JSON object on the last line. FOLDER takes 2 bytes a dimension and about 50 more for each
vector; what a run leaves there serves the next one with the same vectors.

    OMP_NUM_THREADS=2 python -m benchmarks.index_scale var/scale --vectors 1000000
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale.data import SPACE, Data, K
from benchmarks.search_latency import machine
from benchmarks.synthetic_vectors import SyntheticVectors
from indexer import ann
from indexer.ann import recipes
from indexer.fill import Filling, fill_segment, train_quantizer
from indexer.layout import quantizer_file, space_unit
from indexer.vectors import rerank

WARM_UP = 20


def written(root: Path, source: SyntheticVectors, count: int, asked: int) -> tuple[Filling, Any]:
    """Write the vectors and the exact neighbours of the queries, if they are not there.

    Returns
    -------
    filling, truth
        Where the vectors lie, and the rows of the `K` nearest of each query.
    """
    data = Data(root, count, source.dim, source.seed, asked)
    data.make()
    return data.filling, data.truth()


def searched(
    index: ann.AnnIndex, filling: Filling, queries: np.ndarray, truth: np.ndarray, nprobe: int
) -> dict[str, float]:
    """Ask one query after the other; return recall of the `K` nearest and times."""
    vectors, rows = filling.vectors(), np.arange(index.count)
    fetch = index.recipe.candidates(K)
    shares, alone, whole = [], [], []
    for number, query in enumerate([*queries[:WARM_UP], *queries]):
        start = time.perf_counter()
        _, candidates, counts = index.search(query[None, :], fetch, nprobe=nprobe)
        between = time.perf_counter()
        _, best, _ = rerank(vectors, query[None, :], candidates, counts, K, rows=rows)
        end = time.perf_counter()
        if number >= WARM_UP:
            alone.append(1e3 * (between - start))
            whole.append(1e3 * (end - start))
            shares.append(np.isin(truth[number - WARM_UP], best[0]).mean())
    p50, p99 = np.quantile(whole, [0.5, 0.99])
    return {
        "nprobe": nprobe,
        "recall_at_10": float(np.mean(shares)),
        "index_p50_ms": float(np.median(alone)),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


def main() -> int:
    """Make, train, fill, ask and print."""
    parser = argparse.ArgumentParser(description="Measure an index of many vectors.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--recipe",
        choices=("ivf_sq8", "ivf_pq4"),
        help="by default what a build would choose",
    )
    given = parser.parse_args()
    # What a build chooses is decided by these two numbers alone.
    if given.recipe is not None:
        recipes.EXACT_UP_TO = 0
        recipes.EIGHT_BIT_UP_TO = 0 if given.recipe == "ivf_pq4" else sys.maxsize
    took: dict[str, float] = {}
    worked: dict[str, float] = {}
    clock = time.perf_counter(), time.process_time()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.perf_counter(), time.process_time()
        took[name], worked[name] = now[0] - clock[0], now[1] - clock[1]
        clock = now

    source = SyntheticVectors(given.dim, given.seed)
    filling, truth = written(given.folder, source, given.vectors, given.queries)
    lap("vectors")
    space = space_unit(SPACE)
    (given.folder / space).mkdir(parents=True, exist_ok=True)
    trained = train_quantizer(given.folder, space, {SPACE: filling})
    lap("train")
    fill_segment(filling, np.arange(given.vectors), trained)
    lap("fill")
    index = ann.load(filling.ann_path)
    lap("open")
    size = filling.ann_path.stat().st_size
    shared = 0 if trained is None else (given.folder / quantizer_file(space)).stat().st_size
    print(f"{machine()}, {ann.threads()} threads")
    print(
        f"{index.count} vectors of {index.dim}: {index.recipe.name}, {index.recipe.lists} lists; "
        + ", ".join(f"{name} {took[name]:.1f} s ({worked[name]:.1f} of CPU)" for name in took)
        + f"; filled at {given.vectors / took['fill']:.0f}/s; {size / 1e6:.1f} MB, "
        f"{size / given.vectors:.1f} bytes a vector, {(size - shared) / given.vectors:.1f} without "
        "what is trained\n"
    )
    queries = source.queries(given.queries)
    most, usual = max(1, index.recipe.lists), max(1, index.default_nprobe)
    measured = [
        searched(index, filling, queries, truth, nprobe)
        for nprobe in sorted({max(1, usual // 2), usual, min(most, 2 * usual)})
    ]
    print(f"{'nprobe':>7s}{'recall@10':>11s}{'index p50 ms':>14s}{'p50 ms':>9s}{'p99 ms':>9s}")
    for each in measured:
        print(
            f"{each['nprobe']:7.0f}{each['recall_at_10']:11.4f}{each['index_p50_ms']:14.2f}"
            f"{each['p50_ms']:9.2f}{each['p99_ms']:9.2f}"
        )
    print(
        json.dumps(
            {
                "machine": machine(),
                "threads": ann.threads(),
                "vectors": index.count,
                "dim": index.dim,
                "seed": given.seed,
                "recipe": index.recipe.name,
                "lists": index.recipe.lists,
                "default_nprobe": index.default_nprobe,
                "candidates": index.recipe.candidates(K),
                "bytes": size,
                "trained_bytes": shared,
                "filled_per_s": round(given.vectors / took["fill"], 1),
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                **{f"{name}_s": round(value, 2) for name, value in took.items()},
                **{f"{name}_cpu_s": round(value, 2) for name, value in worked.items()},
                "searches": [
                    {name: round(value, 4) for name, value in each.items()} for each in measured
                ],
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
