"""Some of the rows of a segment, one bit a row."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int64, UInt8

__all__ = ["RowSet"]


@dataclass(frozen=True, eq=False)
class RowSet:
    """Rows of a segment.

    Attributes
    ----------
    bits
        Row r is bit r % 8, counted from the lowest, of byte r // 8, as FAISS reads it; bits beyond
        the last row are 0.
    total
        Rows of the segment, in the set or not.
    count
        Rows in the set.
    """

    bits: UInt8[np.ndarray, " bytes"]
    total: int
    count: int = field(init=False)
    _among: dict[
        int, tuple[Int64[np.ndarray, " n"] | None, int, Int64[np.ndarray, " m"] | None]
    ] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", int(np.bitwise_count(self.bits).sum(dtype=np.int64)))

    @classmethod
    def of(cls, rows: Int64[np.ndarray, " n"], total: int) -> "RowSet":
        """Return the set of some rows, in any order."""
        bits = np.zeros(-(-total // 8), dtype=np.uint8)
        np.bitwise_or.at(bits, rows >> 3, np.left_shift(1, rows & 7).astype(np.uint8))
        return cls(bits, total)

    @classmethod
    def of_mask(cls, mask: Bool[np.ndarray, " n"]) -> "RowSet":
        """Return the set of the rows at which a mask is True."""
        return cls(np.packbits(mask, bitorder="little"), len(mask))

    def rows(self) -> Int64[np.ndarray, " n"]:
        """Return the rows, ascending."""
        # Most often few bytes hold any row; only these are unpacked.
        bytes_used = np.flatnonzero(self.bits)
        places = np.flatnonzero(np.unpackbits(self.bits[bytes_used], bitorder="little"))
        return np.asarray((bytes_used[places >> 3] << 3) + (places & 7))

    def holds(self, rows: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Say of each of some rows whether it is in the set."""
        return np.asarray(self.bits[rows >> 3] >> (rows & 7).astype(np.uint8) & 1, dtype=bool)

    def among(
        self, rows: Int64[np.ndarray, " n"] | None, most: int
    ) -> tuple[int, Int64[np.ndarray, " m"] | None]:
        """Return how many of some rows are in the set, and where those stand among them.

        Parameters
        ----------
        rows
            Ascending; None for all. What was found is kept for as long as the set, so this must be
            an array that lives on, such as one of a segment.
        most
            If more are in the set, where they stand is not told.
        """
        known = self._among.get(id(rows))
        if known is None:
            known = self._among[id(rows)] = (rows, *self._found_among(rows, most))
        return known[1], known[2]

    def _found_among(
        self, rows: Int64[np.ndarray, " n"] | None, most: int
    ) -> tuple[int, Int64[np.ndarray, " m"] | None]:
        if rows is None or len(rows) == self.total:
            return self.count, self.rows() if self.count <= most else None
        if self.count <= most:
            mine = self.rows()
            places = np.minimum(np.searchsorted(rows, mine), max(0, len(rows) - 1))
            places = places[rows[places] == mine] if len(rows) else places[:0]
            return len(places), places
        places = np.flatnonzero(self.holds(rows))
        return len(places), places if len(places) <= most else None
