"""What is known about the heads of an index, as text for a terminal."""

from collections.abc import Mapping
from typing import Any

from indexer.partner_recall import RECALL_AT
from indexer.printing import aligned

__all__ = ["aligned_text"]

_KINDS = ("linear", "brought", "residual")
"""Fitted here; as the encoder brought them; with a small network, begun at the better of these."""


def aligned_text(facts: Mapping[str, Any]) -> str:
    """Return which heads were chosen, on what, and what they recover.

    Parameters
    ----------
    facts
        Of `indexer.align.Aligned`, as they are kept beside the heads.
    """
    cells = facts["split"]["cells"]
    lines = [
        f"{facts['method']} heads ({facts.get('start', 'fitted')}) into {facts['dimensions']} "
        f"dimensions, on "
        f"{facts['pairs']:,} linked pairs in {cells['training']:,} cells of HEALPix order "
        f"{facts['split']['healpix_order']} (seed {facts['seed']})",
        f"chosen on {facts['validation_pairs']:,} pairs in {cells['validation']:,} cells, tested "
        f"on {facts['test_pairs']:,} in {cells['test']:,}",
    ]
    if isinstance(facts["residual"], str):
        lines.append(f"residual heads were {facts['residual']}")
    validation, test = facts["validation"], facts["test"]
    names = dict.fromkeys([*validation["linear"], *test])
    rows = [
        [
            name.replace("_", " "),
            *(_figure(validation.get(kind, {}).get(name)) for kind in _KINDS),
            _figure(test.get(name)),
            f"{test[name]['queries']:,}" if name in test else "",
        ]
        for name in names
    ]
    header = [f"partner within {RECALL_AT}", *_KINDS, "test, chosen", "queries"]
    return "\n".join([*lines, "", aligned(header, rows, set(header[1:]))])


def _figure(values: Mapping[str, float] | None) -> str:
    if values is None:
        return ""
    return f"{values[f'recall_at_{RECALL_AT}']:.2f} ({values['low']:.2f}-{values['high']:.2f})"
