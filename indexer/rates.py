"""Rates that forecasts are made of, and how far each was measured.

They are in ``rates.json``: what ``python -m benchmarks.scale rates`` took from measurements, and,
where nothing was measured, estimates that say what they are made of.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from indexer.errors import ManifestError

__all__ = [
    "RATES",
    "Basis",
    "EncodeRate",
    "IndexRates",
    "Quantity",
    "ReadRate",
    "encode_rate",
    "index_rates",
    "read_rate",
]

Basis = Literal["exact", "measured", "scaled", "estimated"]
"""Of the format alone; measured as it is; scaled from measurements of other sizes; or estimated
from arithmetic, or from what is alike."""

RATES = Path(__file__).with_name("rates.json")


@dataclass(frozen=True)
class Quantity:
    """One number of a forecast: hours or bytes.

    Attributes
    ----------
    name
        Of the step, or of what is held.
    value
        Hours, or bytes.
    basis
        How far it was measured.
    source
        Where it comes from.
    """

    name: str
    value: float
    basis: Basis
    source: str


@dataclass(frozen=True)
class EncodeRate:
    """How fast a model encodes.

    Attributes
    ----------
    model, device, modality
        Which; of the device ``cpu`` the rate is that of one core.
    per_s
        Objects a second.
    basis, source
        How far it was measured, and where it comes from.
    """

    model: str
    device: str
    modality: str
    per_s: float
    basis: Basis
    source: str


@dataclass(frozen=True)
class ReadRate:
    """How fast one process does all of a build that comes before and after a model.

    Attributes
    ----------
    reader, modality
        Which.
    per_s
        Objects a second of one core: read, drawn as previews, and staged.
    bytes_per_object
        In the survey file.
    basis, source
        How far it was measured, and where it comes from.
    """

    reader: str
    modality: str
    per_s: float
    bytes_per_object: float
    basis: Basis
    source: str


@dataclass(frozen=True)
class IndexRates:
    """How one recipe trained, filled and served, where it was measured.

    Attributes
    ----------
    recipe, count, dim, lists, threads
        Of the measurement.
    train_s
        Seconds.
    filled_per_s
        Vectors, assignment, merging and writing included, by all threads.
    train_peak_bytes, fill_peak_bytes
        Largest anonymous memory above that of the empty process.
    bytes_per_vector, trained_bytes
        Of the FAISS file: what each vector takes, and what all share.
    serving_bytes
        Anonymous memory of a process that searches.
    source
        File of results, and what it was measured on.
    """

    recipe: str
    count: int
    dim: int
    lists: int
    threads: int
    train_s: float
    filled_per_s: float
    train_peak_bytes: float
    fill_peak_bytes: float
    bytes_per_vector: float
    trained_bytes: float
    serving_bytes: float
    source: str


@cache
def _rates() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RATES.read_text(encoding="utf-8"))
    return found


def index_rates() -> tuple[IndexRates, ...]:
    """Return all measurements of training and filling."""
    return tuple(IndexRates(**each) for each in _rates()["index"])


def encode_rate(model: str, device: str, modality: str) -> EncodeRate:
    """Return how fast a device encodes.

    Raises
    ------
    ManifestError
        If no rate is known; the message names those that are.
    """
    known = [EncodeRate(**each) for each in _rates()["encode"] if each["model"] == model]
    for each in known:
        if (each.device, each.modality) == (device, modality):
            return each
    named = sorted({f"{each.modality} on {each.device}" for each in known})
    raise ManifestError(
        f"no rate is known of {model} for {modality} on {device}; known: "
        f"{', '.join(named) or 'none'}"
    )


def read_rate(reader: str, modality: str) -> ReadRate:
    """Return how fast a process reads; of a reader that was not measured, as the slowest that was.

    Raises
    ------
    ManifestError
        If nothing of the modality was measured.
    """
    known = [ReadRate(**each) for each in _rates()["read"] if each["modality"] == modality]
    for each in known:
        if each.reader == reader:
            return each
    if not known:
        raise ManifestError(
            f"no rate is known of reading {modality}; make one with "
            "python -m benchmarks.encoding feeding, and write it with "
            "python -m benchmarks.scale rates"
        )
    slowest = min(known, key=lambda each: each.per_s)
    alike = f"as if by {slowest.reader}: {slowest.source}"
    return replace(slowest, reader=reader, basis="estimated", source=alike)
