"""Tables of any format astropy reads, as plain columns with units and a header."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from indexer.errors import ReadError
from indexer.readers.columns import native
from indexer.readers.file_kinds import Content
from indexer.readers.messages import caught_warnings, one_line
from indexer.readers.plain_text import read_text_table

__all__ = ["PlainTable", "read_table", "table_of_hdu"]


@dataclass(frozen=True, eq=False)
class PlainTable:
    """A table without its format.

    Parameters
    ----------
    columns
        By name, in the file's order. A column may hold arrays.
    units
        By name; empty text where none is stated.
    header
        Keywords and values that came with it.
    notes
        What had to be done to read it.
    """

    columns: Mapping[str, np.ndarray]
    units: Mapping[str, str]
    header: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_table(content: Content) -> PlainTable:
    """Read a VOTable, ECSV or text table.

    Raises
    ------
    ReadError
        If it cannot be read.
    """
    if content.kind == "text":
        return _from_text(content)
    from astropy.io import ascii as text_tables
    from astropy.io import votable

    with caught_warnings():
        try:
            if content.kind == "votable":
                parsed = votable.parse_single_table(io.BytesIO(content.data), verify="ignore")
                table = parsed.to_table(use_names_over_ids=True)
            else:
                table = text_tables.read(content.data.decode("utf-8"), format="ecsv")
        except Exception as error:
            # The parsers raise whatever their own parsers raise: XML, YAML, index errors.
            raise ReadError(
                f"{content.name}: the {content.kind.upper()} file is damaged or truncated: "
                f"{one_line(error)[:200]}"
            ) from None
        columns = {name: _plain(table[name]) for name in table.colnames}
        units = {name: str(table[name].unit or "") for name in table.colnames}
        return PlainTable(columns, units, dict(table.meta))


def table_of_hdu(hdu: Any, primary_header: Mapping[str, Any]) -> PlainTable | None:
    """Return the table of a FITS HDU, with the primary header's keywords; None if it is none."""
    if getattr(hdu, "is_image", False) or not hasattr(hdu, "columns") or hdu.data is None:
        return None
    columns = {name: native(np.asarray(hdu.data[name])) for name in hdu.columns.names}
    units = {column.name: str(column.unit or "") for column in hdu.columns}
    return PlainTable(columns, units, {**dict(primary_header), **dict(hdu.header)})


def _plain(column: Any) -> np.ndarray:
    """Return a column without mask or unit; masked numbers become NaN."""
    values: Any = getattr(column, "value", column)
    mask = np.ma.getmaskarray(values)
    plain = native(np.ma.getdata(values))
    if plain.dtype.kind == "f" or (plain.dtype.kind in "iu" and mask.any()):
        return np.where(mask, np.nan, plain)
    return plain


def _from_text(content: Content) -> PlainTable:
    table = read_text_table(content.name, content.data)
    names = [name or f"column {i + 1}" for i, name in enumerate(table.names)]
    notes: tuple[str, ...] = ()
    if table.broken_rows:
        notes = (f"{table.broken_rows} unreadable rows are left out",)
    return PlainTable(
        dict(zip(names, table.columns, strict=True)),
        dict(zip(names, table.units, strict=True)),
        table.header,
        notes,
    )
