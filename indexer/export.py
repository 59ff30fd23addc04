"""Answers -> files that astronomers' tools open, with units, UCDs and the receipt in each.

========  ==================================================================================
format    where the receipt is
========  ==================================================================================
csv       a last column ``receipt``, filled in the first row (comments would break readers)
ecsv      ``meta`` of the table
fits      header card ``RECEIPT`` (JSON, long string), and ``QUERY``
votable   one ``INFO`` per item, and ``receipt`` as JSON
parquet   file metadata ``receipt`` and ``query`` (JSON), with the VOTable header of VOParquet
json      ``receipt``, beside ``query`` and ``hits``
ds9       nowhere: regions hold only the index's id
========  ==================================================================================
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from indexer.ds9 import render_ds9
from indexer.errors import QueryError
from indexer.hits import Hits

# Astropy takes a second to import, and JSON does without it.
if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import NDArray

    from indexer.cone import Around

__all__ = [
    "FORMATS",
    "MEDIA_TYPES",
    "arrow_table",
    "format_of",
    "render_hits",
    "render_table",
    "table_metadata",
    "whole_or_absent",
    "write_hits",
]

SUFFIXES = {
    ".csv": "csv",
    ".ecsv": "ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".parquet": "parquet",
    ".json": "json",
    ".reg": "ds9",
}
FORMATS = ("csv", "ecsv", "fits", "votable", "parquet", "json")
"""Of any table. An answer can be regions of DS9, too: ``ds9``."""

MEDIA_TYPES = {
    "csv": "text/csv",
    "ecsv": "text/x-ecsv",
    "fits": "application/fits",
    "votable": "application/x-votable+xml",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}
"""What each format is called in HTTP. ECSV has no registered name."""


def format_of(path: Path) -> str:
    """Return the format that the name of a file asks for.

    Raises
    ------
    QueryError
        If the suffix is none that this package writes.
    """
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise QueryError(
            f"the name of an exported file must end in {', '.join(SUFFIXES)}, got {path.name!r}"
        ) from None


def render_hits(hits: "Hits | Around", file_format: str) -> bytes:
    """Return an answer as the bytes of a file.

    Parameters
    ----------
    hits
        The answer, a list of neighbours or of the objects around a position; it may be empty.
    file_format
        One of `FORMATS`, or ``ds9``.

    Raises
    ------
    QueryError
        If the format is unknown.
    """
    if file_format == "json":
        return (json.dumps(hits.document(), indent=1, allow_nan=False) + "\n").encode()
    if file_format == "ds9":
        if not isinstance(hits, Hits):
            raise QueryError("regions are made of neighbours only; choose another format")
        return render_ds9(hits)
    return render_table(hits.to_table(), file_format)


def render_table(table: "Table", file_format: str) -> bytes:
    """Return a described table (see `indexer.hits.described_table`) as the bytes of a file."""
    writers: dict[str, Callable[[Table, IO[bytes]], None]] = {
        "csv": _write_csv,
        "ecsv": _write_ecsv,
        "fits": _write_fits,
        "votable": _write_votable,
        "parquet": _write_parquet,
    }
    if file_format not in writers:
        raise QueryError(f"format must be one of {', '.join(FORMATS)}, got {file_format!r}")
    stream = io.BytesIO()
    writers[file_format](table, stream)
    return stream.getvalue()


def write_hits(hits: Hits, path: Path, file_format: str | None = None) -> None:
    """Write an answer to a file, whole or not at all.

    Parameters
    ----------
    hits
        The answer.
    path
        Where to; an existing file is replaced.
    file_format
        One of `FORMATS` or ``ds9``; by default what the suffix of `path` says.
    """
    content = render_hits(hits, file_format or format_of(path))
    with whole_or_absent(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def whole_or_absent(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the place of `path` on success and vanishes on failure."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _write_csv(table: "Table", stream: IO[bytes]) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*table.colnames, "receipt"])
    receipt = _compact(dict(table.meta))
    for at, row in enumerate(table.iterrows()):
        cells = ["" if value != value else str(value) for value in row]
        writer.writerow([*cells, receipt if at == 0 else ""])
    text.detach()


def _write_ecsv(table: "Table", stream: IO[bytes]) -> None:
    text = io.StringIO()
    table.write(text, format="ascii.ecsv", delimiter=",")
    stream.write(text.getvalue().encode())


def _write_fits(table: "Table", stream: IO[bytes]) -> None:
    from astropy.io import fits
    from astropy.table import Table

    # With descriptions and meta, astropy writes its own YAML block instead of the TUCDn cards
    # that other tools read; so the plain columns go to FITS, and the cards are set here.
    columns = [_in_ascii(table[name].data) for name in table.colnames]
    plain = Table(columns, names=table.colnames, copy=False)
    hdu = fits.table_to_hdu(plain)
    header = hdu.header
    for number, name in enumerate(table.colnames, start=1):
        info = table[name].info
        if info.unit is not None:
            header[f"TUNIT{number}"] = info.unit.to_string("fits")
        header[f"TUCD{number}"] = info.meta["ucd"]
        header[f"TCOMM{number}"] = info.description
    header["EXTNAME"] = "HITS"
    for name, value in table.meta.items():
        header[name.upper()[:8]] = _compact(value)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(stream)


def _in_ascii(values: "NDArray[Any]") -> "NDArray[Any]":
    """Return texts as FITS can hold them: what is not ASCII becomes a question mark."""
    if values.dtype.kind != "U":
        return values
    # ``encode`` of an empty array has no width, which FITS does not take.
    return np.char.encode(values, "ascii", "replace") if len(values) else values


def _votable(table: "Table") -> Any:
    from astropy.io import votable
    from astropy.io.votable.tree import CooSys, Info

    plain = table.copy(copy_data=False)
    plain.meta.clear()
    document = votable.from_table(plain)
    resource = document.resources[0]
    resource.type = "results"
    resource.coordinate_systems.append(
        CooSys(ID="sky", system="ICRS", config={"version_1_1_or_later": True})
    )
    for field in resource.tables[0].fields:
        field.ucd = table[field.name].info.meta["ucd"]
        if field.name in ("ra_deg", "dec_deg"):
            field.ref = "sky"
        # The UCD must not be repeated as a VALUES or LINK of its own.
        field.values._null = None
    for name, value in table.meta.items():
        resource.infos.append(Info(name=name, value=_compact(value)))
    for name, value in table.meta.get("receipt", {}).items():
        text = value if isinstance(value, str) else _compact(value)
        resource.infos.append(Info(name=f"receipt.{name}", value=text))
    return document


def _write_votable(table: "Table", stream: IO[bytes]) -> None:
    _votable(table).to_xml(stream, tabledata_format="binary2")


def table_metadata(table: "Table") -> dict[bytes, bytes]:
    """Return file metadata for Parquet: `meta` as JSON, and the VOTable header of VOParquet."""
    xml = io.BytesIO()
    _votable(table[:0]).to_xml(xml, tabledata_format="binary2")
    # Astropy's own reader wants to know how long texts can be.
    lengths = {
        f"table::len::{name}".encode(): str(table[name].dtype.itemsize // 4).encode()
        for name in table.colnames
        if table[name].dtype.kind == "U"
    }
    metadata = lengths | {
        b"IVOA.VOTable-Parquet.version": b"1.0",
        b"IVOA.VOTable-Parquet.content": xml.getvalue(),
    }
    return metadata | {
        name.encode(): _compact(value).encode() for name, value in table.meta.items()
    }


def arrow_table(table: "Table") -> Any:
    """Return the columns as an Arrow table, with unit, UCD and description on each field."""
    import pyarrow as pa

    arrays, arrow_fields = [], []
    for name in table.colnames:
        info = table[name].info
        data = table[name].data
        array = pa.array(data.tolist(), pa.string()) if data.dtype.kind == "U" else pa.array(data)
        described = {"ucd": info.meta["ucd"], "description": info.description}
        if info.unit is not None:
            described["unit"] = info.unit.to_string()
        arrays.append(array)
        arrow_fields.append(pa.field(name, array.type, metadata=described))
    return pa.Table.from_arrays(arrays, schema=pa.schema(arrow_fields))


def _write_parquet(table: "Table", stream: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    content = arrow_table(table).replace_schema_metadata(table_metadata(table))
    pq.write_table(content, stream, compression="zstd")
