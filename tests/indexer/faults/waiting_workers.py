"""Two workers that are busy for a minute: run as a program, to be killed."""

import os
import time

from indexer.runners.local import Processes


def work(task: int) -> int:
    """Say which process this is, and be busy."""
    # One write for the whole line: both workers share the pipe.
    os.write(1, f"{os.getpid()}\n".encode())
    time.sleep(60.0)
    return task


if __name__ == "__main__":
    Processes(2).run(work, [0, 1], lambda _: None)
