"""The bridges in words: what each is, and how well it was seen to work. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from app.presentation import BRIDGE_NAMES, PLURAL, SINGULAR
from indexer import Hits, Query
from indexer.index_model import IndexInfo
from indexer.partner_recall import RECALL_AT

__all__ = ["BRIDGE_ICONS", "bridge_of", "explanation", "held_out_words", "linked_pairs", "sentence"]

BRIDGE_ICONS = {
    "same": ":material/adjust:",
    "linked": ":material/link:",
    "aligned": ":material/join_inner:",
}


def bridge_of(hits: Hits) -> str:
    """Return the bridge over which all hits of an answer came; empty where there are none."""
    return str(hits.bridge[0]) if len(hits) else ""


def explanation(
    bridge: str, query: Query, to: str, info: IndexInfo, facts: Mapping[str, Any]
) -> str:
    """Return what a bridge is and how well it works here, in Markdown.

    Parameters
    ----------
    bridge
        ``same``, ``linked`` or ``aligned``.
    query
        What was asked.
    to
        Modality that was found.
    info, facts
        Of the index, and what it keeps beside its heads.
    """
    own = query.modality
    asked, found = SINGULAR.get(own, own), SINGULAR.get(to, to)
    if bridge == "linked":
        pairs = linked_pairs(info, own, to)
        sources = (
            f"There are {pairs:,} such links between {PLURAL.get(own, own)} and "
            f"{PLURAL.get(to, to)} here"
        )
        what = (
            f"The query's {asked} was compared with others of its kind. Shown is each neighbour's "
            f"{found}: of the same source, which is to say within 1 arcsec of the neighbour."
        )
        well = (
            f"As well as the neighbours are alike, and only among sources seen in both. {sources}. "
            "No heads take part, so there is nothing to hold out."
        )
    elif bridge == "aligned":
        what = (
            f"The query's {asked} and every {found} are compared in a shared space. Heads fitted "
            "on pairs of observations of the same sources bring both there."
        )
        well = held_out_words(facts, query.space or own, to)
    else:
        what = (
            f"Nothing is crossed: the query's {found} and every {found} of the index are compared "
            "directly, vector with vector."
        )
        well = (
            "The score is the cosine of the two vectors. The percentage beside it says how many "
            "random pairs are less alike."
        )
    title = BRIDGE_NAMES.get(bridge, bridge).capitalize()
    told = f"**{title}**\n\n{what}\n\n**How well it works**\n\n{well}"
    if not query.answered:
        return told
    return f"{told}\n\n**Which model answered**\n\n{sentence(query.answered)}"


def sentence(text: str) -> str:
    """Return a note as a sentence in Markdown, in which nothing of a file is taken for markup."""
    plain = re.sub(r"([\\`*_\[\]<>$~#|])", r"\\\1", text)
    return f"{plain[:1].upper()}{plain[1:]}."


def held_out_words(facts: Mapping[str, Any], own: str, to: str) -> str:
    """Return how often heads find the partner of a source that they never saw."""
    figures = facts.get("test", {}).get(f"{own}_to_{to}")
    if figures is None:
        return "This index holds too few linked sources back to measure it."
    count, share = int(figures["queries"]), 100.0 * float(figures[f"recall_at_{RECALL_AT}"])
    low, high = (100.0 * float(figures[end]) for end in ("low", "high"))
    cells = facts.get("split", {}).get("cells", {}).get("test")
    where = f" in {cells:,} cells of the sky" if cells else ""
    chance = 100.0 * min(RECALL_AT / count, 1.0)
    return (
        f"Measured on {count:,} sources{where} that the heads never saw: the right "
        f"{SINGULAR.get(to, to)} was among the {RECALL_AT} nearest for **{share:.0f} %** "
        f"(95 % interval {low:.0f} to {high:.0f} %); by chance it would be {chance:.1f} %."
    )


def linked_pairs(info: IndexInfo, own: str, to: str) -> int:
    """Return how many links join releases that have the one modality and the other."""

    def join(releases: tuple[str, str]) -> bool:
        first, second = (info.releases[name].vectors for name in releases)
        return bool((first.get(own) and second.get(to)) or (first.get(to) and second.get(own)))

    return sum(link.count for link in info.links if join(link.releases))
