"""What a manifest says of the columns of a release's files."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ColumnRules", "Magnitude", "RedshiftOk"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class RedshiftOk(_Model):
    """When a redshift may be trusted.

    Attributes
    ----------
    column
        A warning flag in the file.
    good
        The value that means "no problem". SDSS and DESI write 0. The Multimodal Universe turns
        DESI's flag round on the way: a boolean there is True where there is no problem, while
        files with the pipeline's own integers keep 0; ``true_or_zero`` reads both.
    """

    column: str = Field(min_length=1)
    good: Literal["zero", "true_or_zero"]


class Magnitude(_Model):
    """Where the magnitude shown for an object comes from.

    Attributes
    ----------
    column
        A column of the file; an element of an array column is written ``SPECTROFLUX[2]``.
    unit
        ``mag``, or ``nanomaggies`` (22.5 - 2.5 log10 of the flux).
    band
        The band's name, for display.
    """

    column: str = Field(min_length=1)
    unit: Literal["mag", "nanomaggies"]
    band: str = Field(min_length=1)


class ColumnRules(_Model):
    """Which columns of a file become columns of the catalogue.

    Attributes
    ----------
    redshift, object_class
        Names of columns in the file; empty if it has none.
    redshift_ok, magnitude
        See their classes. Without a rule a known redshift counts as good.
    keep
        Further columns: name in the catalogue to name in the file.
    """

    redshift: str = ""
    redshift_ok: RedshiftOk | None = None
    magnitude: Magnitude | None = None
    object_class: str = ""
    keep: dict[str, str] = Field(default_factory=dict)
