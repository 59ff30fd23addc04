"""Work on a Ray cluster whose nodes share a file system.

Ray is an extra (``pip install 'aion-search[ray]'``) and is imported when it is used.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

from indexer.errors import BuildError
from indexer.runners.stop import Stop
from indexer.runners.turns import RETRIES, in_turns

__all__ = ["RayActors", "asked_of", "connected", "import_ray"]

Task = TypeVar("Task")
Result = TypeVar("Result")


class Worker:
    """What an actor is: work that keeps its model from task to task."""

    def __init__(self, work: Callable[[Any], Any], folder: str) -> None:
        # Relative paths mean the same on every node.
        os.chdir(folder)
        self._work = work

    def come(self) -> None:
        """Answer, once it is there."""

    def do(self, task: Any) -> Any:
        """Do one task."""
        return self._work(task)


@dataclass(frozen=True)
class RayActors:
    """Actors on a Ray cluster; see `indexer.runners.turns.Runner`.

    The cluster is that of ``RAY_ADDRESS``, or, without that, one on this machine that is started
    and ended. An actor that dies is replaced, on another node if its own is gone. Only actors that
    are there are given tasks, so that none waits for a node that does not come.

    Attributes
    ----------
    actors
        How many. Default: as many as the cluster holds.
    gpus
        What each actor asks for, beside a processor.
    stop
        Ends the work early.
    """

    actors: int | None = None
    gpus: float = 0.0
    stop: Stop = field(default_factory=Stop)

    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        done: Callable[[Task], None],
    ) -> list[Result]:
        """Do the tasks."""
        results: dict[int, Result] = {}
        if not tasks:
            return []
        ray = import_ray()
        with connected(ray), self.stop.finishing():
            size = min(len(tasks), self.actors or self._room(ray))
            kind = ray.remote(num_cpus=1, num_gpus=self.gpus)(Worker)
            actors: list[Any] = []

            def join() -> tuple[Future[Any], Callable[[Task], Future[Any]]]:
                actors.append(kind.remote(work, str(Path.cwd())))
                return asked_of(actors[-1].come), partial(asked_of, actors[-1].do)

            deaths = (ray.exceptions.RayActorError,)
            try:
                in_turns(join, size, tasks, results, done, self.stop, deaths)
            except ray.exceptions.RayTaskError as error:
                # Ray's own message is the whole traceback of the worker.
                raise error.cause from error
            except deaths as error:
                raise BuildError(
                    f"workers died {RETRIES + 1} times of the same task or while they started, "
                    f"when {len(results)} of {len(tasks)} tasks were done; if there was too little "
                    f"memory, try fewer --jobs ({error})"
                ) from error
            finally:
                for each in actors:
                    ray.kill(each)
        return [results[number] for number in range(len(tasks))]

    def _room(self, ray: ModuleType) -> int:
        """Return how many actors the nodes hold."""
        room = 0
        for node in ray.nodes():
            there = node["Resources"] if node["Alive"] else {}
            processors, gpus = there.get("CPU", 0.0), there.get("GPU", 0.0)
            room += int(min(processors, gpus / self.gpus if self.gpus else processors))
        if room < 1:
            raise BuildError(
                f"no node of the Ray cluster has a processor and the {self.gpus:g} GPUs that each "
                "task asks for; add nodes, ask for less with --gpus-per-task, or say with --jobs "
                "how many actors to wait for"
            )
        return room


def asked_of(method: Any, *asked: Any, **settings: Any) -> "Future[Any]":
    """Ask an actor; the answer comes as a future of the standard library."""
    return cast("Future[Any]", method.remote(*asked, **settings).future())


def import_ray() -> ModuleType:
    """Return the module ``ray``.

    Raises
    ------
    BuildError
        If it is not installed.
    """
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise BuildError(
            "this needs Ray, which is not installed: pip install 'aion-search[ray]'"
        ) from error
    return cast(ModuleType, ray)


@contextmanager
def connected(ray: ModuleType) -> Iterator[None]:
    """Connect to the cluster, unless this process is."""
    if ray.is_initialized():
        yield
        return
    # Nothing is told to Ray's makers by a cluster that is started here.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = os.environ.get("RAY_ADDRESS", "local")
    ray.init(address, log_to_driver=False, logging_level="WARNING")
    try:
        yield
    finally:
        ray.shutdown()
