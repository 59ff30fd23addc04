"""The kinds of tables that the pages and the API give away."""

from dataclasses import dataclass

from indexer.export import MEDIA_TYPES

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
        In HTTP.
    """

    title: str
    form: str
    suffix: str
    media_type: str


def _table(title: str, form: str, suffix: str = "") -> TableFile:
    return TableFile(title, form, suffix or form, MEDIA_TYPES[form])


TABLES = (
    _table("CSV", "csv"),
    _table("ECSV", "ecsv"),
    _table("FITS", "fits"),
    _table("VOTable", "votable", "vot"),
    _table("Parquet", "parquet"),
)
JSON = _table("JSON", "json")
