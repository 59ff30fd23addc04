"""Independent tasks, one at a time for each worker."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol, TypeVar

from indexer.runners.stop import Stop

__all__ = ["Runner", "in_turns"]

Task = TypeVar("Task")
Result = TypeVar("Result")


class Runner(Protocol):
    """Where tasks run. What comes out does not depend on it."""

    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        done: Callable[[Task], None],
    ) -> list[Result]:
        """Do independent tasks.

        Parameters
        ----------
        work
            Does one task, and may be done again after it was broken off. Workers in other
            processes get a copy each for all their tasks, by pickling.
        done
            Called here after each task, in the order in which they end.

        Returns
        -------
        Results in the order of the tasks. The first error of a task is raised; tasks that have
        not begun by then are not begun.

        Raises
        ------
        StoppedError
            If a signal asked the work to end.
        BuildError
            If workers die again and again.
        """


Worker = Callable[[Task], "Future[Any]"]
"""Begins one task."""

RETRIES = 3
"""A task is done again so often after a worker died of it, such as for memory."""

_JOINS = -1
"""In the place of the number of a task: the worker is not there yet."""


def in_turns(
    join: Callable[[], tuple["Future[Any]", Worker[Task]]],
    size: int,
    tasks: Sequence[Task],
    results: dict[int, Result],
    done: Callable[[Task], None],
    stop: Stop,
    deaths: tuple[type[Exception], ...] = (),
) -> None:
    """Give each worker a task whenever it has none, until all are done or `stop` is asked.

    No task waits for a worker that is not there yet, nor behind another: any other worker can take
    it, and nothing is begun any more after `stop`.

    Parameters
    ----------
    join
        Gets one more worker; the future is done when it can work.
    size
        Number of workers.
    results
        By number of the task; those that are there are not done again, the others are put there.
    deaths
        Errors that say that a worker is gone: another one joins, and its task is done again.
    """
    waiting = deque(number for number in range(len(tasks)) if number not in results)
    free: list[Worker[Task]] = []
    pending: dict[Future[Any], tuple[int, Worker[Task]]] = {}
    lost: Counter[int] = Counter()

    def get() -> None:
        future, worker = join()
        pending[future] = (_JOINS, worker)

    for _ in range(size):
        get()
    while (waiting and not stop.asked) or any(number != _JOINS for number, _ in pending.values()):
        while free and waiting and not stop.asked:
            worker, number = free.pop(), waiting.popleft()
            pending[worker(tasks[number])] = (number, worker)
        # Not for ever: a signal may come while there is no worker at all.
        for future in wait(pending, timeout=1.0, return_when=FIRST_COMPLETED).done:
            number, worker = pending.pop(future)
            try:
                result = future.result()
            except deaths:
                lost[number] += 1
                if lost[number] > RETRIES:
                    raise
                if number != _JOINS:
                    waiting.appendleft(number)
                get()
                continue
            free.append(worker)
            if number != _JOINS:
                results[number] = result
                done(tasks[number])
                lost[_JOINS] = 0
