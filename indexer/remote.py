"""Survey files elsewhere: on the Hub of Hugging Face, in object stores and on web servers.

``hf://``, ``s3://``, ``https://`` and whatever else fsspec knows. A listing has sizes and etags in
place of dates; a file is fetched whole, in one go, or what is needed of it, and tried again after
what passes.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from indexer.errors import BuildError, ManifestError, ReadError

__all__ = ["Files", "RemoteFile", "RemoteRoot", "Take", "root_named"]

Result = TypeVar("Result")

Take = Callable[[Any, Path], None]
"""Copies a part of an open file to a path."""

WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Before each further attempt: a minute in all, which outlasts what restarts by itself."""

_ETAGS = ("lfs", "blob_id", "ETag", "etag", "Content-MD5", "LastModified", "Last-Modified")
_ETAGS_OF_OTHERS = ("mtime", "created")
_URL = re.compile(r"[a-z][a-z0-9+.-]+://.+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PASSES = (408, 425, 429)
"""Refusals that pass, beside what begins with 5."""


class Files(Protocol):
    """A folder of files that can be opened by their path in it: a `Path`, or a `Spool`."""

    def __truediv__(self, name: str) -> Path:
        """Return where a file is on this machine."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as it was listed.

    Attributes
    ----------
    bytes
        Size.
    etag
        Changes with the content: a hash where the server has one, else a date.
    """

    bytes: int
    etag: str


@dataclass(frozen=True)
class RemoteRoot:
    """A folder elsewhere.

    Attributes
    ----------
    url
        Such as ``hf://datasets/OWNER/NAME@REVISION/FOLDER`` or ``s3://BUCKET/FOLDER``.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def matching(self, pattern: str) -> list[str]:
        """Return the paths of the files that a glob matches, relative to this.

        Raises
        ------
        ManifestError
            If it cannot be listed.
        """
        system, base = self._opened()
        try:
            if "**" in pattern:
                return _everywhere(system, base, pattern)
            return sorted(_level(system, base, "", pattern.split("/")))
        except Exception as error:
            raise ManifestError(
                f"{self.url} cannot be listed: {_said(error)}; check the address and the network, "
                "and that you may read it"
            ) from error

    def file(self, name: str) -> RemoteFile:
        """Return size and etag of a file.

        Raises
        ------
        ManifestError
            If there is none, or the server does not tell its size.
        """
        system, base = self._opened()
        try:
            found = _patiently(lambda: system.info(f"{base}/{name}"))
        except Exception as error:
            raise ManifestError(f"{self.url}/{name}: {_said(error)}") from error
        if found.get("size") is None:
            raise ManifestError(
                f"{self.url}/{name}: the server does not tell the size; download the files"
            )
        return RemoteFile(int(found["size"]), _etag(found))

    def fetch(
        self, name: str, to: Path, expected: RemoteFile | None = None, take: Take | None = None
    ) -> str:
        """Copy a file to this machine, and return the SHA-256 of what came.

        Parameters
        ----------
        name
            Relative to this.
        to
            Where to; nothing is left there on an error.
        expected
            As it was listed.
        take
            Copies what is needed of the open file, which is asked for no more than that. Where it
            cannot, or the server gives no parts, the file comes whole.

        Raises
        ------
        ReadError
            If the file is not there, may not be read, or is another than was listed: the answer
            would be the same again.
        BuildError
            If the server cannot be reached after many attempts.
        """
        system, base = self._opened()
        to.parent.mkdir(parents=True, exist_ok=True)

        def whole() -> str:
            system.get_file(f"{base}/{name}", str(to))
            return _checked(to, expected)

        def attempt() -> str:
            if take is None:
                return whole()
            try:
                with system.open(f"{base}/{name}", "rb", cache_type="none") as file:
                    _of_listed_size(file.size, expected)
                    take(file, to)
            except (ReadError, ValueError):
                return whole()
            return _checked(to, None)

        try:
            return _patiently(attempt)
        except Exception as error:
            to.unlink(missing_ok=True)
            if _passes(error) and not isinstance(error, _DifferentError):
                raise BuildError(
                    f"{self.url}/{name} could not be fetched in {len(WAITS_S) + 1} attempts: "
                    f"{_said(error)}; check the network and build again: it goes on from here"
                ) from error
            raise ReadError(f"the file cannot be fetched: {_said(error)}") from error

    def _opened(self) -> tuple[Any, str]:
        # Imported here: it takes a moment, and files are mostly on this machine.
        import fsspec

        scheme = self.url.partition("://")[0]
        try:
            system, base = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            raise ManifestError(
                f"{scheme}:// needs what is not installed: pip install 'aion-search[remote]'"
            ) from error
        except ValueError as error:
            raise ManifestError(f"{self.url} cannot be opened: {error}") from error
        return system, str(base).rstrip("/")


def root_named(text: str) -> Path | RemoteRoot:
    """Return a folder on this machine, or one elsewhere, by what a person names."""
    if _URL.fullmatch(text):
        return RemoteRoot(text.rstrip("/"))
    return Path(text).expanduser()


def _level(system: Any, base: str, folder: str, parts: list[str]) -> Iterator[str]:
    """Yield the files below `folder` that match, listing no more folders than the pattern asks."""
    part, *rest = parts
    if not any(sign in part for sign in "*?["):
        name = folder + part
        if rest:
            yield from _level(system, base, f"{name}/", rest)
        elif system.isfile(f"{base}/{name}"):
            yield name
        return
    try:
        listed = _patiently(lambda: system.ls(f"{base}/{folder}".rstrip("/"), detail=True))
    except FileNotFoundError:
        return
    for each in listed:
        # Web servers write the = of `healpix=1` as they like.
        name = unquote(str(each["name"])).rstrip("/").rpartition("/")[2]
        if not fnmatchcase(name, part):
            continue
        if rest and each["type"] == "directory":
            yield from _level(system, base, f"{folder}{name}/", rest)
        elif not rest and each["type"] == "file":
            yield folder + name


def _everywhere(system: Any, base: str, pattern: str) -> list[str]:
    from fsspec.utils import glob_translate

    found = [unquote(str(name))[len(base) + 1 :] for name in system.find(base)]
    matching = re.compile(glob_translate(pattern))
    return sorted(name for name in found if matching.match(name))


class _DifferentError(OSError):
    """What came is not what was listed."""


def _of_listed_size(size: int, expected: RemoteFile | None) -> None:
    if expected is not None and size != expected.bytes:
        raise _DifferentError(f"{expected.bytes} bytes were listed, got {size}")


def _checked(path: Path, expected: RemoteFile | None) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is None:
        return digest
    _of_listed_size(path.stat().st_size, expected)
    if _SHA256.fullmatch(expected.etag) and digest != expected.etag:
        raise _DifferentError(f"its SHA-256 must be {expected.etag}, got {digest}")
    return digest


def _patiently(attempt: Callable[[], Result]) -> Result:
    for wait_s in (*WAITS_S, None):
        try:
            return attempt()
        except Exception as error:
            if wait_s is None or not _passes(error):
                raise
            time.sleep(wait_s)
    raise AssertionError("the last attempt returns or raises")


def _passes(error: Exception) -> bool:
    """Say whether another attempt may do better."""
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | ValueError):
        return False
    status = getattr(error, "status", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    return not isinstance(status, int) or status >= 500 or status in _PASSES


def _said(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return f"not found: {said}" if isinstance(error, FileNotFoundError) else said


def _etag(info: Mapping[str, Any]) -> str:
    for key in (*_ETAGS, *_ETAGS_OF_OTHERS):
        value = info.get(key)
        if value:
            # Of large files the Hub tells the SHA-256 of the content itself.
            return str(value["sha256"] if key == "lfs" else value).strip('"')
    return ""
