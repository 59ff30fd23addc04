"""What each measure must be, and whether it is."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["BUDGETS", "Budget", "Verdict", "compared", "read_budgets"]

BUDGETS = Path(__file__).parents[1] / "budgets.toml"

_BOUNDS = ("at_least", "at_most")


@dataclass(frozen=True)
class Budget:
    """The bound of one measure.

    Attributes
    ----------
    benchmark
        Name of the file of results.
    measure
        Key under its ``measures``.
    bound
        ``at_least`` or ``at_most``.
    value
        The bound itself is allowed.
    why
        A few words.
    """

    benchmark: str
    measure: str
    bound: str
    value: float
    why: str

    def holds(self, got: float) -> bool:
        """Say whether a measured value is within the bound; NaN never is."""
        return got >= self.value if self.bound == "at_least" else got <= self.value


@dataclass(frozen=True)
class Verdict:
    """A budget and what was measured, None where nothing was."""

    budget: Budget
    got: float | None

    @property
    def met(self) -> bool:
        """Whether it was measured and is within the bound."""
        return self.got is not None and self.budget.holds(self.got)

    @property
    def text(self) -> str:
        """One line: the measure, the bound, and what was got."""
        budget = self.budget
        got = "not measured" if self.got is None else f"{self.got:g}"
        bound = f"{budget.bound.replace('_', ' ')} {budget.value:g}"
        verdict = "met" if self.met else "MISSED"
        return (
            f"{verdict}: {budget.benchmark} {budget.measure} must be {bound}, got {got} "
            f"({budget.why})"
        )


def read_budgets(path: Path = BUDGETS) -> list[Budget]:
    """Read the budgets.

    Raises
    ------
    ValueError
        If one does not have exactly one bound and a reason; the message names it.
    """
    found = []
    for benchmark, measures in tomllib.loads(path.read_text()).items():
        for measure, entry in measures.items():
            bounds = [name for name in _BOUNDS if name in entry]
            if len(bounds) != 1 or set(entry) != {bounds[0], "why"}:
                raise ValueError(
                    f"{path.name}: {benchmark} {measure} must have 'why' and one of at_least and "
                    f"at_most, got {', '.join(entry)}"
                )
            value = float(entry[bounds[0]])
            found.append(Budget(benchmark, measure, bounds[0], value, entry["why"]))
    return found


def compared(budgets: Iterable[Budget], results: Mapping[str, Mapping[str, Any]]) -> list[Verdict]:
    """Compare results, by the name of their file, with budgets."""
    return [
        Verdict(each, results.get(each.benchmark, {}).get("measures", {}).get(each.measure))
        for each in budgets
    ]
