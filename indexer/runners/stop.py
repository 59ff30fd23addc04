"""Signals that ask work to end: what is going on is finished, nothing more is begun.

Schedulers give notice before they take a node away: Kubernetes and SLURM send SIGTERM, and
SLURM sends what ``--signal`` asks for, by custom SIGUSR1, some minutes before the time is over.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from indexer.errors import StoppedError

__all__ = ["SIGNALS", "Stop"]

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Stop:
    """Whether the work has been asked to end.

    As a context, it takes the signals of this process; otherwise nobody asks.

    Attributes
    ----------
    asked
        Name of the signal that asked; empty as long as none did.
    """

    def __init__(self) -> None:
        self.asked = ""
        self._finishing = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Stop":
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Let tasks end inside: a signal only sets `asked`, and is answered when this is left.

        Raises
        ------
        StoppedError
            On leaving, if a signal has come. Outside of this, one raises it at once: what is not
            encoding is done again from its beginning anyway.
        """
        # Ray puts a handler of its own in place when it is started.
        self._take()
        self._finishing = True
        try:
            yield
        finally:
            self._finishing = False
        if self.asked:
            raise self._stopped()

    def _take(self) -> None:
        for number in self._before:
            signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.asked = signal.Signals(number).name
        if not self._finishing:
            raise self._stopped()

    def _stopped(self) -> StoppedError:
        return StoppedError(
            f"ended by {self.asked}, and nothing that was finished is lost: give the same command "
            "again to go on"
        )
