"""How building, searching and finding change from one million vectors to ten."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale.data import Data
from benchmarks.scale.results import write_results
from benchmarks.scale.steps import clear, must, run
from indexer import ann
from indexer.progress import Announce, mute

__all__ = ["SIZES", "deviation_from_line", "grow", "measures_of"]

SIZES = (1_000_000, 2_000_000, 5_000_000, 10_000_000)
RECIPE = "ivf_pq4"
"""At all sizes: how hundreds of millions are held."""

SETTINGS = (32, 64, 128, 256, 512)
SAME_RECALL = 0.965
_ALL = 1.1
"""A recall that ends no curve."""


def grow(
    folder: Path,
    results: Path,
    *,
    sizes: Sequence[int] = SIZES,
    dim: int = 192,
    seed: int = 1,
    asked: int = 500,
    limit_s: float = 7200.0,
    announce: Announce = mute,
) -> Path:
    """Build and search at each size, and write ``growth.json``."""
    rows, versions = [], {}
    for count in sorted(sizes):
        data = Data(folder, count, dim, seed, asked)
        row: dict[str, Any] = {"count": count, "recipe": RECIPE}
        row |= must(run("data", data, limit_s, announce))
        row |= must(run("build", data, limit_s, announce, system=RECIPE))
        row["default"] = ann.Recipe(RECIPE, int(row["lists"])).default_nprobe
        settings = sorted({*SETTINGS, row["default"]})
        more = {"system": RECIPE, "settings": settings, "enough": _ALL}
        row |= must(run("search", data, limit_s, announce, **more))
        # Last: what it drops from memory is missed by nothing that is timed.
        cold = {"system": RECIPE, "setting": row["default"]}
        row |= must(run("cold", data, limit_s, announce, **cold))
        versions |= row.pop("versions")
        rows.append(row)
        clear(data, RECIPE)
        data.remove()
    return write_results(
        results,
        "growth",
        seed=seed,
        versions=versions,
        dim=dim,
        asked=asked,
        measures=measures_of(rows),
        sizes=rows,
    )


def measures_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the numbers of all sizes, and how they grow, under flat keys."""
    found: dict[str, float] = {}
    usual, equal = [], []
    for row in rows:
        point = next(each for each in row["curve"] if each["setting"] == row["default"])
        usual.append(point["p50_ms"])
        reaching = [e["p50_ms"] for e in row["curve"] if e["recall_at_10"] >= SAME_RECALL]
        equal.append(min(reaching, default=math.nan))
        found |= {
            f"{row['count']}.{name}": value
            for name, value in {
                "recall_at_10": point["recall_at_10"],
                "p50_ms": point["p50_ms"],
                "p99_ms": point["p99_ms"],
                "queries_per_s": point["queries_per_s"],
                "build_s": row["build_s"],
                "filled_per_s": row["filled_per_s"],
                "bytes": row["bytes"],
                "bytes_per_vector": round((row["bytes"] - row["trained_bytes"]) / row["count"], 2),
                "build_peak_bytes": row["build_peak_bytes"],
                "anonymous_bytes": row["anonymous_bytes"],
                "cold_start_s": row["cold_start_s"],
            }.items()
        }
    counts = [row["count"] for row in rows]
    if len(rows) > 2:
        seconds = [row["build_s"] for row in rows]
        found["build_off_line"] = round(deviation_from_line(counts, seconds), 4)
        fills = [row["fill_s"] for row in rows]
        found["fill_off_line"] = round(deviation_from_line(counts, fills), 4)
    if len(rows) > 1:
        decades = math.log10(counts[-1] / counts[0])
        found["p50_per_decade"] = round((usual[-1] / usual[0]) ** (1.0 / decades), 4)
        if math.isfinite(equal[0] + equal[-1]):
            at_same = (equal[-1] / equal[0]) ** (1.0 / decades)
            found["p50_per_decade_at_same_recall"] = round(at_same, 4)
    return found


def deviation_from_line(counts: Sequence[float], values: Sequence[float]) -> float:
    """Return the largest share by which values differ from the line that fits their shares best."""
    n, t = np.asarray(counts, float), np.asarray(values, float)
    # Divided by the values, so that each size counts alike.
    terms = np.stack([1.0 / t, n / t], axis=1)
    fit = np.linalg.lstsq(terms, np.ones(len(t)), rcond=None)[0]
    line = fit[0] + fit[1] * n
    return float(np.abs(t / line - 1.0).max())
