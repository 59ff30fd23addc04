"""Manifests: which files make up a release, and what their columns mean.

A manifest is a TOML file (see ``data_manifests/``) read into frozen models. Everything that
depends on how a survey writes its files is stated there; what AION-1 expects of a survey is in
`aion_encoder.surveys`.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from aion_encoder.surveys import SURVEYS
from indexer.column_rules import ColumnRules
from indexer.errors import ManifestError
from indexer.manifest_parts import (
    BesideCatalogue,
    IgnoredFiles,
    LinkOut,
    ManifestPart,
    PreviewSettings,
    PublishedCount,
)
from indexer.native_releases import NAME, NativeSpectra
from indexer.proper_motion import DEFAULT_EPOCH_YR
from indexer.remote import RemoteRoot, root_named
from indexer.vector_releases import READER, BroughtVectors

__all__ = ["Manifest", "ReleaseManifest", "load_manifest"]

Name = Annotated[str, Field(pattern=NAME)]
Reader = Literal[
    "mmu_hdf5",
    "mmu_hats",
    "sdss_spec",
    "desi_files",
    "gaia_xp",
    "image_files",
    "spectrum_files",
    "vectors",
]

ENDINGS = {"mmu_hdf5": ".hdf5", "mmu_hats": ".parquet"}
"""Of the files of readers that take others for broken ones."""

READERS_OF_MODALITY: Mapping[str, tuple[str, ...]] = {
    "image": ("mmu_hdf5", "mmu_hats", "image_files"),
    "spectrum": ("mmu_hdf5", "mmu_hats", "sdss_spec", "desi_files"),
    "xp": ("mmu_hdf5", "mmu_hats", "gaia_xp"),
}


class ReleaseManifest(ManifestPart):
    """One release: where its files are and what is in them.

    Attributes
    ----------
    name
        Short name, the first part of every key, such as ``desi-edr``.
    title
        The name that people read.
    survey
        AION-1's name of the survey (`aion_encoder.surveys`); with `native` any other name in
        lower case, such as ``apogee``, with `vectors` any.
    reader
        Which reader opens the files; with `native` ``mmu_hdf5``, ``mmu_hats`` or
        ``spectrum_files``, with `vectors` ``vectors``.
    files
        Globs relative to the root.
    object_id, ra, dec
        Names of the columns with identifier and position (degrees, ICRS), for ``mmu_hdf5``,
        ``mmu_hats`` and ``vectors``.
    columns
        Which other columns to keep; the readers of loose files know their own.
    catalogue
        A table beside loose image or spectrum files that names them.
    native
        Stated for spectra of any other instrument, range and resolution: they are indexed in the
        space ``spectrum_native`` alone. Default: None, the survey is one that AION-1 knows.
    vectors
        Stated for vectors that somebody else made of the objects: nothing is encoded. Default:
        None, the files hold observations.
    epoch
        Mean epoch of the positions (Julian year). Objects of a release that keeps the columns
        ``pmra`` and ``pmdec`` (mas a year; and ``ref_epoch``, where each position has its own)
        are moved to the epoch of another release before the two are linked. Default: 2016.0,
        that of Gaia DR3.
    keep_vectors
        What is kept of its vectors to rank answers by: ``float16``, or at the largest scale
        ``8-bit``, half of that.
    xp_basis
        What Gaia's coefficients stand for, so that people see spectra: ``gaia-dr3``, or an ``.npz``
        file below the root (`indexer.xp_basis`). Empty: the coefficients themselves are drawn.
    keep_tokens
        Whether the tokens of its observations are kept: another model with the same tokenizers, or
        another pooling, then needs no pixels. 1.2 kB a picture, 0.5 kB a spectrum.
    simulated
        Whether the data are simulated; shown with every object.
    count, homepage, licence, citation, acknowledgement
        For people: published size, address, terms, BibTeX and the credit line to print.
    links
        Pages elsewhere about one object, the best first.
    preview
        How images are shown.
    """

    name: Name
    title: str = Field(min_length=1)
    survey: str
    reader: Reader
    files: tuple[str, ...] = Field(min_length=1)
    object_id: str = "object_id"
    ra: str = "ra"
    dec: str = "dec"
    columns: ColumnRules = Field(default_factory=ColumnRules)
    catalogue: BesideCatalogue | None = None
    # Left out of what is hashed where they are the default: manifests of before stay what they are.
    native: NativeSpectra | None = Field(default=None, exclude_if=lambda value: value is None)
    vectors: BroughtVectors | None = Field(default=None, exclude_if=lambda value: value is None)
    epoch: float = Field(
        default=DEFAULT_EPOCH_YR,
        ge=1900.0,
        le=2100.0,
        exclude_if=lambda value: value == DEFAULT_EPOCH_YR,
    )
    keep_vectors: Literal["float16", "8-bit"] = Field(
        default="float16", exclude_if=lambda value: value == "float16"
    )
    xp_basis: str = Field(
        default="", pattern=r"^(gaia-dr3|[\w./-]+\.npz)?$", exclude_if=lambda value: not value
    )
    keep_tokens: bool = Field(default=False, exclude_if=lambda value: not value)
    simulated: bool = False
    count: PublishedCount | None = None
    homepage: str = ""
    licence: str = ""
    citation: str = ""
    acknowledgement: str = ""
    links: tuple[LinkOut, ...] = ()
    preview: PreviewSettings | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.vectors is not None) != (self.reader == READER):
            raise ValueError(
                f"the reader {READER!r} and the table [releases.vectors] need each other, got "
                f"reader {self.reader!r}"
            )
        if self.vectors is not None and (self.native or self.catalogue or self.preview):
            raise ValueError(
                "vectors come without observations: leave native, catalogue and preview out"
            )
        if self.xp_basis and self.survey != "gaia":
            raise ValueError("xp_basis belongs to releases of Gaia's coefficients")
        if ".." in self.xp_basis or self.xp_basis.startswith("/"):
            raise ValueError("xp_basis must lie under the root")
        if self.keep_tokens and not self.has_tokens:
            raise ValueError("only observations that AION-1 encodes have tokens to keep")
        if self.vectors is not None:
            self.vectors.check(self.survey, self.files)
        elif self.native is not None:
            self.native.check(self.survey, self.reader)
        elif self.survey not in SURVEYS:
            raise ValueError(
                f"survey must be one of {', '.join(SURVEYS)}, got {self.survey!r}; spectra of "
                "another instrument need the table [releases.native]"
            )
        elif self.reader not in READERS_OF_MODALITY[self.modality]:
            raise ValueError(
                f"reader {self.reader!r} does not read a {self.modality}, which is what survey "
                f"{self.survey!r} gives"
            )
        for pattern in self.files:
            if pattern.startswith("/") or ".." in Path(pattern).parts:
                raise ValueError(f"files must lie under the root, got {pattern!r}")
            ending = ENDINGS.get(self.reader, "")
            if not pattern.endswith(ending):
                raise ValueError(f"files of {self.reader} must end in {ending}, got {pattern!r}")
        if self.preview is not None:
            bands = () if self.native is not None else SURVEYS[self.survey].bands
            unknown = set(self.preview.rgb) - set(bands)
            if unknown:
                raise ValueError(f"unknown bands in preview: {', '.join(sorted(unknown))}")
        return self

    @property
    def has_tokens(self) -> bool:
        """Whether AION-1 encodes its observations."""
        return self.vectors is None and self.native is None

    @property
    def modality(self) -> str:
        """What the observations of this release are: ``image``, ``spectrum`` or ``xp``.

        With `vectors`, what these are of: ``photometry``, too.
        """
        if self.vectors is not None:
            return self.vectors.modality
        return "spectrum" if self.native is not None else SURVEYS[self.survey].modality

    @property
    def has_spectra(self) -> bool:
        """Whether it has spectra that the universal spectral tokenizer may take."""
        return self.modality == "spectrum" and self.vectors is None


class Manifest(ManifestPart):
    """A set of releases that are built into one index.

    Attributes
    ----------
    name, title
        Short name, and the one that people read.
    root
        The folder that all patterns are relative to: an absolute path, or one elsewhere.
    every_file
        Whether every file under the root must belong to a release or be ignored with a reason.
    releases
        In the order in which they are built and shown.
    ignored
        Files that are no observations.
    native_weights
        Weights of the universal spectral tokenizer that spectra are encoded with, too; ``none``
        for none. Default: the bundled ones beside the bundled weights of AION-1, else none.
    """

    name: Name
    title: str = Field(min_length=1)
    root: Path | RemoteRoot
    every_file: bool = False
    releases: tuple[ReleaseManifest, ...] = Field(min_length=1)
    ignored: tuple[IgnoredFiles, ...] = ()
    # Left out of what is hashed where it is not stated: manifests of before stay what they are.
    native_weights: str = Field(default="", exclude_if=lambda value: not value)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [release.name for release in self.releases]
        if len(set(names)) != len(names):
            raise ValueError(f"releases must have distinct names, got {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        first: dict[str, tuple[str, BroughtVectors]] = {}
        for release in self.releases:
            if release.vectors is not None:
                name, vectors = first.setdefault(release.modality, (release.name, release.vectors))
                vectors.check_beside(name, release.name, release.vectors)
        return self

    @property
    def brought(self) -> dict[str, BroughtVectors]:
        """Whose vectors are brought, per modality of which some are."""
        # Of a modality all are declared alike, or the manifest is refused.
        return {
            release.modality: release.vectors
            for release in self.releases
            if release.vectors is not None
        }

    def release(self, name: str) -> ReleaseManifest:
        """Return the release of that name.

        Raises
        ------
        ManifestError
            If there is none; the message lists those there are.
        """
        for release in self.releases:
            if release.name == name:
                return release
        known = ", ".join(release.name for release in self.releases)
        raise ManifestError(f"manifest {self.name!r} has no release {name!r}; it has {known}")


def load_manifest(path: Path, *, root: Path | RemoteRoot | None = None) -> Manifest:
    """Read and check a manifest.

    The folder of the files is `root`, else the environment variable that the manifest names as
    ``root_env``, else the manifest's own ``root``, relative to the folder of the manifest. Either
    may be an address such as ``hf://datasets/OWNER/NAME`` (`indexer.remote`).

    Raises
    ------
    ManifestError
        If the file is missing, is no TOML, breaks a rule (each is named with its place), or
        states no root where none is given.
    """
    path = Path(path)
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"cannot read manifest {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"manifest {path} is not valid TOML: {error}") from None
    values["root"] = _root(path, root, values.pop("root", ""), values.pop("root_env", ""))
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'manifest'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ManifestError(f"manifest {path} is wrong: {problems}") from None


def _root(
    path: Path, given: Path | RemoteRoot | None, default: str, variable: str
) -> Path | RemoteRoot:
    stated = os.environ.get(variable, "") if variable else ""
    chosen = given or (root_named(stated) if stated else None)
    if chosen is None:
        if not default:
            how = f"set {variable} or give" if variable else "give"
            raise ManifestError(f"manifest {path} does not say where its files are: {how} a root")
        chosen = root_named(default)
        if isinstance(chosen, Path):
            chosen = path.resolve().parent / chosen
    return chosen.expanduser().resolve() if isinstance(chosen, Path) else chosen
