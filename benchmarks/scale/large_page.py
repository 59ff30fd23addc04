"""What docs/scale.md says of two hundred million vectors."""

from collections.abc import Mapping
from typing import Any

from benchmarks.quality_page import table_of
from benchmarks.scale.results import counted, fact_lines

__all__ = ["large_section"]

_STAGES = {
    "vectors": "making them, comparing each with all queries, writing 8 bits a dimension",
    "train": "training the lists and codes",
    "fill": "filling in pieces, each on disk before the next",
    "merge": "putting the pieces together",
    "publish": "hashing all files, moving them to their place",
    "search": "every search below",
}


def large_section(document: Mapping[str, Any]) -> list[str]:
    """Return the lines, without a blank one at either end."""
    memory, disk, cold = (document[e] for e in ("memory_mb", "disk_bytes_a_vector", "cold"))
    opened, searched = (_grown(memory, when) for when in ("opened", "searched"))
    alone = max(each["recall_at_10_of_codes_alone"][0] for each in document["warm"])
    return [
        f"## {counted(document['vectors'])} vectors on one machine",
        "",
        *fact_lines(document),
        f"- {document['vectors']:,} vectors of {document['dim']} numbers, `{document['recipe']}`,",
        f"  {document['lists']:,} lists, {document['threads']} threads",
        f"- {document['hours']:.2f} hours in all, over {document['resumes'] + 1} runs: the same",
        "  command goes on after a `kill -9`",
        "",
        *table_of(
            ("stage", "hours", "microseconds a vector", "peak memory GB"),
            [_stage(document, name, title) for name, title in _STAGES.items()],
        ),
        "",
        f"On disk a vector takes {disk['index']:.1f} bytes in the index, and",
        f"{disk['kept_to_rank_again']:.0f} to rank candidates again. Opened from a cold disk in",
        f"{document['open_cold_s']:.1f} s, which reads the lists into memory:",
        f"{opened} GB anonymous, {searched} GB after all searches.",
        "",
        *table_of(
            ("", "lists visited", "ranked again", "recall", "95 % interval", "p50 / p99 ms"),
            [_asked("cold", cold), *(_asked("warm", each) for each in document["warm"])],
        ),
        "",
        f"Recall is that of the ten nearest of all, of {document['queries']:,} queries; with the",
        f"codes alone it would be {alone:.2f}. *Cold*: {cold['queries']} queries, before each of",
        "which every file is dropped from memory. *Warm*: every query was asked before, with the",
        "fewer candidates; what ranks the others comes from the disk when it is asked for first.",
    ]


def _stage(document: Mapping[str, Any], name: str, title: str) -> tuple[str, ...]:
    # A process of its own searches; what it holds is told apart.
    each, peak = document["microseconds_a_vector"], document["peak_anonymous_mb"]
    return (
        title,
        f"{document['stage_hours'][name]:.2f}",
        f"{each[name]:.2f}" if name in each else "–",
        f"{peak[name] * 2**20 / 1e9:.2f}" if name in peak and name != "search" else "–",
    )


def _grown(memory: Mapping[str, Mapping[str, float]], when: str) -> str:
    grown = memory[when]["anonymous"] - memory["before_opening"]["anonymous"]
    return f"{grown * 2**20 / 1e9:.2f}"


def _asked(kind: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    recall, low, high = row["recall_at_10"]
    return (
        kind,
        f"{row['nprobe']:,}",
        f"{row['candidates']:,}",
        f"{recall:.3f}",
        f"{low:.3f} to {high:.3f}",
        f"{row['ranked_again_p50_ms']:.2f} / {row['ranked_again_p99_ms']:.2f}",
    )
