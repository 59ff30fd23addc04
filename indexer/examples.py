"""Several examples, for and against, as one query.

``mean``: unit(mean of the examples for - weight * mean of those against), the vector-space form of
relevance feedback (Rocchio 1971). ``probe``: the weights of a logistic regression that tells the
examples for from those against, in the space that is searched; worth it once a dozen results or
so are marked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float32, Float64

from indexer.errors import QueryError, SearchError
from indexer.queries import Query

__all__ = [
    "AGAINST_WEIGHT",
    "Examples",
    "Method",
    "combined_vector",
    "examples_query",
    "mean_vector",
    "probe_vector",
    "with_examples",
]

Method = Literal["mean", "probe"]

AGAINST_WEIGHT = 0.5
"""Weight of the examples against, beside 1 for those for: they say less about what is sought."""

PROBE_PENALTY = 1e-3
"""Weight of half the squared length of the probe beside a loss in which each side counts 1. Where
one direction of 24 to 192 was sought among louder ones (simulated vectors, 30 to 400 marked
results), 100 neighbours held 0.28 to 0.98 of the sought with it, 0.28 to 0.73 with 0.1, which is
little more than the mean gives."""

SHORTEST = 1e-3
"""A sum of unit vectors that is shorter has no direction beyond rounding to float16."""

_STEPS = 100
_FLAT = 1e-10


@dataclass(frozen=True, eq=False)
class Examples:
    """Queries that together are one.

    Attributes
    ----------
    positives, negatives
        Examples for and against; at least one for.
    method
        How they become one vector.
    against_weight
        Weight of the mean of the examples against; without meaning for ``probe``.

    Raises
    ------
    QueryError
        If there is none for, a probe has none against, or one example stands on both sides.
    """

    positives: tuple[Query, ...]
    negatives: tuple[Query, ...] = ()
    method: Method = "mean"
    against_weight: float = AGAINST_WEIGHT

    def __post_init__(self) -> None:
        if not self.positives:
            raise QueryError("examples need at least one to look for, got only some against")
        if self.method not in get_args(Method):
            raise QueryError(f"examples are joined by mean or by probe, got {self.method!r}")
        if self.method == "probe" and not self.negatives:
            raise QueryError("a probe needs examples against, too; mark some, or use the mean")
        if not (isfinite(self.against_weight) and self.against_weight >= 0.0):
            raise QueryError(
                f"the weight of examples against must not be negative, got {self.against_weight}"
            )
        if any(each.examples is not None for each in self.all):
            raise QueryError("an example is one object or one file, not several examples again")
        both = {_name(each) for each in self.positives} & {_name(each) for each in self.negatives}
        if both:
            raise QueryError(
                f"{', '.join(sorted(both))} cannot be an example for and against at once"
            )

    @property
    def all(self) -> tuple[Query, ...]:
        """Every example, those for before those against."""
        return (*self.positives, *self.negatives)

    def summary(self) -> dict[str, Any]:
        """Return the examples in plain values: how they were joined, and who they are."""
        return {
            "method": self.method,
            "against_weight": self.against_weight if self.method == "mean" else None,
            "for": [each.summary() for each in self.positives],
            "against": [each.summary() for each in self.negatives],
        }

    def named(self) -> dict[str, Any]:
        """Return what a receipt says: as `summary`, but only key or file of each."""
        return {
            **self.summary(),
            "for": [_identified(each) for each in self.positives],
            "against": [_identified(each) for each in self.negatives],
        }


def _name(query: Query) -> str:
    return query.key or query.sha256 or query.text


def _identified(query: Query) -> dict[str, Any]:
    if query.key is not None:
        return {"key": query.key}
    return {
        "file": query.file_name or query.text,
        "file_sha256": query.sha256,
        "read_as": dict(query.assumptions),
    }


def examples_query(
    positives: Sequence[Query],
    negatives: Sequence[Query] = (),
    *,
    method: Method = "mean",
    against_weight: float = AGAINST_WEIGHT,
) -> Query:
    """Make several queries one.

    Parameters
    ----------
    positives, negatives
        Examples for and against, each an object of the index or an uploaded file.
    method, against_weight
        See `Examples`.

    Raises
    ------
    QueryError
        If they have no modality in common, or as `Examples`.
    """
    examples = Examples(tuple(positives), tuple(negatives), method, against_weight)
    first = examples.positives[0]
    common = [
        modality
        for modality in (first.modality, *first.modalities)
        if all(modality in each.modalities for each in examples.all)
    ]
    if not common:
        told = "; ".join(f"{_name(each)}: {', '.join(each.modalities)}" for each in examples.all)
        raise QueryError(f"examples must have a modality in common, got {told}")
    native = common[0] == "spectrum" and all(each.space for each in examples.all)
    text = " + ".join(each.text for each in examples.positives)
    return Query(
        kind="examples",
        text=" - ".join([text, *(each.text for each in examples.negatives)]),
        modality=common[0],
        modalities=tuple(dict.fromkeys(common)),
        space=first.space if native else "",
        answered=first.answered if native else "",
        notes=tuple(dict.fromkeys(note for each in examples.all for note in each.notes)),
        examples=examples,
    )


def with_examples(
    find: Callable[[str], Query],
    first: Query,
    also: Sequence[str] = (),
    against: Sequence[str] = (),
    *,
    probe: bool = False,
) -> Query:
    """Return a query joined with further examples that are named; itself where there are none.

    Parameters
    ----------
    find
        Gives the query of an identifier.
    first, also, against
        What is looked for, more of it, and what is unlike it.
    probe
        Join them by `probe` instead of by `mean`.

    Raises
    ------
    QueryError
        As `examples_query`.
    """
    if not (also or against):
        return first
    return examples_query(
        [first, *map(find, also)],
        [find(key) for key in against],
        method="probe" if probe else "mean",
    )


def combined_vector(
    examples: Examples, vector_of: Callable[[Query], Float32[np.ndarray, " dim"]]
) -> Float32[np.ndarray, " dim"]:
    """Return the unit vector of several examples.

    Parameters
    ----------
    vector_of
        Gives the unit vector of one example, in the space that is searched.

    Raises
    ------
    SearchError
        If they cancel each other.
    """
    positives = np.stack([vector_of(each) for each in examples.positives])
    against = [vector_of(each) for each in examples.negatives]
    negatives = np.stack(against) if against else positives[:0]
    if examples.method == "probe":
        return probe_vector(positives, negatives)
    return mean_vector(positives, negatives, examples.against_weight)


def mean_vector(
    positives: Float32[np.ndarray, "p dim"],
    negatives: Float32[np.ndarray, "m dim"],
    against_weight: float = AGAINST_WEIGHT,
) -> Float32[np.ndarray, " dim"]:
    """Return unit(mean of positives - weight * mean of negatives).

    Raises
    ------
    SearchError
        If the difference has no direction.
    """
    moved = positives.astype(np.float64).mean(axis=0)
    if len(negatives):
        moved = moved - against_weight * negatives.astype(np.float64).mean(axis=0)
    return _unit(moved)


def probe_vector(
    positives: Float32[np.ndarray, "p dim"],
    negatives: Float32[np.ndarray, "m dim"],
    penalty: float = PROBE_PENALTY,
) -> Float32[np.ndarray, " dim"]:
    """Return the unit weight vector w of a logistic regression with an intercept b.

    It minimises the mean loss of the positives plus that of the negatives plus
    penalty / 2 * |w|^2, which has one minimum; Newton steps find it, in the span of the examples,
    outside of which w has no part.

    Raises
    ------
    SearchError
        If the two sides are one and the same vectors.
    """
    rows = np.concatenate([positives, negatives]).astype(np.float64)
    target = np.repeat([1.0, 0.0], [len(positives), len(negatives)])
    share = np.repeat(
        [1.0 / len(positives), 1.0 / len(negatives)], [len(positives), len(negatives)]
    )
    left, sizes, basis = np.linalg.svd(rows, full_matrices=False)
    inputs = np.column_stack([left * sizes, np.ones(len(rows))])
    # The intercept is not held back.
    ridge = np.append(np.full(len(sizes), penalty), 0.0)
    weights = _newton(inputs, target, share, ridge)
    # The stronger the penalty the shorter the probe: its direction is what counts.
    return _unit(max(1.0, penalty) * weights[:-1] @ basis)


def _newton(
    inputs: Float64[np.ndarray, "n d"],
    target: Float64[np.ndarray, " n"],
    share: Float64[np.ndarray, " n"],
    ridge: Float64[np.ndarray, " d"],
) -> Float64[np.ndarray, " d"]:
    def loss(weights: np.ndarray[Any, Any]) -> float:
        logits = inputs @ weights
        each = np.logaddexp(0.0, logits) - target * logits
        return float(share @ each + 0.5 * ridge @ weights**2)

    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        probability = 0.5 * (1.0 + np.tanh(0.5 * (inputs @ weights)))
        gradient = inputs.T @ (share * (probability - target)) + ridge * weights
        if np.abs(gradient).max() < _FLAT:
            break
        curvature = share * probability * (1.0 - probability)
        step = np.linalg.solve((inputs.T * curvature) @ inputs + np.diag(ridge), gradient)
        size, now = 1.0, loss(weights)
        # A full step can overshoot far from the minimum; half of it, often enough, cannot.
        while loss(weights - size * step) > now and size > _FLAT:
            size *= 0.5
        weights = weights - size * step
    return weights


def _unit(vector: Float64[np.ndarray, " dim"]) -> Float32[np.ndarray, " dim"]:
    length = float(np.linalg.norm(vector))
    if length < SHORTEST:
        raise SearchError(
            "the examples for and against cancel each other: their difference has no direction "
            f"(length {length:.1g}); leave some out"
        )
    return np.asarray(vector / length, dtype=np.float32)
