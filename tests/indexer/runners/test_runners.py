"""Slices of job arrays, worker processes, and signals."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from indexer.errors import BuildError, StoppedError
from indexer.runners.job_array import Slice, dealt, parse_slice
from indexer.runners.local import Here, Processes
from indexer.runners.stop import SIGNALS, Stop


def test_slices_are_written_as_they_are_read():
    assert parse_slice(" 3/16 ") == Slice(3, 16)
    assert str(Slice(3, 16)) == "3/16"


@pytest.mark.parametrize("text", ["", "3", "1/0", "2/2", "-1/2", "a/b", "1/2/3", "0.5/2"])
def test_other_texts_are_refused(text: str):
    with pytest.raises(ValueError, match="slice"):
        parse_slice(text)


def test_slices_have_as_much_of_each_kind():
    sizes = [9, 1, 1, 1, 7, 1, 3, 1, 4, 4]
    pieces = [("image", size) for size in sizes] + [("xp", 1)] * 7 + [("spectrum", 1)] * 5
    slices = dealt(pieces, 2)
    assert slices == dealt(pieces, 2)
    images = [sum(s for s, n in zip(sizes, slices, strict=False) if n == at) for at in (0, 1)]
    assert images == [16, 16]
    # Who has one more of the one kind is not who has one more of the other.
    assert sorted(slices[10:17].count(at) for at in (0, 1)) == [3, 4]
    assert [slices.count(at) for at in (0, 1)] == [11, 11]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_every_piece_is_in_one_slice(count: int):
    pieces = [(kind, 3 * number % 11) for number, kind in enumerate("aabbbbbcdddddddddddd")]
    slices = dealt(pieces, count)
    assert len(slices) == len(pieces)
    shares = [slices.count(number) for number in range(count)]
    assert sum(shares) == len(pieces)
    assert max(shares) - min(shares) <= 1
    assert dealt([], count) == []


def test_work_in_processes():
    done: list[int] = []
    assert Processes(2).run(abs, [-3, 2, -1, 5], done.append) == [3, 2, 1, 5]
    assert sorted(done) == [-3, -1, 2, 5]
    asked = "__import__('os').getpid()"
    assert os.getpid() not in Processes(2).run(eval, [asked, asked], lambda _: None)


def test_one_process_is_this_one():
    asked = "__import__('os').getpid()"
    for runner, tasks in (
        (Here(), [asked] * 2),
        (Processes(1), [asked] * 2),
        (Processes(2), [asked]),
    ):
        assert set(runner.run(eval, tasks, lambda _: None)) == {os.getpid()}
    assert Processes(2).run(eval, [], lambda _: None) == []


def test_no_processes_are_refused():
    with pytest.raises(BuildError, match="number of jobs must be at least 1, got 0"):
        Processes(0)


@pytest.mark.parametrize("runner", [Here(), Processes(2)])
def test_the_error_of_a_task_comes_back(runner):
    with pytest.raises(ValueError, match="invalid literal"):
        runner.run(int, ["1", "x", "2"], lambda _: None)


def test_a_killed_process_is_replaced(tmp_path: Path):
    once = (
        "__import__('os').kill(__import__('os').getpid(), 9) "
        f"if not __import__('os').mkdir('{tmp_path}/killed') else 0"
    )
    again = f"__import__('os').path.isdir('{tmp_path}/killed') or {once}"
    assert Processes(2).run(eval, ["1", again, "2", "3"], lambda _: None) == [1, True, 2, 3]


def test_processes_that_always_die_are_given_up():
    deadly = "__import__('os').kill(__import__('os').getpid(), 9)"
    with pytest.raises(
        BuildError, match="2 worker processes died 3 times without finishing any of the 2"
    ):
        Processes(2).run(eval, [deadly, deadly], lambda _: None)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("kind", [Here, partial(Processes, 2)])
def test_a_signal_ends_the_work_between_tasks(number: signal.Signals, kind):
    done: list[int] = []

    def first_is_done(task: int) -> None:
        done.append(task)
        os.kill(os.getpid(), number)

    with Stop() as stop, pytest.raises(StoppedError, match=f"ended by {number.name}.*to go on"):
        kind(stop=stop).run(abs, list(range(20)), first_is_done)
    # What was going on beside the first is finished.
    assert done[0] in (0, 1)
    assert 1 <= len(done) <= 2


def test_a_signal_outside_of_tasks_is_answered_at_once():
    before = signal.getsignal(signal.SIGTERM)
    with Stop(), pytest.raises(StoppedError, match="ended by SIGTERM"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
