"""What a device reaches at best, and how long it takes."""

import time
from collections.abc import Callable

import torch

__all__ = ["matmul_flops", "name_of", "seconds", "short_name"]

ROUNDS = 3


def matmul_flops(place: torch.device, dtype: torch.dtype, side: int) -> float:
    """Return operations a second of the product of two square matrices."""
    one, other = (torch.randn(side, side, device=place).to(dtype) for _ in range(2))
    return 2.0 * side**3 / seconds(lambda: one @ other, place)


def seconds(task: Callable[[], object], place: torch.device) -> float:
    """Return what a task takes by the clock: the best of some rounds after one that does not count.

    Gradients are off, and a GPU is waited for.
    """
    taken = []
    for _ in range(1 + ROUNDS):
        began = time.perf_counter()
        with torch.inference_mode():
            task()
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        taken.append(time.perf_counter() - began)
    return min(taken[1:])


def name_of(place: torch.device) -> str:
    """Return what a device is called."""
    if place.type == "cuda":
        return torch.cuda.get_device_name(place)
    return f"CPU, {torch.get_num_threads()} threads"


def short_name(name: str) -> str:
    """Return what `indexer/rates.json` calls a GPU: ``h200`` of ``NVIDIA H200``."""
    return next((each for each in ("h100", "h200") if each in name.lower()), name)
