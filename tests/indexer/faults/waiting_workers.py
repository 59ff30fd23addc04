"""Two workers that are busy for a minute: run as a program, to be killed."""

import os
import time

from indexer.runners.local import run_local


def start() -> None:
    """Have nothing to open."""


def work(task: int) -> int:
    """Say which process this is, and be busy."""
    # One write for the whole line: both workers share the pipe.
    os.write(1, f"{os.getpid()}\n".encode())
    time.sleep(60.0)
    return task


if __name__ == "__main__":
    run_local(work, [0, 1], jobs=2, start=start, start_arguments=(), done=lambda _: None)
