"""Estimated properties of a query as one JSON object, or as text for a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.estimates import ClassEstimate, Estimate, NoEstimate
from indexer.index_file import Index
from indexer.printing import query_text
from indexer.queries import Query, plain_number
from indexer.receipts import index_identity
from indexer.verdicts import Verdict

if TYPE_CHECKING:
    from aion_encoder.readouts import RedshiftDistribution

__all__ = ["property_document", "property_text"]


def property_document(
    index: Index,
    query: Query,
    estimates: Sequence[Estimate],
    verdict: Verdict,
    decoded: "RedshiftDistribution | None" = None,
    recalibrated_on: int = 0,
) -> dict[str, Any]:
    """Return ``query``, ``verdict``, ``properties``, ``decoder`` and ``receipt``.

    Parameters
    ----------
    decoded
        What the frozen decoder says of the redshift, one row.
    recalibrated_on
        Sources behind its recalibration; 0 if it is as the decoder states it.
    """
    return {
        "query": query.summary(),
        "verdict": verdict.document(),
        "properties": [each.document() for each in estimates],
        "decoder": None if decoded is None else _decoder(decoded, recalibrated_on),
        "receipt": {
            **index_identity(index),
            "modality": query.modality,
            "read_as": dict(query.assumptions),
            "file_sha256": query.sha256,
            **({} if query.examples is None else {"examples": query.examples.named()}),
        },
    }


def _decoder(decoded: "RedshiftDistribution", recalibrated_on: int) -> dict[str, Any]:
    intervals = {
        name: [_short(end) for end in decoded.interval(share)[0]]
        for name, share in (("interval_68", 0.68), ("interval_95", 0.95))
    }
    return {
        "name": "redshift",
        "mean": _short(decoded.mean()[0]),
        "median": _short(decoded.quantile(0.5)[0]),
        **intervals,
        "calibrated": recalibrated_on > 0,
        "calibrated_on": recalibrated_on,
        "bin_centres": [_short(centre) for centre in decoded.centres],
        "probabilities": [_short(share) for share in decoded.probabilities[0]],
    }


def _short(value: float) -> float | None:
    return plain_number(np.float32(value))


def property_text(
    query: Query,
    estimates: Sequence[Estimate],
    verdict: Verdict,
    decoded: "RedshiftDistribution | None" = None,
    recalibrated_on: int = 0,
) -> str:
    """Return a line for each property, under those about the question."""
    lines = [query_text(query), f"verdict: {verdict.text}", ""]
    lines += [_line(each) for each in estimates]
    if decoded is not None:
        low, high = decoded.interval(0.68)[0]
        how = f"recalibrated on {recalibrated_on} sources" if recalibrated_on else "not calibrated"
        lines.append(
            f"redshift: {decoded.quantile(0.5)[0]:.4g}, {low:.4g} to {high:.4g} (68 %), as the "
            f"frozen decoder reads it, {how}"
        )
    return "\n".join(lines)


def _line(estimate: Estimate) -> str:
    if isinstance(estimate, NoEstimate):
        return f"{estimate.name}: none: {estimate.reason}"
    number = f"{estimate.effective_number:.1f} neighbours"
    if isinstance(estimate, ClassEstimate):
        votes = ", ".join(f"{name} {share:.2f}" for name, share in estimate.probabilities.items())
        right = ""
        if np.isfinite(estimate.right):
            right = f"; such votes are right for {100 * estimate.right:.0f} % of the index's own"
        return f"{estimate.name}: {votes} ({number}{right})"
    (low, high), (lowest, highest) = estimate.interval_68, estimate.interval_95
    kind = "calibrated" if estimate.calibrated else "not calibrated: too few labels"
    return (
        f"{estimate.name}: {estimate.median:.4g}, {low:.4g} to {high:.4g} (68 %), {lowest:.4g} to "
        f"{highest:.4g} (95 %; {kind}; {number})"
    )
