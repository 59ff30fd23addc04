"""Measurements in processes of their own, whose answers are kept: what is done is not done again.

``python -m benchmarks.scale.steps STEP ARGUMENTS ANSWER`` is one of them; `run` calls it.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.memory import anonymous_bytes, forget, mapped_bytes, peak
from benchmarks.scale.data import Data
from benchmarks.scale.filters import filtered
from benchmarks.scale.measuring import SECONDS, TARGETS, curve
from benchmarks.scale.statistics import statistics_of
from benchmarks.scale.systems import SYSTEMS
from indexer.durable import write_json
from indexer.progress import Announce, mute

__all__ = ["clear", "index_folder", "must", "run"]

REPOSITORY = Path(__file__).parents[2]


def index_folder(data: Data, system: str) -> Path:
    """Return where a system keeps its index of some vectors."""
    return data.folder / "indexes" / f"{system}-{data.name}"


def clear(data: Data, system: str) -> None:
    """Take the index of a system away."""
    shutil.rmtree(index_folder(data, system), ignore_errors=True)


def run(
    step: str, data: Data, limit_s: float, announce: Announce = mute, **more: Any
) -> dict[str, Any]:
    """Run a step, or read what it answered before.

    Parameters
    ----------
    step
        Of `STEPS`.
    data
        The vectors that it is about.
    limit_s
        Seconds after which it is broken off; it is tried again only with more.
    more
        Further arguments, values of JSON.

    Returns
    -------
    What the step measured, or ``failed`` with the reason.
    """
    arguments = {
        "folder": str(data.folder),
        "count": data.count,
        "dim": data.dim,
        "seed": data.seed,
        "asked": data.asked,
        **more,
    }
    system = f"-{more['system']}" if "system" in more else ""
    kept = data.folder / "steps" / f"{data.name}-q{data.asked}{system}-{step}.json"
    if kept.exists():
        before: dict[str, Any] = json.loads(kept.read_text())
        if before["arguments"] == arguments and before.get("limit_s", limit_s) >= limit_s:
            announce(f"{kept.stem}: done before")
            return dict(before["answer"])
    announce(f"{kept.stem}: begins")
    kept.parent.mkdir(parents=True, exist_ok=True)
    answered = kept.with_suffix(".part")
    answered.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.scale.steps", step]
    command += [json.dumps(arguments), str(answered)]
    began = time.perf_counter()
    record: dict[str, Any] = {"arguments": arguments}
    try:
        code = subprocess.run(command, cwd=REPOSITORY, timeout=limit_s, check=False).returncode
    except subprocess.TimeoutExpired:
        record |= {"answer": {"failed": f"not done in {limit_s:.0f} s"}, "limit_s": limit_s}
    else:
        if code != 0:
            # Not kept: a package that is missing may be there next time.
            announce(f"{kept.stem}: failed with exit code {code}")
            return {"failed": f"exit code {code}"}
        record["answer"] = json.loads(answered.read_text())
        answered.unlink()
    write_json(kept, record)
    announce(f"{kept.stem}: {time.perf_counter() - began:.1f} s")
    return dict(record["answer"])


def must(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a step that nothing can go on without."""
    if "failed" in answer:
        raise SystemExit(
            f"a step that all others need failed ({answer['failed']}); see above. If what it needs "
            "was removed, remove FOLDER/steps too, and begin anew"
        )
    return answer


def _data(data: Data) -> dict[str, Any]:
    data.make()
    return {}


def _build(data: Data, system: str) -> dict[str, Any]:
    chosen, folder = SYSTEMS[system], index_folder(data, system)
    clear(data, system)
    folder.mkdir(parents=True)
    start = time.perf_counter()
    with peak() as memory:
        details = chosen.build(data, folder)
    return {
        "build_s": round(time.perf_counter() - start, 2),
        "build_peak_bytes": memory.bytes,
        "disk_bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "versions": {name: version(name) for name in chosen.packages},
        **details,
    }


def _search(
    data: Data,
    system: str,
    settings: list[int] | None = None,
    enough: float = TARGETS[-1],
    seconds: float = SECONDS,
) -> dict[str, Any]:
    chosen = SYSTEMS[system]
    queries, truth = data.queries(), data.truth()
    before = anonymous_bytes(), mapped_bytes()
    search = chosen.open(data, index_folder(data, system))
    tried = [each for each in settings or chosen.settings if each <= data.count]
    points = curve(search, queries, truth, tried, enough=enough, seconds=seconds)
    return {
        "anonymous_bytes": anonymous_bytes() - before[0],
        "mapped_bytes": mapped_bytes() - before[1],
        "curve": points,
    }


def _cold(data: Data, system: str, setting: int) -> dict[str, Any]:
    """Measure from files that nothing holds in memory to the first answer."""
    folder = index_folder(data, system)
    forget(path for path in folder.rglob("*") if path.is_file())
    query = data.queries()[:1]
    start = time.perf_counter()
    SYSTEMS[system].open(data, folder)(query, setting)
    return {"cold_start_s": round(time.perf_counter() - start, 3)}


def _filtered(data: Data, system: str, selectivities: list[float]) -> dict[str, Any]:
    return {"rows": filtered(data, index_folder(data, system), selectivities)}


STEPS: Mapping[str, Callable[..., Mapping[str, Any]]] = {
    "data": _data,
    "statistics": statistics_of,
    "build": _build,
    "search": _search,
    "cold": _cold,
    "filtered": _filtered,
}


def main(step: str, arguments: str, answer: str) -> None:
    """Do one step and write what it measured."""
    more = json.loads(arguments)
    own = {name: more.pop(name) for name in ("count", "dim", "seed", "asked")}
    data = Data(Path(more.pop("folder")), **own)
    write_json(Path(answer), STEPS[step](data, **more))


if __name__ == "__main__":
    main(*sys.argv[1:])
