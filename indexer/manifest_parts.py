"""Parts of a release in a manifest: what is not read, how it is shown, where more is told."""

import string
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = [
    "BesideCatalogue",
    "IgnoredFiles",
    "LinkOut",
    "ManifestPart",
    "PreviewSettings",
    "PublishedCount",
]


class ManifestPart(BaseModel):
    """Frozen, and nothing but what is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class LinkOut(ManifestPart):
    """A page elsewhere about one object; ``{ra}``, ``{dec}`` and ``{object_id}`` are filled in."""

    label: str = Field(min_length=1)
    url: str = Field(pattern=r"^https://")

    @field_validator("url")
    @classmethod
    def _known_fields(cls, url: str) -> str:
        fields = {name for _, name, _, _ in string.Formatter().parse(url) if name is not None}
        unknown = fields - {"ra", "dec", "object_id"}
        if unknown:
            raise ValueError(
                "a link may use {ra}, {dec} and {object_id}, got " + ", ".join(sorted(unknown))
            )
        return url

    def fill(self, object_id: str, ra_deg: float, dec_deg: float) -> str:
        """Return the address for one object."""
        return self.url.format(
            ra=f"{ra_deg:.6f}", dec=f"{dec_deg:.6f}", object_id=quote(object_id, safe="")
        )


class PreviewSettings(ManifestPart):
    """How the colour picture of an image is made.

    Attributes
    ----------
    rgb
        Bands shown as red, green and blue.
    scale
        Factors on the counts of those bands.
    softening
        Softening of the arcsinh stretch: larger shows brighter parts.
    minimum
        Scaled count that is black.
    """

    rgb: tuple[str, str, str]
    scale: tuple[float, float, float]
    softening: float = Field(default=20.0, gt=0)
    minimum: float = -0.03


class PublishedCount(ManifestPart):
    """How many objects the survey's own description states, and where it does."""

    objects: int = Field(gt=0)
    source: str = Field(min_length=1)


class BesideCatalogue(ManifestPart):
    """A CSV table beside loose files that names what is in them.

    A row is believed only if its position agrees with the file's own; a spectrum file that states
    none is where its row says.

    Attributes
    ----------
    file
        The table, relative to the root.
    path, object_id, ra, dec
        Columns: the file's path relative to the root, the identifier, the position in degrees.
    redshift, object_class
        Further columns; empty if there are none.
    agree_arcsec
        Largest difference between the two positions.
    """

    file: str = Field(min_length=1)
    path: str = Field(min_length=1)
    object_id: str = Field(min_length=1)
    ra: str = Field(min_length=1)
    dec: str = Field(min_length=1)
    redshift: str = ""
    object_class: str = ""
    agree_arcsec: float = Field(default=1.0, gt=0)


class IgnoredFiles(ManifestPart):
    """Files under the root that are no observations, and why.

    Attributes
    ----------
    pattern
        A glob relative to the root, as in `pathlib.Path.glob`.
    reason
        One sentence for the list of rejects.
    """

    pattern: str = Field(min_length=1)
    reason: str = Field(min_length=1)
