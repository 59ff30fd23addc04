"""Coverage maps (MOC, IVOA 2.0) as text <-> ranges of nested HEALPix indices of order 29.

The text is the ASCII form of the standard, orders ascending and every cell at the lowest order
that holds it: ``5/1-3 8 6/400``. Which order the map was made at does not matter to what it holds,
and is not kept.
"""

import re

import numpy as np
from jaxtyping import Int64

from indexer.errors import QueryError
from indexer.hats_catalog import HEALPIX_ORDER

__all__ = ["merged", "moc_ranges", "moc_text"]

_WORD = re.compile(r"^(?:s?(?P<order>\d{1,2})/|(?P<first>\d{1,19})(?:-(?P<last>\d{1,19}))?)$")
_FORM = 'such as "5/1-3 8 6/400" (order/cells, the ASCII form of the standard)'


def moc_ranges(text: str) -> Int64[np.ndarray, "n 2"]:
    """Return the ranges of indices that a MOC holds: start and stop, ascending, none touching.

    Raises
    ------
    QueryError
        If the text is no MOC, or an empty one.
    """
    order: int | None = None
    found: list[tuple[int, int]] = []
    for word in text.replace("/", "/ ").replace(",", " ").split():
        read = _WORD.match(word)
        if read is not None and read["order"] is not None:
            order = int(read["order"])
            if order > HEALPIX_ORDER:
                raise QueryError(f"orders of a MOC are 0 to {HEALPIX_ORDER}, got {order}")
            continue
        if read is None or order is None:
            raise QueryError(f"a MOC is written {_FORM}; got {word!r}")
        first, last = int(read["first"]), int(read["last"] or read["first"])
        cells = 12 << 2 * order
        if not first <= last < cells:
            raise QueryError(f"cells of order {order} of a MOC are 0 to {cells - 1}, got {word!r}")
        shift = 2 * (HEALPIX_ORDER - order)
        found.append((first << shift, (last + 1) << shift))
    if not found:
        raise QueryError(f"a MOC needs at least one cell, {_FORM}; got {text!r}")
    return merged(np.array(found, dtype=np.int64))


def merged(ranges: Int64[np.ndarray, "n 2"]) -> Int64[np.ndarray, "m 2"]:
    """Put ranges in order and join those that touch or overlap."""
    if not len(ranges):
        return ranges
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    reached = np.maximum.accumulate(ranges[:, 1])
    first = np.concatenate([[True], ranges[1:, 0] > reached[:-1]])
    last = np.concatenate([first[1:], [True]])
    return np.stack([ranges[first, 0], reached[last]], axis=1)


def moc_text(ranges: Int64[np.ndarray, "n 2"]) -> str:
    """Return the text of the ranges of `moc_ranges`; equal ranges have equal texts."""
    left = [(int(start), int(stop)) for start, stop in ranges]
    words: list[str] = []
    for order in range(HEALPIX_ORDER + 1):
        size = 1 << 2 * (HEALPIX_ORDER - order)
        rest, cells = [], []
        for start, stop in left:
            first, last = -(-start // size), stop // size
            if first >= last:
                rest.append((start, stop))
                continue
            cells.append(f"{first}" if last == first + 1 else f"{first}-{last - 1}")
            rest += [(start, first * size), (last * size, stop)]
        left = [(start, stop) for start, stop in rest if start < stop]
        if cells:
            words.append(f"{order}/{' '.join(cells)}")
    return " ".join(words)
