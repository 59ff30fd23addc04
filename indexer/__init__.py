"""Builds, opens and searches an index of astronomical objects.

Importing this package loads neither torch nor faiss; what needs them brings them. What builds an
index is in `indexer.build`, `indexer.plan` and `indexer.verify`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.discordant import Discordants, find_discordant
    from indexer.errors import (
        AmbiguousError,
        BuildError,
        IndexerError,
        IndexFormatError,
        LockedError,
        ManifestError,
        QueryError,
        ReadError,
        SearchError,
        SeveralObjectsError,
    )
    from indexer.estimates import ClassEstimate, NoEstimate, NumberEstimate
    from indexer.examples import examples_query
    from indexer.export import FORMATS, render_hits, write_hits
    from indexer.hits import Hits
    from indexer.index_file import Index, open_index
    from indexer.labels import Labels, read_labels
    from indexer.manifests import Manifest, load_manifest
    from indexer.options import SearchOptions
    from indexer.previews import Preview
    from indexer.properties import PropertyReader
    from indexer.queries import Query
    from indexer.readers.uploads import (
        Upload,
        read_image_file,
        read_spectrum_file,
        read_xp_file,
    )
    from indexer.reconstructions import Understood
    from indexer.search import Searcher, open_searcher
    from indexer.verdicts import Verdict

__all__ = [
    "FORMATS",
    "AmbiguousError",
    "BuildError",
    "ClassEstimate",
    "Discordants",
    "Filters",
    "Hits",
    "Index",
    "IndexFormatError",
    "IndexerError",
    "Labels",
    "LockedError",
    "Manifest",
    "ManifestError",
    "NoEstimate",
    "NumberEstimate",
    "Preview",
    "PropertyReader",
    "Query",
    "QueryError",
    "ReadError",
    "SearchError",
    "SearchOptions",
    "Searcher",
    "SeveralObjectsError",
    "Understood",
    "Upload",
    "Verdict",
    "examples_query",
    "find_discordant",
    "load_manifest",
    "open_index",
    "open_searcher",
    "parse_filters",
    "read_image_file",
    "read_labels",
    "read_spectrum_file",
    "read_xp_file",
    "render_hits",
    "write_hits",
]

_HOME = {
    "FORMATS": "export",
    "AmbiguousError": "errors",
    "BuildError": "errors",
    "ClassEstimate": "estimates",
    "Discordants": "discordant",
    "Filters": "filters",
    "Hits": "hits",
    "Index": "index_file",
    "IndexFormatError": "errors",
    "IndexerError": "errors",
    "Labels": "labels",
    "LockedError": "errors",
    "Manifest": "manifests",
    "ManifestError": "errors",
    "NoEstimate": "estimates",
    "NumberEstimate": "estimates",
    "Preview": "previews",
    "PropertyReader": "properties",
    "Query": "queries",
    "QueryError": "errors",
    "ReadError": "errors",
    "SearchError": "errors",
    "SearchOptions": "options",
    "Searcher": "search",
    "SeveralObjectsError": "errors",
    "Understood": "reconstructions",
    "Upload": "readers.uploads",
    "Verdict": "verdicts",
    "examples_query": "examples",
    "find_discordant": "discordant",
    "load_manifest": "manifests",
    "open_index": "index_file",
    "open_searcher": "search",
    "parse_filters": "filters",
    "read_image_file": "readers.uploads",
    "read_labels": "labels",
    "read_spectrum_file": "readers.uploads",
    "read_xp_file": "readers.uploads",
    "render_hits": "export",
    "write_hits": "export",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
