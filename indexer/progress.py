"""How long work tells how far it is: by calling back, never by printing."""

from collections.abc import Callable

__all__ = ["Announce", "Progress", "mute", "silent"]

Progress = Callable[[int, int], None]
"""Called with what is done and how much there is."""

Announce = Callable[[str], None]
"""Called with the name of the step that begins."""


def silent(done: int, total: int) -> None:
    """Tell nobody how far the work is."""
    del done, total


def mute(step: str) -> None:
    """Tell nobody which step begins."""
    del step
