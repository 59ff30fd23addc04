"""Two builders in one folder: the second is refused, by name; the lock of a dead one is not."""

import fcntl
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.index_file import open_index
from indexer.lock import writing
from tests.indexer.faults.conftest import BEFORE
from tests.indexer.faults.nursery import Nursery

HOLDER = """
import sys
from pathlib import Path
from indexer.lock import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that builds in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_second_is_refused_in_one_line_that_names_the_first(
    holder: subprocess.Popen[str], nursery: Nursery, sky: Path, tmp_path: Path
):
    build = {"root": str(sky), "index": str(tmp_path), "releases": BEFORE}
    done = nursery.run("build", **build)
    assert done.code == 3
    assert done.output == (
        f"LockedError: only one process may build {tmp_path} at a time, and process {holder.pid} "
        f"on {platform.node()} is doing so; wait until it has finished\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_lock_of_a_killed_builder_is_taken_over(
    holder: subprocess.Popen[str], tmp_path: Path, bring_up_to_date
):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "lock").read_text() == f"process {holder.pid} on {platform.node()}\n"
    bring_up_to_date(tmp_path, BEFORE)
    assert open_index(tmp_path).releases == BEFORE
    assert not (tmp_path / "lock").exists()


def test_whoever_only_looks_turns_nobody_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A lock that is held for an instant, just when a build begins, is no builder."""
    (tmp_path / "lock").write_text("process 1 on a machine that is gone\n")
    looking = [os.open(tmp_path / "lock", os.O_RDONLY)]
    fcntl.flock(looking[0], fcntl.LOCK_SH)
    monkeypatch.setattr("indexer.lock.time.sleep", lambda _: os.close(looking.pop()))
    with writing(tmp_path):
        assert f"process {os.getpid()}" in (tmp_path / "lock").read_text()
    assert looking == []


def test_workers_end_with_the_build_that_is_killed():
    """Else they would finish their tasks, and then wait for ever with their weights in memory."""
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("waiting_workers.py"))],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    workers = {int(process.stdout.readline()) for _ in range(2)}
    assert len(workers) == 2
    process.send_signal(signal.SIGKILL)
    # The pipe ends when the last process that could write to it has ended.
    assert process.communicate(timeout=100) == ("", None)
    assert process.returncode == -signal.SIGKILL
