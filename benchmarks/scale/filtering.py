"""Searches with filters, at several selectivities and sizes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.scale.data import Data
from benchmarks.scale.filters import SELECTIVITIES
from benchmarks.scale.product import chosen
from benchmarks.scale.results import write_results
from benchmarks.scale.steps import clear, must, run
from indexer.progress import Announce, mute

__all__ = ["SIZES", "filter_all", "measures_of"]

SIZES = (1_000_000, 8_000_000)


def filter_all(
    folder: Path,
    results: Path,
    *,
    sizes: Sequence[int] = SIZES,
    dim: int = 192,
    seed: int = 1,
    asked: int = 101,
    limit_s: float = 7200.0,
    announce: Announce = mute,
) -> Path:
    """Search with filters at each size, and write ``filtered.json``."""
    rows: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    for count in sorted(sizes):
        data, recipe = Data(folder, count, dim, seed, asked), chosen(count, dim)
        # Below that size a build compares every vector, and there would be no lists to ask.
        recipe = "ivf_sq8" if recipe == "flat" else recipe
        answers: dict[str, Any] = {}
        for step, more in (
            ("data", {}),
            ("build", {"system": recipe}),
            ("filtered", {"system": recipe, "selectivities": list(SELECTIVITIES)}),
        ):
            answers |= must(run(step, data, limit_s, announce, **more))
        versions |= answers["versions"]
        rows += [{"count": count, "recipe": recipe, **each} for each in answers["rows"]]
        clear(data, recipe)
        data.remove()
    return write_results(
        results,
        "filtered",
        seed=seed,
        versions=versions,
        dim=dim,
        asked=asked - 1,
        measures=measures_of(rows),
        rows=rows,
    )


def measures_of(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return recall and times of all filters under flat keys, and the least recall of all."""
    found: dict[str, float] = {}
    for row in rows:
        key = f"{row['count']}.{row['kind']}.{row['selectivity']:g}.{row['way']}"
        found |= {f"{key}.{name}": row[name] for name in ("recall_at_10", "p50_ms", "p99_ms")}
    product = [row for row in rows if row["way"] == "product"]
    found["least_recall_at_10"] = min(row["recall_at_10"] for row in product)
    found["most_p50_ms"] = max(row["p50_ms"] for row in product)
    return found
