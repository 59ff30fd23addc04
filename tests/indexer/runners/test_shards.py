"""Tasks of a job array, as processes of their own: side by side, ended by signals, killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slow_sky import deadly_tools

from indexer.build import build
from indexer.errors import LockedError
from indexer.layout import staged_dir
from indexer.lock import encoding, writing
from indexer.runners.local import Processes
from indexer.staging import Staged, stage

SKIES = Path(__file__).parents[1]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(fake_sky, tmp_path: Path) -> Iterator[Start]:
    """Starts ``build`` over the slow sky; it reads when there is a file ``go``."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> "subprocess.Popen[str]":
        command = ["build", str(fake_sky.root), str(tmp_path / "index"), "--weights", "fake"]
        begun.append(
            subprocess.Popen(
                [sys.executable, SKIES / "slow_sky.py", tmp_path, *command, *options],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": f"{SKIES}:{Path.cwd()}"},
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def begun(task: "subprocess.Popen[str]", signs: Path, count: int) -> list[int]:
    """Wait until so many processes of a task read, and return their numbers."""
    while len(found := list(signs.glob("begun-*"))) < count:
        assert task.poll() is None, task.communicate()
        time.sleep(0.01)
    return [int(path.name.removeprefix("begun-")) for path in found]


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate()
    return process.returncode, out, err


def staged(index: Path) -> list[Path]:
    return [path for path in staged_dir(index).glob("*/*") if ".tmp-" not in path.name]


def test_tasks_side_by_side_and_then_a_build(start, fake_index, tmp_path, fingerprint):
    (tmp_path / "go").touch()
    tasks = [start("--shard", "0/2"), start("--shard", "1/2"), start("--shard", "1/2")]
    for task in tasks:
        code, out, err = ended(task)
        assert (code, err) == (0, "")
        assert out.count("\n") == 1
    first = ended(start("--shard", "0/2"))[1]
    assert first.startswith("shard 0/2: 0 partitions encoded, 8 had been before: ")
    assert "nothing is left to encode: `build` without --shard makes the index" in first
    assert len(staged(tmp_path / "index")) == 16
    code, out, _ = ended(start())
    assert code == 0
    assert "is published" in out
    assert fingerprint(tmp_path / "index") == fingerprint(fake_index)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_task_that_is_asked_to_end(start, fake_index, tmp_path, fingerprint, jobs):
    task = start("--shard", "1/2", "--jobs", jobs)
    readers = begun(task, tmp_path, int(jobs))
    refusal = pytest.raises(LockedError, match=f"such as process {task.pid} on")
    with refusal, writing(tmp_path / "index"):
        pass
    for process in {task.pid, *readers}:
        # A scheduler sends it to every process of the job.
        os.kill(process, signal.SIGTERM)
    time.sleep(0.1)
    (tmp_path / "go").touch()
    code, out, err = ended(task)
    assert (code, out) == (75, "")
    assert err.startswith("Error: ended by SIGTERM, and nothing that was finished is lost: give ")
    assert len(staged(tmp_path / "index")) == int(jobs)
    assert not (tmp_path / "index" / "lock").exists()
    code, out, _ = ended(start("--shard", "1/2"))
    assert code == 0
    assert "8 partitions are left, of --shard 0/2; `build` without --shard encodes" in out
    assert ended(start())[0] == 0
    assert fingerprint(tmp_path / "index") == fingerprint(fake_index)


def test_processes_end_with_a_build_that_is_killed(start, tmp_path: Path):
    task = start("--jobs", "2")
    workers = begun(task, tmp_path, 2)
    task.kill()
    task.wait()
    assert task.pid not in workers
    while any(map(lives, workers)):
        time.sleep(0.01)


def lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    # Without a parent, it may be that nobody asks how it ended.
    return state != "Z"


def test_a_killed_worker_process_is_replaced(fake_sky, fake_index, tmp_path, fingerprint):
    signs = tmp_path / "signs"
    signs.mkdir()
    index = tmp_path / "index"
    build(fake_sky, index, weights="fake", tools=deadly_tools(signs), runner=Processes(2))
    assert (signs / "killed").is_dir()
    assert (signs / "node-here").exists()
    assert fingerprint(index) == fingerprint(fake_index)


def test_one_partition_staged_by_many_at_a_time(tmp_path: Path):
    folder, results = tmp_path / "release" / "partition", []
    everybody = threading.Barrier(8)

    def write(at: Path) -> dict[str, object]:
        (at / "records.arrow").write_bytes(b"the same")
        everybody.wait()
        return {"read": 1, "indexed": 1, "rejected": 0, "vectors": {"xp": 1}, "inputs": {}}

    def work(number: int) -> None:
        # Two kinds, as of two manifests: each replaces the other, and none is a mixture.
        results.append(stage(folder, "partition", f"config {number % 2}", write))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(isinstance(each, Staged) and each.read == 1 for each in results)
    assert [path.name for path in folder.parent.iterdir()] == ["partition"]
    assert sorted(path.name for path in folder.iterdir()) == ["done.json", "records.arrow"]


def test_the_last_that_encodes_takes_the_lock_away(tmp_path: Path):
    first, second = encoding(tmp_path), encoding(tmp_path)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert (tmp_path / "lock").exists()
    second.__exit__(None, None, None)
    assert not (tmp_path / "lock").exists()
