"""What a file is, judged by its content, and its bytes within safe bounds.

Names are not believed: files in the wild are gzipped without saying so, or named after a format
that they are not in.
"""

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from indexer.errors import ReadError

__all__ = ["MAX_BYTES", "Content", "Kind", "read_content"]

Kind = Literal["fits", "votable", "ecsv", "text", "picture"]

MAX_BYTES = 512 * 1024 * 1024
"""Most bytes that a file may hold, after decompression and as pixels: more than any spectrum or
cut-out, and less than what would exhaust the memory of a small server."""

_PICTURES = (
    (b"\x89PNG\r\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"RIFF", "WebP"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)
_READ_PICTURES = ("PNG", "JPEG")
_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive; unpack it and give the file inside"),
    (b"\x89HDF", "an HDF5 file; index it with a manifest"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy file, which states no units; save a FITS or ECSV table"),
    (b"BZh", "a bzip2 file; unpack it first"),
    (b"\xfd7zXZ", "an xz file; unpack it first"),
    (b"\x7fELF", "a program"),
)


@dataclass(frozen=True)
class Content:
    """A file's bytes.

    Parameters
    ----------
    name
        The file's name, without folders.
    kind
        What it holds.
    data
        Decompressed.
    sha256
        Of the file as it is on disk.
    notes
        What had to be done to read it.
    """

    name: str
    kind: Kind
    data: bytes
    sha256: str
    notes: tuple[str, ...] = ()


def read_content(path: Path, *, pictures: bool = False) -> Content:
    """Read a file whole and judge what it is.

    Parameters
    ----------
    path
        The file.
    pictures
        Whether PNG and JPEG are taken; `indexer.readers.colour_pictures` reads them.

    Raises
    ------
    ReadError
        If it is missing, empty, too large, a picture, or nothing that astronomers exchange.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ReadError(
                f"{path.name}: the file is too large: at most {MAX_BYTES >> 20} MB, "
                f"got {path.stat().st_size >> 20} MB"
            )
        stored = path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path.name}: cannot be read: {error.strerror or error}") from None
    if not stored:
        raise ReadError(f"{path.name}: the file is empty")
    data = stored
    notes: tuple[str, ...] = ()
    if stored.startswith(b"\x1f\x8b"):
        data, notes = _unpacked(path.name, stored), ("the file is compressed with gzip",)
    kind = _kind(path.name, data, pictures)
    return Content(path.name, kind, data, hashlib.sha256(stored).hexdigest(), notes)


def _unpacked(name: str, stored: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(stored)) as file:
            data = file.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, OSError):
        raise ReadError(
            f"{name}: the file is truncated or damaged: gzip cannot unpack it"
        ) from None
    if len(data) > MAX_BYTES:
        raise ReadError(f"{name}: the file unpacks to more than {MAX_BYTES >> 20} MB")
    if data.startswith(b"\x1f\x8b"):
        raise ReadError(f"{name}: the file is compressed twice; unpack it first")
    return data


def _kind(name: str, data: bytes, pictures: bool) -> Kind:
    if data.startswith(b"SIMPLE  ="):
        return "fits"
    for magic, picture in _PICTURES:
        if data.startswith(magic):
            if pictures and picture in _READ_PICTURES:
                return "picture"
            raise ReadError(
                f"{name}: this is a {picture} picture, and colour pictures are not accepted: "
                "bands, fluxes and noise are lost in them; give the FITS cut-out, or a position"
            )
    for magic, what in _OTHERS:
        if data.startswith(magic):
            raise ReadError(f"{name}: this is no astronomical file but {what}")
    head = data[:4096]
    if b"\0" in head:
        raise ReadError(
            f"{name}: this is no astronomical file: it is neither FITS, VOTable, ECSV nor text"
        )
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        if b"<VOTABLE" in head or b":VOTABLE" in head:
            return "votable"
        raise ReadError(f"{name}: this is a web page or XML document, not a VOTable")
    if not start:
        raise ReadError(f"{name}: the file holds only blanks")
    return "ecsv" if start.startswith(b"# %ECSV") else "text"
