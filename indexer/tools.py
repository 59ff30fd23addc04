"""What a build works with: the readers and the encoder. Tests and other models bring their own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Never, Protocol

from aion_encoder.encoded import Encoded
from aion_encoder.heads import LinearHead
from aion_encoder.identity import Identity
from aion_encoder.observations import Observation, Spectrum
from indexer import readers
from indexer.errors import BuildError
from indexer.manifests import Manifest, ReleaseManifest
from indexer.readers.records import Partition, Record, Reject

if TYPE_CHECKING:
    from aion_encoder.universal_spectra import EncodedSpectra, NativeSpectrum

__all__ = ["EncoderLike", "NativeEncoderLike", "StatedEncoder", "Tools"]


class EncoderLike(Protocol):
    """What a build asks of an encoder; see `aion_encoder.Encoder`."""

    @property
    def identity(self) -> Identity:
        """Which model it is."""

    @property
    def reference_spaces(self) -> Mapping[str, Any]:
        """Mean and projection per modality; may be empty."""

    @property
    def bridges(self) -> Mapping[str, LinearHead]:
        """Heads between modalities; may be empty."""

    def encode(self, objects: Sequence[Sequence[Observation]], *, tokens: bool = False) -> Encoded:
        """Encode observations; give the tokens back, too, where they are to be kept."""


@dataclass(frozen=True)
class StatedEncoder:
    """The encoder of vectors that are there already, as far as it is known without its weights."""

    identity: Identity
    bridges: Mapping[str, LinearHead] = field(default_factory=dict)
    reference_spaces: Mapping[str, Any] = field(default_factory=dict)

    def encode(self, objects: Sequence[Sequence[Observation]], *, tokens: bool = False) -> Never:
        """Refuse: there is nothing to encode."""
        del tokens
        raise BuildError(
            f"only stated, {self.identity.repository} encodes nothing, but was given "
            f"{len(objects)} objects"
        )


class NativeEncoderLike(Protocol):
    """What a build asks of the universal spectral tokenizer.

    See `aion_encoder.universal_spectra.UniversalSpectraEncoder`.
    """

    @property
    def identity(self) -> Identity:
        """Which model it is."""

    def encode(self, spectra: "Sequence[NativeSpectrum | Spectrum]") -> "EncodedSpectra":
        """Encode spectra."""


def _open_encoder(weights: str) -> EncoderLike:
    # Imported here: it loads torch.
    from aion_encoder.encoder import open_encoder

    return open_encoder(weights)


def _open_native(weights: str) -> NativeEncoderLike:
    from aion_encoder.universal_spectra import open_universal_encoder

    return open_universal_encoder(weights)


@dataclass(frozen=True)
class Tools:
    """The parts that a build is given. All must be importable, for worker processes.

    Attributes
    ----------
    open_encoder
        Opens weights.
    open_native
        Opens weights of the universal spectral tokenizer.
    partitions, read_partition, ignored_files
        As in `indexer.readers`.
    """

    open_encoder: Callable[[str], EncoderLike] = _open_encoder
    open_native: Callable[[str], NativeEncoderLike] = _open_native
    partitions: Callable[[Manifest, ReleaseManifest], list[Partition]] = readers.partitions
    read_partition: Callable[[Manifest, ReleaseManifest, Partition], Iterator[Record | Reject]] = (
        readers.read_partition
    )
    ignored_files: Callable[[Manifest], list[Reject]] = readers.ignored_files
