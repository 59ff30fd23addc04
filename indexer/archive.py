"""An answer as one ZIP archive: the list, its pictures and spectra, and whom to thank.

Pictures and spectra are those that the index keeps for people to look at: colour pictures of 96
pixels, spectra in at most 512 bins, Gaia coefficients whole. The survey's own files are behind the
links of the list. Equal answers have equal bytes.
"""

import io
import re
import zipfile
from typing import TYPE_CHECKING

from indexer.citations import acknowledgements, bibtex, releases_of
from indexer.ds9 import render_ds9
from indexer.export import render_hits
from indexer.hits import Hits
from indexer.previews import PREVIEW_PX, SPECTRUM_SAMPLES, Preview

if TYPE_CHECKING:
    from indexer.search import Searcher

__all__ = ["render_archive"]

_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a ZIP archive can state: the answer's own date is in its receipt."""

_README = f"""Neighbours found by a search for similar objects.

neighbours.csv, neighbours.vot   the list, with the receipt of the search
answer.json                      the same with the query, for programs
regions.reg                      for SAOImage DS9 and what else reads its regions
references.bib                   whom to cite for what is in this list
acknowledgements.txt             what the surveys ask to be said
pictures/                        colour pictures, {PREVIEW_PX} pixels wide, north up: to look at
spectra/                         observed wavelengths in Angstrom (vacuum) and flux in 1e-17
                                 erg/s/cm2/Angstrom, medians of {SPECTRUM_SAMPLES} bins at most
coefficients/                    Gaia BP (1 to 55) and RP (56 to 110) coefficients

Names begin with the rank in the list. Pictures and spectra are what the index keeps to be looked
at; measure on the survey's own files, which the column `link` leads to.
"""


def render_archive(searcher: "Searcher", hits: Hits) -> bytes:
    """Return the archive; it holds what the index keeps of each hit's modality that was found.

    Parameters
    ----------
    searcher
        Of the index that gave the answer.
    hits
        The answer; it may be empty.
    """
    info, releases = searcher.index.info, releases_of(hits)
    files = {
        "README.txt": _README.encode(),
        "neighbours.csv": render_hits(hits, "csv"),
        "neighbours.vot": render_hits(hits, "votable"),
        "answer.json": render_hits(hits, "json"),
        "regions.reg": render_ds9(hits),
        "references.bib": bibtex(info, releases).encode(),
        "acknowledgements.txt": acknowledgements(info, releases).encode(),
    }
    for rank, key, modality in zip(hits.rank, hits.key, hits.modality, strict=True):
        preview = searcher.preview(str(key), str(modality))
        if preview is not None:
            folder, suffix, content = _content(preview)
            files[f"{folder}/{int(rank):04d}_{_safe(str(key))}.{suffix}"] = content
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            # A PNG is compressed already.
            stored = name.endswith(".png")
            archive.writestr(entry, content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _content(preview: Preview) -> tuple[str, str, bytes]:
    if preview.kind == "image":
        return "pictures", "png", preview.png
    if preview.kind == "spectrum":
        rows = zip(preview.wavelength_angstrom, preview.flux, strict=True)
        return "spectra", "csv", _csv("wavelength_angstrom,flux", [f"{a},{b}" for a, b in rows])
    numbered = enumerate(preview.coefficients, start=1)
    return "coefficients", "csv", _csv("number,coefficient", [f"{a},{b}" for a, b in numbered])


def _csv(head: str, rows: list[str]) -> bytes:
    return ("\n".join([head, *rows]) + "\n").encode()


def _safe(key: str) -> str:
    """Return a key as a file's name on any system: an identifier may hold a slash."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", key)
