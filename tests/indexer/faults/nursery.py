"""Real processes that build, and are hurt while they do.

``python nursery.py`` has everything imported and one thread, and forks a child for each request:
so a child costs what its build costs. A request and its answer are one line of JSON each. Nothing
in the product knows of this: what a child does to files is seen by an audit hook of Python.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHANGES = ("os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "os.chmod")
"""What is counted, beside opening files of the index for writing."""


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes
    ----------
    code
        Its exit code; minus the signal that killed it.
    output
        What it printed, to both streams.
    steps
        For each step that was announced, the number of the first change of files in it.
    changes
        How many changes of files there were.
    seconds
        How long it took.
    """

    code: int
    output: str
    steps: dict[str, int]
    changes: int
    seconds: float


class Nursery:
    """The parent's side: asks the process that forks.

    Parameters
    ----------
    within
        Words of a command line to put before its own.
    """

    def __init__(self, within: Sequence[str] = ()) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [*within, sys.executable, str(HERE / "nursery.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
            env=environment,
        )

    def run(self, job: str, **request: Any) -> Outcome:
        """Do a job in a child, and wait for its end.

        Parameters
        ----------
        job
            A function of this module.
        request
            Its arguments, and what is done to it: ``kill_at`` (number of a change of files),
            ``kill_after`` (seconds), ``full_on`` (part of the name of a temporary file, from which
            on no file may grow), ``file_limit`` (bytes of one file), ``fill`` (name of a step,
            bytes that are left then, and the file that takes the others).
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"job": job, **request}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks has ended"
        return Outcome(**json.loads(answer))

    @property
    def process(self) -> int:
        """Number of the process that forks."""
        return self._process.pid

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


# What follows runs in the process that forks, and in its children.


class _Watch:
    """Counts changes of files below the index, and kills its process at one of them.

    Somebody else's file may fill the disk when a step begins: all but some bytes.
    """

    def __init__(self, index: str, kill_at: int | None, fill: tuple[str, int, str] | None) -> None:
        self.index, self.kill_at, self.fill = index, kill_at, fill
        self.changes = 0
        self.steps: dict[str, int] = {}
        sys.addaudithook(self._see)

    def announce(self, step: str) -> None:
        self.steps[step] = self.changes
        if self.fill is not None and self.fill[0] == step:
            _, left, ballast = self.fill
            disk = os.statvfs(Path(ballast).parent)
            with Path(ballast).open("wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, disk.f_bavail * disk.f_frsize - left)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            written = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if not written or not str(path).startswith(self.index):
                return
        elif event not in CHANGES:
            return
        self.changes += 1
        if self.changes == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def build(request: dict[str, Any], watch: _Watch) -> None:
    """Build an index of some releases of a fake sky."""
    from indexer.build import build as build_index

    build_index(
        sky_of(Path(request["root"]), request["releases"]),
        request["index"],
        weights="fake",
        native_weights="universal",
        announce=watch.announce,
        tools=tools(),
    )


def command(request: dict[str, Any], watch: _Watch) -> None:
    """Run the command line."""
    from indexer.cli import main

    main(request["arguments"])


def nothing(request: dict[str, Any], watch: _Watch) -> None:
    """Only end."""


def sky_of(root: Path, releases: list[str]) -> Any:
    """Return the manifest of some releases of the sky below a folder."""
    import fake_sky

    return fake_sky.fake_manifest(root, releases)


def tools() -> Any:
    """Return readers and encoders of the fake sky."""
    import dataclasses

    import fake_native
    import fake_sky

    return dataclasses.replace(fake_sky.FAKE_TOOLS, open_native=fake_native.open_fake_native)


@contextlib.contextmanager
def _full_disk(name: str | None) -> Iterator[None]:
    """Let no file grow any more from the first temporary file on with something in its name."""
    if name is None:
        yield
        return
    with_name = Path.with_name

    def watched(path: Path, new: str) -> Path:
        given = with_name(path, new)
        if new.endswith(".tmp") and name in str(given):
            _limit_files(0)
        return given

    Path.with_name = watched  # type: ignore[method-assign]
    yield


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _child(request: dict[str, Any], answers: int) -> int:
    os.fsync = lambda _: None  # type: ignore[assignment]
    watch = _Watch(request["index"], request.get("kill_at"), request.get("fill"))
    _limit_files(request.get("file_limit", resource.RLIM_INFINITY))
    code = 0
    try:
        with _full_disk(request.get("full_on")):
            globals()[request["job"]](request, watch)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        code = 3
    said = {"steps": watch.steps, "changes": watch.changes, "modules": sorted(sys.modules)}
    os.write(answers, json.dumps(said).encode())
    sys.stdout.flush()
    return code


def _attend(request: dict[str, Any]) -> dict[str, Any]:
    answers, from_child = os.pipe()
    printed, by_child = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 4
        try:
            for stream in (1, 2):
                os.dup2(by_child, stream)
            code = _child(request, from_child)
        finally:
            os._exit(code)
    os.close(from_child)
    os.close(by_child)
    if "kill_after" in request:
        time.sleep(request["kill_after"])
        os.kill(child, signal.SIGKILL)
    # A child prints a few lines, which a pipe holds, before it ends.
    said, output = _all_of(answers), _all_of(printed).decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seconds = time.monotonic() - start
    found = json.loads(said) if said else {"steps": {}, "changes": 0, "modules": []}
    # What a child had to import, the next need not.
    for name in set(found.pop("modules")) - set(sys.modules):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    return {"code": status, "output": output, "seconds": seconds, **found}


def _all_of(pipe: int) -> bytes:
    with os.fdopen(pipe, "rb") as stream:
        return stream.read()


def _main() -> None:
    sys.path[:0] = [str(HERE.parents[2]), str(HERE.parent)]
    for name in ("fake_sky", "fake_native", "indexer.build", "indexer.ann", "indexer.cli"):
        importlib.import_module(name)
    for line in sys.stdin:
        answer = _attend(json.loads(line))
        sys.__stdout__.write(json.dumps(answer) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    _main()
