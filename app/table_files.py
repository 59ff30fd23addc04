"""The kinds of tables that the pages give away."""

from dataclasses import dataclass

__all__ = ["JSON", "TABLES", "TableFile"]


@dataclass(frozen=True)
class TableFile:
    """One kind.

    Attributes
    ----------
    title
        For people.
    form
        One of `indexer.export.FORMATS`.
    suffix
        Of the file's name, without the dot.
    media_type
        For the browser.
    """

    title: str
    form: str
    suffix: str
    media_type: str


TABLES = (
    TableFile("CSV", "csv", "csv", "text/csv"),
    TableFile("ECSV", "ecsv", "ecsv", "text/plain"),
    TableFile("FITS", "fits", "fits", "application/fits"),
    TableFile("VOTable", "votable", "vot", "application/x-votable+xml"),
    TableFile("Parquet", "parquet", "parquet", "application/vnd.apache.parquet"),
)
JSON = TableFile("JSON", "json", "json", "application/json")
