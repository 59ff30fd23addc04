"""The course of a training: rates, log, state and resumption, with a model of one number."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from aion_encoder.training.course import Course, decayed
from aion_encoder.training.schedule import Schedule


@dataclass(frozen=True)
class Recipe:
    steps: int
    minutes: float | None = None
    warm_up: float = 0.1
    learning_rate: float = 0.5


def _course(recipe: Recipe, path: Path | None = None) -> tuple[Course, nn.Linear, list[int]]:
    model, done = nn.Linear(1, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=9.0)
    course = Course(
        "a line", recipe, optimizer, {"model": model}, path, lambda step, _: done.append(step)
    )
    return course, model, done


def _run(course: Course, model: nn.Linear) -> list[int]:
    made = []
    for step in course.steps():
        nn.init.constant_(model.weight, step)
        course.note({"loss": float(step)})
        made.append(step)
    return made


def test_every_step_has_the_rate_of_the_schedule() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(decayed(model.parameters()), lr=9.0)
    schedule = Schedule(10, None, 0.2)
    rates = []
    for step, share in schedule.rated(optimizer, 0.5, first=4):
        assert share == step / 10
        (rate,) = {group["lr"] for group in optimizer.param_groups}
        rates.append(rate)
    # Half a cosine over the last eight of ten steps, from a half to a fiftieth of it.
    falling = [(step / 10 - 0.2) / 0.8 for step in range(4, 10)]
    expected = [0.5 * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * each))) for each in falling]
    assert rates == pytest.approx(expected)


def test_only_matrices_decay() -> None:
    decaying, others = decayed(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)).parameters())
    assert [each.shape for each in decaying["params"]] == [(2, 3)]
    assert len(others["params"]) == 3
    assert others["weight_decay"] == 0.0
    assert "weight_decay" not in decaying


def test_a_row_has_the_means_of_fifty_steps() -> None:
    course, model, done = _course(Recipe(120))
    assert _run(course, model) == list(range(120))
    assert [(row["step"], row["loss"]) for row in course.log] == [(50, 24.5), (100, 74.5)]
    assert all(row["seconds"] >= 0.0 for row in course.log)
    assert done == list(range(1, 121))


def test_the_state_is_kept_on_the_way_and_at_the_end_and_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    course, model, _ = _course(Recipe(450), path)
    for step in course.steps():
        nn.init.constant_(model.weight, step)
        if step == 420:
            break
    assert torch.load(path, weights_only=True)["step"] == 400
    course, model, done = _course(Recipe(450), path)
    assert course.first == 400
    assert model.weight.item() == 399.0
    assert [row["step"] for row in course.log] == list(range(50, 401, 50))
    assert _run(course, model) == list(range(400, 450))
    assert done[0] == 401
    assert torch.load(path, weights_only=True)["step"] == 450
    before = path.read_bytes()
    course, model, _ = _course(Recipe(450), path)
    assert _run(course, model) == []
    assert path.read_bytes() == before


def test_time_that_earlier_runs_took_counts(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    course, model, _ = _course(Recipe(10), path)
    _run(course, model)
    state = torch.load(path, weights_only=True)
    torch.save({**state, "seconds": 61.0}, path)
    course, model, _ = _course(Recipe(1000, minutes=1.0), path)
    assert _run(course, model) == []
