"""How an index that `benchmarks.bench_200m` built answers: what it finds, how fast, in what memory.

    python -m benchmarks.large_search FOLDER

Asks one query at a time. Warm: every query was asked before. Cold: before every query the files
are dropped from the maps of this process and from the system's cache (MADV_DONTNEED, then
POSIX_FADV_DONTNEED), so that the graph of the lists and the vectors that rank candidates come
from the disk. Lists for fast scanning do not: FAISS copies them into memory when it opens them.
Recall is that of the ten nearest of all vectors, which were found by comparing every one, with a
95 % bootstrap interval over queries. Writes `searches.json`.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_200m import SEGMENT, SPACE, Asked
from benchmarks.memory import anonymous_bytes, forget, mapped_bytes
from indexer import ann
from indexer.coded_vectors import CodedVectors
from indexer.durable import write_json
from indexer.evaluate.measures import bootstrap
from indexer.fill import Filling
from indexer.vectors import expect_scattered, rerank

K = 10
COLD = 100
"""Queries that are asked cold."""

MORE_CANDIDATES = 500


def truth_of(folder: Path) -> np.ndarray:
    """Return the places of the `K` nearest vectors of each query."""
    kept = np.load(folder / "truth.npz")
    scores = np.where(np.isnan(kept["scores"]), -np.inf, kept["scores"])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return np.take_along_axis(kept["places"], order, axis=1)


class Opened:
    """The index and the vectors of a folder."""

    def __init__(self, folder: Path) -> None:
        self.filling = Filling(folder, SEGMENT, SPACE, SPACE)
        self.files = [
            *self.filling.ann_path.parent.glob("*.faiss"),
            self.filling.vectors_path,
        ]
        forget(self.files)
        start = time.perf_counter()
        self.index = ann.load(self.filling.ann_path)
        vectors = self.filling.vectors()
        self.open_s = time.perf_counter() - start
        assert isinstance(vectors, CodedVectors)
        # As a segment does whose vectors are held in lists.
        expect_scattered(vectors)
        self.vectors = vectors

    def asked(
        self,
        queries: np.ndarray,
        truth: np.ndarray,
        *,
        nprobe: int,
        candidates: int,
        cold: bool = False,
    ) -> dict[str, Any]:
        """Ask one query after the other."""
        index_ms, whole_ms, alone, ranked = [], [], [], []
        for query, wanted in zip(queries, truth, strict=True):
            if cold:
                forget(self.files)
            start = time.perf_counter()
            _, found, counts = self.index.search(query[None, :], candidates, nprobe=nprobe)
            between = time.perf_counter()
            _, best, _ = rerank(self.vectors, query[None, :], found, counts, K)
            end = time.perf_counter()
            index_ms.append(1e3 * (between - start))
            whole_ms.append(1e3 * (end - start))
            alone.append(np.isin(wanted, found[0, :K]).mean())
            ranked.append(np.isin(wanted, best[0]).mean())
        return {
            "nprobe": nprobe,
            "candidates": candidates,
            "queries": len(queries),
            "recall_at_10": _interval(ranked),
            "recall_at_10_of_codes_alone": _interval(alone),
            **_times("codes_alone", index_ms),
            **_times("ranked_again", whole_ms),
        }


def _interval(shares: list[float]) -> list[float]:
    found = bootstrap(np.array(shares), seed=0)
    return [round(each, 4) for each in (found.value, found.low, found.high)]


def _times(name: str, taken: list[float]) -> dict[str, float]:
    p50, p99 = np.quantile(taken, [0.5, 0.99])
    return {f"{name}_p50_ms": round(float(p50), 3), f"{name}_p99_ms": round(float(p99), 3)}


def _held() -> dict[str, float]:
    """Return the resident memory of this process in MiB."""
    return {"anonymous": anonymous_bytes() / 2**20, "mapped": mapped_bytes() / 2**20}


def main() -> int:
    """Open, ask and write."""
    parser = argparse.ArgumentParser(description="Ask an index that bench_200m built.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    numbers = json.loads((folder / "state.json").read_text())["asked"]
    asked = Asked(folder, **numbers)
    queries, truth = asked.source.queries(asked.queries), truth_of(folder)
    before = _held()
    opened = Opened(folder)
    index = opened.index
    usual, few = index.default_nprobe, index.recipe.candidates(K)
    memory = {"before_opening": before, "opened": _held()}
    cold = opened.asked(queries[:COLD], truth[:COLD], nprobe=usual, candidates=few, cold=True)
    opened.asked(queries, truth, nprobe=min(index.recipe.lists, 2 * usual), candidates=few)
    searches = [
        opened.asked(queries, truth, nprobe=nprobe, candidates=candidates)
        for nprobe in sorted({max(1, usual // 2), usual, min(index.recipe.lists, 2 * usual)})
        for candidates in (few, MORE_CANDIDATES)
    ]
    memory["searched"] = _held()
    result = {
        "recipe": index.recipe.name,
        "lists": index.recipe.lists,
        "files": 1 + len(index.more),
        "open_cold_s": round(opened.open_s, 3),
        "memory_mb": {
            when: {kind: round(each, 1) for kind, each in held.items()}
            for when, held in memory.items()
        },
        "cold": cold,
        "warm": searches,
    }
    write_json(folder / "searches.json", result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
