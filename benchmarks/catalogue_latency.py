"""How long looking up objects takes in a segment of many rows.

    python -m benchmarks.catalogue_latency FOLDER [--objects 200000] [--lookups 1000] [--seed 1]
        [--budget-ms 5]

Writes a segment of simulated objects all over the sky below FOLDER, as a build does (HATS, rows
and keys), opens it, and measures identifiers, cones, the columns of 50 hits, and filters. FOLDER
takes about 200 bytes an object; what a run leaves there serves the next one. Prints a table and
one JSON object on the last line; exit code 1 if the 99th percentile of a look-up is over the
budget of CPU time, as the clock of a shared machine measures its other users, too (filters are
for information: what passes is found once, and kept).

    nice -n 19 python -m benchmarks.catalogue_latency var/catalogue --objects 5000000
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.search_latency import machine
from indexer.answers import known_of
from indexer.bridges import Found
from indexer.catalog import write_catalog
from indexer.filters import parse_filters
from indexer.index_model import InputsInfo, LinkOutInfo, ReleaseInfo
from indexer.layout import keys_file, previews_file, segment_unit
from indexer.passing import Passing
from indexer.previews import growing_previews
from indexer.row_order import in_row_order, row_order
from indexer.segment import Segment

HITS = 50
FILTERS = (
    "redshift>0.5",
    "object_class=QSO",
    "cone(150,2,1deg)",
    "|b|>20",
    "0.1<redshift<0.11; |b|>20",
)


def objects(count: int, seed: int) -> pa.Table:
    """Return simulated objects, each with a position."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice(10 * count, count, replace=False) + 39_627_000_000_000_000
    classes = pa.array(["GALAXY", "QSO", "STAR", ""])
    return pa.table(
        {
            "object_id": pa.array(numbers).cast(pa.string()),
            "ra_deg": rng.uniform(0.0, 360.0, count),
            "dec_deg": np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count))),
            "redshift": rng.gamma(2.0, 0.3, count).astype(np.float32),
            "redshift_ok": rng.random(count) < 0.9,
            "magnitude": rng.normal(20.0, 1.5, count).astype(np.float32),
            "object_class": classes.take(pa.array(rng.integers(0, 4, count))),
            "modalities": np.full(count, 1, np.uint8),
            "source_file": pa.array([f"healpix={number}.hdf5" for number in range(100)])
            .take(pa.array(rng.integers(0, 100, count)))
            .dictionary_encode(),
            "source_row": rng.integers(0, 10**6, count).astype(np.int32),
        }
    )


def opened(root: Path, count: int, seed: int) -> Segment:
    """Write a segment, if it is not there, and open it."""
    root.mkdir(parents=True, exist_ok=True)
    name = f"c{count}-s{seed}"
    unit = segment_unit(name)
    if not (root / keys_file(unit)).exists():
        table = objects(count, seed)
        with TemporaryDirectory(dir=root) as temporary:
            folder = Path(temporary)
            order = row_order([table], folder / "order")
            rows = in_row_order([table], order, folder / "dealt")
            write_catalog(root, unit, name, order, rows, "benchmark", folder / "columns")
        with growing_previews(root / previews_file(unit)):
            pass
    zeros = "0" * 64
    info = ReleaseInfo(
        directory=unit,
        title=name,
        survey="simulated",
        links=(LinkOutInfo(label="Viewer", url="https://example.org/?ra={ra}&dec={dec}"),),
        read=count,
        indexed=count,
        rejected=0,
        placed=count,
        vectors={},
        spaces={},
        manifest=zeros,
        inputs=InputsInfo(files=0, bytes=0, listing=zeros, content=zeros, changed=""),
    )
    return Segment(root, name, info, files=())


def times_ms(task: Callable[[int], object], count: int) -> np.ndarray:
    """Return the time and the CPU time of a task for each number, after some to warm up."""
    taken = []
    for number in [*range(min(count, 20)), *range(count)]:
        start, worked = time.perf_counter(), time.process_time()
        task(number)
        taken.append((time.perf_counter() - start, time.process_time() - worked))
    return 1e3 * np.array(taken[-count:]).T


def lookups(segment: Segment, count: int, seed: int) -> dict[str, Callable[[int], object]]:
    """Return what is measured, by name."""
    rng = np.random.default_rng((seed, 1))
    rows = rng.integers(0, len(segment), (count, HITS))
    ids = [segment.object_id(row) for row in rows[:, 0]]
    ra_deg, dec_deg = (segment.column(name)[rows[:, 0]] for name in ("ra_deg", "dec_deg"))

    def columns(number: int) -> object:
        found = [Found("", segment.name, int(row), "image", 1.0) for row in rows[number]]
        return known_of({segment.name: segment}, found)

    return {
        "identifier": lambda number: segment.row_of(ids[number]),
        "identifier that is not there": lambda number: segment.row_of(f"{ids[number]}0"),
        "cone, 5 arcsec": lambda n: segment.cone(ra_deg[n], dec_deg[n], 5.0),
        "cone, 10 arcmin": lambda n: segment.cone(ra_deg[n], dec_deg[n], 600.0),
        f"columns of {HITS} hits": columns,
    }


def main() -> int:
    """Write, look up and print."""
    parser = argparse.ArgumentParser(description="Measure look-ups in a large segment.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--objects", type=int, default=200_000)
    parser.add_argument("--lookups", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget-ms", type=float, default=5.0)
    given = parser.parse_args()
    start = time.perf_counter()
    segment = opened(given.folder, given.objects, given.seed)
    print(f"{machine()}; {len(segment)} objects, ready after {time.perf_counter() - start:.1f} s\n")
    print(f"{'':>30s}{'p50 ms':>9s}{'p99 ms':>9s}{'CPU p50':>9s}{'CPU p99':>9s}")
    measured: dict[str, Any] = {}
    for name, task in lookups(segment, given.lookups, given.seed).items():
        p50, p99 = np.quantile(times_ms(task, given.lookups), [0.5, 0.99], axis=1)
        values = [float(each) for each in (p50[0], p99[0], p50[1], p99[1])]
        names = ("p50_ms", "p99_ms", "cpu_p50_ms", "cpu_p99_ms")
        measured[name] = dict(zip(names, np.round(values, 4).tolist(), strict=True))
        print(f"{name:>30s}" + "".join(f"{value:9.3f}" for value in values), flush=True)
    index: Any = SimpleNamespace(
        segments={segment.name: segment}, releases=(segment.name,), segment=lambda _: segment
    )
    print(f"\n{'filter':>30s}{'ms':>9s}{'pass':>12s}")
    filters: dict[str, Any] = {}
    for text in FILTERS:
        start = time.perf_counter()
        passing = Passing(index, parse_filters(text)).rows(segment.name).count
        took = 1e3 * (time.perf_counter() - start)
        filters[text] = {"ms": round(took, 2), "pass": passing}
        print(f"{text:>30s}{took:9.1f}{passing:12,d}", flush=True)
    print(
        json.dumps(
            {
                "machine": machine(),
                "objects": len(segment),
                "seed": given.seed,
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "lookups": measured,
                "filters": filters,
            }
        )
    )
    return int(any(each["cpu_p99_ms"] > given.budget_ms for each in measured.values()))


if __name__ == "__main__":
    sys.exit(main())
