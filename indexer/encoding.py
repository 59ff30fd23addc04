"""Encoding all partitions of a manifest, or one slice of them: here or in worker processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.brought import stage_vectors
from indexer.encode import encode_partition
from indexer.encoders import Encoders, Weights, open_encoders
from indexer.lock import refuse_locked
from indexer.manifests import Manifest
from indexer.plan import ReleasePlan, plan
from indexer.progress import Progress, silent
from indexer.publish import refuse_foreign
from indexer.readers.records import Partition
from indexer.room import making_room_known
from indexer.runners.job_array import Slice
from indexer.runners.local import run_local
from indexer.staging import Staged
from indexer.tools import Tools

__all__ = ["EncodeReport", "Task", "encode", "encode_here", "encode_in_workers"]


@dataclass(frozen=True)
class EncodeReport:
    """What encoding gave.

    Attributes
    ----------
    partitions
        Partitions encoded or found encoded.
    read, indexed, rejected
        Objects; ``read = indexed + rejected``.
    """

    partitions: int
    read: int
    indexed: int
    rejected: int


@dataclass(frozen=True)
class Task:
    """One partition to encode, and all that is needed to do it in another process."""

    index: Path
    manifest: Manifest
    release: ReleasePlan
    partition: Partition
    tools: Tools


_worker_encoders: Encoders | None = None


def _start_worker(weights: Weights, tools: Tools) -> None:
    # A worker process has one encoder of a kind for all its tasks.
    global _worker_encoders
    if weights.aion:
        native = tools.open_native(weights.native) if weights.native else None
        _worker_encoders = Encoders(tools.open_encoder(weights.aion), native)


def _work(task: Task) -> Staged:
    return _encode_one(task, _worker_encoders)


def _encode_one(
    task: Task, encoders: Encoders | None, on_file: Callable[[], None] = lambda: None
) -> Staged:
    if task.release.release.vectors is not None:
        return stage_vectors(
            task.index, task.release, task.partition, manifest=task.manifest, on_file=on_file
        )
    assert encoders is not None
    return encode_partition(
        task.index,
        task.release,
        task.partition,
        encoder=encoders.aion,
        native=encoders.native,
        tools=task.tools,
        manifest=task.manifest,
        on_file=on_file,
    )


def encode(
    manifest: Manifest,
    index: Path | str,
    *,
    weights: str = "demo",
    native_weights: str | None = None,
    progress: Progress = silent,
    part: Slice | None = None,
    tools: Tools | None = None,
) -> EncodeReport:
    """Encode partitions and leave them for `build`: all of them, or one slice of a job array.

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

    Raises
    ------
    LockedError
        If a build is going on in this index.
    """
    index, tools = Path(index), tools or Tools()
    refuse_foreign(index)
    work = plan(manifest, tools)
    refuse_locked(index)
    _, encoders = open_encoders(work, weights, native_weights, tools)
    tasks = [
        Task(index, manifest, release, partition, tools)
        for release in work.releases
        for partition in release.partitions
    ]
    chosen = tasks if part is None else part.of(tasks)
    share = work.estimated_bytes * len(chosen) // max(1, len(tasks))
    with making_room_known(index, share):
        staged = encode_here(chosen, encoders, progress)
    return EncodeReport(
        partitions=len(staged),
        read=sum(each.read for each in staged),
        indexed=sum(each.indexed for each in staged),
        rejected=sum(each.rejected for each in staged),
    )


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


def encode_here(tasks: Sequence[Task], encoders: Encoders, progress: Progress) -> list[Staged]:
    """Encode partitions one after the other."""
    counter = _Counter(tasks, progress)
    staged = []
    for task in tasks:
        staged.append(_encode_one(task, encoders, counter.file))
        counter.task(task)
    return staged


def encode_in_workers(
    tasks: Sequence[Task],
    weights: Weights,
    tools: Tools,
    jobs: int,
    progress: Progress,
) -> list[Staged]:
    """Encode partitions in several processes; results in the order of the tasks."""
    return run_local(
        _work,
        tasks,
        jobs=jobs,
        start=_start_worker,
        start_arguments=(weights, tools),
        done=_Counter(tasks, progress).task,
    )
