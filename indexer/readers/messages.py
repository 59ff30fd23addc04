"""Warnings of astropy, caught where they arise instead of leaking to the person."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["caught_warnings", "one_line"]

_LOCK = threading.RLock()
"""`warnings.catch_warnings` changes the state of the whole process, so one thread at a time."""


@contextmanager
def caught_warnings() -> Iterator[list[str]]:
    """Collect the texts of all warnings raised inside, and show none of them.

    Yields
    ------
    list[str]
        Filled when the block ends; one line each, without repeats.
    """
    texts: list[str] = []
    with _LOCK, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
        texts.extend(dict.fromkeys(" ".join(str(each.message).split()) for each in caught))


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    said = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return " ".join(said.split()) or type(error).__name__
