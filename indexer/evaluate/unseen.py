"""Labels as they are known outside the test cells, for readers of properties."""

from collections.abc import Collection
from typing import Any

import numpy as np

from indexer.evaluate.bench import Bench
from indexer.evaluate.pool import Pool
from indexer.index_file import Index
from indexer.known_values import Values
from indexer.sky_parts import TEST, sources_in

__all__ = ["ElsewhereLabels"]


class ElsewhereLabels:
    """What is known of objects outside the test cells: nothing in them is labelled.

    Parameters
    ----------
    bench
        Whose labels.
    names
        Of labels, as `Bench.known` takes them.
    """

    def __init__(self, bench: Bench, names: Collection[str]) -> None:
        self._bench = bench
        self._names = tuple(name for name in names if bench.known(name) is not None)
        self._hidden = sources_in(bench.index, TEST)

    @property
    def names(self) -> Collection[str]:
        """What is known of any object."""
        return self._names

    def hidden(self, pool: Pool) -> np.ndarray[Any, Any]:
        """Return True for the objects of a pool whose labels are withheld."""
        return pool.flat(self._hidden)

    def values(self, name: str, index: Index) -> Values:
        """Return a label of every object, that of its counterparts where it has none."""
        assert index is self._bench.index
        known = self._bench.known(name)
        assert known is not None
        return {
            release: np.where(
                self._hidden[release], np.nan if values.dtype.kind == "f" else "", values
            )
            for release, values in known.items()
        }
