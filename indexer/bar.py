"""The progress bar of commands."""

import sys
from contextlib import closing

__all__ = ["Bar", "progress_bar"]


class Bar:
    """A progress bar on stderr, with rate and time left; silent where that is no terminal.

    Parameters
    ----------
    what
        The step that begins.
    unit
        What is counted.
    """

    def __init__(self, what: str, unit: str = "it") -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            desc=what, unit=unit, unit_scale=True, file=sys.stderr, disable=None, leave=False
        )

    def progress(self, done: int, total: int) -> None:
        """Draw how far the work is."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def announce(self, step: str) -> None:
        """Show which step begins."""
        self._bar.set_description(step)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


def progress_bar(what: str, unit: str = "it") -> "closing[Bar]":
    """Give a bar for a `with` block, which takes it away."""
    return closing(Bar(what, unit))
