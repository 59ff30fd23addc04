"""How long an index of so many objects takes, and what it needs, from measured rates.

The rates are in ``rates.json``: what ``python -m benchmarks.scale rates`` took from measurements,
and, where nothing was measured, estimates that say what they are made of.
"""

import json
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from indexer.errors import ManifestError
from indexer.plan import BYTES_PER_OBJECT, WORKING_MEMORY_BYTES

__all__ = [
    "Basis",
    "Forecast",
    "IndexRates",
    "Node",
    "Quantity",
    "encoding_devices",
    "forecast",
    "index_rates",
    "parse_node",
]

Basis = Literal["measured", "scaled", "estimated"]
"""Measured as it is; scaled from a measurement of another size; or estimated from arithmetic."""

RATES = Path(__file__).with_name("rates.json")

FLOAT32, FLOAT16 = 4, 2
_NODE = re.compile(r"^\s*(\d+)\s*cores?\s*,\s*(\d+(?:\.\d+)?)\s*GB\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Node:
    """What an index is filled and served by.

    Attributes
    ----------
    cores
        Of its processor.
    memory_bytes
        All of it.
    """

    cores: int
    memory_bytes: float

    def __post_init__(self) -> None:
        if self.cores < 1 or self.memory_bytes <= 0:
            raise ValueError(
                f"a node has at least one core and some memory, got {self.cores} and "
                f"{self.memory_bytes}"
            )


def parse_node(text: str) -> Node:
    """Read a node from text such as ``2 cores, 24 GB``.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = _NODE.match(text)
    if found is None:
        raise ValueError(f"a node is given as '2 cores, 24 GB', got {text!r}")
    return Node(int(found[1]), float(found[2]) * 1e9)


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
class Forecast:
    """What an index will take.

    Attributes
    ----------
    count, dim, recipe, lists
        Of its vectors.
    hours
        Of the steps, one after the other.
    memory
        Largest anonymous bytes of each step, and of serving.
    disk
        Bytes that stay, and those that are needed only while it is built.
    """

    count: int
    dim: int
    recipe: str
    lists: int
    hours: tuple[Quantity, ...]
    memory: tuple[Quantity, ...]
    disk: tuple[Quantity, ...]

    def too_large_for(self, node: Node) -> tuple[Quantity, ...]:
        """Return what needs more memory than a node has."""
        return tuple(each for each in self.memory if each.value > node.memory_bytes)


@cache
def _rates() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RATES.read_text(encoding="utf-8"))
    return found


def encoding_devices(model: str) -> tuple[str, ...]:
    """Return the devices for which a rate of a model is known."""
    return tuple(dict.fromkeys(e["device"] for e in _rates()["encode"] if e["model"] == model))


def index_rates() -> tuple[IndexRates, ...]:
    """Return all measurements of training and filling."""
    return tuple(IndexRates(**each) for each in _rates()["index"])


def forecast(
    count: int,
    *,
    dim: int,
    modality: str,
    model: str,
    device: str,
    devices: int,
    node: Node,
    rates: tuple[IndexRates, ...] | None = None,
) -> Forecast:
    """Predict hours, memory and disk.

    Parameters
    ----------
    count, dim, modality
        Of the objects, each with one vector.
    model, device, devices
        What encodes them: so many devices, or, of ``cpu``, the cores of the node.
    node
        Where they are indexed.
    rates
        Of `index_rates`, unless others are given.

    Raises
    ------
    ManifestError
        If no rate is known; the message names those that are.
    """
    # Imported here: FAISS is not needed by whoever only lists the files of a build.
    from indexer.ann import recipe_for

    recipe = recipe_for(count, dim)
    near = _nearest(index_rates() if rates is None else rates, recipe.name, count, dim)
    encode = _encoding(count, modality, model, device, node.cores if device == "cpu" else devices)
    lists = max(1, recipe.lists)
    work = _training_work(recipe.name, count, lists, dim) / _training_work(
        near.recipe, near.count, near.lists, near.dim
    )
    flat = recipe.name == "flat"
    basis: Basis = "measured" if (near.count, near.dim) == (count, dim) else "scaled"
    filled_per_s = near.filled_per_s / near.threads * node.cores
    sample = _training_vectors(recipe.name, count, lists) * dim
    measured_sample = _training_vectors(near.recipe, near.count, near.lists) * near.dim
    codes = count * near.bytes_per_vector
    if recipe.name != "ivf_pq4":
        # One byte a dimension, or two, and eight for the row.
        codes = count * (dim * (FLOAT16 if flat else 1) + 8.0)
    fill_share = near.fill_peak_bytes / (near.count * near.bytes_per_vector + near.trained_bytes)
    trained = 0.0 if flat else near.trained_bytes * (lists * dim) / (near.lists * near.dim)

    def own(name: str, value: float) -> Quantity:
        return Quantity(name, value, basis, near.source)

    hours = (
        encode,
        own("train", 0.0 if flat else near.train_s * work / 3600.0),
        own("fill", count / filled_per_s / 3600.0),
    )
    memory = (
        Quantity("encode", WORKING_MEMORY_BYTES, "measured", "a build of the demonstration"),
        own("train", 0.0 if flat else near.train_peak_bytes * sample / measured_sample),
        own("fill", fill_share * (codes + trained)),
        own("search", near.serving_bytes * (codes + trained) / _held(near)),
    )
    rest = BYTES_PER_OBJECT.get(modality, 0) - (FLOAT32 + FLOAT16) * 192
    usual = "usual sizes of the demonstration"
    disk = (
        Quantity("vectors", FLOAT16 * dim * count, "measured", "two bytes a number"),
        own("FAISS file", codes + trained),
        Quantity("catalogue and previews", max(0, rest) * count, "estimated", usual),
        Quantity("staged vectors", FLOAT32 * dim * count, "measured", "four bytes a number"),
    )
    return Forecast(count, dim, recipe.name, recipe.lists, hours, memory, disk)


def _held(near: IndexRates) -> float:
    return near.count * near.bytes_per_vector + near.trained_bytes


def _encoding(count: int, modality: str, model: str, device: str, devices: int) -> Quantity:
    known = [each for each in _rates()["encode"] if each["model"] == model]
    for each in known:
        if (each["device"], each["modality"]) == (device, modality):
            hours = count / (each["per_s"] * devices) / 3600.0
            return Quantity("encode", hours, each["basis"], each["source"])
    named = sorted({f"{each['modality']} on {each['device']}" for each in known})
    raise ManifestError(
        f"no rate is known of {model} for {modality} on {device}; known: "
        f"{', '.join(named) or 'none'}"
    )


def _nearest(rates: tuple[IndexRates, ...], recipe: str, count: int, dim: int) -> IndexRates:
    """Return the measurement that is most like what is asked: of its recipe, if there is one."""
    if not rates:
        raise ManifestError("rates.json has no measurement of an index: python -m benchmarks.scale")

    def unlike(each: IndexRates) -> tuple[bool, float, float]:
        return (
            each.recipe != recipe,
            abs(math.log(each.dim / dim)),
            abs(math.log(each.count / count)),
        )

    return min(rates, key=unlike)


def _training_vectors(recipe: str, count: int, lists: int) -> float:
    from indexer.ann import Recipe

    return min(count, Recipe(recipe, 0 if recipe == "flat" else lists).training_vectors) or 1


def _training_work(recipe: str, count: int, lists: int, dim: int) -> float:
    """Return how long training takes, in a unit of its own: k-means of one level, or of two."""
    compared = math.sqrt(lists) if recipe == "ivf_pq4" else lists
    return _training_vectors(recipe, count, lists) * compared * dim
