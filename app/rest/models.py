"""What may be asked and what is answered: these models validate, and describe in OpenAPI."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    create_model,
    model_validator,
)

from indexer.hits import HIT_COLUMNS
from indexer.options import LARGEST_K, Bridge
from indexer.resolve import LARGEST_RADIUS_ARCSEC

__all__ = [
    "Cone",
    "ConeParams",
    "Empty",
    "FileParams",
    "ImageForm",
    "IndexSays",
    "Neighbours",
    "NeighboursParams",
    "ObjectKey",
    "ObjectSays",
    "Problem",
    "Releases",
    "SearchParams",
    "Spaces",
    "SpectrumForm",
    "State",
    "VectorBody",
    "XpForm",
]

MOST_EXAMPLES = 50
MOST_FILTERS = 20
LONGEST_VECTOR = 16_384
DEFAULT_CONE = 100

Modality = Literal["image", "spectrum", "xp", "photometry"]
Format = Literal["csv", "ecsv", "fits", "votable", "parquet", "json"]
Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Filter = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
Radius = Annotated[FiniteFloat, Field(gt=0, le=LARGEST_RADIUS_ARCSEC)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Empty(_Asked):
    """Nothing can be asked."""


class ObjectKey(_Asked):
    """The name of one object, in the path."""

    key: Text = Field(
        description="release:object_id, survey:object_id, a bare identifier, plate-mjd-fiber, "
        "'Gaia DR3 ...' or a name such as J094651.40-010228.5."
    )


class TableParams(_Asked):
    """In which form a table is wanted."""

    format: Format | None = Field(
        None, description="Goes before the header Accept; without both JSON comes."
    )


class FileParams(TableParams):
    """How to search; the same as the options of `python -m indexer search`."""

    k: int = Field(10, ge=1, le=LARGEST_K, description="Neighbours at most.")
    to: Modality | None = Field(None, description="Modality to find; by default the query's own.")
    bridge: Bridge = Field("auto", description="How another modality is reached.")
    release: list[Text] = Field(
        [], max_length=MOST_FILTERS, description="Where hits may come from; may be repeated."
    )
    where: list[Filter] = Field(
        [],
        max_length=MOST_FILTERS,
        description="What every hit meets, such as redshift>0.1, object_class=GALAXY,QSO, "
        "has(spectrum), cone(150.1,2.2,5arcmin) or |b|>20; may be repeated. "
        "All forms: docs/filters.md.",
    )
    leave_out_source: bool = Field(
        False, description="Leave out every object of the query's source, not only the query."
    )
    fold_duplicates: bool = Field(
        False, description="Show only the best of the hits within 2 arcsec of each other."
    )


class SearchParams(FileParams):
    """How to search, and which further examples to search with."""

    space: Literal["spectrum", "spectrum_native"] | None = Field(
        None, description="Where spectra are compared; by default spectrum, as AION-1 sees them."
    )
    also: list[Text] = Field(
        [], max_length=MOST_EXAMPLES, description="A further object to look for; may be repeated."
    )
    against: list[Text] = Field(
        [],
        alias="not",
        max_length=MOST_EXAMPLES,
        description="An object unlike what is looked for; may be repeated.",
    )
    probe: bool = Field(
        False,
        description="Search with the weights of a logistic regression between the examples for "
        "and against, instead of with their means.",
    )

    @model_validator(mode="after")
    def _probe_has_both(self) -> Self:
        if self.probe and not self.against:
            raise ValueError("probe needs examples against: give some with not=")
        return self


class NeighboursParams(SearchParams):
    """What to find neighbours of, and how; exactly one of `object` and `position`."""

    object: Text | None = Field(None, description="An object, named as in /objects/{key}.")
    position: Text | None = Field(
        None,
        description="The object nearest to a position, in degrees or sexagesimal; a right "
        "ascension in three fields is in hours.",
    )
    radius: Radius | None = Field(
        None, description="How far the object may lie from the position, in arcsec. Default: 5."
    )

    @model_validator(mode="after")
    def _one_is_asked(self) -> Self:
        if (self.object is None) == (self.position is None):
            raise ValueError("give exactly one of object= and position=")
        if self.radius is not None and self.position is None:
            raise ValueError("radius belongs to position")
        return self


class ConeParams(TableParams):
    """Which part of the sky."""

    position: Text = Field(description="Right ascension and declination, as people write them.")
    radius: Radius = Field(60.0, description="In arcsec.")
    limit: int = Field(DEFAULT_CONE, ge=1, le=LARGEST_K, description="Objects at most, nearest.")


class ImageForm(_Asked):
    """What the files of an image do not say."""

    survey: Text | None = Field(None, description="legacysurvey or hsc.")
    pixel_scale: Annotated[FiniteFloat, Field(ge=0.01, le=100)] | None = Field(
        None, description="Arcseconds per pixel."
    )
    bands: Text | None = Field(None, description="Of the planes, such as g,r,z.")
    zero_point: Annotated[FiniteFloat, Field(ge=-50, le=100)] | None = Field(
        None, description="AB magnitude of one count."
    )


class SpectrumForm(_Asked):
    """What the file of a spectrum does not say."""

    survey: Text | None = Field(None, description="sdss or desi.")
    wavelength_unit: Text | None = Field(None, description="Such as nm.")
    flux_unit: Text | None = Field(None, description="Such as mJy.")
    medium: Literal["air", "vacuum"] | None = Field(
        None, description="What the wavelengths were measured in."
    )
    target_id: Text | None = Field(None, description="Which object of a file that holds several.")


class XpForm(_Asked):
    """What a table of Gaia BP/RP coefficients does not say."""

    target_id: Text | None = Field(None, description="Which source of a table of several.")


class VectorBody(_Asked):
    """A raw vector, as the encoder of the index gives it: neither centred nor of unit length."""

    modality: Modality
    vector: list[FiniteFloat] = Field(min_length=1, max_length=LONGEST_VECTOR)


# Answers.


class Problem(_Told):
    """Why there is no answer (RFC 9457)."""

    type: str = Field(description="urn:aion-search:KIND; kinds are listed in docs/api.md.")
    title: str
    status: int
    detail: str
    candidates: list[str] | None = Field(
        None, description="Objects that may be meant: choose one and ask again."
    )
    errors: list[dict[str, str]] | None = Field(None, description="What is wrong, by parameter.")


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("rank", "folded"), int),
    **dict.fromkeys(("ra_deg", "dec_deg", "redshift", "magnitude", "percentile"), float | None),
    "score": float,
}

Hit = create_model(
    "Hit",
    __config__=ConfigDict(extra="forbid"),
    **{  # type: ignore[call-overload]
        column.name: (
            _KINDS.get(column.name, str),
            Field(description=column.description + (f" ({column.unit})" if column.unit else "")),
        )
        for column in HIT_COLUMNS
    },
)
"""One neighbour; the columns of every export."""


class Neighbours(_Told):
    """One answer: what was understood, whether it is like the index, the receipt, and the hits."""

    query: dict[str, Any]
    verdict: dict[str, Any] | None
    receipt: dict[str, Any]
    hits: list[Hit]  # type: ignore[valid-type]


class Cone(_Told):
    """The objects around a position, nearest first."""

    query: dict[str, Any]
    receipt: dict[str, Any]
    objects: list[dict[str, Any]]


class Link(_Told):
    """A page elsewhere about an object."""

    label: str
    url: str


class NeighboursLink(_Told):
    """Where the neighbours of an object are, by modality."""

    to: str
    url: str


class ObjectSays(BaseModel):
    """What the index knows of an object: these, and every further column of the catalogue."""

    model_config = ConfigDict(extra="allow")

    key: str
    release: str
    object_id: str
    ra_deg: float | None
    dec_deg: float | None
    modalities: list[str]
    links: list[Link]
    counterparts: list[str] = Field(description="Keys of the other objects of the same source.")
    neighbours: list[NeighboursLink]


class IndexSays(_Told):
    """Which index answers."""

    id: str
    name: str
    created: str
    format_version: int


class ReleaseSays(_Told):
    """One release."""

    name: str
    title: str
    survey: str
    simulated: bool
    licence: str
    citation: str
    acknowledgement: str
    homepage: str
    magnitude_band: str
    read: int
    indexed: int
    rejected: int
    placed: int
    vectors: dict[str, int]
    spaces: dict[str, list[str]]


class Releases(_Told):
    """What the index holds."""

    index: IndexSays
    releases: list[ReleaseSays]


class SpaceSays(_Told):
    """One space: what makes vectors comparable."""

    name: str
    modalities: list[str]
    dim: int
    input_dim: int | None = Field(description="Length of raw vectors; none for shared.")
    method: str
    formula: str | None
    encoder: dict[str, Any]


class Spaces(_Told):
    """Where things are compared."""

    index: IndexSays
    spaces: list[SpaceSays]


class State(_Told):
    """Whether the server lives, or can answer."""

    status: str
    index: IndexSays | None = None
