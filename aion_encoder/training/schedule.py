"""How far a training has come, and the learning rate that goes with it.

Training ends after a number of steps or of minutes, whichever comes first; the rate follows the
share that is done of either, so that a slow machine ends with a low rate as well.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch.optim import Optimizer

__all__ = ["Schedule"]

LOWEST = 0.02
"""Rate at the start and at the end, in units of the highest."""


@dataclass
class Schedule:
    """A warm-up, then half a cosine (Loshchilov & Hutter 2017, one cycle).

    Parameters
    ----------
    steps
        Training ends after these.
    minutes
        Training ends after these although steps are left; None for no such limit.
    warm_up
        Share of the training in which the rate rises.
    spent
        Seconds that earlier runs of the same training took.
    """

    steps: int
    minutes: float | None
    warm_up: float
    spent: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds spent so far, earlier runs included."""
        return self.spent + time.monotonic() - self._began

    def share(self, step: int) -> float:
        """Return how much is done before a step, 1 at the end."""
        share = step / self.steps
        if self.minutes is not None:
            share = max(share, self.seconds / (60.0 * self.minutes))
        return min(1.0, share)

    def rate(self, share: float) -> float:
        """Return the learning rate in units of the highest."""
        if share < self.warm_up:
            return LOWEST + (1.0 - LOWEST) * share / self.warm_up
        falling = (share - self.warm_up) / (1.0 - self.warm_up)
        return LOWEST + (1.0 - LOWEST) * 0.5 * (1.0 + math.cos(math.pi * falling))

    def rated(
        self, optimizer: Optimizer, highest: float, first: int = 0
    ) -> Iterator[tuple[int, float]]:
        """Give every step that is left and the share done before it, the optimizer's rate set.

        Parameters
        ----------
        optimizer
            All its groups get one rate.
        highest
            Rate at the end of the warm-up.
        first
            Steps that were made already.
        """
        for step in range(first, self.steps):
            share = self.share(step)
            if share >= 1.0:
                return
            for group in optimizer.param_groups:
                group["lr"] = highest * self.rate(share)
            yield step, share
