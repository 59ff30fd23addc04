"""Builds on two Ray nodes: the same bytes as without."""

import sys
from pathlib import Path

import pytest
from slow_sky import deadly_tools

from indexer.build import build
from indexer.errors import BuildError, StoppedError
from indexer.runners.ray_actors import RayActors
from indexer.runners.stop import Stop

pytestmark = pytest.mark.timeout(600)


def test_a_build_on_two_nodes_one_of_whose_workers_is_killed(
    ray_cluster, fake_sky, fake_index: Path, tmp_path: Path, fingerprint
):
    signs, calls = tmp_path / "signs", []
    signs.mkdir()
    build(
        fake_sky,
        tmp_path / "index",
        weights="fake",
        tools=deadly_tools(signs),
        runner=RayActors(),
        progress=lambda *done: calls.append(done),
    )
    assert (signs / "killed").is_dir()
    nodes = {path.name.removeprefix("node-") for path in signs.glob("node-*")}
    assert nodes == {node["NodeID"] for node in ray_cluster.nodes()}
    assert calls[0] == (0, 16)
    assert calls[-1] == (16, 16)
    assert fingerprint(tmp_path / "index") == fingerprint(fake_index)


def test_errors_come_back_and_work_that_always_dies_is_given_up(ray_cluster, monkeypatch):
    monkeypatch.setattr("indexer.runners.turns.RETRIES", 1)
    with pytest.raises(ValueError, match=r"^invalid literal for int\(\) with base 10: 'x'$"):
        RayActors(1).run(int, ["1", "x"], lambda _: None)
    deadly = "__import__('os').kill(__import__('os').getpid(), 9)"
    with pytest.raises(BuildError, match=r"of the same task or .* when 1 of 2 tasks were done"):
        RayActors(1).run(eval, ["1", deadly], lambda _: None)
    with pytest.raises(
        BuildError, match="no node of the Ray cluster has a processor and the 1 GPUs"
    ):
        RayActors(gpus=1.0).run(int, ["1"], lambda _: None)
    assert RayActors().run(int, [], lambda _: None) == []


def test_a_signal_ends_the_work_between_tasks(ray_cluster):
    done: list[int] = []

    def first_is_done(task: int) -> None:
        done.append(task)
        stop.asked = "SIGUSR1"

    stop = Stop()
    with pytest.raises(StoppedError, match="ended by SIGUSR1"):
        RayActors(1, stop=stop).run(abs, [1, 2, 3], first_is_done)
    assert done == [1]


def test_without_ray_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BuildError, match=r"not installed: pip install 'aion-search\[ray\]'"):
        RayActors().run(int, ["1"], lambda _: None)
