"""One slice of a job array: the same command with another number on each node."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Slice", "dealt", "parse_slice"]


@dataclass(frozen=True)
class Slice:
    """The i-th of n slices of the work: ``i/n`` with i from 0 to n-1."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.count:
            raise ValueError(f"a slice i/n must have 0 <= i < n, got {self.number}/{self.count}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


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


def dealt(pieces: Sequence[tuple[str, int]], count: int) -> list[int]:
    """Deal pieces of work to slices, the same way whoever asks.

    Every slice gets about as much of each kind, so that it does not matter which kind takes
    longer: bytes of pictures and of coefficients do not compare.

    Parameters
    ----------
    pieces
        Kind and size of each.
    count
        Number of slices.

    Returns
    -------
    The slice of each piece, from 0.
    """
    slices, held = [0] * len(pieces), [0] * count
    for kind in dict.fromkeys(kind for kind, _ in pieces):
        own = [number for number, piece in enumerate(pieces) if piece[0] == kind]
        own.sort(key=lambda number: -pieces[number][1])
        loads = [0] * count
        # One for each slice in turn, the largest to whom has least; of the last, which are fewer,
        # those get one who hold the fewest pieces of any kind.
        for start in range(0, len(own), count):
            some = own[start : start + count]
            takers = sorted(range(count), key=held.__getitem__)[: len(some)]
            for piece, taker in zip(some, sorted(takers, key=loads.__getitem__), strict=True):
                slices[piece] = taker
                held[taker] += 1
                loads[taker] += pieces[piece][1]
    return slices
