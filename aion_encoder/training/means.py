"""What a stage of training works with: where it computes, in how many processes, who watches."""

import platform
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Means", "best_device", "hardware"]


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


def best_device() -> str:
    """Return ``cuda`` where torch sees a GPU, ``cpu`` otherwise."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def hardware(device: str, threads: int) -> str:
    """Name what a stage runs on."""
    import torch

    cores = f"{threads} cores ({platform.machine()})"
    if torch.device(device).type != "cuda":
        return cores
    return f"{torch.cuda.get_device_name(device)}, {cores}"
