"""Errors of the indexer.

Their tree::

    IndexerError
    ├── ManifestError         a manifest that is wrong, or whose folder is not there
    ├── ReadError             a file that cannot be read, or holds nothing that can be encoded
    │   └── SeveralObjectsError   a file that holds several; they are in `candidates`
    ├── QueryError            a query that names nothing, or cannot be understood
    │   ├── AmbiguousError    a query that names several objects; they are in `candidates`
    │   └── UnknownObjectError    a query that is understood, but names nothing in the index
    ├── IndexFormatError      a folder that is no index, or one of another format version
    ├── LockedError           an index that another process is building
    ├── BuildError            a build that cannot go on
    ├── StoppedError          work that a signal asked to end, and that goes on when begun again
    └── SearchError           a search that this index cannot answer

Messages are one line, fit for a person: what must hold, what was found, what to do.
"""

from collections.abc import Sequence

__all__ = [
    "AmbiguousError",
    "BuildError",
    "IndexFormatError",
    "IndexerError",
    "LockedError",
    "ManifestError",
    "QueryError",
    "ReadError",
    "SearchError",
    "SeveralObjectsError",
    "StoppedError",
    "UnknownObjectError",
]


class IndexerError(Exception):
    """Base of every error that this package raises on purpose."""


class ManifestError(IndexerError):
    """A manifest that is wrong, or whose folder of files is not there."""


class ReadError(IndexerError):
    """A file that cannot be read, or that holds nothing AION-1 can encode."""


class SeveralObjectsError(ReadError):
    """A file that holds several objects, of which one must be chosen.

    Parameters
    ----------
    message
        One line for a person.
    candidates
        Identifiers in the order of the file.
    """

    def __init__(self, message: str, candidates: Sequence[str]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class QueryError(IndexerError):
    """A query that names nothing in the index, or cannot be understood."""


class AmbiguousError(QueryError):
    """A query that names several objects.

    Parameters
    ----------
    message
        One line for a person.
    candidates
        Keys of the objects it may mean, in the order in which they are offered.
    """

    def __init__(self, message: str, candidates: Sequence[str]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class UnknownObjectError(QueryError):
    """A query that is understood, but names no object of the index, or no release."""


class IndexFormatError(IndexerError):
    """A folder that is no index, an incomplete one, or one of another format version."""


class LockedError(IndexerError):
    """An index that another process is building."""


class BuildError(IndexerError):
    """A build that cannot go on."""


class StoppedError(IndexerError):
    """Work that a signal asked to end; the same command goes on from there."""


class SearchError(IndexerError):
    """A search that this index cannot answer."""
