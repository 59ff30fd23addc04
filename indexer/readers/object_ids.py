"""Identifiers as surveys write them, made clean text."""

import re

import numpy as np

from indexer.errors import QueryError
from indexer.identifiers import (
    PlateMjdFiber,
    clean_identifier,
    decode_spec_obj_id,
    encode_spec_obj_id,
)

__all__ = ["clean_text", "object_id_text", "plate_mjd_fiber", "spec_object_id"]


def clean_text(value: object) -> str:
    """Return text without the marks that files add: bytes, ``b'...'``, blanks, NULs.

    Masked values give the empty text.
    """
    if value is None or value is np.ma.masked:
        return ""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return clean_identifier(text.strip(" \t\r\n\0")).strip("\0")


def object_id_text(value: object) -> str:
    """Return an identifier as text, exact for every 64-bit number.

    Raises
    ------
    ValueError
        If there is none, or if it is a floating-point number, which has lost digits already.
    """
    if isinstance(value, bool | np.bool_):
        raise ValueError("an identifier cannot be true or false")
    if isinstance(value, float | np.floating):
        raise ValueError(
            f"the identifier {float(value):.6g} is a floating-point number, which cannot hold all "
            "digits of one; store it as an integer or as text"
        )
    if isinstance(value, int | np.integer):
        return str(int(value))
    text = clean_text(value)
    if not text:
        raise ValueError("the object has no identifier")
    return text


def plate_mjd_fiber(spec_obj_id: str) -> str:
    """Return ``plate-mjd-fiber``, such as ``266-51602-1``; empty for what is no specObjID."""
    try:
        return str(decode_spec_obj_id(spec_obj_id))
    except QueryError:
        return ""


def spec_object_id(plate: int, mjd: int, fiber: int, run2d: str) -> str:
    """Return the specObjID of an SDSS spectrum.

    `run2d` is a number (SDSS-I/II) or a version such as ``v5_7_0``, which counts as
    (5 - 5) * 10000 + 7 * 100 + 0 (SDSS data model, ``specObj``).

    Raises
    ------
    ValueError
        If `run2d` is neither, or a number is out of range.
    """
    version = re.fullmatch(r"v(\d+)_(\d+)_(\d+)", run2d)
    if version:
        major, minor, patch = (int(part) for part in version.groups())
        run = (major - 5) * 10000 + minor * 100 + patch
    elif run2d.isdecimal():
        run = int(run2d)
    else:
        raise ValueError(f"run2d must be a number or a version such as v5_7_0, got {run2d!r}")
    try:
        return str(encode_spec_obj_id(PlateMjdFiber(plate, mjd, fiber), run))
    except QueryError as error:
        raise ValueError(str(error)) from None
