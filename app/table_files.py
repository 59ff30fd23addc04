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


_TITLES = {
    "csv": "CSV",
    "ecsv": "ECSV",
    "fits": "FITS",
    "votable": "VOTable",
    "parquet": "Parquet",
    "json": "JSON",
}
*TABLES, JSON = (
    TableFile(title, form, {"votable": "vot"}.get(form, form), MEDIA_TYPES[form])
    for form, title in _TITLES.items()
)
