"""docs/encoding.md from the files of results, and from nothing else.

``python -m benchmarks.encoding page``
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.encoding.feeding import PACKINGS, processes_for
from benchmarks.encoding.made_up import KINDS
from benchmarks.quality_page import table_of
from benchmarks.scale.budgets import Verdict, compared, read_budgets
from benchmarks.scale.results import fact_lines, read_results
from indexer.durable import replacing

__all__ = ["BUDGETS", "RESULT_NAMES", "page", "write_page"]

Results = Mapping[str, Mapping[str, Any]]

BUDGETS = Path(__file__).parent / "budgets.toml"
RESULT_NAMES = (
    "encoding-cpu",
    "encoding-whole",
    "encoding-feeding",
    "encoding-steady",
    "encoding-gpu",
)

MODEL_RATES_PER_S = (1_000, 5_000, 10_000)
"""Objects a second that a model may encode."""

_NONE = "–"
_NO_GPU = (
    "No GPU was at hand, so nothing here says how fast one is.",
    "`python -m benchmarks.encoding rates FOLDER --device cuda --count 64` measures one.",
)
_TITLES = {
    "cpu": {
        "package": "the package",
        "float32": "this encoder",
        "bfloat16": "this encoder, `autocast=True`",
    },
    "gpu": {
        "package": "the package",
        "bfloat16": "this encoder",
        "float32": "this encoder, `autocast=False`",
    },
}
"""By kind of device; what a build does unless it is told otherwise comes after the package."""


def page(results: Results) -> str:
    """Return the page in Markdown."""
    lines = [
        "# Encoding: how fast, and how faithful",
        "",
        "Written by `python -m benchmarks.encoding page` from the files `encoding-*.json` in",
        "`benchmarks/results`; do not edit. `make bench-encode` measures, in a quarter of an hour",
        "on a free machine.",
    ]
    if "encoding-cpu" in results:
        lines += ["", *_beside_package(results["encoding-cpu"], "cpu")]
    if "encoding-whole" in results:
        lines += ["", *_whole(results["encoding-whole"])]
    if "encoding-feeding" in results:
        lines += ["", *_feeding(results["encoding-feeding"])]
    if "encoding-steady" in results:
        lines += ["", *_steady(results["encoding-steady"])]
    if "encoding-gpu" in results:
        lines += ["", *_beside_package(results["encoding-gpu"], "gpu")]
    else:
        lines += ["", "## On a GPU", "", *_NO_GPU]
    return "\n".join([*lines, "", *_budgets(results)]) + "\n"


def write_page(results: Path, docs: Path) -> Path:
    """Write the file, and return it."""
    path = docs / "encoding.md"
    text = page(read_results(results, RESULT_NAMES))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _beside_package(document: Mapping[str, Any], kind: str) -> list[str]:
    measures, titles = document["measures"], _TITLES[kind]
    hardware = "multiplies" if document["bfloat16_in_hardware"] else "does not multiply"
    usual = list(titles)[1]

    def share(name: str) -> str:
        return f"{measures[f'{kind}.{name}']:.0%}"

    rows = []
    for modality in KINDS:
        for name, title in titles.items():

            def told(key: str, form: str, of: str = f"{kind}.{modality}.{name}") -> str:
                return format(measures[f"{of}.{key}"], form) if f"{of}.{key}" in measures else _NONE

            rows.append(
                (
                    modality,
                    title,
                    told("per_s", ".2f"),
                    told("ratio_to_package", ".2f"),
                    _gigabytes(measures[f"{kind}.{modality}.{name}.peak_bytes"]),
                    told("tokens_agree", ".4%"),
                    told("least_cosine", ".6f"),
                )
            )
    header = ("modality", "system", "objects a second", "ratio", "peak GB", "same tokens", "cosine")
    return [
        f"## On a {kind.upper()}, beside the package",
        "",
        *fact_lines(document),
        f"- device: {document['device']}; it {hardware} bfloat16 matrices in hardware",
        f"- batch: the same {document['objects']} objects of each modality, {document['rounds']}",
        "  rounds in turns, each modality by a process of its own; medians, the ratio's of the",
        "  ratios of each round",
        "- weights: random, AION-1-Base with 12 blocks of 768 dimensions; tokenizers as large as",
        "  the package makes them (pictures: 512 channels, four units a level; spectra: 3, 3, 9, 3",
        "  blocks up to 512 channels)",
        "",
        *table_of(header, rows),
        "",
        "Rates are objects a second by the clock, on a machine that does nothing else. *The",
        "package* is `CodecManager.encode`, then `AION.encode` with the number of tokens that",
        "there are, as its documentation shows; it keeps gradients there. *Peak* is above the",
        "weights. *Cosine* is the least between a vector and the package's mean over its tokens.",
        "",
        f"On pictures the transformer does {share('transformer.share_of_peak')} of the",
        f"{measures[f'{kind}.transformer.peak_flops'] / 1e12:,.2f} TFLOP/s of one large product of",
        f"matrices in {usual}; {share('image.share_of_floor')} of the time from pixels to vectors",
        "is what all their arithmetic would take at such rates, tokenizers in float32.",
    ]


def _whole(document: Mapping[str, Any]) -> list[str]:
    measures = document["measures"]
    rows = [
        (title, f"{measures[f'{name}.per_s']:,.1f}")
        for name, title in (
            ("reader", "reading alone"),
            ("encoder", "tokenizing and encoding alone"),
            ("whole", "reading, tokenizing, encoding, previews and writing"),
        )
    ]
    return [
        "## From files to vectors",
        "",
        *fact_lines(document),
        f"- sky: {document['objects']:,} observations of the simulated five surveys in",
        f"  {document['files']:,} files, bundled weights, one process; {document['rounds']} rounds",
        "  in turns, the fastest one of each",
        "",
        *table_of(("step", "observations a second"), rows),
        "",
        f"All together takes {measures['whole.over_slower']:.1%} more time than the slower of",
        f"the two alone. Memory above the weights: {_gigabytes(measures['memory.peak_bytes'])} GB",
        "at most; the largest amount held between two files changed by",
        f"{measures['memory.growth_bytes'] / 1e6:.1f} MB from their first half to their second.",
    ]


def _feeding(document: Mapping[str, Any]) -> list[str]:
    measures = document["measures"]
    rows = []
    for packing in PACKINGS:
        for modality in KINDS:
            read, fed, size = (
                measures[f"{packing}.{modality}.{name}"]
                for name in ("read_per_s", "fed_per_s", "bytes_per_object")
            )
            rows.append(
                (
                    f"`{packing}`",
                    modality,
                    f"{size / 1e3:,.0f}",
                    f"{read:,.0f}",
                    f"{fed:,.0f}",
                    f"{fed * size / 1e6:,.0f}",
                    *(f"{processes_for(speed, fed):,}" for speed in MODEL_RATES_PER_S),
                )
            )
    speeds = tuple(f"for {speed:,} a second" for speed in MODEL_RATES_PER_S)
    header = ("reader", "modality", "kB", "read a second", "fed a second", "MB/s", *speeds)
    return [
        "## What feeds a model",
        "",
        *fact_lines(document),
        f"- files of {document['objects']:,} objects, made from a seed; {document['rounds']}",
        "  rounds, the fastest one; seconds of one processor",
        "",
        *table_of(header, rows),
        "",
        "*Read* is reading with all checks of an object, the centre crop included; *fed* is all",
        "that one process of a build does but encode: reading, previews, and writing what is",
        "staged. The last columns say how many such processes keep a model busy that encodes so",
        "many objects a second, on however many GPUs.",
    ]


def _steady(document: Mapping[str, Any]) -> list[str]:
    measures = document["measures"]
    least, most = (_gigabytes(measures[f"memory.{name}_bytes"]) for name in ("least", "most"))
    return [
        "## For a long time",
        "",
        *fact_lines(document),
        f"- {document['objects']:,} objects in {measures['minutes']:.0f} minutes, one process: the",
        f"  simulated sky {document['rounds']} times, bundled weights",
        "",
        f"Anonymous memory, weights and libraries included, was from {least} to {most} GB;",
        "after the first fifth of the time it grew by",
        f"{measures['memory.growth_bytes_an_hour'] / 1e6:.1f} MB an hour",
        "(`python -m benchmarks.encoding steady FOLDER`).",
    ]


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.2f}"


def _budgets(results: Results) -> list[str]:
    rows = [
        (
            f"`{each.budget.measure}`",
            f"{each.budget.bound.replace('_', ' ')} {each.budget.value:g}",
            _NONE if each.got is None else f"{each.got:g}",
            _said(each),
            each.budget.why,
        )
        for each in compared(read_budgets(BUDGETS), results)
    ]
    header = ("measure", "must be", "is", "", "what for")
    return ["## Budgets", "", *table_of(header, rows)]


def _said(verdict: Verdict) -> str:
    if verdict.got is None:
        on_gpu = verdict.budget.benchmark == "encoding-gpu"
        return "no GPU was at hand" if on_gpu else "not measured"
    return "met" if verdict.met else "**missed**"
