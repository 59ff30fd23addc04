"""Budgets of measures: read, met, missed and not measured."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.scale.__main__ import main
from benchmarks.scale.budgets import BUDGETS, Budget, Verdict, compared, read_budgets
from benchmarks.scale.results import BENCHMARKS
from indexer.durable import write_json


def test_a_bound_holds_on_its_side_and_on_itself() -> None:
    least = Budget("growth", "recall", "at_least", 0.965, "why")
    most = Budget("growth", "p50_ms", "at_most", 2.0, "why")
    assert [least.holds(got) for got in (0.96, 0.965, 0.99)] == [False, True, True]
    assert [most.holds(got) for got in (1.0, 2.0, 2.1)] == [True, True, False]
    assert not least.holds(float("nan"))
    assert not most.holds(float("nan"))


def test_a_verdict_names_the_measure_the_bound_and_what_was_got() -> None:
    budget = Budget("growth", "10.recall", "at_least", 0.965, "promised")
    assert Verdict(budget, 0.97).met
    assert Verdict(budget, 0.9).text == (
        "MISSED: growth 10.recall must be at least 0.965, got 0.9 (promised)"
    )
    assert Verdict(budget, None).text == (
        "MISSED: growth 10.recall must be at least 0.965, got not measured (promised)"
    )


def test_the_budgets_of_the_project_can_be_read() -> None:
    budgets = read_budgets()
    assert {each.benchmark for each in budgets} <= set(BENCHMARKS)
    assert {(each.benchmark, each.measure) for each in budgets} >= {
        ("growth", "10000000.recall_at_10"),
        ("growth", "10000000.p50_ms"),
        ("peers", "memory_over_graphs"),
        ("filtered", "least_recall_at_10"),
    }


@pytest.mark.parametrize(
    "entry", ["{ at_least = 1 }", "{ why = 'x' }", "{ at_least = 1, at_most = 2, why = 'x' }"]
)
def test_a_budget_without_one_bound_and_a_reason_is_refused(tmp_path: Path, entry: str) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text(f"[growth]\nrecall = {entry}\n")
    with pytest.raises(ValueError, match=r"growth recall must have 'why' and one of at_least"):
        read_budgets(path)


def passing_results(folder: Path) -> None:
    """Results that meet every budget of the project, to the digit."""
    for benchmark in BENCHMARKS:
        own = [each for each in read_budgets() if each.benchmark == benchmark]
        document = {"measures": {each.measure: each.value for each in own}}
        write_json(folder / f"{benchmark}.json", document)


def test_the_command_fails_if_one_measure_is_missed_or_missing(tmp_path: Path) -> None:
    passing_results(tmp_path)
    arguments = ["check", "--results", str(tmp_path)]
    good = CliRunner().invoke(main, arguments)
    assert good.exit_code == 0, good.output
    count = len(read_budgets())
    assert f"{count} of {count} budgets are met" in good.stdout

    (worse,) = (e for e in read_budgets() if e.measure == "10000000.recall_at_10")
    measures = {e.measure: e.value for e in read_budgets() if e.benchmark == "growth"}
    measures[worse.measure] = 0.9
    write_json(tmp_path / "growth.json", {"measures": measures})
    bad = CliRunner().invoke(main, arguments)
    assert bad.exit_code == 1
    assert "MISSED: growth 10000000.recall_at_10 must be at least 0.965, got 0.9" in bad.stdout
    assert f"{count - 1} of {count} budgets are met" in bad.stdout
    # Of one benchmark alone.
    assert CliRunner().invoke(main, [*arguments, "peers"]).exit_code == 0

    (tmp_path / "filtered.json").unlink()
    missing = CliRunner().invoke(main, [*arguments, "filtered"])
    assert missing.exit_code == 1
    assert "got not measured" in missing.stdout


def test_measures_are_looked_up_in_their_own_file() -> None:
    budget = Budget("peers", "x", "at_most", 1.0, "why")
    (verdict,) = compared([budget], {"growth": {"measures": {"x": 0.5}}})
    assert verdict.got is None
    (verdict,) = compared([budget], {"peers": {"measures": {"x": 0.5}}})
    assert verdict.met
    assert BUDGETS.name == "budgets.toml"
