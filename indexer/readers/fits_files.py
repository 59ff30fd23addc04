"""FITS files opened with care: sizes checked before pixels, truncation noticed, warnings caught."""

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from astropy.io import fits

from aion_encoder.errors import EncoderError
from indexer.errors import IndexerError, ReadError
from indexer.readers.columns import native
from indexer.readers.file_kinds import MAX_BYTES, Content
from indexer.readers.messages import caught_warnings, one_line
from indexer.readers.object_ids import clean_text

__all__ = ["fits_hdus", "header_float", "header_text", "pixels", "table_columns"]


@contextmanager
def fits_hdus(content: Content) -> Iterator[list[Any]]:
    """Open a FITS file and give its HDUs.

    A file that lacks only padding at its end is read; one that lacks data is refused.

    Raises
    ------
    ReadError
        If the file is truncated, damaged, or declares more data than is safe to read.
    """
    with caught_warnings():
        try:
            with fits.open(io.BytesIO(content.data), memmap=False, lazy_load_hdus=False) as opened:
                hdus = list(opened)
                for hdu in hdus:
                    _refuse_unsafe(hdu, content)
                yield hdus
        except (IndexerError, EncoderError):
            raise
        except Exception as error:
            # Damaged files make astropy raise whatever comes first: OSError, KeyError, ...
            raise ReadError(
                f"{content.name}: the FITS file is damaged: {one_line(error)}"
            ) from None


def pixels(hdu: Any) -> np.ndarray | None:
    """Return an image's pixels as an own array in native byte order; None if there are none."""
    if not _is_image(hdu):
        return None
    values = hdu.data
    return None if values is None else np.array(native(values))


def table_columns(hdu: Any) -> dict[str, np.ndarray] | None:
    """Return the columns of a table HDU under their own names; None if it is no table."""
    if _is_image(hdu) or not hasattr(hdu, "columns") or hdu.data is None:
        return None
    return {name: native(np.asarray(hdu.data[name])) for name in hdu.columns.names}


def header_text(header: Mapping[str, Any], *keys: str) -> str:
    """Return the first of the keywords that holds text or a number, as clean text."""
    for key in keys:
        value = header.get(key)
        if isinstance(value, bool):
            return str(value)
        if isinstance(value, str | int | float):
            text = clean_text(value)
            if text:
                return text
    return ""


def header_float(header: Mapping[str, Any], *keys: str) -> float:
    """Return the first of the keywords that holds a number, even as text; else NaN."""
    for key in keys:
        value = header.get(key)
        if isinstance(value, bool):
            continue
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            return number
    return math.nan


def _is_image(hdu: Any) -> bool:
    return bool(getattr(hdu, "is_image", False))


def _refuse_unsafe(hdu: Any, content: Content) -> None:
    header = hdu.header
    axes = [int(header.get(f"NAXIS{i + 1}", 0)) for i in range(int(header.get("NAXIS", 0)))]
    declared = math.prod(axes) * abs(int(header.get("BITPIX", 8))) // 8 if axes else 0
    if declared > MAX_BYTES:
        raise ReadError(
            f"{content.name}: HDU {hdu.name or 'PRIMARY'} declares {declared >> 20} MB of data; at "
            f"most {MAX_BYTES >> 20} MB are read"
        )
    start = int(hdu.fileinfo()["datLoc"])
    needed = start + int(hdu.size)
    if needed > len(content.data):
        raise ReadError(
            f"{content.name}: the file is truncated: HDU {hdu.name or 'PRIMARY'} needs "
            f"{needed} bytes and the file has {len(content.data)}; download it again"
        )
