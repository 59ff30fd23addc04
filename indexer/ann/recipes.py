"""How the vectors of a segment are held: chosen from their number and their dimension alone.

Never from the machine: the same vectors give the same files wherever they are filled.
"""

import math
from dataclasses import dataclass

__all__ = ["EIGHT_BIT_UP_TO", "EXACT_UP_TO", "Recipe", "recipe_for"]

EXACT_UP_TO = 50_000
"""Vectors of one segment up to which every one is compared; inverted lists above."""

EIGHT_BIT_UP_TO = 2**27
"""Bytes of 8-bit codes up to which they are kept; product codes above.

At 192 dimensions these are 700 thousand vectors, at 768 175 thousand. Of a million of 768 the
product codes answer in half the time at the same recall, and are built in a quarter of it
(docs/scale.md); of a hundred thousand the times are alike.
"""

MOST_LISTS = 65_536
_PRODUCT_CODE_BYTES = 32
_ROW_BYTES = 8
_TRAINING_VECTORS_PER_LIST = {"flat": 0, "ivf_sq8": 64, "ivf_pq4": 40}


@dataclass(frozen=True)
class Recipe:
    """How the vectors of a segment are held.

    Attributes
    ----------
    name
        ``flat``: float16, every vector compared. ``ivf_sq8``: inverted lists of 8-bit vectors.
        ``ivf_pq4``: inverted lists, found by a graph, of 64 product codes of 4 bits. Answers of
        the latter two are to be re-ranked with the float16 originals.
    lists
        Number of inverted lists; 0 for ``flat``.
    """

    name: str
    lists: int = 0

    def __post_init__(self) -> None:
        if self.name not in _TRAINING_VECTORS_PER_LIST or (self.name == "flat") != (
            self.lists == 0
        ):
            raise ValueError(
                "a recipe is 'flat' without lists, or 'ivf_sq8' or 'ivf_pq4' with lists, got "
                f"{self.name!r} with {self.lists}"
            )

    @property
    def training_vectors(self) -> int:
        """How many vectors its lists are trained on, at most about."""
        return self.lists * _TRAINING_VECTORS_PER_LIST[self.name]

    def bytes_per_vector(self, dim: int) -> int:
        """Return what the code of one vector and its row take in a FAISS file."""
        codes = {"flat": 2 * dim, "ivf_sq8": dim, "ivf_pq4": _PRODUCT_CODE_BYTES}
        return codes[self.name] + _ROW_BYTES

    @property
    def default_nprobe(self) -> int:
        """Lists to visit when the caller names no number; 0 for ``flat``.

        Of ``ivf_sq8`` a thirty-second of all, at least 48. Queries of another modality lie off the
        centres of the lists: with 16 of 256 lists they found 0.96 of their true ten nearest, with
        48 of them 0.992 (docs/decisions.md). The many lists of ``ivf_pq4`` are short, and of ten
        million vectors the true ten nearest lay in 128 of 65,536 lists for 0.97, in 256 for 0.986.
        """
        if self.name == "ivf_pq4":
            return min(self.lists, max(128, self.lists // 256))
        return min(self.lists, max(48, self.lists // 32))

    def candidates(self, wanted: int) -> int:
        """Return how many answers to re-rank, so that the best `wanted` are among them.

        A product code orders vectors only roughly: of 100 of its answers 0.92 of the ten nearest
        were got back, of 200 all that the lists visited held.
        """
        factor, more = {"flat": (1, 0), "ivf_sq8": (4, 0), "ivf_pq4": (10, 100)}[self.name]
        return factor * wanted + more


def recipe_for(count: int, dim: int) -> Recipe:
    """Return how to hold `count` vectors of `dim` dimensions.

    Up to `EXACT_UP_TO` flat. Then, as long as codes of 8 bits take no more than
    `EIGHT_BIT_UP_TO`, these in about four times the square root in lists. Above that product
    codes in 16 times the square root, at most `MOST_LISTS`: long enough at 200 million, and the
    most that vectors can be assigned to as fast as they can be read. Not the nearest power of two:
    then the work for a vector would leap where the lists double.
    """
    if count <= EXACT_UP_TO:
        return Recipe("flat")
    if count * dim <= EIGHT_BIT_UP_TO:
        return Recipe("ivf_sq8", 2 ** round(math.log2(4.0 * math.sqrt(count))))
    lists = min(16.0 * math.sqrt(count), count / _TRAINING_VECTORS_PER_LIST["ivf_pq4"])
    return Recipe("ivf_pq4", min(MOST_LISTS, max(1, round(lists))))
