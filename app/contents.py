"""What an index holds, as rows of tables. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from app.presentation import SINGULAR, count_words
from indexer.index_model import IndexInfo
from indexer.partner_recall import RECALL_AT

__all__ = ["encoder_facts", "recall_rows", "release_rows"]

_DIRECTION = re.compile(r"^(?P<asked>\w+)_to_(?P<found>\w+)$")


def release_rows(info: IndexInfo) -> list[dict[str, str]]:
    """Return one row for each release: what was read, what became of it, under which licence."""
    return [
        {
            "Release": name,
            "Title": release.title,
            "Read": f"{release.read:,}",
            "Indexed": f"{release.indexed:,}",
            "Rejected": f"{release.rejected:,}",
            "Vectors": ", ".join(
                count_words(count, modality) for modality, count in release.vectors.items() if count
            ),
            "Data": "simulated" if release.simulated else "observed",
            "Licence": release.licence,
        }
        for name, release in info.releases.items()
    ]


def encoder_facts(info: IndexInfo) -> dict[str, str]:
    """Return who made the vectors and when, by name; empty where it is not stated."""
    encoder = info.encoder
    return {
        "Encoder": encoder.repository,
        "Revision": encoder.revision,
        "Identity": encoder.digest,
        "Pooling": str(encoder.pooling or "not declared"),
        "Dimensions": str(encoder.dim),
        "Index": info.index_id,
        "Built": info.created,
        "Generation": str(info.generation),
        "Program": info.software,
    }


def recall_rows(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row for each direction in which the shared space was measured.

    Parameters
    ----------
    facts
        What the index keeps beside its heads.
    """
    rows = []
    for name, figures in facts.get("test", {}).items():
        direction = _DIRECTION.match(name)
        if direction is None:
            continue
        asked, found = (SINGULAR.get(direction[side], direction[side]) for side in (1, 2))
        low, high = (f"{100.0 * figures[end]:.0f}" for end in ("low", "high"))
        rows.append(
            {
                "Asked": asked,
                "Found": found,
                "Partner among the 10 nearest": f"{100.0 * figures[f'recall_at_{RECALL_AT}']:.0f} %"
                f" ({low} to {high} %)",
                "Sources": f"{figures['queries']:,}",
            }
        )
    return rows
