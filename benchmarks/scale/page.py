"""docs/scale.md and docs/scale.svg from the files of results, and from nothing else.

``python -m benchmarks.scale page``
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality_page import table_of
from benchmarks.scale.budgets import compared, read_budgets
from benchmarks.scale.figure import recall_figure
from benchmarks.scale.large_page import large_section
from benchmarks.scale.measuring import TARGETS, point_at
from benchmarks.scale.results import counted, fact_lines, read_results
from indexer.ann import EXACT_UP_TO, recipe_for
from indexer.durable import replacing

__all__ = ["figure", "page", "write_page"]

Results = Mapping[str, Mapping[str, Any]]

_NONE = "–"
_RECIPES = {
    "flat": "every vector compared, float16",
    "ivf_sq8": "lists of 8-bit vectors",
    "ivf_pq4": "lists found by a graph, 64 product codes of 4 bits",
}
_EXAMPLES = (10_000, 100_000, 1_000_000, 10_000_000, 200_000_000)


def page(results: Results) -> str:
    """Return the page in Markdown."""
    sections: list[tuple[str, Callable[[Mapping[str, Any]], list[str]]]] = [
        ("peers", _peers),
        ("growth", _growth),
        ("filtered", _filtered),
        ("encoding", _encoding),
        ("scale-200m", large_section),
    ]
    lines = [
        "# Many vectors: what an index costs and finds",
        "",
        "Written by `python -m benchmarks.scale page` from `benchmarks/results/*.json`; do not",
        "edit. All vectors are synthetic: a mixture of Gaussians bent by a layer of sines",
        "(`benchmarks/synthetic_vectors.py`). Bytes, rates and the order of the systems carry over",
        "to other vectors; the pairs of setting and recall do not.",
        "",
        "*Recall* is the share of the true ten nearest that is among the ten found, after",
        "ranking again with the float16 vectors. Times are of single queries in one process that",
        "is already up; queries a second are of batches of 64, on all threads. *Memory* is",
        "anonymous: mapped files, which the system may take back, are not in it.",
        "",
        *_recipes(),
    ]
    for name, write in sections:
        if name in results:
            lines += ["", *write(results[name])]
    lines += ["", *_budgets(results)]
    return "\n".join(lines).rstrip("\n") + "\n"


def figure(results: Results) -> str:
    """Return the figure: recall against milliseconds at the largest size of each system."""
    curves = {}
    for row in _largest(results.get("peers", {}).get("systems", ())):
        points = [(each["recall_at_10"], each["p50_ms"]) for each in row["curve"]]
        curves[f"{row['title']}, {counted(row['count'])}"] = points
    return recall_figure(curves)


def write_page(results: Path, docs: Path) -> tuple[Path, Path]:
    """Write both files, and return them."""
    found = read_results(results)
    text, drawing = docs / "scale.md", docs / "scale.svg"
    for path, content in ((text, page(found)), (drawing, figure(found))):
        with replacing(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return text, drawing


def _recipes() -> list[str]:
    lines = [
        "## What is chosen, and why",
        "",
        "By the number of vectors and their dimension alone, never by the machine: the same",
        "vectors give the same files.",
        "",
    ]
    rows = []
    for dim in (192, 768):
        for count in _EXAMPLES:
            recipe = recipe_for(count, dim)
            visited = f"{recipe.default_nprobe:,}" if recipe.lists else _NONE
            rows.append(
                (
                    f"{count:,}",
                    str(dim),
                    f"`{recipe.name}`: {_RECIPES[recipe.name]}",
                    f"{recipe.lists:,}" if recipe.lists else _NONE,
                    visited,
                    str(recipe.candidates(10)),
                )
            )
    header = ("vectors", "numbers", "recipe", "lists", "visited", "ranked again for ten")
    lines += table_of(header, rows)
    return [
        *lines,
        "",
        f"- **Up to {EXACT_UP_TO:,} every vector is compared**: it takes a few milliseconds, and",
        "  nothing is lost.",
        "- **Then 8-bit lists**, as long as the codes take no more than 128 mebibytes: a byte a",
        "  number and eight for the row. They order so well that 40 candidates are enough.",
        "- **Then product codes**: 64 codes of 4 bits, 32 bytes whatever the dimension, in lists",
        "  that a graph finds. They order only roughly, so 200 candidates are ranked again with",
        "  the vectors, which stay on disk. A graph over all vectors would need them in memory:",
        "  1.8 kB a vector of 768 numbers instead of 40 bytes.",
        "- **At most 65,536 lists**: at 200 million one holds 3,000 vectors, still read at once,",
        "  and more lists would make every vector slower to assign.",
    ]


def _largest(systems: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    best: dict[str, Mapping[str, Any]] = {}
    for row in systems:
        if "failed" not in row and row["count"] >= best.get(row["system"], row)["count"]:
            best[row["system"]] = row
    return list(best.values())


def _peers(document: Mapping[str, Any]) -> list[str]:
    largest = max(row["count"] for row in document["systems"])
    lines = [
        f"## Beside other libraries: {counted(largest)} vectors of {document['dim']} numbers",
        "",
        *fact_lines(document),
        f"- queries: {document['asked']:,}, none of them among the vectors; a setting is asked for",
        "  ten seconds at most",
        f"- what a build chooses here: `{document['chosen']}`",
        "",
        "![Recall against the time of a query](scale.svg)",
        "",
    ]
    for count in sorted({row["count"] for row in document["systems"]}, reverse=True):
        rows = [row for row in document["systems"] if row["count"] == count]
        lines += [f"### {counted(count)} vectors", "", *_systems(rows), ""]
    return [
        *lines,
        "p50 / p99 milliseconds and queries a second of the fastest setting that reaches the",
        "recall. *Test mode*: the stand-ins that Qdrant and Milvus embed in Python, not their",
        "servers. Memory of a library includes its own code's; graphs were built 16 wide,",
        "construction 100.",
        "",
        "The vectors against the statistics of their recipe (stated for one million of 768):",
        "",
        *table_of(
            ("statistic", "here", "stated"),
            [
                (name, f"{document['statistics'][name]:.3f}", f"{stated:.3f}")
                for name, stated in document["stated"].items()
                if name in document["statistics"]
            ],
        ),
    ]


def _systems(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    header = ["system", "kind", "build s", "peak GB", "disk GB", "memory GB"]
    header += [f"{name} {t:.2f}" for t in TARGETS for name in ("at", "queries a second at")]
    cells = []
    for row in rows:
        if "failed" in row:
            cells.append([row["title"], row["kind"], row["failed"], *[_NONE] * (len(header) - 3)])
            continue
        points = []
        for target in TARGETS:
            point = point_at(row["curve"], target)
            if point is None:
                most = max(each["recall_at_10"] for each in row["curve"])
                points += [f"not reached: {most:.3f}", _NONE]
            else:
                points += [
                    f"{point['p50_ms']:.2f} / {point['p99_ms']:.2f} ({point['recall_at_10']:.3f})",
                    f"{point['queries_per_s']:,.0f}",
                ]
        memory = [row[each] for each in ("build_peak_bytes", "disk_bytes", "anonymous_bytes")]
        cells.append(
            [
                row["title"],
                row["kind"],
                f"{row['build_s']:.0f}",
                *(f"{value / 1e9:.2f}" for value in memory),
                *points,
            ]
        )
    return table_of(header, cells)


def _growth(document: Mapping[str, Any]) -> list[str]:
    rows = []
    for row in document["sizes"]:
        point = next(each for each in row["curve"] if each["setting"] == row["default"])
        each_bytes = (row["bytes"] - row["trained_bytes"]) / row["count"]
        rows.append(
            (
                counted(row["count"]),
                f"{row['lists']:,}",
                f"{row['train_s']:.0f} + {row['fill_s']:.0f}",
                f"{row['filled_per_s']:,.0f}",
                f"{row['build_peak_bytes'] / 1e9:.2f}",
                f"{row['bytes'] / 1e6:,.0f}",
                f"{each_bytes:.1f}",
                f"{row['default']:,}",
                f"{point['recall_at_10']:.3f}",
                f"{point['p50_ms']:.2f} / {point['p99_ms']:.2f}",
                f"{row['anonymous_bytes'] / 1e9:.2f}",
                f"{row['cold_start_s']:.2f}",
            )
        )
    header = (
        "vectors",
        "lists",
        "train + fill, s",
        "filled a second",
        "peak GB",
        "file MB",
        "bytes a vector",
        "lists visited",
        "recall",
        "p50 / p99 ms",
        "memory GB",
        "cold start s",
    )
    measures = document["measures"]
    said = {
        "build_off_line": "Building is linear in the number of vectors within {:.1%}.",
        "fill_off_line": "Filling alone is within {:.1%}.",
        "p50_per_decade": "Ten times the vectors take {:.2f} times as long to search, as a search "
        "visits lists by default,",
        "p50_per_decade_at_same_recall": "and {:.2f} times at a recall of 0.965.",
    }
    recipe = document["sizes"][0]["recipe"]
    counts = [row["count"] for row in document["sizes"]]
    span = " to ".join(map(counted, dict.fromkeys([counts[0], counts[-1]])))
    return [
        f"## Growth: {span}",
        "",
        *fact_lines(document),
        f"- vectors of {document['dim']} numbers, all held as `{recipe}`, as hundreds of",
        f"  millions are; {document['asked']} queries",
        "",
        *table_of(header, rows),
        "",
        *[text.format(measures[name]) for name, text in said.items() if name in measures],
        "",
        "*Cold start*: from files that no memory holds to the first answer of a process.",
    ]


def _filtered(document: Mapping[str, Any]) -> list[str]:
    ways = {"product": "as the product does", "lists": "lists alone", "scan": "all that pass"}
    found = {
        (row["count"], row["kind"], row["selectivity"], row["way"]): row for row in document["rows"]
    }
    keys = dict.fromkeys(
        (r["count"], r["kind"], r["selectivity"], r["passing"]) for r in document["rows"]
    )
    rows = []
    for count, kind, share, passing in keys:
        points = [found[count, kind, share, way] for way in ways]
        rows.append(
            (
                counted(count),
                kind,
                f"{share:g}",
                f"{passing:,}",
                *(f"{each['recall_at_10']:.3f}, {each['p50_ms']:.1f}" for each in points),
            )
        )
    return [
        "## A part of the rows allowed",
        "",
        *fact_lines(document),
        f"- vectors of {document['dim']} numbers, {document['asked']} queries",
        "",
        "*Random*: rows pass without regard to their vectors. *Correlated*: those on one side of",
        "all vectors pass, so that most queries lie far from everything that does. Recall of the",
        "ten nearest that pass, and p50 in milliseconds.",
        "",
        *table_of(("vectors", "filter", "share", "rows that pass", *ways.values()), rows),
    ]


def _encoding(document: Mapping[str, Any]) -> list[str]:
    return [
        "## Encoding",
        "",
        *fact_lines(document),
        "",
        *table_of(
            ("model", "device", "modality", "objects a second"),
            [
                (each["model"], each["device"], each["modality"], f"{each['per_s']:,.1f}")
                for each in document["rates"]
            ],
        ),
        "",
        "Of a CPU the rate is that of one core.",
    ]


def _budgets(results: Results) -> list[str]:
    verdicts = compared(read_budgets(), results)
    met = sum(each.met for each in verdicts)
    rows = [
        (
            each.budget.benchmark,
            f"`{each.budget.measure}`",
            f"{each.budget.bound.replace('_', ' ')} {_value(each.budget.value)}",
            "not measured" if each.got is None else _value(each.got),
            "met" if each.met else "**missed**" if each.got is not None else _NONE,
            each.budget.why,
        )
        for each in verdicts
    ]
    return [
        "## Budgets",
        "",
        f"`benchmarks/budgets.toml`, compared by `python -m benchmarks.scale check`: {met} of",
        f"{len(verdicts)} are met.",
        "",
        *table_of(("benchmark", "measure", "must be", "is", "", "why"), rows),
    ]


def _value(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
