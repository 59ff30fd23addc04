"""All caching of the page: the open index, this session's encoded files, estimates."""

import gc
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app.properties import Estimate
from app.reading import Reading
from app.settings import Settings
from app.space_map import KnownMap, known_map
from app.state import FileAsked
from app.uploaded import written
from indexer import (
    PropertyReader,
    Query,
    ReadError,
    Searcher,
    SearchError,
    SeveralObjectsError,
    Understood,
    Upload,
    open_searcher,
    read_image_file,
    read_labels,
    read_spectrum_file,
    read_xp_file,
)
from indexer.coverage import Coverage, coverage, rejects_by_reason, texts_of
from indexer.discordant import Discordants, find_discordant

__all__ = [
    "coverage_of",
    "discordants",
    "estimates_of",
    "examples",
    "known_classes",
    "map_of_space",
    "open_current",
    "open_unseen",
    "property_reader",
    "query_of_file",
    "reconstruction_of",
    "rejects_of",
]

EXAMPLES_PER_RELEASE = 6
MOST_COMPARED = 50_000
"""Links of an index whose discordant sources the page looks for: seconds."""
DRAWN = {"any": 400, "class": 4000}
"""Objects that are looked at for them, of all or of one class."""


def open_current(settings: Settings) -> Searcher:
    """Return the searcher of the published index; one that was published anew is opened anew.

    Raises
    ------
    IndexerError
        If there is no index that can be served.
    """
    return _open_shown(*_asked_for(settings))


def open_unseen(settings: Settings) -> Searcher:
    """Return the very same searcher where there is no page that could say that it is opened."""
    return _open(*_asked_for(settings))


@st.cache_resource(max_entries=2, show_spinner="Opening the index …")
def _open_shown(index_dir: str, weights: str | None, look_up_names: bool, stamp: int) -> Searcher:
    return _open(index_dir, weights, look_up_names, stamp)


@st.cache_resource(max_entries=2, show_spinner=False)
def _open(index_dir: str, weights: str | None, look_up_names: bool, stamp: int) -> Searcher:
    del stamp  # part of the cache's key only
    searcher = open_searcher(Path(index_dir), weights=weights, look_up_names=look_up_names)
    _settle()
    return searcher


def _settle() -> None:
    """Let no collection of garbage look through what stays as long as the server.

    One of all generations took 0.13 s, during which nobody's answer is computed.
    """
    gc.collect()
    gc.freeze()


def _asked_for(settings: Settings) -> tuple[str, str | None, bool, int]:
    index = settings.index_dir
    return str(index), settings.weights, settings.look_up_names, _stamp(index / "index.json")


@st.cache_resource(max_entries=16, show_spinner=False)
def examples(
    _searcher: Searcher, index_id: str, seed: int, object_class: str = ""
) -> dict[str, tuple[str, ...]]:
    """Return some keys of every release that have a preview, the same for the same seed.

    Parameters
    ----------
    object_class
        Of all of them; empty for any.
    """
    del index_id  # part of the cache's key only
    found: dict[str, list[str]] = {}
    for key in _searcher.random_keys(DRAWN["class" if object_class else "any"], seed):
        release = key.partition(":")[0]
        chosen = found.setdefault(release, [])
        if len(chosen) == EXAMPLES_PER_RELEASE:
            continue
        if object_class and _searcher.object(key)["object_class"] != object_class:
            continue
        if _searcher.preview(key) is not None:
            chosen.append(key)
    return {release: tuple(found[release]) for release in sorted(found) if found[release]}


@st.cache_resource(max_entries=16, show_spinner="Counting …")
def coverage_of(_searcher: Searcher, index_id: str, releases: tuple[str, ...]) -> Coverage:
    """Return how many objects of some releases, or of all, lie in cells of the sky."""
    del index_id  # part of the cache's key only
    return coverage(_searcher.index, releases)


@st.cache_resource(max_entries=2, show_spinner="Counting …")
def rejects_of(_searcher: Searcher, index_id: str) -> dict[str, dict[str, int]]:
    """Return how often each reason was given, by release; those without rejects are left out."""
    del index_id  # part of the cache's key only
    index = _searcher.index
    return {
        name: rejects_by_reason(index.segment(name))
        for name, release in index.info.releases.items()
        if release.rejected
    }


@st.cache_resource(max_entries=4, show_spinner=False)
def known_classes(_searcher: Searcher, index_id: str) -> list[str]:
    """Return classes to choose from."""
    del index_id  # part of the cache's key only
    return texts_of(_searcher.index, "object_class")


@st.cache_resource(max_entries=6, show_spinner="Reading the map …")
def map_of_space(_searcher: Searcher, index_id: str, space: str) -> KnownMap | None:
    """Return the map of a space with what is known of its objects; None without one."""
    del index_id  # part of the cache's key only
    return known_map(_searcher, space)


@st.cache_resource(max_entries=2, show_spinner="Comparing pictures with spectra …")
def discordants(_searcher: Searcher, index_id: str) -> Discordants:
    """Return the sources that have a picture and a spectrum, the most discordant first.

    Raises
    ------
    IndexerError
        If too few have both, or more than can be compared while somebody waits.
    """
    del index_id  # part of the cache's key only
    index = _searcher.index
    linked = sum(links.count for links in index.info.links)
    if linked > MOST_COMPARED:
        raise SearchError(
            f"this index has {linked:,} links, more than are compared while somebody waits; "
            "`python -m indexer discordant INDEX --output discordant.csv` does it once"
        )
    return find_discordant(index)


@st.cache_resource(scope="session", max_entries=4, show_spinner="Reading and encoding the file …")
def query_of_file(_searcher: Searcher, index_id: str, asked: FileAsked) -> Query:
    """Read uploaded files as their kind says, encode it, and return it as a query.

    Raises
    ------
    IndexerError
        With the reason why the file cannot be read, or not be encoded.
    """
    del index_id  # part of the cache's key only
    with written(asked.files) as paths:
        if asked.kind == "image":
            upload = read_image_file(paths, **asked.reading.of_image)
        else:
            upload = _read_spectrum_or_xp(paths, asked.reading)
    return _searcher.query_upload(upload)


def _read_spectrum_or_xp(paths: Sequence[Path], reading: Reading) -> Upload:
    try:
        return read_spectrum_file(paths, **reading.of_spectrum)
    except ReadError as no_spectrum:
        if len(paths) > 1:
            raise
        try:
            return read_xp_file(paths[0], source_id=reading.target_id or None)
        except ReadError as no_xp:
            # Whoever asks for a choice among objects has understood the file.
            understood = isinstance(no_xp, SeveralObjectsError)
            raise (no_xp if understood else no_spectrum) from None


@st.cache_resource(
    scope="session", max_entries=4, show_spinner="Asking the tokenizer for the spectrum …"
)
def reconstruction_of(
    _searcher: Searcher, _query: Query, index_id: str, asked: FileAsked
) -> Understood:
    """Return what the tokenizer understood of the spectrum of an uploaded file.

    Parameters
    ----------
    index_id, asked
        What the answer depends on.

    Raises
    ------
    IndexerError
        If the query has no spectrum for it, or its weights cannot be opened.
    """
    del index_id, asked  # parts of the cache's key only
    return _searcher.reconstruct(_query)


def property_reader(
    searcher: Searcher, index_id: str, labels: Sequence[Path] = ()
) -> PropertyReader:
    """Return the reader of properties of an index; tables that changed are read anew.

    Parameters
    ----------
    labels
        Tables of labels; without any the catalogue's own columns are read.

    Raises
    ------
    IndexerError
        If a table cannot be read, with its name and the reason.
    """
    return _reader(searcher, index_id, tuple((str(path), _stamp(path)) for path in labels))


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@st.cache_resource(max_entries=2, show_spinner="Reading the labels …")
def _reader(
    _searcher: Searcher, index_id: str, labels: tuple[tuple[str, int], ...]
) -> PropertyReader:
    del index_id  # part of the cache's key only
    paths = [path for path, _ in labels]
    return PropertyReader(_searcher, read_labels(*paths) if paths else None)


@st.cache_resource(
    scope="session",
    max_entries=32,
    show_spinner="Asking labelled neighbours (the first time takes longer: it measures how well "
    "each property can be read) …",
)
def estimates_of(
    _reader: PropertyReader,
    _query: Query,
    index_id: str,
    with_labels: bool,
    asked: str | FileAsked,
    space: str,
) -> tuple[Estimate, ...]:
    """Return estimates of everything that is known of some object of the index.

    Parameters
    ----------
    index_id, with_labels, asked, space
        What the answer depends on; `asked` is the query's key or its file, `space` where it is
        compared.
    """
    del index_id, with_labels, asked, space  # parts of the cache's key only
    return _reader.read(_query, _reader.names)
