"""Who encodes in a build, and what must not share a space with what they make."""

from dataclasses import dataclass

from aion_encoder.identity import Identity, named
from indexer.errors import BuildError
from indexer.native_space import open_native
from indexer.plan import Plan
from indexer.tools import EncoderLike, NativeEncoderLike, StatedEncoder, Tools

__all__ = ["Encoders", "Weights", "open_encoders"]


@dataclass(frozen=True)
class Encoders:
    """What encodes.

    Attributes
    ----------
    aion
        Everything that AION-1 knows; only stated, of an index of nothing but brought vectors.
    native
        Spectra, too; None if there is to be no space for that.
    """

    aion: EncoderLike
    native: NativeEncoderLike | None = None


@dataclass(frozen=True)
class Weights:
    """The weights of `Encoders`, for worker processes; empty where there are none to open."""

    aion: str
    native: str


def open_encoders(
    work: Plan, weights: str, native_weights: str | None, tools: Tools
) -> tuple[Weights, Encoders]:
    """Open what a plan needs; nothing where all vectors are brought.

    Parameters
    ----------
    weights, native_weights
        As for `indexer.build.build`.
    tools
        Opens weights.

    Raises
    ------
    BuildError
        If vectors are brought of a modality that is to be encoded, and by another encoder; if a
        release needs the universal spectral tokenizer and there is to be none.
    """
    aion: EncoderLike
    brought = [each.release.vectors for each in work.releases if each.release.vectors is not None]
    if len(brought) == len(work.releases):
        weights, aion = "", StatedEncoder(brought[0].identity)
    else:
        aion = tools.open_encoder(weights)
        _refuse_mixture(work, aion.identity)
    names, native = open_native(native_weights, work, aion.identity, tools)
    return Weights(weights, names), Encoders(aion, native)


def _refuse_mixture(work: Plan, encoder: Identity) -> None:
    for each in work.releases:
        release = each.release
        if release.vectors is not None or release.native is not None:
            continue
        brought = work.manifest.brought.get(release.modality)
        if brought is not None and brought.identity.digest != encoder.digest:
            raise BuildError(
                f"the {release.modality} vectors that {work.manifest.name} brings are of "
                f"{named(brought.identity)}, but {release.name} would be encoded by "
                f"{named(encoder)}: vectors of two encoders cannot be compared, so index them apart"
            )
