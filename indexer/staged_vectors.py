"""Raw vectors of a release, gathered from its staged partitions in any order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from indexer.index_model import VECTOR_BITS
from indexer.staging import Staged

__all__ = ["StagedVectors"]


class StagedVectors:
    """The raw vectors of one kind of a release, in row order.

    Parameters
    ----------
    staged
        The partitions of the release, in their order.
    modality
        Which vectors; one of `indexer.index_model.VECTOR_BITS`.
    modalities
        Bit masks of all staged records, partition after partition.
    origin
        For each row of the segment, which of the staged records it is.
    """

    def __init__(
        self,
        staged: Sequence[Staged],
        modality: str,
        modalities: np.ndarray[Any, Any],
        origin: Int64[np.ndarray, " n"],
    ) -> None:
        has = (modalities & VECTOR_BITS[modality]) != 0
        if has.all():
            # Of hundreds of millions, three copies less.
            self._places = origin
        elif has.any():
            place = np.cumsum(has) - 1
            self._places = place[origin[has[origin]]]
        else:
            self._places = np.empty(0, np.int64)
        with_modality = [each for each in staged if each.vectors.get(modality, 0)]
        self._paths: list[Path] = [each.vectors_path(modality) for each in with_modality]
        sizes = [each.vectors[modality] for each in with_modality]
        self._starts = np.cumsum([0, *sizes])

    def __len__(self) -> int:
        return len(self._places)

    def take(self, chosen: slice) -> Float32[np.ndarray, "n dim"]:
        """Return some of the vectors, in row order."""
        places = self._places[chosen]
        order = np.argsort(places, kind="stable")
        pieces = []
        bounds = np.searchsorted(places[order], self._starts)
        for number, path in enumerate(self._paths):
            wanted = places[order[bounds[number] : bounds[number + 1]]]
            if len(wanted):
                vectors = np.load(path, mmap_mode="r", allow_pickle=False)
                pieces.append(vectors[wanted - self._starts[number]])
        gathered = np.concatenate(pieces)
        result = np.empty_like(gathered)
        result[order] = gathered
        return result
