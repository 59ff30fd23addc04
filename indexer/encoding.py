"""Encoding all partitions of a manifest, or one slice of them, by whichever runner."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexer.brought import stage_vectors
from indexer.encode import encode_partition
from indexer.encoders import Encoders, Weights, open_encoders
from indexer.layout import staged_partition_dir
from indexer.lock import encoding
from indexer.manifests import Manifest
from indexer.plan import ReleasePlan, plan
from indexer.progress import Progress, silent
from indexer.publish import published, refuse_foreign
from indexer.readers.records import Partition
from indexer.room import making_room_known
from indexer.run_log import WorkerLog
from indexer.runners.job_array import Slice, dealt
from indexer.runners.local import Here
from indexer.runners.turns import Runner
from indexer.staging import Staged
from indexer.tools import Tools
from indexer.wanted import Wanted

__all__ = ["EncodeReport", "Task", "encode", "encode_tasks", "tasks_of"]

EVERYTHING = Slice(0, 1)


@dataclass(frozen=True)
class EncodeReport:
    """What encoding gave.

    Attributes
    ----------
    part
        Which slice of the work.
    partitions
        Partitions of it, all of which are encoded now.
    found
        How many of these had been encoded before.
    read, indexed, rejected
        Objects; ``read = indexed + rejected``.
    left
        Partitions that are not encoded yet, of each slice that has some.
    """

    part: Slice
    partitions: int
    found: int
    read: int
    indexed: int
    rejected: int
    left: dict[int, int]

    @property
    def message(self) -> str:
        """What was done and what is left, in a line."""
        done = (
            f"shard {self.part}: {self.partitions - self.found} partitions encoded, {self.found} "
            f"had been before: {self.read} read = {self.indexed} to be indexed + {self.rejected} "
            "rejected"
        )
        if not self.left:
            return f"{done}; nothing is left to encode: `build` without --shard makes the index"
        which = ", ".join(f"{number}/{self.part.count}" for number in sorted(self.left))
        return (
            f"{done}; {sum(self.left.values())} partitions are left, of --shard {which}; `build` "
            "without --shard encodes what is left by then"
        )


@dataclass(frozen=True)
class Task:
    """One partition to encode, and all that is needed to do it in another process.

    Attributes
    ----------
    release
        The plan of its release, with this partition and its files alone: a release may have a
        hundred thousand others.
    """

    index: Path
    manifest: Manifest
    release: ReleasePlan
    tools: Tools

    @property
    def partition(self) -> Partition:
        """What is encoded."""
        return self.release.partitions[0]

    @property
    def staged(self) -> Path:
        """Where the result is to lie."""
        return staged_partition_dir(self.index, self.release.release.name, self.partition.name)


def tasks_of(index: Path, wanted: Wanted, kept: Sequence[str]) -> list[Task]:
    """Return the encoding that a build needs.

    Parameters
    ----------
    index
        Folder of the index.
    wanted
        What it is to hold.
    kept
        Releases whose segments stay as they are.
    """
    return [
        Task(
            index,
            wanted.plan.manifest,
            replace(release, partitions=(partition,), files=release.files_of(partition)),
            wanted.tools,
        )
        for release in wanted.plan.releases
        if release.release.name not in kept
        for partition in release.partitions
    ]


class _Work:
    """Encodes partitions. A copy in another process opens its own encoders, once for all of them.

    Parameters
    ----------
    weights, tools
        For copies.
    encoders
        For this one.
    on_file
        Called for each input file that is done in this process.
    log
        Where each process tells of its partitions, if anywhere.
    """

    def __init__(
        self,
        weights: Weights,
        tools: Tools,
        encoders: Encoders | None = None,
        on_file: Callable[[], None] = lambda: None,
        log: Path | None = None,
    ) -> None:
        self._weights, self._tools = weights, tools
        self._log, self._told = log, WorkerLog(log)
        self._encoders, self._on_file = encoders, on_file

    def __reduce__(self) -> tuple[Any, ...]:
        return _Work, (self._weights, self._tools, None, _nothing, self._log)

    def __call__(self, task: Task) -> Staged:
        before = time.monotonic()
        staged = self._staged(task)
        if not staged.found:
            took = time.monotonic() - before
            self._told.partition(task.release.release.name, staged.partition, staged.read, took)
        return staged

    def _staged(self, task: Task) -> Staged:
        if task.release.release.vectors is not None:
            return stage_vectors(
                task.index,
                task.release,
                task.partition,
                manifest=task.manifest,
                on_file=self._on_file,
            )
        if self._encoders is None:
            self._encoders = self._opened()
        return encode_partition(
            task.index,
            task.release,
            task.partition,
            encoder=self._encoders.aion,
            native=self._encoders.native,
            tools=task.tools,
            manifest=task.manifest,
            on_file=self._on_file,
        )

    def _opened(self) -> Encoders:
        native = self._tools.open_native(self._weights.native) if self._weights.native else None
        return Encoders(self._tools.open_encoder(self._weights.aion), native)


def _nothing() -> None:
    """Tell nobody that a file is done: it is another process's to tell."""


class _Counter:
    """Counts input files, and tells."""

    def __init__(self, tasks: Sequence[Task], progress: Progress) -> None:
        self.total = sum(len(task.partition.files) for task in tasks)
        self.done = 0
        self.within = 0
        self.progress = progress
        progress(0, self.total)

    def file(self) -> None:
        """Count a file of the task that is going on."""
        self.within += 1
        self.progress(min(self.done + self.within, self.total), self.total)

    def task(self, task: Task) -> None:
        """Count a whole task."""
        self.done += len(task.partition.files)
        self.within = 0
        self.progress(self.done, self.total)


def encode_tasks(
    tasks: Sequence[Task],
    encoders: Encoders,
    weights: Weights,
    tools: Tools,
    runner: Runner,
    progress: Progress,
    log: Path | None = None,
) -> list[Staged]:
    """Encode partitions; results in the order of the tasks.

    Parameters
    ----------
    encoders
        For work in this process; workers open `weights` with `tools`.
    progress
        Called with the input files done and their number.
    log
        File of JSON lines where each process tells of its partitions.
    """
    counter = _Counter(tasks, progress)
    work = _Work(weights, tools, encoders, counter.file, log)
    return runner.run(work, tasks, counter.task)


def encode(
    manifest: Manifest,
    index: Path | str,
    *,
    weights: str = "demo",
    native_weights: str | None = None,
    progress: Progress = silent,
    part: Slice = EVERYTHING,
    runner: Runner | None = None,
    tools: Tools | None = None,
    log: Path | None = None,
) -> EncodeReport:
    """Encode partitions and leave them for `build`: all of them, or one slice of a job array.

    Slices are the same whoever computes them, as long as the survey files stay as they are; a
    partition that two tasks encode all the same is none the worse for it.

    Parameters
    ----------
    manifest
        What to encode.
    index
        Folder of the index; several slices may work in it at a time, while no build does.
    weights
        As for `aion_encoder.open_encoder`.
    native_weights
        As for `build`.
    progress
        Called with the input files done and their number.
    part
        Which slice. Default: everything.
    runner
        As for `build`.
    log
        As for `build`.

    Raises
    ------
    LockedError
        If a build is going on in this index.
    StoppedError
        If a signal asked the work to end.
    """
    index, tools = Path(index), tools or Tools()
    refuse_foreign(index)
    work = plan(manifest, tools)
    with encoding(index):
        names, encoders = open_encoders(work, weights, native_weights, tools)
        native = None if encoders.native is None else encoders.native.identity
        wanted = Wanted(work, encoders.aion, tools, native)
        tasks = tasks_of(index, wanted, wanted.kept(published(index), index))
        sizes = [
            (task.release.release.name, sum(file.bytes for file in task.release.files))
            for task in tasks
        ]
        slices = dealt(sizes, part.count)
        mine = [task for task, number in zip(tasks, slices, strict=True) if number == part.number]
        share = work.estimated_bytes * len(mine) // max(1, len(tasks))
        with making_room_known(index, share):
            staged = encode_tasks(mine, encoders, names, tools, runner or Here(), progress, log)
        return EncodeReport(
            part=part,
            partitions=len(staged),
            found=sum(each.found for each in staged),
            read=sum(each.read for each in staged),
            indexed=sum(each.indexed for each in staged),
            rejected=sum(each.rejected for each in staged),
            left=_left(tasks, slices),
        )


def _left(tasks: Sequence[Task], slices: Sequence[int]) -> dict[int, int]:
    """Return how many partitions of each slice do not lie there; a build looks more closely."""
    there: dict[Path, set[str]] = {}
    left: Counter[int] = Counter()
    for task, number in zip(tasks, slices, strict=True):
        folder = task.staged.parent
        if folder not in there:
            # One listing of a release, because asking for each takes a moment on a shared disk.
            there[folder] = set()
            with suppress(FileNotFoundError):
                there[folder] = {path.name for path in folder.iterdir()}
        if task.staged.name not in there[folder]:
            left[number] += 1
    return dict(left)
