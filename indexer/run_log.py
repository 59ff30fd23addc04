"""What a build tells machines: JSON lines while it goes on, and a report when it is done.

Neither is part of the index, whose bytes know no clock.
"""

import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from indexer.arrow_tables import read_parquet
from indexer.durable import write_json
from indexer.index_model import IndexInfo
from indexer.layout import rejects_file
from indexer.progress import Announce, Progress, mute, silent

__all__ = ["RunLog", "WorkerLog", "report_path", "run_report", "write_report"]

EVERY_S = 10.0
"""Between two lines of one step, at least: a build of days is still some thousand lines."""


def _write(path: Path | None, said: dict[str, Any]) -> None:
    if path is None:
        return
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z"
    line = json.dumps({"time": now, **said}, ensure_ascii=False) + "\n"
    # One write at the end of the file: lines of several processes do not run into each other.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


@dataclass
class RunLog:
    """Follows a build, and passes on what it is told.

    Parameters
    ----------
    path
        File of JSON lines, which is appended to; None for none.
    progress, announce
        Whom to tell, too.
    """

    path: Path | None = None
    progress_to: Progress = silent
    announce_to: Announce = mute
    clock: Callable[[], float] = time.monotonic
    seconds: dict[str, float] = field(default_factory=dict)
    _step: str = "planning"
    _since: float = field(init=False)
    _told: float | None = None

    def __post_init__(self) -> None:
        self._since = self.clock()

    def announce(self, step: str) -> None:
        """End the step that was going on and begin another."""
        self._end_step()
        self._step, self._told = step, None
        _write(self.path, {"event": "step", "step": step})
        self.announce_to(step)

    def progress(self, done: int, total: int) -> None:
        """Tell how far the step is, how fast it goes and how long it will take."""
        self.progress_to(done, total)
        now = self.clock()
        if self._told is not None and done < total and now - self._told < EVERY_S:
            return
        self._told = now
        took = now - self._since
        rate = done / took if took > 0.0 else 0.0
        said: dict[str, Any] = {"event": "progress", "step": self._step, "done": done}
        said |= {"total": total, "seconds": round(took, 3), "rate_per_s": round(rate, 3)}
        said["left_s"] = round((total - done) / rate, 1) if rate else None
        _write(self.path, said)

    def end(self) -> None:
        """End the last step."""
        self._end_step()
        _write(self.path, {"event": "end", "seconds": self.seconds})

    def _end_step(self) -> None:
        now = self.clock()
        self.seconds[self._step] = round(self.seconds.get(self._step, 0.0) + now - self._since, 3)
        self._since = now


@dataclass
class WorkerLog:
    """Tells of the partitions that one process encodes.

    Parameters
    ----------
    path
        As of `RunLog`; all processes must see it.
    """

    path: Path | None
    _objects: int = 0
    _seconds: float = 0.0

    def partition(self, release: str, partition: str, objects: int, seconds: float) -> None:
        """Tell that a partition is done, and how fast this process has been in all."""
        self._objects += objects
        self._seconds += seconds
        said: dict[str, Any] = {"event": "partition", "worker": f"{platform.node()}-{os.getpid()}"}
        said |= {"release": release, "partition": partition, "objects": objects}
        said |= {"seconds": round(seconds, 3), "worker_objects": self._objects}
        said["worker_rate_per_s"] = round(self._objects / max(self._seconds, 1e-9), 3)
        with suppress(OSError):
            # The work itself is not lost for want of a line.
            _write(self.path, said)


def run_report(index: Path, info: IndexInfo, log: RunLog) -> dict[str, Any]:
    """Return what a build read, made and took.

    Parameters
    ----------
    index
        Folder of the published index.
    info
        Its `index.json`.
    log
        That followed the build, and was ended.
    """
    indexed = sum(each.indexed for each in info.releases.values())
    encoding = log.seconds.get("encoding", 0.0)
    return {
        "index": info.index_id,
        "generation": info.generation,
        "software": info.software,
        "encoder": {
            "repository": info.encoder.repository,
            "revision": info.encoder.revision,
            "identity": info.encoder.digest,
        },
        "objects": {
            "indexed": indexed,
            "rejected": sum(each.rejected for each in info.releases.values()),
        },
        "releases": {
            name: {
                "indexed": each.indexed,
                "rejected": each.rejected,
                "inputs": {"files": each.inputs.files, "bytes": each.inputs.bytes},
                "reject_reasons": _reasons(index / rejects_file(each.directory)),
            }
            for name, each in info.releases.items()
        },
        "seconds": dict(log.seconds),
        "encoding_objects_per_s": round(indexed / encoding, 3) if encoding else None,
    }


def report_path(index: Path) -> Path:
    """Return where the report of an index lies: beside its folder, not in it."""
    at = index.absolute()
    return at.with_name(f"{at.name}.run.json")


def write_report(index: Path, report: dict[str, Any]) -> Path:
    """Write the report of the last build of an index, and return where it is."""
    path = report_path(index)
    write_json(path, report)
    return path


def _reasons(path: Path) -> dict[str, int]:
    """Return how often things were rejected for each reason, the most frequent first."""
    counted = pc.value_counts(read_parquet(path).column("reason").combine_chunks()).to_pylist()
    pairs = [(each["values"], each["counts"]) for each in counted]
    return dict(sorted(pairs, key=lambda each: (-each[1], each[0])))
