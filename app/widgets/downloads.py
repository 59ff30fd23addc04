"""The list to take away; a file is made only when it is asked for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from app.table_files import JSON, TABLES, TableFile
from indexer import Hits, Searcher, render_hits
from indexer.archive import render_archive
from indexer.citations import acknowledgements, bibtex, releases_of

__all__ = ["draw_downloads"]


@dataclass(frozen=True)
class _File:
    title: str
    name: str
    media_type: str
    make: Callable[[], bytes | str]


def draw_downloads(searcher: Searcher, hits: Hits) -> None:
    """Draw a menu with a button for each file.

    Parameters
    ----------
    searcher
        Of the index that gave the hits: it knows whom to cite, and has the pictures.
    hits
        Not empty.
    """
    info, releases = searcher.index.info, releases_of(hits)
    with st.popover("Download", icon=":material/download:", key="downloads"):
        st.caption("The neighbours with scores, positions and the receipt of this search.")
        _draw(_lists(hits))
        st.caption("Pictures and spectra as the index keeps them, with all the rest.")
        archive = partial(render_archive, searcher, hits)
        _draw([_File("All in one ZIP", "neighbours.zip", "application/zip", archive)])
        st.caption(f"For your paper: {', '.join(releases)}, and how this list came to be.")
        _draw(
            [
                _File("BibTeX", "references.bib", "text/plain", partial(bibtex, info, releases)),
                _File(
                    "Acknowledgements",
                    "acknowledgements.txt",
                    "text/plain",
                    partial(acknowledgements, info, releases),
                ),
                _File("Receipt", "receipt.json", "application/json", partial(_receipt, hits)),
            ]
        )


def _lists(hits: Hits) -> list[_File]:
    regions = TableFile("DS9 regions", "ds9", "reg", "text/plain")
    return [
        _File(
            kind.title,
            f"neighbours.{kind.suffix}",
            kind.media_type,
            partial(render_hits, hits, kind.form),
        )
        for kind in (*TABLES, JSON, regions)
    ]


def _draw(files: Sequence[_File]) -> None:
    with st.container(horizontal=True, gap="xsmall", width=330):
        for file in files:
            st.download_button(
                file.title,
                data=file.make,
                file_name=file.name,
                mime=file.media_type,
                on_click="ignore",
                key=f"download:{file.name}",
            )


def _receipt(hits: Hits) -> str:
    return json.dumps(dict(hits.receipt), indent=1, allow_nan=False) + "\n"
