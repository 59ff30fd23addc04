"""How long catalogue, rows and keys of a release take, and how much memory, for each of its rows.

    python -m benchmarks.assembling FOLDER [--objects 100000 1000000] [--partitions 20] [--seed 1]
        [--scattered] [--block-rows 1048576]

Writes encoded partitions of simulated objects (their records alone) below FOLDER, a HEALPix cell
each, or, scattered, each all over the sky; and puts them together as a build does. Every step has a
process of its own. From two sizes on it predicts 200 million rows by the line through the largest
two. Memory is a block, whose size does not grow, and some numbers of every row: with blocks much
smaller than the release, the line shows what the latter take. FOLDER takes about 700 bytes an
object, and is emptied of them. Prints a table, and one JSON object on the last line.

    nice -n 19 python -m benchmarks.assembling var/assembling --objects 100000 300000 \\
        --block-rows 16384
"""

import argparse
import json
import multiprocessing
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.catalogue_latency import objects
from benchmarks.memory import peak
from benchmarks.search_latency import machine
from indexer import assemble, row_order
from indexer.arrow_tables import write_arrow
from indexer.layout import segment_unit
from indexer.previews import PREVIEW_SCHEMA
from indexer.record_table import REJECT_SCHEMA
from indexer.staging import Staged

PREDICTED = 200_000_000
_RECORD_TYPES = {
    "source_file": pa.string(),
    "redshift": pa.float64(),
    "magnitude": pa.float64(),
}


def stage(folder: Path, count: int, partitions: int, seed: int, scattered: bool) -> list[Staged]:
    """Write the records of partitions."""
    table = objects(count, seed)
    for name, kind in _RECORD_TYPES.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, table.column(name).cast(kind))
    if not scattered:
        sky = row_order.healpix_of(
            table.column("ra_deg").to_numpy(), table.column("dec_deg").to_numpy()
        )
        # Inside a partition, objects are in no order.
        cell = (np.argsort(np.argsort(sky)) * partitions) // count
        table = table.take(pc.sort_indices(pa.array(cell)))
    staged = []
    for number in range(partitions):
        start, stop = (count * at // partitions for at in (number, number + 1))
        counts = {"read": stop - start, "indexed": stop - start, "rejected": 0}
        made = Staged(folder / f"{number}", f"{number}", **counts, vectors={}, inputs={})
        write_arrow(table.slice(start, stop - start), made.path("records"), sync=False)
        write_arrow(REJECT_SCHEMA.empty_table(), made.path("rejects"), sync=False)
        write_arrow(PREVIEW_SCHEMA.empty_table(), made.path("previews"), sync=False)
        staged.append(made)
    return staged


def assembled(root: Path, staged: list[Staged], block_rows: int) -> dict[str, Any]:
    """Put partitions together and return what it took."""
    assemble.BLOCK_ROWS = row_order.BLOCK_ROWS = block_rows
    start, worked = time.perf_counter(), time.process_time()
    with peak() as most:
        made = assemble.assemble(root, segment_unit("made"), "made", staged, "benchmark")
    return {
        "objects": made.indexed,
        "s": time.perf_counter() - start,
        "cpu_s": time.process_time() - worked,
        "peak_bytes": most.bytes,
        "written_bytes": sum(each.stat().st_size for each in root.rglob("*") if each.is_file()),
    }


def measured(folder: Path, count: int, given: argparse.Namespace) -> dict[str, Any]:
    """Stage and put together so many objects, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    work = folder / f"{count}"
    try:
        with context.Pool(1, maxtasksperchild=1) as pool:
            staged = pool.apply(
                stage, (work / "staged", count, given.partitions, given.seed, given.scattered)
            )
            return dict(pool.apply(assembled, (work / "made", staged, given.block_rows)))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def predicted(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Carry what two sizes took on to `PREDICTED` rows."""
    one, other = rows[-2:]
    more = PREDICTED - other["objects"]
    between = other["objects"] - one["objects"]
    return {
        name: other[name] + more * (other[name] - one[name]) / between
        for name in ("cpu_s", "peak_bytes", "written_bytes")
    }


def main() -> int:
    """Stage, put together, print."""
    parser = argparse.ArgumentParser(description="Measure putting a release together.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--objects", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--partitions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scattered", action="store_true")
    parser.add_argument("--block-rows", type=int, default=row_order.BLOCK_ROWS)
    given = parser.parse_args()
    print(f"{machine()}; blocks of {given.block_rows:,} rows\n")
    print(f"{'objects':>12s}{'s':>9s}{'CPU s':>9s}{'CPU us/row':>12s}{'peak MB':>9s}{'B/row':>8s}")
    rows = []
    for count in sorted(given.objects):
        row = measured(given.folder, count, given)
        rows.append(row)
        print(
            f"{count:12,d}{row['s']:9.1f}{row['cpu_s']:9.1f}{1e6 * row['cpu_s'] / count:12.2f}"
            f"{row['peak_bytes'] / 1e6:9.0f}{row['peak_bytes'] / count:8.0f}",
            flush=True,
        )
    found: dict[str, Any] = {"machine": machine(), "block_rows": given.block_rows, "rows": rows}
    if len(rows) > 1:
        found["predicted"] = {"objects": PREDICTED, **predicted(rows)}
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
