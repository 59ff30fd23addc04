"""The course of a training: resumed, at the rate of its schedule, logged and kept on the way."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import nn
from torch.optim import Optimizer

from aion_encoder.training.schedule import Schedule
from aion_encoder.training.state import keep_state, resume_state

__all__ = ["Course", "decayed"]

logger = logging.getLogger("aion_encoder")

LOGGED, KEPT = 50, 200
"""Steps between two rows of the log, and between two states on disk."""


class Paced(Protocol):
    """What a course wants to know of a recipe; see `Schedule`."""

    @property
    def steps(self) -> int: ...
    @property
    def minutes(self) -> float | None: ...
    @property
    def warm_up(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...


def decayed(learned: Iterable[nn.Parameter]) -> list[dict[str, Any]]:
    """Return groups for an optimizer: matrices, whose weights decay, and what is left."""
    given = list(learned)
    return [
        {"params": [each for each in given if each.ndim > 1]},
        {"params": [each for each in given if each.ndim < 2], "weight_decay": 0.0},
    ]


class Course:
    """The course of one training, which goes on from its saved state.

    Parameters
    ----------
    name
        What is trained, for the log.
    recipe
        Its length and its highest rate.
    optimizer
        Its rate is set before every step.
    modules
        What is learned, by name; saved with the optimizer.
    state_path
        Where the state is kept every 200 steps and at the end; None to keep none.
    progress
        Called with (steps done, steps in all).

    Attributes
    ----------
    first
        Steps that earlier runs made.
    log
        Means of the losses over 50 steps each, with the step and the seconds.
    """

    def __init__(
        self,
        name: str,
        recipe: Paced,
        optimizer: Optimizer,
        modules: Mapping[str, nn.Module],
        state_path: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._name, self._recipe, self._optimizer = name, recipe, optimizer
        self._parts = {**modules, "optimizer": optimizer}
        self._state_path, self._progress = state_path, progress
        self._running: dict[str, list[float]] = {}
        self.first, spent, self.log = resume_state(state_path, self._parts)
        self._schedule = Schedule(recipe.steps, recipe.minutes, recipe.warm_up, spent)

    def steps(self) -> Iterator[int]:
        """Give the number of every step that is left; log and keep after it."""
        last = self.first
        rated = self._schedule.rated(self._optimizer, self._recipe.learning_rate, self.first)
        for step, _ in rated:
            yield step
            last = step + 1
            if last % LOGGED == 0:
                self._write_row(last)
            if last % KEPT == 0:
                self._keep(last)
            if self._progress is not None:
                self._progress(last, self._recipe.steps)
        if last > self.first:
            self._keep(last)

    def note(self, losses: Mapping[str, float]) -> None:
        """Count the losses of a step."""
        for name, loss in losses.items():
            self._running.setdefault(name, []).append(loss)

    def _write_row(self, step: int) -> None:
        row: dict[str, Any] = {"step": step, "seconds": round(self._schedule.seconds, 1)}
        means = {name: float(np.mean(each)) for name, each in sorted(self._running.items())}
        row |= {name: round(mean, 4) for name, mean in means.items()}
        self._running = {}
        self.log.append(row)
        logger.info("%s %s", self._name, row)

    def _keep(self, step: int) -> None:
        if self._state_path is not None:
            seconds = self._schedule.seconds
            keep_state(self._state_path, self._parts, step=step, seconds=seconds, log=self.log)
