"""Canaries: a few fixed queries of a served index, exact against approximate."""

from dataclasses import dataclass

import numpy as np

from indexer.index_file import Index, Segment
from indexer.neighbours import nearest
from indexer.spaces import to_unit
from indexer.vectors import exact_scan

__all__ = ["Canary", "canaries"]

QUERIES = 8
AT = 10
MOST_VECTORS = 2_000_000
"""Vectors of a segment that are compared exactly. Reading more would hold up those who search;
`python -m indexer evaluate` measures larger ones."""

_ROUNDING = 1e-5
"""Two ways to add up a product differ by less."""


@dataclass(frozen=True)
class Canary:
    """How well one segment answers in one space.

    Attributes
    ----------
    release, space, modality
        Which vectors.
    queries
        Objects that asked, always the same ones; 0 where nothing was compared.
    recall
        Share of their true ten nearest that were found; NaN where nothing was compared.
    vectors
        How many there are.
    """

    release: str
    space: str
    modality: str
    queries: int
    recall: float
    vectors: int


def canaries(index: Index, most_vectors: int = MOST_VECTORS) -> list[Canary]:
    """Measure recall at ten in every space of every segment.

    Parameters
    ----------
    most_vectors
        Segments that hold more are not compared.
    """
    return [
        _canary(index, segment, space, modality, most_vectors)
        for segment in map(index.segment, index.releases)
        for space, modalities in segment.info.spaces.items()
        for modality in modalities
        if segment.can_search(space, modality)
    ]


def _canary(index: Index, segment: Segment, space: str, modality: str, most: int) -> Canary:
    rows, vectors = segment.vectors(space, modality)
    count = len(rows)
    if not 1 < count <= most:
        return Canary(segment.name, space, modality, 0, float("nan"), count)
    chosen = np.unique(np.linspace(0, count - 1, QUERIES).astype(np.int64))
    queries = to_unit(np.asarray(vectors[chosen], dtype=np.float64)).astype(np.float32)
    wanted = min(AT, count - 1)
    # One more than wanted: every query finds itself.
    scores, found, _ = exact_scan(vectors, queries, wanted + 1, rows=rows)
    shares = []
    for query, row, its_scores, its_rows in zip(queries, rows[chosen], scores, found, strict=True):
        worst = its_scores[its_rows != row][wanted - 1]
        near = nearest(
            index,
            query,
            wanted,
            space=space,
            modality=modality,
            releases=[segment.name],
            skip={(segment.name, int(row))},
        )
        shares.append(sum(each.score >= worst - _ROUNDING for each in near) / wanted)
    return Canary(segment.name, space, modality, len(chosen), float(np.mean(shares)), count)
