"""`index.json` as one typed model. What it does not list does not exist."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from aion_encoder.identity import Identity
from indexer.durable import digest_of

__all__ = [
    "FORMAT_VERSION",
    "MODALITY_BITS",
    "NATIVE",
    "VECTOR_BITS",
    "FileInfo",
    "IndexInfo",
    "InputsInfo",
    "LinkOutInfo",
    "LinksInfo",
    "ManifestInfo",
    "ReleaseInfo",
    "SpaceInfo",
    "bit_of",
    "bits_of",
    "modality_of",
]

FORMAT_VERSION: Literal[1] = 1

MODALITY_BITS = {"image": 1, "spectrum": 2, "xp": 4, "photometry": 8}
"""Bit of each modality in the column `modalities` of `rows.arrow`."""

NATIVE = "spectrum_native"
"""Name of the space of spectra on their own grids: vectors of the universal spectral tokenizer."""

VECTOR_BITS = {**MODALITY_BITS, NATIVE: 16}
"""Bit of every kind of vector. `NATIVE` is no modality: its vectors are of spectra, of those that
the tokenizer did not refuse. A spectrum that only the tokenizer takes has no other bit."""


def bit_of(space: str, modality: str) -> int:
    """Return the bit that rows with a vector of a modality in a space have."""
    return VECTOR_BITS[NATIVE if space == NATIVE else modality]


def modality_of(side: str) -> str:
    """Return whose vectors a head takes: its side is a modality, or `NATIVE`, spectra there."""
    return "spectrum" if side == NATIVE else side


def bits_of(modality: str) -> int:
    """Return the bits of which rows have at least one that have a vector of a modality anywhere."""
    bits = MODALITY_BITS[modality]
    return bits | VECTOR_BITS[NATIVE] if modality == "spectrum" else bits


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileInfo(_Frozen):
    """Size and hash of one file of the index."""

    bytes: Count
    sha256: Sha256


class LinkOutInfo(_Frozen):
    """A page elsewhere; ``{ra}``, ``{dec}`` and ``{object_id}`` in its address are filled in."""

    label: str
    url: str


class InputsInfo(_Frozen):
    """The input files of a release, in short.

    Attributes
    ----------
    files, bytes
        How many, and their sizes together.
    listing
        SHA-256 over the paths and sizes.
    content
        SHA-256 over the paths, sizes and contents.
    changed
        A date: the last change of any of them when the index was built (ISO 8601, UTC, with
        nanoseconds). Only saves reading files again to see that nothing changed.
    """

    files: Count
    bytes: Count
    listing: Sha256
    content: Sha256
    changed: str


class ReleaseInfo(_Frozen):
    """One segment.

    Attributes
    ----------
    directory
        Folder of the segment, relative to the index.
    title, survey, simulated, homepage, licence, citation, acknowledgement, links
        As in the manifest.
    magnitude_band
        Band of the column `magnitude`; empty where unknown.
    read, indexed, rejected
        Objects; ``read = indexed + rejected``.
    placed
        Indexed objects that have a position: the rows of the HATS catalogue.
    vectors
        Objects that have a vector, per modality: of a spectrum in either of its spaces.
    spaces
        Spaces that hold vectors of this segment, with the modalities in each.
    manifest
        SHA-256 of the release's part of the manifest.
    inputs
        What was read.
    """

    directory: str
    title: str
    survey: str
    simulated: bool = False
    homepage: str = ""
    licence: str = ""
    citation: str = ""
    acknowledgement: str = ""
    links: tuple[LinkOutInfo, ...] = ()
    magnitude_band: str = ""
    read: Count
    indexed: Count
    rejected: Count
    placed: Count
    vectors: dict[str, Count]
    spaces: dict[str, tuple[str, ...]]
    manifest: Sha256
    inputs: InputsInfo

    @model_validator(mode="after")
    def _counts_agree(self) -> "ReleaseInfo":
        if self.read != self.indexed + self.rejected:
            raise ValueError(
                f"read must be indexed + rejected, got {self.read} != "
                f"{self.indexed} + {self.rejected}"
            )
        return self


class SpaceInfo(_Frozen):
    """One space: its folder, its modalities and the length of its vectors."""

    directory: str
    modalities: tuple[str, ...]
    dim: int = Field(gt=0)


class LinksInfo(_Frozen):
    """One link file between two releases, in alphabetical order."""

    releases: tuple[str, str]
    path: str
    count: Count


class ManifestInfo(_Frozen):
    """The manifest an index was built from."""

    name: str
    title: str = ""
    sha256: Sha256


class IndexInfo(_Frozen):
    """Everything about an index; see `docs/index_format.md`.

    Attributes
    ----------
    format_version
        Of the format on disk.
    name
        Of the index: the name of its manifest.
    created
        Date (ISO 8601, UTC). With ``inputs.changed`` the only thing here that depends on a clock.
    generation
        How often the index was published.
    software
        Version of this package that built it.
    encoder
        Identity of the encoder; a query encoded by another one is refused. A space of vectors that
        were brought names its own.
    manifest, releases, spaces, links
        What the index holds.
    unclaimed, unclaimed_files
        The table of input files that no release claims, and their number.
    notes
        What a reader of the index should know, such as why there is no space ``shared``.
    files
        Every file of the index except `index.json` itself, by path.
    """

    format_version: Literal[1] = FORMAT_VERSION
    name: str
    created: str
    generation: int = Field(default=1, ge=1)
    software: str
    encoder: Identity
    manifest: ManifestInfo
    releases: dict[str, ReleaseInfo]
    spaces: dict[str, SpaceInfo]
    links: tuple[LinksInfo, ...]
    unclaimed: str
    unclaimed_files: Count
    notes: tuple[str, ...] = ()
    files: dict[str, FileInfo]

    @property
    def index_id(self) -> str:
        """16 hexadecimal digits over the contents, free of dates: for receipts."""
        contents = {path: file.sha256 for path, file in self.files.items()}
        return digest_of([self.format_version, self.encoder.digest, contents])[:16]
