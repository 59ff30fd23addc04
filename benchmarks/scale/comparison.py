"""This project's indexes beside other libraries: the same vectors, queries and true answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scale.data import Data
from benchmarks.scale.measuring import TARGETS, point_at
from benchmarks.scale.product import chosen
from benchmarks.scale.results import write_results
from benchmarks.scale.statistics import STATED
from benchmarks.scale.steps import clear, must, run
from benchmarks.scale.systems import SYSTEMS
from indexer.progress import Announce, mute

__all__ = ["compare", "measures_of"]

SMALL = 100_000
"""Every system is measured with so many vectors, or with the most that it takes."""


def compare(
    folder: Path,
    results: Path,
    *,
    count: int,
    dim: int = 768,
    seed: int = 1,
    asked: int = 1000,
    limit_s: float = 900.0,
    names: Sequence[str] = tuple(SYSTEMS),
    announce: Announce = mute,
) -> Path:
    """Measure systems and write ``peers.json``.

    Parameters
    ----------
    folder
        Where vectors and indexes lie, one system's at a time.
    results
        Folder of the file.
    count, dim, seed, asked
        Vectors, their dimensions and seed, and queries.
    limit_s
        Seconds that a build, or a search, may take.
    names
        Of `SYSTEMS`.
    """
    versions: dict[str, str] = {}
    rows = []
    # Small first: what breaks, breaks soon.
    work = sorted(
        {
            (min(size, count, SYSTEMS[name].most), number)
            for size in (SMALL, count)
            for number, name in enumerate(names)
        }
    )
    for size, number in work:
        data = Data(folder, size, dim, seed, asked)
        must(run("data", data, limit_s, announce))
        found = _one(data, names[number], limit_s, announce)
        versions |= found.pop("versions", {})
        rows.append(found)
    whole = Data(folder, count, dim, seed, asked)
    return write_results(
        results,
        "peers",
        seed=seed,
        versions=versions,
        dim=dim,
        asked=asked,
        chosen=chosen(count, dim),
        statistics=must(run("statistics", whole, limit_s, announce)),
        stated=STATED,
        measures=measures_of(rows, chosen(count, dim)),
        systems=rows,
    )


def _one(data: Data, name: str, limit_s: float, announce: Announce) -> dict[str, Any]:
    system = SYSTEMS[name]
    row: dict[str, Any] = {
        "system": name,
        "title": system.title,
        "kind": system.kind,
        "count": data.count,
    }
    row |= run("build", data, limit_s, announce, system=name)
    if "failed" not in row:
        row |= run("search", data, limit_s, announce, system=name)
    # What failed may be tried again, with more time.
    if "failed" not in row:
        clear(data, name)
    return row


def measures_of(rows: Sequence[Mapping[str, Any]], recipe: str) -> dict[str, float]:
    """Return the numbers of all systems, and those between them, under flat keys.

    Parameters
    ----------
    rows
        A system with a number of vectors each.
    recipe
        What a build chooses; compared with the others at the largest number of vectors that both
        were measured with.
    """
    found: dict[str, float] = {}
    for row in rows:
        if "failed" in row:
            continue
        key = f"{row['system']}.{row['count']}"
        for name in ("build_s", "build_peak_bytes", "disk_bytes", "anonymous_bytes"):
            found[f"{key}.{name}"] = row[name]
        for target in TARGETS:
            point = point_at(row["curve"], target)
            if point is not None:
                at = f"{key}.recall_{round(100 * target)}"
                for name in ("p50_ms", "p99_ms", "queries_per_s"):
                    found[f"{at}.{name}"] = point[name]
    for kind, short in (("graph in memory", "graphs"), ("on disk", "disk")):
        found |= _against(rows, recipe, kind, short)
    return found


def _against(
    rows: Sequence[Mapping[str, Any]], recipe: str, kind: str, short: str
) -> dict[str, float]:
    done = [row for row in rows if "failed" not in row]
    ours = {row["count"]: row for row in done if row["system"] == recipe}
    shared = [row for row in done if row["kind"] == kind and row["count"] in ours]
    if not shared:
        return {}
    size = max(row["count"] for row in shared)
    others, own = [row for row in shared if row["count"] == size], ours[size]
    found = {
        f"memory_over_{short}": own["anonymous_bytes"] / min(r["anonymous_bytes"] for r in others)
    }
    for target in TARGETS:
        mine = point_at(own["curve"], target)
        theirs = [point for row in others if (point := point_at(row["curve"], target))]
        if mine is not None and theirs:
            at = f"recall_{round(100 * target)}"
            fastest = min(point["p50_ms"] for point in theirs)
            most = max(point["queries_per_s"] for point in theirs)
            found[f"{at}.p50_over_{short}"] = mine["p50_ms"] / fastest
            found[f"{at}.rate_over_{short}"] = mine["queries_per_s"] / most
    return {name: round(value, 4) for name, value in found.items()}
