"""A client of the API: asks a server, and gives what `indexer.search` gives.

>>> client = Client("http://localhost:8501")                                   # doctest: +SKIP
>>> hits = client.neighbours("desi-edr:39633345008634465", SearchOptions(k=5))  # doctest: +SKIP

Errors are those of `indexer.errors`, with the server's words; `ClientError` where there is no
answer, or none that can be read.
"""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import numpy as np

from indexer.cone import CONE_COLUMNS, Around
from indexer.errors import (
    AmbiguousError,
    IndexerError,
    QueryError,
    ReadError,
    SearchError,
    SeveralObjectsError,
    UnknownObjectError,
)
from indexer.hits import Hits
from indexer.options import LARGEST_K, SearchOptions
from indexer.told import hits_of, values_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Client", "ClientError"]

_ERRORS: dict[str, type[IndexerError]] = {
    "unknown-object": UnknownObjectError,
    "query": QueryError,
    "invalid": QueryError,
    "file": ReadError,
    "cannot-answer": SearchError,
}
_WITH_CANDIDATES = {"ambiguous": AmbiguousError, "several-objects": SeveralObjectsError}


class ClientError(IndexerError):
    """A server that does not answer, refuses to, or whose answer cannot be read.

    Parameters
    ----------
    message
        One line for a person.
    status
        Of HTTP; 0 where there was no answer.
    retry_after_s
        How long the server asks to wait, such as with 429 and 503; None where it does not say.
    """

    def __init__(self, message: str, status: int = 0, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class Client:
    """Asks one server.

    Parameters
    ----------
    url
        Where the pages are, such as ``http://localhost:8501``.
    timeout_s
        How long to wait for an answer.
    """

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ClientError(f"the address of a server begins with http:// or https://: {url!r}")
        self._base = url.rstrip("/") + "/api/v1"
        self._timeout_s = timeout_s

    def neighbours(
        self,
        identifier: str,
        options: SearchOptions = SearchOptions(),  # noqa: B008
        *,
        also: Sequence[str] = (),
        against: Sequence[str] = (),
        probe: bool = False,
        space: str | None = None,
    ) -> Hits:
        """Find what is most similar to an object, or to several.

        Parameters
        ----------
        identifier
            As `Searcher.query_object` takes it.
        also, against, probe
            Further examples, for and against; see `indexer.examples`.
        space
            Where spectra are compared.
        """
        return self._found({"object": identifier}, options, also, against, probe, space)

    def neighbours_at(
        self,
        position: str,
        options: SearchOptions = SearchOptions(),  # noqa: B008
        *,
        radius_arcsec: float | None = None,
        also: Sequence[str] = (),
        against: Sequence[str] = (),
        probe: bool = False,
        space: str | None = None,
    ) -> Hits:
        """Find what is most similar to the object nearest to a position."""
        asked = {"position": position, "radius": radius_arcsec}
        return self._found(asked, options, also, against, probe, space)

    def neighbours_of_file(
        self,
        kind: str,
        paths: Sequence[Path | str],
        options: SearchOptions = SearchOptions(),  # noqa: B008
        *,
        also: Sequence[str] = (),
        against: Sequence[str] = (),
        probe: bool = False,
        space: str | None = None,
        **read_as: str | float,
    ) -> Hits:
        """Find what is most similar to an ``image``, a ``spectrum`` or ``xp`` coefficients.

        Parameters
        ----------
        paths
            One file or several, as the readers take them.
        read_as
            What the files do not say: ``survey``, ``pixel_scale``, ``bands`` (``g,r,z``),
            ``zero_point``, ``wavelength_unit``, ``flux_unit``, ``medium``, ``target_id``.
        """
        content_type, body = _multipart(list(map(Path, paths)), read_as)
        address = self._address(
            f"/neighbours/{quote(kind, safe='')}", _searched(options, also, against, probe, space)
        )
        return _hits(self._ask(address, body, content_type))

    def neighbours_of_vector(
        self,
        vector: "ArrayLike",
        modality: str,
        options: SearchOptions = SearchOptions(),  # noqa: B008
    ) -> Hits:
        """Find what is most similar to a raw vector of the encoder of the index."""
        numbers = np.asarray(vector, np.float64).tolist()
        body = json.dumps({"modality": modality, "vector": numbers}).encode()
        address = self._address("/neighbours/vector", _searched(options))
        return _hits(self._ask(address, body, "application/json"))

    def object(self, identifier: str) -> dict[str, Any]:
        """Return what the index knows of an object; numbers that are unknown are None."""
        return self._ask(self._address(f"/objects/{quote(identifier, safe='')}", {}))

    def cone(self, position: str, radius_arcsec: float, limit: int = LARGEST_K) -> Around:
        """Return the objects around a position; see `Searcher.cone`."""
        asked = {"position": position, "radius": radius_arcsec, "limit": limit}
        told = self._ask(self._address("/cone", asked))
        columns = values_of(told["objects"], [column.name for column in CONE_COLUMNS])
        return Around(told["query"], told["receipt"], columns)

    def releases(self) -> list[dict[str, Any]]:
        """Return what the index holds of each release."""
        told: list[dict[str, Any]] = self._ask(self._address("/releases", {}))["releases"]
        return told

    def spaces(self) -> list[dict[str, Any]]:
        """Return the spaces of the index, with the encoder of each."""
        told: list[dict[str, Any]] = self._ask(self._address("/spaces", {}))["spaces"]
        return told

    def _found(
        self,
        asked: Mapping[str, Any],
        options: SearchOptions,
        also: Sequence[str],
        against: Sequence[str],
        probe: bool,
        space: str | None,
    ) -> Hits:
        values = {**asked, **_searched(options, also, against, probe, space)}
        return _hits(self._ask(self._address("/neighbours", values)))

    def _address(self, path: str, values: Mapping[str, Any]) -> str:
        given = {
            name: "true" if value is True else value
            for name, value in values.items()
            if value not in (None, False, "", (), [])
        }
        return self._base + path + ("?" + urlencode(given, doseq=True) if given else "")

    def _ask(
        self, address: str, body: bytes | None = None, content_type: str = ""
    ) -> dict[str, Any]:
        request = urllib.request.Request(address, body, {"Accept": "application/json"})
        if content_type:
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                content = answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                raise _error(
                    refused.code, refused.read(), refused.headers.get("Retry-After")
                ) from None
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise ClientError(f"{self._base} does not answer: {reason}") from None
        try:
            told = json.loads(content)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise ClientError(f"{self._base} answers, but not with JSON: is the address right?")
        return told


def _searched(
    options: SearchOptions,
    also: Sequence[str] = (),
    against: Sequence[str] = (),
    probe: bool = False,
    space: str | None = None,
) -> dict[str, Any]:
    """Return the parameters of an address that ask for a search."""
    return {
        "k": options.k,
        "to": options.to,
        "bridge": options.bridge,
        "release": options.releases,
        "where": options.filters.text,
        "leave_out_source": options.exclude_source,
        "fold_duplicates": options.fold_duplicates,
        "space": space,
        "also": tuple(also),
        "not": tuple(against),
        "probe": probe,
    }


def _hits(told: Mapping[str, Any]) -> Hits:
    try:
        return hits_of(told)
    except ValueError as error:
        raise ClientError(str(error)) from error


def _error(status: int, content: bytes, retry_after: str | None) -> IndexerError:
    """Return the error of a problem document."""
    try:
        problem = json.loads(content)
        kind, detail = problem["type"].rpartition(":")[2], str(problem["detail"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ClientError(f"the server answers with status {status}", status)
    if kind in _WITH_CANDIDATES:
        return _WITH_CANDIDATES[kind](detail, problem.get("candidates", ()))
    if kind in _ERRORS:
        return _ERRORS[kind](detail)
    wait = int(retry_after) if retry_after and retry_after.isdecimal() else None
    return ClientError(detail, status, wait)


def _multipart(paths: Sequence[Path], fields: Mapping[str, str | float]) -> tuple[str, bytes]:
    """Return a form with files: its content type and its bytes."""
    boundary = uuid.uuid4().hex
    parts = []
    for name, value in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"'
        parts.append(f"{head}\r\n\r\n{value}".encode())
    for path in paths:
        # As browsers do: a quotation mark or a line end must not end the header.
        name = path.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ReadError(f"{path.name}: cannot be read: {error.strerror or error}") from None
        parts.append(f"{head}\r\nContent-Type: application/octet-stream\r\n\r\n".encode() + content)
    start = f"--{boundary}\r\n".encode()
    body = b"".join(start + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
