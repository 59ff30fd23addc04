"""What a stage of training works with: where it computes, in how many processes, who watches."""

import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

__all__ = ["Means", "hardware"]


@dataclass(frozen=True)
class Means:
    """How a stage is run; nothing of it has a part in what a recipe asks for.

    Attributes
    ----------
    device
        Torch's name of where networks run.
    jobs
        Processes that simulate.
    progress
        Called with (done, in all).
    """

    device: str = "cpu"
    jobs: int = 1
    progress: Callable[[int, int], None] | None = None

    def tell(self, done: int, total: int) -> None:
        """Say how far a stage has come."""
        if self.progress is not None:
            self.progress(done, total)

    def spread(
        self, task: Callable[..., None], calls: Sequence[tuple[Any, ...]], total: int
    ) -> None:
        """Run a task over several processes, once for each tuple of arguments.

        Parameters
        ----------
        total
            Pieces of the whole work, those included that were done before.
        """
        with ProcessPoolExecutor(self.jobs, get_context("spawn")) as pool:
            waiting = [pool.submit(task, *call) for call in calls]
            for done, future in enumerate(as_completed(waiting), total - len(calls) + 1):
                future.result()
                self.tell(done, total)


def hardware(device: str, threads: int) -> str:
    """Name what a stage runs on."""
    import torch

    cores = f"{threads} cores ({platform.machine()})"
    if torch.device(device).type != "cuda":
        return cores
    return f"{torch.cuda.get_device_name(device)}, {cores}"
