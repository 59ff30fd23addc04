"""One HTML file that needs nothing else: numbers as tables, figures, and what was not measured."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.evaluate.figures import figures_of
from indexer.evaluate.records import SWEEP, Record, SuiteResult
from indexer.printing import aligned

if TYPE_CHECKING:
    from indexer.evaluate.evaluation import Evaluation

__all__ = ["report_html", "report_text"]

_MODES = ("exact", "index", "random", "baseline")
_HEADS = {
    "exact": "exact",
    "index": "through the index",
    "random": "random",
    "baseline": "baseline",
}
_UNKNOWN = "–"

_STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem;
       color: #1a1a1a; line-height: 1.45; }
h1 { margin-bottom: 0; } h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; font-size: 0.85rem; margin: 1rem 0; }
.wide { overflow-x: auto; }
th, td { padding: 0.25rem 0.6rem; text-align: left; border-bottom: 1px solid #e4e4e4;
         vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.interval { color: #666; font-size: 0.9em; }
.simulated { background: #fff3cd; padding: 0.6rem 1rem; border-radius: 0.3rem; }
pre { background: #f6f6f6; padding: 0.8rem; overflow-x: auto; font-size: 0.8rem; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
"""


def _number(value: float) -> str:
    if not np.isfinite(value):
        return _UNKNOWN
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:.0f}" if size >= 100 or size == 0 else f"{value:g}"
    return f"{value:.3f}" if size >= 0.01 else f"{value:.2g}"


def _with_interval(record: Record) -> str:
    if not np.isfinite(record.value):
        return _UNKNOWN
    if not np.isfinite(record.low) or record.low == record.high:
        return _number(record.value)
    return f"{_number(record.value)} [{_number(record.low)}, {_number(record.high)}]"


def _lines(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Bring exact, index and random values of one measurement into one line.

    A random order is the same whatever a query leaves out, so it stands beside each such line.
    """
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    orders: dict[tuple[Any, ...], Record] = {}
    for each in records:
        measured = (each.metric, each.k, each.formula, each.direction, each.arm, each.gallery.name)
        key = (*measured, each.gallery.exclusion)
        if each.mode == "random":
            orders[measured] = each
        else:
            line = lines.setdefault(key, {"record": each, "values": {}})
            line["values"][each.mode] = each
    for measured, order in orders.items():
        beside = [line for key, line in lines.items() if key[:-1] == measured]
        if not beside:
            beside = [lines.setdefault((*measured, ""), {"record": order, "values": {}})]
        for line in beside:
            line["values"]["random"] = order
    return list(lines.values())


def _cells(line: Mapping[str, Any]) -> dict[str, str]:
    record: Record = line["record"]
    name = record.metric if record.k is None else f"{record.metric}@{record.k}"
    known: Mapping[str, Record] = line["values"]
    bars = [each for each in known.values() if np.isfinite(each.bar)]
    chances = [each.chance for each in known.values() if np.isfinite(each.chance)]
    return {
        "direction": record.direction,
        "arm": record.arm,
        "measure": f"{name} ({record.formula})" if record.formula else name,
        **{mode: _with_interval(known[mode]) if mode in known else "" for mode in _MODES},
        "chance": _number(chances[0]) if chances else "",
        "N": str(record.gallery.size),
        "without": record.gallery.exclusion,
        "published": f"{_number(bars[0].bar)}, {bars[0].bar_of}" if bars else "",
        "queries": str(record.queries),
        "gallery": record.gallery.name,
    }


def report_text(result: SuiteResult) -> str:
    """Return a suite as a table for a terminal: exact, index, random and baseline side by side."""
    lines = [result.title, ""]
    # A sweep is a figure, not a table for a terminal.
    records = [each for each in result.records if not each.arm.startswith(SWEEP)]
    table = [_cells(line) for line in _lines(records)]
    shown = ["direction", "arm", "measure", *_MODES, "chance", "queries", "N"]
    if len({row["without"] for row in table}) > 1:
        shown.append("without")
    if table:
        used = [name for name in shown if any(row[name] for row in table)]
        header = [_HEADS.get(name, name) for name in used]
        numbers = {_HEADS[mode] for mode in _MODES} | {"chance", "queries", "N"}
        lines.append(aligned(header, ([row[name] for name in used] for row in table), numbers))
    lines += [f"not measured: {reason}" for reason in result.skipped]
    return "\n".join(lines)


def report_html(evaluation: "Evaluation") -> str:
    """Return the report; plotly's script is in it once."""
    document = evaluation.document
    index, model, run = document["index"], document["model"], document["run"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>Evaluation of {_text(index['name'])}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Evaluation of {_text(index['name'])}</h1>",
        f"<p>{index['objects']} objects, index {_text(index['id'])}; model "
        f"{_text(model['repository'])} {_text(model['revision'])} ({_text(model['digest'])}, "
        f"pooling {_text(model['pooling'])}); {_text(run['date'])}, {_text(run['software'])}, "
        f"seed {run['seed']}, at most {run['queries_at_most']} queries of a kind.</p>",
    ]
    if any(each["simulated"] for each in index["releases"].values()):
        whole = "All data are" if index["simulated"] else "Some of the data are"
        parts.append(
            f"<p class='simulated'>{whole} <strong>simulated</strong>. Published values are of "
            "real surveys: they show what a number looks like elsewhere, not which is better.</p>"
        )
    parts.append(
        "<p>Brackets are 95 % bootstrap intervals over queries (1000 resamples). <em>exact</em>: "
        "every vector compared; <em>through the index</em>: its FAISS files, selections, bridges "
        "and re-ranking; <em>baseline</em>: something else than the encoder's vectors.</p>"
    )
    parts += _labels(document["labels"])
    script: bool | str = True
    for result in evaluation.results:
        parts.append(f"<h2 id='{result.name}'>{_text(result.title)}</h2>")
        for title, figure in figures_of(result.name, result.figures):
            drawn = figure.to_html(full_html=False, include_plotlyjs=script)
            script = False
            parts.append(f"<figure><figcaption>{_text(title)}</figcaption>{drawn}</figure>")
        parts += _table(result)
        if result.skipped:
            parts.append("<h3>Not measured</h3><ul>")
            parts += [f"<li>{_text(reason)}</li>" for reason in result.skipped]
            parts.append("</ul>")
        if result.facts:
            facts = json.dumps(result.facts, indent=1)
            parts.append(f"<details><summary>Counts and settings</summary><pre>{_text(facts)}")
            parts.append("</pre></details>")
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _text(value: object) -> str:
    return html.escape(str(value))


def _labels(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    if not tables:
        return ["<p>No labels were given.</p>"]
    parts = ["<h2>Labels</h2><div class='wide'><table><tr>"]
    header = ("table", "kind", "rows", "unmatched", "duplicated", "objects matched")
    parts += [f"<th>{name}</th>" for name in header]
    parts.append("</tr>")
    for each in tables:
        matched = "; ".join(
            f"{name} {counts['matched']} of {counts['objects']}"
            for name, counts in each["releases"].items()
        )
        cells = [each[name] for name in ("table", "layout", "rows", "unmatched", "duplicated")]
        cells.append(matched)
        parts.append("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>")
    parts.append("</table></div>")
    return parts


def _table(result: SuiteResult) -> list[str]:
    rows = [_cells(line) for line in _lines(result.records)]
    if not rows:
        return ["<p>Nothing could be measured.</p>"]
    used = [name for name in rows[0] if any(row[name] for row in rows)]
    numbers = {*_MODES, "chance", "queries", "N"}
    kinds = {name: " class='number'" if name in numbers else "" for name in used}
    parts = ["<details open><summary>Numbers</summary><div class='wide'><table><tr>"]
    parts += [f"<th{kinds[name]}>{_HEADS.get(name, name)}</th>" for name in used]
    parts.append("</tr>")
    for row in rows:
        cells = "".join(f"<td{kinds[name]}>{_text(row[name])}</td>" for name in used)
        parts.append(f"<tr>{cells}</tr>")
    parts.append("</table></div></details>")
    return parts
