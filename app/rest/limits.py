"""How much one client, and all together, may ask."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from starlette.requests import Request
from starlette.types import Message

from app.rest.problems import Refusal

__all__ = ["Gate", "Limits", "Rate", "bounded"]

Answer = TypeVar("Answer")

_CLIENTS = 10_000
"""Addresses that are remembered."""


@dataclass(frozen=True)
class Limits:
    """What is allowed.

    Attributes
    ----------
    per_minute
        Requests of one address; as many as a sixth of that at once.
    searches, encodings
        Requests that are worked on at once, without files and with files.
    waiting
        Requests of each kind that may wait for their turn.
    patience_s
        How long they may wait.
    answer_s
        How long an answer may take.
    body_s
        How long a body may take to come.
    file_bytes, json_bytes
        Largest body with files, and of JSON.
    files
        Files of one request.
    """

    per_minute: int = 600
    searches: int = 2
    encodings: int = 1
    waiting: int = 32
    patience_s: float = 15.0
    answer_s: float = 120.0
    body_s: float = 60.0
    file_bytes: int = 64 * 1024 * 1024
    json_bytes: int = 1024 * 1024
    files: int = 8


class Rate:
    """A bucket of tokens for each address, filled evenly.

    Parameters
    ----------
    per_minute
        How fast it fills; it holds a sixth of that, ten seconds' worth.
    clock
        Seconds that only grow.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60.0
        self._most = max(1.0, per_minute / 6.0)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count a request.

        Raises
        ------
        Refusal
            429, with the seconds after which the next one is allowed.
        """
        now = self._clock()
        left, since = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_second)
        allowed = left >= 1.0
        self._left[client] = (left - 1.0 if allowed else left, now)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        if not allowed:
            wait = ceil((1.0 - left) / self._per_second)
            raise Refusal(
                429,
                "too-many",
                f"at most {self._per_second * 60:g} requests a minute are answered; wait {wait} s",
                None,
                wait,
            )


class Gate:
    """Lets some requests work at once, some wait, and refuses the rest.

    Parameters
    ----------
    name
        Of what passes it.
    at_once, waiting
        How many may work, and wait.
    limits
        How long they may wait and work.
    """

    def __init__(self, name: str, at_once: int, waiting: int, limits: Limits) -> None:
        self.name = name
        self.waiting = 0
        self.working = 0
        self._most_waiting = waiting
        self._limits = limits
        self._turns = asyncio.Semaphore(at_once)

    async def run(self, pool: Executor, work: Callable[[], Answer]) -> Answer:
        """Do work in a thread when its turn comes.

        Raises
        ------
        Refusal
            503, if too many wait, or the turn or the answer does not come in time.
        """
        await self._enter()
        started = asyncio.get_running_loop().run_in_executor(pool, work)
        # A thread cannot be stopped: its turn lasts until it ends, whoever still waits for it.
        started.add_done_callback(self._leave)
        try:
            return await asyncio.wait_for(asyncio.shield(started), self._limits.answer_s)
        except TimeoutError:
            if started.done():
                raise
            raise Refusal(
                503,
                "too-long",
                f"this took longer than {self._limits.answer_s:g} s; ask for less",
                None,
                30,
            ) from None

    async def _enter(self) -> None:
        if self._turns.locked() and self.waiting >= self._most_waiting:
            raise self._busy()
        self.waiting += 1
        try:
            await asyncio.wait_for(self._turns.acquire(), self._limits.patience_s)
        except TimeoutError:
            raise self._busy() from None
        finally:
            self.waiting -= 1
        self.working += 1

    def _leave(self, done: "asyncio.Future[Answer]") -> None:
        self.working -= 1
        self._turns.release()
        if not done.cancelled():
            done.exception()

    def _busy(self) -> Refusal:
        wait = ceil(self._limits.patience_s)
        return Refusal(503, "busy", f"too many requests at once; wait {wait} s", None, wait)


def bounded(request: Request, most: int) -> Request:
    """Return the request with a body that ends in a refusal where it is too large.

    Raises
    ------
    Refusal
        413, at once where its length is stated, before anything is read.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and (len(stated) > 15 or int(stated) > most):
        raise _too_large(most)
    receive, read = request.receive, 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise _too_large(most)
        return message

    return Request(request.scope, counted)


def _too_large(most: int) -> Refusal:
    size = f"{most >> 20} MB" if most >= 1 << 20 else f"{most} bytes"
    return Refusal(413, "too-large", f"the body must have at most {size}")
