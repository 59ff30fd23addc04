"""How much faster neighbours are found for many objects at once than for one after another.

    python -m benchmarks.bulk_export FOLDER [--objects 4000] [--queries 200] [--seed 1] [-k 10]
    python -m benchmarks.bulk_export --index INDEX [--queries 200] [--seed 1] [-k 10]

Builds an index of synthetic vectors (`benchmarks.synthetic_vectors`) below FOLDER, two releases of
the same sources, one of images and one of spectra, or takes an index that is there. Then the same
objects are asked one at a time and in blocks, within their modality and by links, turn by turn in
one process, and the CPU time of the process is compared, so that what else the machine does counts
little; the better of two turns counts.
The hits are compared, and must be equal.

Prints a table, and one JSON object on the last line; exit code 1 if a hit differs.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.search_latency import machine
from benchmarks.synthetic_vectors import BLOCK, SyntheticVectors
from indexer import Searcher, SearchError, SearchOptions, open_searcher
from indexer.answer_columns import keys_of
from indexer.batched import BatchSearcher, block_size
from indexer.build import build
from indexer.manifests import Manifest

DIM = 192
TURNS = 3


def built(folder: Path, objects: int, seed: int) -> Path:
    """Build an index of synthetic vectors of as many sources, if it is not there; return it."""
    index = folder / f"index-{objects}-{seed}"
    if (index / "index.json").exists():
        return index
    files = folder / f"files-{objects}-{seed}"
    files.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ra_deg, dec_deg = rng.uniform(0.0, 360.0, objects), rng.uniform(-60.0, 60.0, objects)
    releases = []
    for number, (modality, survey) in enumerate((("image", "legacysurvey"), ("spectrum", "sdss"))):
        source = SyntheticVectors(DIM, seed + number)
        # A chunk is always made as a whole, which takes long for few.
        few = objects <= BLOCK
        vectors = source.queries(objects) if few else np.concatenate([*source.chunks(objects)])
        table = {
            "object_id": [str(each) for each in range(objects)],
            "ra": ra_deg,
            "dec": dec_deg,
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM),
        }
        pq.write_table(pa.table(table), files / f"{modality}.parquet")
        encoder = {"repository": "synthetic", "revision": str(seed), "pooling": "mean", "dim": DIM}
        releases.append(
            {
                "name": f"synthetic-{modality}",
                "title": f"Synthetic {modality} vectors",
                "survey": survey,
                "reader": "vectors",
                "files": [f"{modality}.parquet"],
                "simulated": True,
                "vectors": {"modality": modality, "column": "embedding", "encoder": encoder},
            }
        )
    values = {"name": "synthetic", "title": "Synthetic", "root": files, "releases": releases}
    build(Manifest.model_validate(values), index)
    return index


def one_by_one(searcher: Searcher, keys: list[str], options: SearchOptions) -> list[list[str]]:
    """Return the keys of the hits of each object, asked one after another."""
    found = []
    for key in keys:
        try:
            found.append(searcher.search(searcher.query_object(key), options).key.tolist())
        except SearchError:
            found.append([])
    return found


def in_blocks(searcher: Searcher, keys: list[str], options: SearchOptions) -> list[list[str]]:
    """Return the same, asked in blocks."""
    found: list[list[str]] = [[] for _ in keys]
    index, batch = searcher.index, BatchSearcher(searcher.index, options)
    asked = [searcher.query_object(key) for key in keys]
    for release in index.releases:
        places = np.array([n for n, query in enumerate(asked) if query.release == release], int)
        for start in range(0, len(places), block_size(options.k)):
            some = places[start : start + block_size(options.k)]
            rows = np.array([asked[place].row for place in some.tolist()])
            hits = batch.search(release, rows).hits
            names = keys_of(index, hits["release"], hits["row"]).to_pylist()
            for place, name in zip(some[hits["query"]].tolist(), names, strict=True):
                found[place].append(name)
    return found


def main() -> int:
    """Ask, compare and print."""
    parser = argparse.ArgumentParser(description="Measure neighbours of many objects.")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--index", type=Path, help="an index that is there")
    parser.add_argument("--objects", type=int, default=4000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-k", type=int, default=10)
    given = parser.parse_args()
    if (given.folder is None) == (given.index is None):
        parser.error("give either FOLDER or --index INDEX")
    searcher = open_searcher(given.index or built(given.folder, given.objects, given.seed))
    keys = searcher.random_keys(given.queries, given.seed)
    roads: dict[str, Callable[[Searcher, list[str], SearchOptions], list[list[str]]]] = {
        "one by one": one_by_one,
        "in blocks": in_blocks,
    }
    tasks = {
        "same modality": SearchOptions(k=given.k),
        "linked to spectra": SearchOptions(k=given.k, to="spectrum", bridge="linked"),
    }
    print(f"{machine()}\n{searcher.index}, {len(keys)} queries, k {given.k}\n")
    print(f"{'queries/s':22s}" + "".join(f"{name:>14s}" for name in (*roads, "ratio")))
    rates: dict[str, dict[str, float]] = {}
    equal = True
    for task, options in tasks.items():
        best = dict.fromkeys(roads, 0.0)
        for turn in range(TURNS):
            found = {}
            for name, road in roads.items():
                # The first turn opens files, and does not count.
                some = keys if turn else keys[: len(keys) // 4]
                start = time.process_time(), time.perf_counter()
                found[name] = road(searcher, some, options)
                took = time.process_time() - start[0], time.perf_counter() - start[1]
                if turn:
                    best[name] = max(best[name], len(some) / max(took[0], 1e-9))
                    wall = len(some) / took[1]
                    rates.setdefault(task, {})[f"{name}, wall"] = round(wall, 1)
            equal &= found["one by one"] == found["in blocks"]
        ratio = best["in blocks"] / best["one by one"]
        rates[task] |= {name: round(rate, 1) for name, rate in best.items()}
        rates[task]["ratio"] = round(ratio, 2)
        print(f"{task:22s}" + "".join(f"{best[name]:14.1f}" for name in roads) + f"{ratio:14.1f}")
    print("\nthe hits are equal" if equal else "\nHITS DIFFER")
    print(json.dumps({"machine": machine(), "k": given.k, "equal": equal, "rates": rates}))
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
