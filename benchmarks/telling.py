"""What a benchmark of the server says at its end, and whether it kept to its budgets."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from indexer.durable import write_json

__all__ = ["tell"]


def tell(result: Mapping[str, Any], budgets: Mapping[str, float], path: Path | None) -> int:
    """Print the measures and, on the last line, the result; write it; return the exit code.

    Parameters
    ----------
    result
        With the numbers under ``measures``.
    budgets
        What some of them may be at most.
    path
        Where the result is written to, if anywhere.
    """
    measures = result["measures"]
    for name, value in measures.items():
        print(f"{name:24} {value}")
    print(json.dumps(result))
    if path is not None:
        write_json(path, result)
    missed = [name for name, most in budgets.items() if not measures[name] <= most]
    for name in missed:
        print(f"missed: {name} may be {budgets[name]:g}, is {measures[name]:g}", file=sys.stderr)
    return 1 if missed else 0
