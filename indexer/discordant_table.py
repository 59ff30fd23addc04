"""Discordant sources as a table, a file, or text for a terminal."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.discordant import Discordants
from indexer.export import render_table
from indexer.hits import HitColumn, described_table
from indexer.printing import aligned
from indexer.queries import plain_number

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["COLUMNS", "discordant_text", "document", "render_discordant", "to_table"]

COLUMNS = (
    HitColumn("image_key", "meta.id;meta.main", "Key of the object with the picture"),
    HitColumn("spectrum_key", "meta.id.cross", "Key of the object with the spectrum"),
    HitColumn("score", "stat.value", "How discordant: 0 full agreement, 1 unrelated"),
    HitColumn(
        "image_in_spectra", "stat.value", "Share of sources nearer in spectra than its neighbours"
    ),
    HitColumn(
        "spectrum_in_images",
        "stat.value",
        "Share of sources nearer in pictures than its neighbours",
    ),
    HitColumn("difference", "stat.value", "How differently the neighbours are made up, 0 to 1"),
    HitColumn("shared", "stat.value", "Share of neighbours in pictures and in spectra alike"),
    HitColumn("ra_deg", "pos.eq.ra;meta.main", "Right ascension (ICRS)", "deg"),
    HitColumn("dec_deg", "pos.eq.dec;meta.main", "Declination (ICRS)", "deg"),
    HitColumn("redshift", "src.redshift", "Redshift of the source, where known"),
    HitColumn("image_redshift", "src.redshift", "Median redshift of its neighbours in pictures"),
    HitColumn("spectrum_redshift", "src.redshift", "Median redshift of its neighbours in spectra"),
    HitColumn("object_class", "src.class", "Class of the source, where known"),
    HitColumn("image_class", "src.class", "Most frequent class of its neighbours in pictures"),
    HitColumn("spectrum_class", "src.class", "Most frequent class of its neighbours in spectra"),
)


def to_table(found: Discordants) -> "Table":
    """Return an astropy table with units, descriptions, UCDs, and the receipt in its meta."""
    return described_table(found.columns(), COLUMNS, {"receipt": dict(found.receipt)})


def document(found: Discordants) -> dict[str, Any]:
    """Return one JSON object: ``receipt`` and ``sources``; a number that is unknown is None."""
    columns = {column.name: found.columns()[column.name] for column in COLUMNS}
    plain = {
        name: [plain_number(np.float32(value)) for value in values]
        if name not in ("ra_deg", "dec_deg") and values.dtype.kind == "f"
        else [plain_number(value) for value in values]
        if values.dtype.kind == "f"
        else values.tolist()
        for name, values in columns.items()
    }
    rows = zip(*plain.values(), strict=True)
    return {
        "receipt": dict(found.receipt),
        "sources": [dict(zip(plain, row, strict=True)) for row in rows],
    }


def render_discordant(found: Discordants, file_format: str) -> bytes:
    """Return the bytes of a file in one of `indexer.export.FORMATS`."""
    if file_format == "json":
        return (json.dumps(document(found), indent=1, allow_nan=False) + "\n").encode()
    return render_table(to_table(found), file_format)


def discordant_text(found: Discordants) -> str:
    """Return a table for a terminal, under a line about what was compared."""
    compared = ", ".join(f"{count} of {pair}" for pair, count in found.receipt["compared"].items())
    lines = [f"{len(found)} most discordant sources; compared: {compared}"]
    lines += [f"passed over: {pair}: {why}" for pair, why in found.receipt["passed_over"].items()]
    header = [
        "image", "spectrum", "score", "apart", "differ", "shared", "z", "z image", "z spectrum",
        "class", "class image", "class spectrum",
    ]  # fmt: skip
    rows = []
    for at in range(len(found)):
        apart = min(1.0, float(found.image_in_spectra[at] + found.spectrum_in_images[at]))
        numbers = [
            *(found.score[at], apart, found.difference[at], found.shared[at]),
            *(found.redshift[at], found.image_redshift[at], found.spectrum_redshift[at]),
        ]
        texts = [found.object_class[at], found.image_class[at], found.spectrum_class[at]]
        rows.append(
            [
                str(found.image_key[at]),
                str(found.spectrum_key[at]),
                *(f"{value:.3f}" if np.isfinite(value) else "-" for value in numbers),
                *(str(text) or "-" for text in texts),
            ]
        )
    return "\n".join([*lines, "", aligned(header, rows, set(header[2:9]))])
