"""The page: what was measured, on what, beside what, and whether it is enough."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.quality_lines import Line
from indexer.evaluate.measures import Interval
from indexer.evaluate.records import Record, SuiteResult

__all__ = ["page", "table_of"]

_COLUMNS: Mapping[str, str] = {
    "exact": "exact",
    "random": "random",
    "pca": "64 components",
    "colour": "colours",
    "frozen_mean": "frozen mean",
}
_UNKNOWN = "–"

_EXPLAINED: Mapping[str, str] = {
    "Neighbours within a modality": (
        "Sources of test cells ask; what they find lies in other cells. Purity@10 is the share of "
        "the ten nearest that have the query's class: GALAXY, QSO or STAR (*spectral class*), or "
        "one of ten kinds (*object class*). Redshifts are the mean of the 16 nearest, weighted by "
        "inverse distance, for galaxies and quasars that ask; neighbours may be stars, or, where "
        "it says so, may not. Components and colours cannot compare two surveys: in the lines of a "
        "whole space they search within the release of the query, and the difference is from the "
        "index searching there too (*within*)."
    ),
    "Spiral arms, mergers and lenses": (
        "nDCG@10 with exponential gain. The 50 objects with the highest share of votes ask, or "
        "every lens; the query itself is no hit. Every release is searched whole and by itself; "
        "nothing was fitted on its labels."
    ),
    "From images to spectra and back": (
        "Only sources of test cells, on which no head was fitted. *R@10*: the share of queries "
        "whose own source is among the ten nearest of the other modality. Equal brightness: every "
        "query has a gallery of its own, within 0.1 mag in r, so that brightness alone leads "
        "nowhere. abs(dz)/(1+z): the query's source is left out; given is the median over queries "
        "of the median over hits, less is better. Its bar is half of what the nearest by catalogue "
        "colours, magnitude and size give; baselines are asked by the pictures."
    ),
    "One source in two surveys": (
        "The twin must be among the ten nearest of the other survey: with vectors as they are "
        "(*before*), and with the mean of each release taken away (*after*)."
    ),
    "Images turned, flipped and shifted": (
        "The share of the ten nearest that stays when the pixels of the query are turned by 90 "
        "degrees, mirrored, or moved by one pixel and encoded again. *Encoded again*: the same "
        "pixels against the vector that the index holds."
    ),
    "Approximate search": (
        "The share of the true ten nearest that inverted lists return, as large releases have "
        "them. An index of this size compares every vector, so its own files lose nothing: lists "
        "were made for this measurement, and searched with the settings of the index."
    ),
}


def _number(value: float) -> str:
    if not np.isfinite(value):
        return _UNKNOWN
    size = abs(value)
    if size >= 100.0:
        return f"{value:.0f}"
    return f"{value:.3f}" if size >= 0.01 or size == 0.0 else f"{value:.2g}"


def _with_interval(interval: Interval | None) -> str:
    if interval is None or not np.isfinite(interval.value):
        return _UNKNOWN
    if not np.isfinite(interval.low) or interval.low == interval.high:
        return _number(interval.value)
    return f"{_number(interval.value)} [{_number(interval.low)}, {_number(interval.high)}]"


def table_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table; cells may hold no line break."""
    clean = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    written = [f"| {' | '.join(row)} |" for row in clean]
    return [written[0], f"|{'---|' * len(header)}", *written[1:]]


def page(
    document: Mapping[str, Any],
    lines: Sequence[Line],
    extras: Sequence[SuiteResult],
    facts: Mapping[str, str],
) -> str:
    """Return the page in Markdown.

    Parameters
    ----------
    document
        Of the evaluation.
    lines
        In their order.
    extras
        Results of suites without lines; each becomes a section of its own.
    facts
        What else is to be said of data and machine, by name.
    """
    index, run = document["index"], document["run"]
    main = [each for each in lines if _is_main(each)]
    reached = sum(bool(each.reached) for each in main)
    parts = [
        "# Quality",
        "",
        "Written by `make quality`; do not edit. The same numbers under flat keys are in "
        "`quality.json`; `docs/evaluation.md` says how each is measured.",
        "",
        *_warning(index),
        "## What was measured",
        "",
        *table_of(("", ""), _facts(document, facts)),
        "",
        f"Brackets are 95 % bootstrap intervals over queries (1000 resamples, seed {run['seed']}). "
        "The difference from the 64 components resamples the same queries for both. A bar is a "
        f"target that this project set itself; {reached} of {len(main)} are reached.",
        "",
    ]
    parts += ["## Measures with a bar", "", *_table(main), ""]
    for section in dict.fromkeys(each.section for each in lines):
        parts += [f"## {section}", ""]
        if section in _EXPLAINED:
            parts += [_EXPLAINED[section], ""]
        rest = [each for each in lines if each.section == section and not _is_main(each)]
        parts += [*_table(rest), ""] if rest else []
    for each in extras:
        parts += [*_extra(each), ""]
    skipped = [
        f"- {result['title']}: {reason}"
        for result in document["suites"]
        for reason in result["skipped"]
    ]
    if skipped:
        parts += ["## Not measured", "", *skipped, ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def _is_main(line: Line) -> bool:
    return bool(np.isfinite(line.bar)) and not line.part


def _warning(index: Mapping[str, Any]) -> list[str]:
    simulated = [name for name, each in index["releases"].items() if each["simulated"]]
    if not simulated:
        return []
    whole = "All data are" if index["simulated"] else f"{', '.join(simulated)} are"
    return [
        f"**{whole} SIMULATED.** The numbers show whether the machinery works and which way is "
        "better on this simulation. They say nothing of the real sky; published values beside them "
        "are of real surveys, and show what a number looks like elsewhere.",
        "",
    ]


def _facts(document: Mapping[str, Any], facts: Mapping[str, str]) -> list[tuple[str, str]]:
    model, index, run = document["model"], document["index"], document["run"]
    revision = f"@{model['revision']}" if model["revision"] else ""
    releases = ", ".join(f"{name} {each['indexed']:,}" for name, each in index["releases"].items())
    heads = index["heads"]
    return [
        ("model", f"{model['repository']}{revision}, identity {model['digest']}"),
        ("pooling", f"{model['pooling']}, {model['dim']} dimensions"),
        ("index", f"{index['id']}: {index['objects']:,} objects ({releases})"),
        ("spaces", ", ".join(f"{name}: {method}" for name, method in index["spaces"].items())),
        ("heads", ", ".join(f"{key} {heads[key]}" for key in ("method", "pairs") if key in heads)),
        *facts.items(),
        ("queries", f"at most {run['queries_at_most']} of a kind"),
        ("run", f"{run['date']}, {run['software']}, Python {run['python']}"),
        ("machine", run["machine"]),
        ("time", f"{sum(run['seconds'].values()):.0f} s for the suites"),
    ]


def _table(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return ["Nothing could be measured."]
    columns = [name for name in _COLUMNS if any(name in each.values for each in lines)]
    more = [
        name
        for name in dict.fromkeys(name for each in lines for name in each.values)
        if name not in ("index", *_COLUMNS)
    ]
    differences = any("pca" in each.differences for each in lines)
    published = any(each.published for each in lines)
    header = ["measure", "index", *(_COLUMNS[name] for name in columns)]
    header += [name.replace("_", " ") for name in more]
    header += ["index − components"] if differences else []
    header += ["bar", "reached", "queries", "gallery"] + (["published"] if published else [])
    rows = []
    for each in lines:
        row = [each.title, f"**{_with_interval(each.value)}**"]
        row += [_with_interval(each.values.get(name)) for name in (*columns, *more)]
        row += [_with_interval(each.differences.get("pca"))] if differences else []
        row += [each.rule or _UNKNOWN, {None: _UNKNOWN, True: "yes", False: "**no**"}[each.reached]]
        row += [f"{each.value.queries:,}", f"{each.gallery:,}" if each.gallery else _UNKNOWN]
        row += [each.published or _UNKNOWN] if published else []
        rows.append(row)
    said: dict[str, list[str]] = {}
    for each in lines:
        if each.note:
            said.setdefault(each.note, []).append(each.title)
    notes = [f"- {note}: {'; '.join(titles)}." for note, titles in said.items()]
    return [*table_of(header, rows), *([""] if notes else []), *notes]


def _extra(result: SuiteResult) -> list[str]:
    """Return a suite of which nothing but its records is known."""
    parts = [f"## {result.title}", ""]
    header = ("direction", "arm", "measure", "found by", "value", "chance", "queries", "gallery")
    if result.records:
        parts += [*table_of(header, [_record_cells(each) for each in result.records]), ""]
        notes = dict.fromkeys(each.note for each in result.records if each.note)
        parts += [*(f"- {note}." for note in notes), *([""] if notes else [])]
    parts += [f"- Not measured: {reason}" for reason in result.skipped]
    return parts[:-1] if not parts[-1] else parts


def _record_cells(record: Record) -> list[str]:
    name = record.metric if record.k is None else f"{record.metric}@{record.k}"
    value = Interval(record.value, record.low, record.high, record.queries)
    return [
        record.direction or _UNKNOWN,
        record.arm or _UNKNOWN,
        f"{name} ({record.formula})" if record.formula else name,
        record.mode,
        _with_interval(value),
        _number(record.chance),
        f"{record.queries:,}",
        f"{record.gallery.name}, {record.gallery.size:,}",
    ]
