"""The state of a training on disk: what it takes to go on after a stop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

__all__ = ["keep_state", "resume_state"]


def keep_state(
    path: Path, parts: Mapping[str, Any], *, step: int, seconds: float, log: list[dict[str, Any]]
) -> None:
    """Write the state of modules and optimizers, atomically.

    Parameters
    ----------
    parts
        What has a `state_dict`, by name.
    step, seconds, log
        Steps made, time spent and losses logged so far.
    """
    partial = path.with_suffix(".tmp")
    states = {name: part.state_dict() for name, part in parts.items()}
    torch.save({**states, "step": step, "seconds": seconds, "log": log}, partial)
    partial.replace(path)


def resume_state(
    path: Path | None, parts: Mapping[str, Any]
) -> tuple[int, float, list[dict[str, Any]]]:
    """Load what `keep_state` wrote, if it did; return steps, seconds and log."""
    if path is None or not path.exists():
        return 0, 0.0, []
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"]), float(state["seconds"]), list(state["log"])
