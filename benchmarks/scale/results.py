"""Files of results: what was measured, where, when and with what."""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.search_latency import machine
from indexer.durable import write_json

__all__ = ["BENCHMARKS", "RESULTS", "counted", "fact_lines", "read_results", "write_results"]

RESULTS = Path(__file__).parents[1] / "results"

BENCHMARKS = ("peers", "growth", "filtered", "encoding", "scale-200m")
"""Names of the files; the last one is written by `benchmarks.bench_200m`."""

_ALWAYS = ("faiss-cpu", "numpy")

_BUSY = 1.5
"""Load on each core beyond which there was more than a benchmark to do."""


def write_results(
    folder: Path, name: str, *, seed: int, versions: Mapping[str, str], **found: Any
) -> Path:
    """Write a file of results.

    Parameters
    ----------
    found
        What was measured; ``measures`` has the numbers that budgets are about, under flat keys.
    """
    document = {
        "benchmark": name,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": _machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[2], 1),
        "seed": seed,
        "versions": {**{each: version(each) for each in _ALWAYS}, **versions},
        **found,
    }
    path = folder / f"{name}.json"
    write_json(path, document)
    return path


def _machine() -> str:
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = f"{line.partition(':')[2].strip()}, "
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{model}{machine()}, {pages / 2**30:.0f} GiB"


def read_results(folder: Path, names: Iterable[str] = BENCHMARKS) -> dict[str, dict[str, Any]]:
    """Return the results that there are, by the name of their file."""
    paths = {name: folder / f"{name}.json" for name in names}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def counted(number: int) -> str:
    """Return a number of vectors as people say it: ``100,000``, ``2 million``."""
    return f"{number / 1e6:g} million" if number >= 10**6 else f"{number:,}"


def fact_lines(document: Mapping[str, Any]) -> list[str]:
    """Say where and when results were measured, and with what."""
    versions = ", ".join(f"{name} {each}" for name, each in document.get("versions", {}).items())
    load, cores = document.get("load"), document.get("cores")
    busy = load is not None and cores is not None and load > _BUSY * cores
    known = {
        "machine": document.get("machine"),
        "mean load while it ran": load,
        "**beside other work**": "times are longer, and rates lower, than on a free machine"
        if busy
        else None,
        "date": document.get("date"),
        "seed": document.get("seed"),
        "versions": versions or None,
    }
    return [f"- {name}: {value}" for name, value in known.items() if value is not None]
