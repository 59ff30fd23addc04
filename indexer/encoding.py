"""Encoding all partitions of a manifest, or one slice of them: here or in worker processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.encode import Staged, encode_partition
from indexer.lock import refuse_locked
from indexer.manifests import Manifest
from indexer.native_space import open_native
from indexer.plan import ReleasePlan, plan
from indexer.progress import Progress, silent
from indexer.publish import refuse_foreign
from indexer.readers.records import Partition
from indexer.runners.job_array import Slice
from indexer.runners.local import run_local
from indexer.tools import EncoderLike, NativeEncoderLike, Tools

__all__ = ["EncodeReport", "Encoders", "Task", "encode", "encode_here", "encode_in_workers"]


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


@dataclass(frozen=True)
class Encoders:
    """What encodes.

    Attributes
    ----------
    aion
        Everything that AION-1 knows.
    native
        Spectra, too; None if there is to be no space for that.
    """

    aion: EncoderLike
    native: NativeEncoderLike | None = None


_worker_encoders: Encoders | None = None


def _start_worker(weights: str, native_weights: str, tools: Tools) -> None:
    # A worker process has one encoder of a kind for all its tasks.
    global _worker_encoders
    native = tools.open_native(native_weights) if native_weights else None
    _worker_encoders = Encoders(tools.open_encoder(weights), native)


def _work(task: Task) -> Staged:
    assert _worker_encoders is not None
    return _encode_one(task, _worker_encoders)


def _encode_one(
    task: Task, encoders: Encoders, on_file: Callable[[], None] = lambda: None
) -> Staged:
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
    encoder = tools.open_encoder(weights)
    _, native = open_native(native_weights, work, encoder.identity, tools)
    tasks = [
        Task(index, manifest, release, partition, tools)
        for release in work.releases
        for partition in release.partitions
    ]
    chosen = tasks if part is None else part.of(tasks)
    staged = encode_here(chosen, Encoders(encoder, native), progress)
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
    weights: str,
    native_weights: str,
    tools: Tools,
    jobs: int,
    progress: Progress,
) -> list[Staged]:
    """Encode partitions in several processes; results in the order of the tasks.

    Parameters
    ----------
    native_weights
        Empty for none.
    """
    return run_local(
        _work,
        tasks,
        jobs=jobs,
        start=_start_worker,
        start_arguments=(weights, native_weights, tools),
        done=_Counter(tasks, progress).task,
    )
