"""Slices of job arrays, and worker processes."""

import os

import pytest

from indexer.runners.job_array import Slice, parse_slice
from indexer.runners.local import run_local


def test_slices_together_are_everything_once():
    tasks = list(range(17))
    slices = [parse_slice(f"{number}/5").of(tasks) for number in range(5)]
    assert sorted(task for each in slices for task in each) == tasks
    assert parse_slice(" 0/1 ").of(tasks) == tasks
    assert Slice(4, 40).of([1, 2]) == []


@pytest.mark.parametrize("text", ["", "3", "1/0", "2/2", "-1/2", "a/b", "1/2/3", "0.5/2"])
def test_other_texts_are_refused(text: str):
    with pytest.raises(ValueError, match="slice"):
        parse_slice(text)


def test_work_in_processes():
    done: list[int] = []
    results = run_local(
        abs, [-3, 2, -1, 5], jobs=2, start=int, start_arguments=(), done=done.append
    )
    assert results == [3, 2, 1, 5]
    assert sorted(done) == [-3, -1, 2, 5]
    processes = run_local(
        eval, ["__import__('os').getpid()"], jobs=1, start=int, start_arguments=(), done=done.append
    )
    assert os.getpid() not in processes


def test_the_error_of_a_task_comes_back():
    with pytest.raises(ValueError, match="invalid literal"):
        run_local(int, ["1", "x"], jobs=1, start=int, start_arguments=(), done=lambda _: None)
