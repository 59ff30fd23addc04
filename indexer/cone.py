"""What lies around a position: every object within a radius, nearest first, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.answers import known_of
from indexer.bridges import Found
from indexer.hits import HIT_COLUMNS, HitColumn, described_table
from indexer.index_file import Index
from indexer.positions import parse_position
from indexer.queries import plain_number
from indexer.receipts import index_identity
from indexer.resolve import around, checked_radius, modalities_of

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["CONE_COLUMNS", "Around", "objects_around"]

_SHARED = ("key", "release", "object_id", "ra_deg", "dec_deg", "redshift", "magnitude")
_OF_HITS = {column.name: column for column in HIT_COLUMNS}

CONE_COLUMNS = (
    *(_OF_HITS[name] for name in _SHARED),
    _OF_HITS["object_class"],
    HitColumn("modalities", "meta.code", "Observations of the object, joined by semicolons"),
    HitColumn("separation_arcsec", "pos.angDistance", "Distance from the position", "arcsec"),
    _OF_HITS["link"],
)


@dataclass(frozen=True, eq=False)
class Around:
    """Objects around a position, nearest first.

    Attributes
    ----------
    asked
        Position, radius and how they were read; plain values.
    identity
        Of the index.
    columns
        An array for each of `CONE_COLUMNS`, all of one length.
    """

    asked: Mapping[str, Any]
    identity: Mapping[str, Any]
    columns: Mapping[str, np.ndarray[Any, Any]]

    def __len__(self) -> int:
        return len(self.columns["key"])

    def document(self) -> dict[str, Any]:
        """Return the answer as one JSON object: ``query``, ``receipt``, ``objects``."""
        plain = {
            name: [plain_number(value) for value in values]
            if values.dtype.kind == "f"
            else values.tolist()
            for name, values in self.columns.items()
        }
        rows = zip(*plain.values(), strict=True)
        return {
            "query": dict(self.asked),
            "receipt": dict(self.identity),
            "objects": [dict(zip(plain, row, strict=True)) for row in rows],
        }

    def to_table(self) -> "Table":
        """Return an astropy table with units, descriptions and UCDs; see `Hits.to_table`."""
        meta = {"query": dict(self.asked), "receipt": dict(self.identity)}
        return described_table(self.columns, CONE_COLUMNS, meta)


def objects_around(index: Index, text: str, radius_arcsec: float, limit: int) -> Around:
    """Return the objects within a radius of a position.

    Parameters
    ----------
    text
        The position; see `indexer.positions.parse_position`.
    radius_arcsec
        How far they may lie, up to a degree.
    limit
        How many at most, the nearest; what was left out is told in `asked`.

    Raises
    ------
    QueryError
        If the text is no position, or the radius is out of range.
    """
    position = parse_position(text)
    radius = checked_radius(radius_arcsec)
    near = around(index, position.ra_deg, position.dec_deg, radius)
    kept = list(islice(near, limit))
    beyond = sum(1 for _ in near)
    found = [Found(key, segment.name, row, "", 0.0) for _, key, segment, row in kept]
    segments = {segment.name: segment for _, _, segment, _ in kept}
    modalities = [";".join(modalities_of(segment, row)) for _, _, segment, row in kept]
    known = known_of(segments, found) | {
        "key": np.array([each.key for each in found], dtype=str),
        "release": np.array([each.release for each in found], dtype=str),
        "modalities": np.array(modalities, dtype=str),
        "separation_arcsec": np.round([away for away, _, _, _ in kept], 4).astype(np.float64),
    }
    asked = {
        "kind": "cone",
        "text": text,
        "ra_deg": position.ra_deg,
        "dec_deg": position.dec_deg,
        "notation": position.notation,
        "radius_arcsec": radius,
        "limit": limit,
        "left_out": beyond,
    }
    return Around(
        asked, index_identity(index), {column.name: known[column.name] for column in CONE_COLUMNS}
    )
