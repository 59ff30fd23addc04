"""What a search gives back: named arrays with true counts, best first."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexer.queries import Query, plain_number

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["HIT_COLUMNS", "HitColumn", "Hits", "described_table"]

Texts = NDArray[np.str_]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class HitColumn:
    """One column of an exported answer; `ucd` is a word of the IVOA's controlled vocabulary."""

    name: str
    ucd: str
    description: str
    unit: str = ""


HIT_COLUMNS = (
    HitColumn("rank", "stat.rank", "Place in the answer, 1 is best"),
    HitColumn("key", "meta.id;meta.main", "Key of the object, release:object_id"),
    HitColumn("release", "meta.dataset", "Release that the object belongs to"),
    HitColumn("object_id", "meta.id", "The survey's own identifier"),
    HitColumn("score", "stat.correlation", "Cosine similarity in the space that was searched"),
    HitColumn("percentile", "stat.percentile", "Percentage of random pairs that score less"),
    HitColumn("bridge", "meta.code", "How the hit was reached: same, linked or aligned"),
    HitColumn("via", "meta.id.cross", "Object through whose link the hit was reached"),
    HitColumn("ra_deg", "pos.eq.ra;meta.main", "Right ascension (ICRS)", "deg"),
    HitColumn("dec_deg", "pos.eq.dec;meta.main", "Declination (ICRS)", "deg"),
    HitColumn("redshift", "src.redshift", "Redshift in the release's catalogue"),
    HitColumn("magnitude", "phot.mag", "Magnitude in the release's own band", "mag"),
    HitColumn("object_class", "src.class", "Class in the release's catalogue"),
    HitColumn("modality", "meta.code", "Which observation of the object was found"),
    HitColumn("folded", "meta.number", "How many other hits at its place it stands for"),
    HitColumn("folded_keys", "meta.id.assoc", "Keys of those, joined by semicolons"),
    HitColumn("link", "meta.ref.url", "Page of the object at its survey"),
)


@dataclass(frozen=True, eq=False)
class Hits:
    """One answer. All arrays have one length, the true number of hits, in the order of `rank`.

    Attributes
    ----------
    query
        What was asked.
    receipt
        Everything needed to run the answer again; plain values that JSON can hold.
    key, release, object_id
        Who was found.
    rank
        From 1.
    score
        Cosine similarity; for a linked hit the score of the neighbour in `via`, 1 for a
        counterpart of the query itself.
    percentile
        Percentage of random pairs of the same space and releases that score less; NaN without
        calibration.
    bridge
        ``same``, ``linked`` or ``aligned``.
    via
        The key through which a linked hit was reached, else empty.
    ra_deg, dec_deg, redshift, magnitude
        From the catalogue; NaN where unknown.
    object_class, modality, link
        Class (empty where unknown), the modality that was found, and the survey's page.
    folded, folded_keys
        Of how many other hits within 2 arcsec it is the best, and their keys, joined by
        semicolons; 0 and empty unless `SearchOptions.fold_duplicates` was asked for.
    """

    query: Query
    receipt: Mapping[str, Any]
    key: Texts
    release: Texts
    object_id: Texts
    rank: NDArray[np.int64]
    score: Floats
    percentile: Floats
    bridge: Texts
    via: Texts
    ra_deg: Floats
    dec_deg: Floats
    redshift: Floats
    magnitude: Floats
    object_class: Texts
    modality: Texts
    folded: NDArray[np.int64]
    folded_keys: Texts
    link: Texts

    def __post_init__(self) -> None:
        counts = {
            field.name: len(getattr(self, field.name))
            for field in fields(self)
            if field.name not in ("query", "receipt")
        }
        if len(set(counts.values())) != 1:
            raise ValueError(f"the arrays of an answer must have one length, got {counts}")

    def __len__(self) -> int:
        return len(self.key)

    def records(self) -> list[dict[str, Any]]:
        """Return one dict per hit with plain values; a number that is unknown is None."""
        columns: dict[str, list[Any]] = {}
        for column in HIT_COLUMNS:
            values = getattr(self, column.name)
            if values.dtype.kind == "f":
                columns[column.name] = [plain_number(value) for value in values]
            else:
                columns[column.name] = values.tolist()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def document(self) -> dict[str, Any]:
        """Return the answer as one JSON object: ``query``, ``verdict``, ``receipt``, ``hits``."""
        return {
            "query": self.query.summary(),
            "verdict": self.receipt.get("verdict"),
            "receipt": dict(self.receipt),
            "hits": self.records(),
        }

    def to_table(self) -> "Table":
        """Return an astropy table with units, descriptions, UCDs, and the receipt in its meta."""
        return described_table(
            {column.name: getattr(self, column.name) for column in HIT_COLUMNS},
            HIT_COLUMNS,
            {"query": self.query.summary(), "receipt": dict(self.receipt)},
        )


def described_table(
    values: Mapping[str, NDArray[Any]], columns: tuple[HitColumn, ...], meta: Mapping[str, Any]
) -> "Table":
    """Join columns and their descriptions into an astropy table.

    `meta` goes through JSON once, so that what an export holds is what JSON can hold.
    """
    from astropy.table import Table

    table = Table({column.name: values[column.name] for column in columns})
    for column in columns:
        info = table[column.name].info
        info.description = column.description
        info.meta = {"ucd": column.ucd}
        if column.unit:
            info.unit = column.unit
    table.meta.update(json.loads(json.dumps(dict(meta), allow_nan=False)))
    return table
