"""Object ids, sorted outside memory: sorted runs on disk, merged range by range."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer.arrow_tables import map_table, write_arrow

__all__ = ["IdRuns"]

_SAMPLES = 4
"""Ids that each run gives for every range: no range is longer than a run by more than a quarter."""


class IdRuns:
    """Ids with their places: the number of each among all that were added.

    Parameters
    ----------
    folder
        For the runs; is made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._runs: list[pa.Table] = []
        self._count = 0

    def add(self, ids: pa.ChunkedArray) -> None:
        """Add as many ids as memory holds, as one run."""
        places = np.arange(self._count, self._count + len(ids))
        self._count += len(ids)
        path = self._folder / f"{len(self._runs)}.arrow"
        table = pa.table({"object_id": ids.cast(pa.large_string()), "place": places})
        write_arrow(_sorted(table), path, sync=False)
        self._runs.append(map_table(path))

    def merged(self) -> Iterator[pa.Table]:
        """Give all of them by id (as UTF-8 bytes), then place, about a run's length at a time.

        Equal ids are never given apart.
        """
        starts = [[0] * len(self._runs), *self._cuts(), [len(each) for each in self._runs]]
        for first, last in pairwise(starts):
            parts = zip(self._runs, first, last, strict=True)
            yield _sorted(pa.concat_tables([run.slice(a, b - a) for run, a, b in parts]))

    def _cuts(self) -> Iterator[list[int]]:
        """Give where each range but the first begins in every run."""
        runs = len(self._runs)
        ids = [run.column("object_id") for run in self._runs]
        places = [np.linspace(0, len(each), _SAMPLES * runs, endpoint=False) for each in ids]
        sample = [
            each.take(pa.array(at.astype(np.int64)))
            for each, at in zip(ids, places, strict=True)
            if len(each)
        ]
        texts = sorted(text for each in sample for text in each.to_pylist())
        # Python compares texts by code points, whose order is that of their UTF-8 bytes.
        for at in range(1, runs):
            cut = texts[at * len(texts) // runs] if texts else ""
            yield [
                bisect_left(range(len(each)), cut, key=lambda place, of=each: of[place].as_py())
                for each in ids
            ]


def _sorted(table: pa.Table) -> pa.Table:
    """Sort by id; the sort of Arrow is stable, so that places stay ascending."""
    table = table.combine_chunks()
    return table.take(pc.sort_indices(table.column("object_id"))).combine_chunks()
