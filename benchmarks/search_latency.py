"""How long a search takes in a process that is already up.

    python -m benchmarks.search_latency INDEX [--queries 200] [--seed 1] [--budget-ms 20]
        [--image FILE] [--spectrum FILE] [--xp FILE]

Random objects of the index are asked by key, within their modality and across each bridge that
the index has, and by position; files are read, encoded and searched with, the encoder being open
after the first. Prints the machine, a table, and one JSON object on the last line;
exit code 1 if the median of a search by identifier is over the budget.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from indexer import (
    Searcher,
    SearchError,
    SearchOptions,
    Upload,
    open_searcher,
    read_image_file,
    read_spectrum_file,
    read_xp_file,
)

WARM_UP = 5


def machine() -> str:
    """Return one line about where this runs."""
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    return (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"OMP_NUM_THREADS {threads}, Python {platform.python_version()}"
    )


def times_ms(task: Callable[[str], object], keys: list[str]) -> list[float]:
    """Return how long a task takes for each key; those it cannot answer are left out."""
    taken = []
    for number, key in enumerate([*keys[:WARM_UP], *keys]):
        start = time.perf_counter()
        try:
            task(key)
        except SearchError:
            continue
        if number >= WARM_UP:
            taken.append(1000.0 * (time.perf_counter() - start))
    return taken


def tasks_of(searcher: Searcher) -> dict[str, Callable[[str], object]]:
    """Return what is measured, by name."""

    def asking(options: SearchOptions) -> Callable[[str], object]:
        return lambda key: searcher.search(searcher.query_object(key), options)

    def at_position(key: str) -> object:
        known = searcher.object(key)
        place = f"{known['ra_deg']:.6f} {known['dec_deg']:.6f}"
        return searcher.search(searcher.query_position(place)) if place[:3] != "nan" else None

    return {
        "identifier, same modality": asking(SearchOptions(k=10)),
        "identifier, 100 neighbours": asking(SearchOptions(k=100)),
        "identifier, linked to spectra": asking(SearchOptions(to="spectrum", bridge="linked")),
        "identifier, linked to images": asking(SearchOptions(to="image", bridge="linked")),
        "identifier, aligned to spectra": asking(SearchOptions(to="spectrum", bridge="aligned")),
        "identifier, aligned to images": asking(SearchOptions(to="image", bridge="aligned")),
        "position": at_position,
    }


def uploads_of(
    searcher: Searcher, files: dict[str, Path | None]
) -> dict[str, Callable[[str], object]]:
    """Return what is measured of files, by name."""
    readers: dict[str, Callable[[Path], Upload]] = {
        "image": lambda path: read_image_file([path]),
        "spectrum": lambda path: read_spectrum_file([path]),
        "xp": read_xp_file,
    }

    def asking(kind: str, path: Path) -> Callable[[str], object]:
        return lambda _: searcher.search(searcher.query_upload(readers[kind](path)))

    return {
        f"file, {kind}, to neighbours": asking(kind, path)
        for kind, path in files.items()
        if path is not None
    }


def main() -> int:
    """Measure, print and compare with the budget."""
    parser = argparse.ArgumentParser(description="Measure how long a search takes.")
    parser.add_argument("index", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget-ms", type=float, default=20.0)
    for kind in ("image", "spectrum", "xp"):
        parser.add_argument(f"--{kind}", type=Path)
    given = parser.parse_args()
    start = time.perf_counter()
    searcher = open_searcher(given.index)
    opening_ms = 1000.0 * (time.perf_counter() - start)
    keys = searcher.random_keys(given.queries, given.seed)
    print(machine())
    print(f"{given.index}: {len(searcher.index)} objects, opened in {opening_ms:.0f} ms\n")
    print(f"{'search':34s}{'count':>7s}{'p50 ms':>9s}{'p95 ms':>9s}{'max ms':>9s}")
    results: dict[str, dict[str, float]] = {}
    files = {kind: getattr(given, kind) for kind in ("image", "spectrum", "xp")}
    uploads = uploads_of(searcher, files)
    for name, task in {**tasks_of(searcher), **uploads}.items():
        taken = times_ms(task, keys[:20] if name in uploads else keys)
        if not taken:
            print(f"{name:34s}{'none: this index cannot':>25s}")
            continue
        p50, p95 = np.quantile(taken, [0.5, 0.95])
        results[name] = {"count": len(taken), "p50_ms": p50, "p95_ms": p95, "max_ms": max(taken)}
        print(f"{name:34s}{len(taken):7d}{p50:9.2f}{p95:9.2f}{max(taken):9.2f}")
    median = results["identifier, same modality"]["p50_ms"]
    met = bool(median <= given.budget_ms)
    verdict = "within" if met else "OVER"
    print(f"\nmedian by identifier {median:.2f} ms: {verdict} the budget of {given.budget_ms:g} ms")
    rounded = {
        name: {key: round(value, 3) for key, value in each.items()}
        for name, each in results.items()
    }
    print(
        json.dumps(
            {
                "machine": machine(),
                "objects": len(searcher.index),
                "opening_ms": round(opening_ms, 1),
                "budget_ms": given.budget_ms,
                "met": met,
                "searches": rounded,
            }
        )
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
