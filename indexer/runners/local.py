"""Work in this process, or in several on this machine."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.connection import wait
from typing import TypeVar

__all__ = ["run_local"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_local(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    jobs: int,
    start: Callable[..., None],
    start_arguments: tuple[object, ...],
    done: Callable[[Task], None],
) -> list[Result]:
    """Do independent tasks in worker processes.

    Parameters
    ----------
    work
        Does one task; importable.
    jobs
        Number of processes.
    start, start_arguments
        Called first in each process, such as to open an encoder.
    done
        Called here after each task, in the order in which they end.

    Returns
    -------
    Results in the order of the tasks. The first error of a task is raised once those that are
    running have ended; the others are not begun.
    """
    # Spawned, because a forked process inherits the locks of the libraries' thread pools.
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(
        max_workers=jobs,
        mp_context=context,
        initializer=_start,
        initargs=(threads, start, start_arguments),
    ) as pool:
        futures = {pool.submit(work, task): number for number, task in enumerate(tasks)}
        try:
            for future in as_completed(futures):
                future.result()
                done(tasks[futures[future]])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        results = {number: future.result() for future, number in futures.items()}
    return [results[number] for number in range(len(tasks))]


def _start(threads: int, start: Callable[..., None], start_arguments: tuple[object, ...]) -> None:
    # Read when torch loads its thread pool: together the processes use the machine once.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start(*start_arguments)


def _end_with_parent() -> None:
    """End when the build is killed: the pool's own workers would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
