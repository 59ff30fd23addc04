"""Work in this process, or in several on this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import wait
from typing import Any, TypeVar

from indexer.errors import BuildError
from indexer.runners.stop import SIGNALS, Stop
from indexer.runners.turns import in_turns

__all__ = ["LIVES", "Here", "Processes"]

Task = TypeVar("Task")
Result = TypeVar("Result")

LIVES = 3
"""Workers may be killed, such as for memory; but not so often without any task being finished."""


@dataclass(frozen=True)
class Here:
    """One task after the other, in this process; see `indexer.runners.turns.Runner`."""

    stop: Stop = field(default_factory=Stop)

    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        done: Callable[[Task], None],
    ) -> list[Result]:
        """Do the tasks."""
        results = []
        with self.stop.finishing():
            for task in tasks:
                if self.stop.asked:
                    break
                results.append(work(task))
                done(task)
        return results


@dataclass(frozen=True)
class Processes:
    """Worker processes on this machine; see `indexer.runners.turns.Runner`.

    Attributes
    ----------
    jobs
        How many.
    stop
        Ends the work early.
    """

    jobs: int
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise BuildError(f"the number of jobs must be at least 1, got {self.jobs}")

    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        done: Callable[[Task], None],
    ) -> list[Result]:
        """Do the tasks; a process that dies is replaced. One process, or one task, is this one."""
        if self.jobs == 1 or len(tasks) < 2:
            return Here(self.stop).run(work, tasks, done)
        results: dict[int, Result] = {}
        lives = LIVES
        with self.stop.finishing():
            while lives and not self._ended(len(results), tasks):
                before = len(results)
                with suppress(BrokenProcessPool), self._pool(work) as pool:
                    in_turns(partial(_join, pool), self.jobs, tasks, results, done, self.stop)
                lives = LIVES if len(results) > before else lives - 1
        if len(results) < len(tasks):
            raise BuildError(
                f"{self.jobs} worker processes died {LIVES} times without finishing any of the "
                f"{len(tasks) - len(results)} tasks that are left; if there was too little memory, "
                "try fewer --jobs"
            )
        return [results[number] for number in range(len(tasks))]

    def _ended(self, finished: int, tasks: Sequence[Any]) -> bool:
        return finished == len(tasks) or bool(self.stop.asked)

    def _pool(self, work: Callable[[Task], Result]) -> ProcessPoolExecutor:
        # Of the processors that this process may use: a job seldom has all of its node.
        threads = max(1, len(os.sched_getaffinity(0)) // self.jobs)
        return ProcessPoolExecutor(
            max_workers=self.jobs,
            # Spawned, because a forked process inherits the locks of the libraries' thread pools.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(threads, work),
        )


_work: Callable[[Any], Any]


def _start(threads: int, work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    # Read when torch loads its thread pool: together the processes use the machine once.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    # Schedulers send them to every process of a job; what they mean is said by the parent.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _join(pool: ProcessPoolExecutor) -> tuple["Future[Any]", Callable[[Any], "Future[Any]"]]:
    there: Future[Any] = Future()
    there.set_result(None)
    return there, lambda task: pool.submit(_do, task)


def _do(task: Any) -> Any:
    return _work(task)


def _end_with_parent() -> None:
    """End when the build is killed: the pool's own workers would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
