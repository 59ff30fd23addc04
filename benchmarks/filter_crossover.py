"""When to score every object that passes a filter, those in the nearest lists, or visit the lists.

    python -m benchmarks.filter_crossover FOLDER [--vectors 200000] [--dim 192] [--queries 50]
        [--seed 1] [--recipe ivf_pq4]

Makes, or takes from FOLDER, the vectors and the FAISS file of `benchmarks.index_scale`, and
asks for ten neighbours among those that pass: random rows; those nearest to a few ("clustered");
those on the other side of the main direction ("far": as a redshift far from the query's); and the
most unlike ("opposite"), whose best are so many at one distance that hardly anything tells them
apart. Prints the CPU time of the three ways (a machine that is shared measures nothing else) and
the recall of the latter two, and one JSON object on the last line.
`indexer.neighbours.EXACT_SURVIVORS` and `NEAR_FIRST_UP_TO` are where the times cross.
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import index_scale
from benchmarks.search_latency import machine
from benchmarks.synthetic_vectors import SyntheticVectors
from indexer import ann
from indexer.ann import recipes
from indexer.fill import fill_segment, train_quantizer
from indexer.layout import space_unit
from indexer.neighbours import Asked
from indexer.row_sets import RowSet

SHARES = (0.5, 0.1, 0.03, 0.01, 0.001)
KINDS = ("random", "clustered", "far", "opposite")


def passing(
    kind: str, share: float, vectors: np.ndarray, query: np.ndarray, seed: int
) -> np.ndarray:
    """Return the rows that pass a filter, ascending: about a share of all."""
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    count = len(vectors)
    if kind == "random":
        return np.flatnonzero(rng.random(count) < share)
    if kind == "clustered":
        # The nearest of few centres, whatever is asked.
        centres = np.asarray(vectors[rng.integers(0, count, 4)], np.float32)
        towards = (np.asarray(vectors, np.float32) @ centres.T).max(axis=1)
    elif kind == "far":
        towards = -np.sign(query[0]) * np.asarray(vectors[:, 0], np.float32)
    else:
        towards = -(np.asarray(vectors, np.float32) @ query)
    wanted = max(1, round(share * count))
    return np.sort(np.argpartition(-towards, wanted - 1)[:wanted])


def measured(
    index: ann.AnnIndex,
    vectors: np.ndarray,
    queries: np.ndarray,
    kind: str,
    share: float,
    seed: int,
) -> dict[str, float | str]:
    """Ask one query after the other in all ways."""
    rows = np.arange(len(vectors))
    survivors = []
    taken: dict[str, list[float]] = {"exact": [], "near": [], "lists": []}
    shares: dict[str, list[float]] = {"near": [], "lists": []}
    chosen, bits = np.empty(0, np.int64), None
    for query in queries:
        if bits is None or kind in ("far", "opposite"):
            chosen = passing(kind, share, vectors, query, seed)
            bits = RowSet.of(chosen, len(vectors)).bits
        asked = Asked(index, rows, vectors, query, index_scale.K, len(chosen), bits)
        ways = {
            "exact": partial(asked.scanned, chosen),
            "near": partial(asked.near_first, chosen),
            "lists": asked.in_more_lists,
        }
        found = {}
        for way, ask in ways.items():
            start = time.process_time()
            found[way] = ask().best(index_scale.K)
            taken[way].append(1e3 * (time.process_time() - start))
        for way, each in shares.items():
            each.append(float(np.isin(found["exact"], found[way]).mean()))
        survivors.append(len(chosen))
    return {
        "filter": kind,
        "share": share,
        "survivors": round(float(np.mean(survivors))),
        **{f"{way}_p50_ms": round(float(np.median(each)), 3) for way, each in taken.items()},
        **{f"{way}_recall_at_10": round(float(np.mean(each)), 4) for way, each in shares.items()},
    }


def main() -> int:
    """Make or take the vectors, ask, and print."""
    parser = argparse.ArgumentParser(description="Measure filtered searches.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recipe", choices=("ivf_sq8", "ivf_pq4"), default="ivf_pq4")
    given = parser.parse_args()
    recipes.EXACT_UP_TO = 0
    recipes.EIGHT_BIT_UP_TO = 0 if given.recipe == "ivf_pq4" else sys.maxsize
    source = SyntheticVectors(given.dim, given.seed)
    filling, _ = index_scale.written(given.folder, source, given.vectors, given.queries)
    space = space_unit("image")
    (given.folder / space).mkdir(parents=True, exist_ok=True)
    if not filling.ann_path.exists() or ann.load(filling.ann_path).recipe.name != given.recipe:
        trained = train_quantizer(given.folder, space, {"image": filling})
        fill_segment(filling, np.arange(given.vectors), trained)
    index = ann.load(filling.ann_path)
    queries = source.queries(given.queries)
    vectors = filling.vectors()
    print(f"{machine()}; {index.count} vectors, {index.recipe.name}, {index.recipe.lists} lists")
    print(
        f"{'filter':>10s}{'share':>8s}{'survivors':>11s}{'exact ms':>10s}{'near ms':>10s}"
        f"{'recall':>8s}{'lists ms':>10s}{'recall':>8s}"
    )
    found = []
    for kind in KINDS:
        for share in SHARES:
            each = measured(index, vectors, queries, kind, share, given.seed)
            found.append(each)
            print(
                f"{kind:>10s}{share:8g}{each['survivors']:11d}"
                f"{each['exact_p50_ms']:10.2f}{each['near_p50_ms']:10.2f}"
                f"{each['near_recall_at_10']:8.3f}{each['lists_p50_ms']:10.2f}"
                f"{each['lists_recall_at_10']:8.3f}",
                flush=True,
            )
    print(
        json.dumps(
            {
                "machine": machine(),
                "vectors": index.count,
                "dim": index.dim,
                "seed": given.seed,
                "recipe": index.recipe.name,
                "lists": index.recipe.lists,
                "searches": found,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
