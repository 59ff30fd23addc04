"""The command line over a fake sky whose files are read slowly, or kill who reads them."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import fake_sky

from indexer.tools import Tools


def read_slowly(*which: Any, signs: Path) -> Iterator[Any]:
    """Say that reading has begun, and wait until it may end."""
    (signs / f"begun-{os.getpid()}").touch()
    while not (signs / "go").exists():
        time.sleep(0.01)
    yield from fake_sky.read_fake_partition(*which)


def read_once_deadly(*which: Any, signs: Path) -> Iterator[Any]:
    """Wait until two processes read, say where, and kill the first that has read half of a file."""
    (signs / f"begun-{os.getpid()}").touch()
    (signs / f"node-{node()}").touch()
    while len(list(signs.glob("begun-*"))) < 2:
        time.sleep(0.01)
    for number, record in enumerate(fake_sky.read_fake_partition(*which)):
        if number == 10:
            try:
                (signs / "killed").mkdir()
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        yield record


def node() -> str:
    """Return where this runs."""
    if "ray" not in sys.modules:
        return "here"
    return str(sys.modules["ray"].get_runtime_context().get_node_id())


def deadly_tools(signs: Path) -> Tools:
    """Return tools that kill one process."""
    return Tools(
        open_encoder=fake_sky.open_fake_encoder,
        read_partition=partial(read_once_deadly, signs=signs),
    )


def main(signs: Path, arguments: list[str]) -> None:
    """Run a command whose manifest is the folder of a fake sky."""
    import indexer.build
    import indexer.manifests
    from indexer.cli import main as command

    read = partial(read_slowly, signs=signs)

    def slowly(build: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *which, tools, **more: build(
            *which, tools=replace(tools, read_partition=read), **more
        )

    os.fsync = lambda _: None
    indexer.manifests.load_manifest = lambda path, **_: fake_sky.fake_manifest(path)
    indexer.build.build = slowly(indexer.build.build)
    indexer.build.encode = slowly(indexer.build.encode)
    command(arguments)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
