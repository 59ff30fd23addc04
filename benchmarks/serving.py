"""The server as README starts it, on a free port of this machine, for as long as it is needed."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Served", "served"]

_ROOT = Path(__file__).resolve().parents[1]
_START_S = 60.0


@dataclass(frozen=True)
class Served:
    """A server that is up: its port, the address of its page, and its process."""

    port: int
    pid: int

    @property
    def address(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served(index: Path, log: Path, **environment: str) -> Iterator[Served]:
    """Serve an index until the block ends.

    Parameters
    ----------
    index
        Folder of the index.
    log
        File that takes what the server prints.
    environment
        Further variables of its environment.

    Raises
    ------
    RuntimeError
        If the server ends, or does not come up within a minute.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/asgi.py", "--server.headless", "true"]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command + options,
            cwd=_ROOT,
            env={**os.environ, "AION_SEARCH_INDEX": str(index.resolve()), **environment},
            stdout=output,
            stderr=output,
        )
    up = Served(port, process.pid)
    try:
        _wait(up, process, log)
        yield up
    finally:
        process.terminate()
        process.wait(30)


def _wait(up: Served, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once: {log.read_text()}")
        try:
            with urllib.request.urlopen(f"{up.address}/api/v1/ready", timeout=30):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the server did not come up within {_START_S:.0f} s: {log.read_text()}")
