"""How long an index of so many objects takes, and what it needs, from measured rates."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.encoding_forecast import EncodingForecast, encoding_forecast
from indexer.errors import ManifestError
from indexer.fleet import Fleet, Node
from indexer.plan import BYTES_PER_OBJECT, WORKING_MEMORY_BYTES
from indexer.rates import IndexRates, Quantity, index_rates
from indexer.workload import Portion

__all__ = ["DIMENSIONS", "Forecast", "forecast"]

DIMENSIONS = {"aion-base": 768, "aion-large": 1024, "aion-xlarge": 2048, "aion-demo": 192}
"""Of the vectors of the models whose rates there are."""

_BLOCKS = {"aion-base": 12, "aion-large": 24, "aion-xlarge": 24}
"""Of their encoders; each has 12 numbers for a product of two dimensions."""

FLOAT32, FLOAT16 = 4, 2
_ROW = 8


@dataclass(frozen=True)
class Forecast:
    """What an index will take.

    Attributes
    ----------
    count, dim, recipe, lists
        Of its vectors.
    encoding
        Hours of reading and encoding.
    indexing
        Hours of the steps after that, one after the other, on one node.
    memory
        Largest anonymous bytes of each step, and of serving.
    disk
        Bytes that stay, and those that are needed only while it is built.
    """

    count: int
    dim: int
    recipe: str
    lists: int
    encoding: EncodingForecast
    indexing: tuple[Quantity, ...]
    memory: tuple[Quantity, ...]
    disk: tuple[Quantity, ...]

    @property
    def hours(self) -> float:
        """By the clock, from the first file to the index."""
        return self.encoding.hours + sum(each.value for each in self.indexing)

    @property
    def slowest(self) -> str:
        """The step that takes longest, which a larger fleet or another node should make shorter."""
        steps = {each.name: each.value for each in self.indexing}
        steps |= {"read": self.encoding.read_hours, "encode": self.encoding.encode_hours}
        return max(steps, key=steps.__getitem__)

    def too_large_for(self, node: Node) -> tuple[Quantity, ...]:
        """Return what needs more memory than a node has."""
        return tuple(each for each in self.memory if each.value > node.memory_bytes)


def forecast(
    portions: Sequence[Portion],
    *,
    model: str,
    fleet: Fleet,
    rates: tuple[IndexRates, ...] | None = None,
) -> Forecast:
    """Predict hours, memory and disk.

    Parameters
    ----------
    portions
        The objects, each with one vector.
    model
        One of `DIMENSIONS`.
    fleet
        What encodes them; one of its nodes puts the index together.
    rates
        Of `index_rates`, unless others are given.

    Raises
    ------
    ManifestError
        If no rate is known; the message names those that are.
    """
    # Imported here: FAISS is not needed by whoever only lists the files of a build.
    from indexer.ann import recipe_for

    count, dim, node = sum(each.count for each in portions), DIMENSIONS[model], fleet.node
    recipe = recipe_for(count, dim)
    measured = _most_alike(index_rates() if rates is None else rates, recipe.name, count, dim)
    own = _Scaled(measured, count, dim)
    flat = recipe.name == "flat"
    training = 0.0 if flat else float(min(count, recipe.training_vectors))
    work = training * _compared(recipe.name, recipe.lists) * dim
    sample = training * dim
    if recipe.name == "ivf_pq4":
        each_bytes = own.last.bytes_per_vector
    else:
        each_bytes = dim * (FLOAT16 if flat else 1) + _ROW
    shared = own.last.trained_bytes * recipe.lists * dim / (own.last.lists * own.last.dim)
    held = count * each_bytes + shared
    blocks = _blocks(count, dim, node.cores)
    fill_s = own.line(lambda r: r.count, lambda r: r.count / r.filled_per_s * r.threads, count)
    indexing = (
        own.quantity("train", own.line(_work_of, lambda r: r.train_s, work) / 3600.0),
        own.quantity("fill", fill_s / node.cores / 3600.0),
    )
    memory = (
        _encoding_memory(model),
        own.quantity("train", own.line(_sample_of, lambda r: r.train_peak_bytes, sample)),
        own.quantity("fill", own.line(_held_by, _filled_beyond_blocks, held) + blocks),
        own.quantity("search", own.line(_held_by, lambda r: r.serving_bytes, held)),
    )
    vectors = (FLOAT32 + FLOAT16) * DIMENSIONS["aion-demo"]
    rest = sum(each.count * (BYTES_PER_OBJECT[each.modality] - vectors) for each in portions)
    usual = "usual sizes of the demonstration"
    disk = (
        Quantity("vectors", FLOAT16 * dim * count, "exact", "two bytes a number"),
        own.quantity("FAISS file", held),
        Quantity("catalogue and previews", rest, "estimated", usual),
        Quantity("staged vectors", FLOAT32 * dim * count, "exact", "four bytes a number"),
    )
    encoding = encoding_forecast(portions, model, fleet)
    return Forecast(count, dim, recipe.name, recipe.lists, encoding, indexing, memory, disk)


def _encoding_memory(model: str) -> Quantity:
    source = "a build of the demonstration"
    if model not in _BLOCKS:
        return Quantity("encode, a process", WORKING_MEMORY_BYTES, "measured", source)
    # On a CPU the weights are held twice: as they were read, and as they are multiplied.
    weights = 2 * FLOAT32 * 12 * _BLOCKS[model] * DIMENSIONS[model] ** 2
    value = WORKING_MEMORY_BYTES + weights
    return Quantity("encode, a process", value, "estimated", f"{source}, and the weights twice")


@dataclass(frozen=True)
class _Scaled:
    """Measurements of one recipe and one dimension, carried to another size."""

    measured: tuple[IndexRates, ...]
    count: int
    dim: int

    @property
    def last(self) -> IndexRates:
        """The largest."""
        return self.measured[-1]

    def quantity(self, name: str, value: float) -> Quantity:
        """Return a number that these measurements gave."""
        same = any((each.count, each.dim) == (self.count, self.dim) for each in self.measured)
        return Quantity(name, value, "measured" if same else "scaled", self.last.source)

    def line(
        self,
        driver: Callable[[IndexRates], float],
        value: Callable[[IndexRates], float],
        at: float,
    ) -> float:
        """Return a value where its driver is `at`, from the line through what was measured.

        Nothing where there is no work. What does not grow with the driver grows with the
        dimension: it is made of blocks of vectors.
        """
        if at <= 0.0:
            return 0.0
        x = np.array([driver(each) for each in self.measured], float)
        y = np.array([value(each) for each in self.measured], float)
        slope, fixed = y[-1] / x[-1], 0.0
        if len(x) > 1 and np.ptp(x) > 0.0:
            # Shares count, so that the smallest measurement counts as much as the largest.
            weights = 1.0 / np.maximum(y, 1e-9)
            fit = np.polyfit(x, y, 1, w=weights)
            if fit[0] > 0.0 and fit[1] > 0.0:
                slope, fixed = float(fit[0]), float(fit[1])
        return float(slope * at + fixed * self.dim / self.last.dim)


def _work_of(row: IndexRates) -> float:
    return _training_of(row) * _compared(row.recipe, row.lists) * row.dim


def _sample_of(row: IndexRates) -> float:
    return _training_of(row) * row.dim


def _held_by(row: IndexRates) -> float:
    return row.count * row.bytes_per_vector + row.trained_bytes


def _blocks(count: int, dim: int, threads: int) -> float:
    """Return the memory of the vectors that threads fill with, and of FAISS's copy of them."""
    from indexer.fill import SHARD_VECTORS

    return 2.0 * FLOAT32 * dim * min(count, threads * SHARD_VECTORS)


def _filled_beyond_blocks(row: IndexRates) -> float:
    """Return the memory of a filling that grows with what is held."""
    blocks = _blocks(row.count, row.dim, row.threads)
    return max(row.fill_peak_bytes - blocks, _held_by(row))


def _training_of(row: IndexRates) -> float:
    from indexer.ann import Recipe

    return float(min(row.count, Recipe(row.recipe, row.lists).training_vectors))


def _compared(recipe: str, lists: int) -> float:
    """Return with how many centres k-means compares a vector: in two levels with few."""
    return math.sqrt(lists) if recipe == "ivf_pq4" else float(lists)


def _most_alike(
    rates: tuple[IndexRates, ...], recipe: str, count: int, dim: int
) -> tuple[IndexRates, ...]:
    """Return the measurements that are most like what is asked: of its recipe, if there are any."""
    groups: dict[tuple[str, int], list[IndexRates]] = {}
    for each in rates:
        groups.setdefault((each.recipe, each.dim), []).append(each)
    if not groups:
        raise ManifestError(
            "rates.json must hold a measurement of an index, got none; make one with "
            "python -m benchmarks.scale growth, and write it with python -m benchmarks.scale rates"
        )

    def unlike(group: list[IndexRates]) -> tuple[bool, float]:
        far = abs(math.log(group[0].dim / dim))
        far += min(abs(math.log(each.count / count)) for each in group)
        return group[0].recipe != recipe, far

    nearest = min(groups.values(), key=unlike)
    return tuple(sorted(nearest, key=lambda each: each.count))
