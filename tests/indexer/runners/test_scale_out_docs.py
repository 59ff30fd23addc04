"""docs/scale_out.md: every command of this package in it is one that the command line takes."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from documented import DOCS, blocks, commands, shell_blocks, taken

from indexer.runners.job_array import parse_slice

PAGE = (DOCS / "scale_out.md").read_text()
SHELL = shell_blocks(PAGE)
JOBS = [yaml.safe_load(text) for kind, text in blocks(PAGE) if kind == "yaml"]
CONTAINERS = [job["spec"]["template"]["spec"]["containers"][0] for job in JOBS]


COMMANDS = commands([*SHELL, *(each for one in CONTAINERS for each in one["args"])])


def test_all_commands_are_found():
    assert len(COMMANDS) == PAGE.count("python -m indexer build ")
    assert len(COMMANDS) == 7


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_is_taken(arguments: list[str]):
    shard = taken(arguments).params["shard"]
    if shard is not None:
        parse_slice(shard)


@pytest.mark.parametrize("text", SHELL)
def test_the_shell_takes_it(text: str):
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True)


def test_slices_and_tasks_are_as_many():
    (script,) = (text for text in SHELL if "SLURM_ARRAY_TASK_ID" in text)
    last, count = re.search(r"--array=0-(\d+)", script), re.search(r"TASK_ID/(\d+)", script)
    assert last is not None
    assert count is not None
    assert int(last[1]) + 1 == int(count[1])
    (job,) = JOBS
    assert f"$JOB_COMPLETION_INDEX/{job['spec']['completions']}" in CONTAINERS[0]["args"][0]
    (ignored, *_) = job["spec"]["podFailurePolicy"]["rules"]
    assert ignored["onExitCodes"]["values"] == [os.EX_TEMPFAIL]


@pytest.mark.parametrize(("code", "requeued"), [(75, True), (0, False), (1, False)])
def test_the_script_of_a_task_passes_signals_on(tmp_path: Path, code: int, requeued: bool):
    (script,) = (text for text in SHELL if "scontrol requeue" in text)
    programs = {
        "python": f"trap 'sleep 0.1; exit {code}' USR1; touch begun; while :; do sleep 0.02; done",
        "scontrol": 'echo "$@" > requeued',
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    numbers = {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "7"}
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    shell = subprocess.Popen(
        ["bash", "-c", script], cwd=tmp_path, env={**os.environ, **numbers, **path}
    )
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    shell.send_signal(signal.SIGUSR1)
    assert shell.wait() == code
    assert (tmp_path / "requeued").exists() == requeued
    if requeued:
        assert (tmp_path / "requeued").read_text() == "requeue 12_7\n"
