"""Answers and indexes as text for a terminal."""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

from indexer.hits import Hits
from indexer.queries import Query

__all__ = ["aligned", "hits_text", "missing_text", "query_text"]

MISSING = "-"


def aligned(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[str]) -> str:
    """Return columns of equal width, those named in `numbers` to the right.

    Parameters
    ----------
    header
        Names of the columns.
    rows
        Cells, as many per row as there are names.
    numbers
        Names of the columns that hold numbers.
    """
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[at]) for row in table) for at in range(len(header))]
    lines = []
    for row in table:
        cells = [
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for cell, width, name in zip(row, widths, header, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def hits_text(hits: Hits) -> str:
    """Return an answer as a table under a few lines about the question."""
    lines = [query_text(hits.query)]
    searched = hits.receipt
    count = f"{len(hits)} neighbour{'' if len(hits) == 1 else 's'}"
    lines.append(
        f"{count} in {searched['to']} ({searched['bridge']}) among "
        f"{', '.join(searched['releases'])}"
    )
    if searched["options"]["filters"]:
        lines.append(f"filters: {searched['options']['filters']}")
    if "missing" in searched:
        lines.append(missing_text(searched["missing"]))
    if searched["left_out"]:
        lines.append(f"left out, being the query itself: {', '.join(searched['left_out'])}")
    if "verdict" in searched:
        lines.append(f"verdict: {searched['verdict']['text']}")
    lines.append("")
    if not len(hits):
        lines.append("Nothing was found.")
        return "\n".join(lines)
    header = ["rank", "key", "score", "percentile", "bridge", "ra", "dec", "z", "mag", "class"]
    numbers = {"rank", "score", "percentile", "ra", "dec", "z", "mag", "folded"}
    more = {"via": any(hits.via), "folded": bool(hits.folded.any())}
    header += [name for name, is_there in more.items() if is_there]
    rows = []
    for record in hits.records():
        row = [
            str(record["rank"]),
            record["key"],
            _number(record["score"], "{:.4f}"),
            _number(record["percentile"], "{:.2f}"),
            record["bridge"],
            _number(record["ra_deg"], "{:.5f}"),
            _number(record["dec_deg"], "{:+.5f}"),
            _number(record["redshift"], "{:z.4f}"),
            _number(record["magnitude"], "{:.2f}"),
            record["object_class"] or MISSING,
        ]
        extra = {"via": record["via"] or MISSING, "folded": str(record["folded"])}
        rows.append([*row, *(extra[name] for name, is_there in more.items() if is_there)])
    return "\n".join([*lines, aligned(header, rows, numbers)])


def missing_text(missing: Sequence[str]) -> str:
    """Return which FAISS files an answer does without."""
    return f"MISSING, so not searched: {', '.join(missing)}"


def query_text(query: Query) -> str:
    """Return the question as understood: one line, and one for each assumption."""
    told = [f"Query: {query.text}"]
    if query.key and query.key != query.text:
        told.append(f"= {query.key}")
    if query.examples is not None:
        told.append(f"[{query.examples.method} of {len(query.examples.all)} examples]")
    told.append(f"({query.modality}")
    if query.has_position:
        told[-1] += f", {query.ra_deg:.6f} {query.dec_deg:+.6f}"
    if isfinite(query.redshift):
        told[-1] += f", z = {query.redshift:z.4f}"
    told[-1] += f", {query.object_class})" if query.object_class else ")"
    lines = [" ".join(told)]
    lines += [f"  {name}: {value}" for name, value in query.assumptions.items()]
    lines += [f"  {query.answered}"] if query.answered else []
    lines += [f"  note: {note}" for note in query.notes]
    return "\n".join(lines)


def _number(value: Any, form: str) -> str:
    return MISSING if value is None else form.format(value)
