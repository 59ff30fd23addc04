"""An answer as regions of SAOImage DS9: a circle around every hit, named by rank and key.

The older form with one region a line, which DS9, Aladin, CARTA and the package `regions` read.
"""

import math

from indexer.hits import Hits

__all__ = ["CIRCLE_ARCSEC", "render_ds9"]

CIRCLE_ARCSEC = 2.0
"""Radius: a fibre fits into it, and two objects of a link share it."""


def render_ds9(hits: Hits) -> bytes:
    """Return a region file; a hit without a position has no region, and the file says how many.

    Coordinates are ICRS degrees with seven decimals, 0.4 milliarcseconds.
    """
    index = hits.receipt.get("index", {})
    placed = [
        row
        for row in range(len(hits))
        if math.isfinite(hits.ra_deg[row]) and math.isfinite(hits.dec_deg[row])
    ]
    absent = len(hits) - len(placed)
    lines = [
        "# Region file format: DS9 version 4.1",
        f"# {len(placed)} neighbours of {_plain(hits.query.text)}, "
        f"index {_plain(str(index.get('id', 'unknown')))}",
    ]
    if absent:
        lines.append(f"# {absent} more have no position")
    lines += ["global color=cyan width=1", "icrs"]
    for row in placed:
        place = f"{hits.ra_deg[row]:.7f},{hits.dec_deg[row]:.7f}"
        lines.append(
            f'circle({place},{CIRCLE_ARCSEC:g}") # '
            f"text={{{hits.rank[row]} {_plain(str(hits.key[row]))}}} "
            f"tag={{{_plain(str(hits.release[row]))}}}"
        )
    return ("\n".join(lines) + "\n").encode()


def _plain(text: str) -> str:
    """Return a text that neither ends its braces nor its line."""
    return "".join(" " if each in "{}\r\n" else each for each in text)
