"""One slice of a job array: the same command with another number on each node."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Slice", "parse_slice"]

T = TypeVar("T")


@dataclass(frozen=True)
class Slice:
    """Every n-th task, beginning with the i-th: ``i/n`` with i from 0 to n-1."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.count:
            raise ValueError(f"a slice i/n must have 0 <= i < n, got {self.number}/{self.count}")

    def of(self, tasks: Sequence[T]) -> list[T]:
        """Return the tasks of this slice."""
        return list(tasks[self.number :: self.count])


def parse_slice(text: str) -> Slice:
    """Read ``i/n``, as in ``--shard $SLURM_ARRAY_TASK_ID/16``.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if found is None:
        raise ValueError(f"a slice must be written i/n, such as 0/16, got {text!r}")
    return Slice(int(found.group(1)), int(found.group(2)))
