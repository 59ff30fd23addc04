"""The vectors, the queries and the true answers that all systems share."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from benchmarks.synthetic_vectors import SyntheticVectors
from indexer.bar import progress_bar
from indexer.durable import replacing
from indexer.fill import Filling
from indexer.layout import segment_unit
from indexer.progress import Progress
from indexer.vectors import exact_scan, map_vectors, write_vectors

__all__ = ["SPACE", "Data", "K"]

K = 10
SPACE = "image"


@dataclass(frozen=True)
class Data:
    """So many vectors of one distribution, below a folder.

    Attributes
    ----------
    folder
        Takes 2 bytes a dimension for each vector.
    count, dim, seed
        Of the vectors; fewer vectors of one seed are the first of more.
    asked
        Number of queries.
    """

    folder: Path
    count: int
    dim: int
    seed: int
    asked: int

    @property
    def name(self) -> str:
        """Tells these vectors from others."""
        return f"v{self.count}-d{self.dim}-s{self.seed}"

    @property
    def filling(self) -> Filling:
        """Where they lie, as in an index."""
        return Filling(self.folder, segment_unit(self.name), SPACE, SPACE)

    @property
    def _truth_path(self) -> Path:
        return self.filling.vectors_path.with_name(f"truth-{self.asked}.npy")

    @property
    def _queries_path(self) -> Path:
        return self.filling.vectors_path.with_name(f"queries-{self.asked}.npy")

    def make(self) -> None:
        """Write the vectors, the queries and their true neighbours, unless they are there."""
        path = self.filling.vectors_path
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._truth_path.exists() and path.exists():
            return
        source = SyntheticVectors(self.dim, self.seed)
        if not path.exists():
            with progress_bar("vectors", unit="") as bar:
                blocks = _told(source.chunks(self.count), self.count, bar.progress)
                write_vectors(path, blocks, (self.count, self.dim))
        queries = source.queries(self.asked)
        _save(self._queries_path, queries)
        rows = np.arange(self.count)
        _save(self._truth_path, exact_scan(self.filling.vectors(), queries, K, rows=rows)[1])

    def remove(self) -> None:
        """Take the vectors away; queries and true neighbours stay."""
        self.filling.vectors_path.unlink(missing_ok=True)

    def vectors(self) -> Any:
        """Map the vectors, float16."""
        return map_vectors(self.filling.vectors_path)

    def queries(self) -> Float32[np.ndarray, "asked dim"]:
        """Read the queries, which are none of the vectors."""
        found: np.ndarray[Any, Any] = np.load(self._queries_path)
        return found

    def truth(self) -> Int64[np.ndarray, "asked k"]:
        """Read the rows of the `K` nearest of each query."""
        found: np.ndarray[Any, Any] = np.load(self._truth_path)
        return found


def _told(
    blocks: Iterable[np.ndarray[Any, Any]], count: int, progress: Progress
) -> Iterator[np.ndarray[Any, Any]]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        progress(done, count)


def _save(path: Path, values: np.ndarray[Any, Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, values)
