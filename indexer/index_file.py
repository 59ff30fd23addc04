"""`index.json`: one reader, one writer; `open_index`; the builder's lock."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jaxtyping import Float32
from pydantic import TypeAdapter, ValidationError

from aion_encoder.errors import CheckpointError
from aion_encoder.heads import Head, load_heads
from aion_encoder.identity import Identity
from indexer.calibration import Calibration, read_calibration
from indexer.durable import json_text, replacing
from indexer.errors import IndexFormatError, SearchError
from indexer.index_model import FORMAT_VERSION, NATIVE, IndexInfo
from indexer.layout import (
    INDEX_FILE,
    aligned_heads_file,
    calibration_file,
    encoder_file,
    map_file,
    redshift_readout_file,
)
from indexer.links import Links, read_links
from indexer.lock import writing
from indexer.segment import Segment
from indexer.space_maps import SpaceMap, read_map
from indexer.spaces import SHARED, Space, read_space, to_unit
from indexer.xp_basis import XpBasis

if TYPE_CHECKING:
    from indexer.redshift_readouts import RedshiftReadout

__all__ = [
    "Index",
    "Segment",
    "open_index",
    "read_identity",
    "read_index_file",
    "write_checked",
    "write_index_file",
    "writing",
]

_CHECKSUM = "sha256"

Answer = TypeVar("Answer")


def read_index_file(path: Path) -> IndexInfo:
    """Read `index.json`.

    Raises
    ------
    IndexFormatError
        If it is missing, damaged, or of a version that this one does not read.
    """
    if not path.exists():
        raise IndexFormatError(
            f"{path.parent} is no index: it has no {INDEX_FILE}; build one with "
            f"`python -m indexer build MANIFEST {path.parent}`"
        )
    try:
        content = path.read_bytes()
        values = json.loads(content)
        version = values["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexFormatError(
            f"{path} must be the JSON of an index, but is damaged; build the index again"
        ) from error
    if version != FORMAT_VERSION:
        raise IndexFormatError(
            f"{path} has format version {version}, this program reads version "
            f"{FORMAT_VERSION}; build the index again or use the program that built it"
        )
    # Indexes from before it was stated have none.
    stated = values.pop(_CHECKSUM, None)
    if stated is not None and stated != _checksum(content.replace(str(stated).encode(), b"", 1)):
        raise IndexFormatError(
            f"{path} is damaged: it must have the {_CHECKSUM} that it states of itself, {stated}; "
            "build the index again"
        )
    try:
        return IndexInfo.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise IndexFormatError(
            f"{path}: {where}: {problem['msg']}; build the index again"
        ) from error


def read_identity(root: Path, info: IndexInfo, space: str) -> Identity:
    """Return whose vectors a space of an index holds: those of `info.encoder`, unless it says so.

    Raises
    ------
    IndexFormatError
        If the file that says it is missing or damaged.
    """
    name = encoder_file(info.spaces[space].directory)
    if name not in info.files and space != NATIVE:
        return info.encoder
    path = root / name
    try:
        found: Identity = TypeAdapter(Identity).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise IndexFormatError(f"{path} cannot be read ({error}); build the index again") from error
    return found


def write_index_file(path: Path, info: IndexInfo) -> None:
    """Write `index.json`, whole or not at all, with a checksum of itself as its first field."""
    write_checked(path, info.model_dump(mode="json"))


def write_checked(path: Path, values: Mapping[str, Any]) -> None:
    """Write the values of an `index.json`, whatever they are, with their checksum."""
    others = {name: value for name, value in values.items() if name != _CHECKSUM}
    unstated = json_text({_CHECKSUM: "", **others})
    stated = json_text({_CHECKSUM: _checksum(unstated.encode()), **others})
    with replacing(path) as temporary:
        temporary.write_text(stated)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Index:
    """An open index, read-only and safe to use from several threads.

    It keeps showing what was published when it was opened; open it again to see more.

    Attributes
    ----------
    path
        Its folder.
    info
        The contents of `index.json`.
    segments
        By release, in the order of the manifest.
    links
        Which objects are one source.
    native_encoder
        Whose vectors the space ``spectrum_native`` holds; None if the index has no such space.
    missing
        FAISS files that are listed and not there, which only `open_index` with `allow_missing`
        lets pass; what they hold is not searched.
    """

    def __init__(self, path: Path, info: IndexInfo, *, allow_missing: bool = False) -> None:
        self.path = path
        self.info = info
        self.segments: Mapping[str, Segment] = {
            name: Segment(path, name, release, info.files)
            for name, release in info.releases.items()
        }
        self.missing = tuple(
            name
            for segment in self.segments.values()
            for names in segment.missing.values()
            for name in names
        )
        if self.missing and not allow_missing:
            raise IndexFormatError(
                f"{path} lacks {', '.join(self.missing)}; bring back what is missing or build the "
                "index again, or allow it to be missing (--allow-missing) to search the rest"
            )
        self.links = Links(
            {each.releases: read_links(path / each.path, each.releases) for each in info.links}
        )
        self._spaces = {
            name: read_space(path, space.directory)
            for name, space in info.spaces.items()
            if name != SHARED
        }
        self._calibrations = {
            name: read_calibration(path / calibration_file(space.directory))
            for name, space in info.spaces.items()
        }
        self._identities = {name: read_identity(path, info, name) for name in self._spaces}
        self.native_encoder = self._identities.get(NATIVE)
        self._heads: Mapping[str, Head] = {}
        self.heads_facts: Mapping[str, Any] = {}
        if SHARED in info.spaces:
            heads_path = path / aligned_heads_file(info.spaces[SHARED].directory)
            try:
                self._heads, self.heads_facts = load_heads(heads_path)
            except CheckpointError as error:
                raise IndexFormatError(f"{error}; build the index again") from error

    def __repr__(self) -> str:
        return f"Index({str(self.path)!r}, {len(self)} objects)"

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments.values())

    @property
    def releases(self) -> tuple[str, ...]:
        """Names of the releases."""
        return tuple(self.segments)

    def is_current(self) -> bool:
        """Say whether nothing newer has been published since this was opened."""
        return read_index_file(self.path / INDEX_FILE) == self.info

    def segment(self, release: str) -> Segment:
        """Return the segment of a release.

        Raises
        ------
        SearchError
            If the index has no such release; the message lists those it has.
        """
        try:
            return self.segments[release]
        except KeyError:
            raise SearchError(
                f"this index has no release {release!r}; it has {', '.join(self.segments)}"
            ) from None

    def each(self, releases: Sequence[str], ask: Callable[[Segment], Answer]) -> Sequence[Answer]:
        """Return what is answered about the segment of each of some releases."""
        return [ask(self.segment(release)) for release in releases]

    def space(self, name: str) -> Space:
        """Return the transform of a space; ``shared`` has heads instead.

        Raises
        ------
        SearchError
            If the index has no such space; the message lists those it has.
        """
        try:
            return self._spaces[name]
        except KeyError:
            raise SearchError(
                f"this index has no space {name!r} of its own; it has {', '.join(self._spaces)}"
            ) from None

    def encoder_of(self, space: str) -> Identity:
        """Return whose vectors a space holds, or would hold if the index had it."""
        return self._identities.get(space, self.info.encoder)

    def heads(self, modality: str) -> Head | None:
        """Return the head that brings a modality into ``shared``; None if there is none.

        ``spectrum_native`` counts as one: its spectra may have a head by which they ask there.
        """
        return self._heads.get(modality)

    def to_shared(
        self, modality: str, vectors: Float32[np.ndarray, "n dim"]
    ) -> Float32[np.ndarray, "n shared"]:
        """Return unit vectors in ``shared`` for vectors in the space of their modality.

        Raises
        ------
        SearchError
            If the modality is not aligned in this index.
        """
        head = self.heads(modality)
        if head is None:
            raise SearchError(
                f"{modality} is not aligned in this index; aligned are "
                f"{', '.join(sorted(self._heads)) or 'none'}"
            )
        return to_unit(head.apply(vectors))

    def calibration(self, space: str) -> Calibration:
        """Return what scores in a space are worth.

        Raises
        ------
        SearchError
            If the index has no such space.
        """
        try:
            return self._calibrations[space]
        except KeyError:
            raise SearchError(
                f"this index has no space {space!r}; it has {', '.join(self._calibrations)}"
            ) from None

    @property
    def xp_basis(self) -> XpBasis | None:
        """What XP coefficients stand for in the first release that says so; None without one."""
        bases = (self.segment(name).xp_basis for name in self.releases)
        return next((each for each in bases if each is not None), None)

    def map_of(self, space: str) -> SpaceMap | None:
        """Return the map of a space; None if the index holds none.

        Raises
        ------
        IndexFormatError
            If it is damaged.
        """
        known = self.info.spaces.get(space)
        name = "" if known is None else map_file(known.directory)
        return read_map(self.path / name) if name in self.info.files else None

    def redshift_readout(self, modality: str) -> "RedshiftReadout | None":
        """Return what the decoder's redshifts are worth for a modality; None if none is kept.

        Raises
        ------
        IndexFormatError
            If it is damaged.
        """
        # Imported here: few ask, and it comes with the names of the decoder.
        from indexer.redshift_readouts import read_readout

        space = self.info.spaces.get(modality)
        name = "" if space is None else redshift_readout_file(space.directory)
        return read_readout(self.path / name) if name in self.info.files else None


def open_index(path: Path | str, *, allow_missing: bool = False) -> Index:
    """Open a published index.

    Everything opened is what one `index.json` lists. When a newer one is published meanwhile, and
    files of the older are gone already, the newer is opened.

    Parameters
    ----------
    path
        Folder of the index.
    allow_missing
        Open it without FAISS files that are listed and not there; `Index.missing` names them.

    Raises
    ------
    IndexFormatError
        If there is no index, or it is damaged, of an unknown version, or lacks files.
    """
    path = Path(path)
    while True:
        info = read_index_file(path / INDEX_FILE)
        # Whether files are missing because something newer was published, is seen afterwards;
        # each further turn takes a further publication, so there is an end to them.
        try:
            index = Index(path, info, allow_missing=allow_missing)
        except IndexFormatError:
            if read_index_file(path / INDEX_FILE) == info:
                raise
        else:
            if not index.missing or index.is_current():
                return index
