"""Opens the weights that a person or an index names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aion_encoder.bridges import read_bridges
from aion_encoder.errors import CheckpointError
from aion_encoder.heads import LinearHead
from aion_encoder.identity import DeclaredIdentity, Identity, Pooling

__all__ = ["bridges_of", "is_fake", "open_weights", "weights_of"]

FAKE = "fake"


def open_weights(
    weights: str, pooling: Pooling | None = None, *, bfloat16: bool | None = None
) -> Any:
    """Open an encoder.

    Parameters
    ----------
    weights
        As for `aion_encoder.open_encoder`; or ``fake`` or ``fake/NAME`` for the stand-in that
        knows nothing of astronomy (`aion_encoder.fake`), to try out an index without torch.
    pooling
        How tokens become vectors; by default as the weights say.
    bfloat16
        As `autocast` of `aion_encoder.open_encoder`.
    """
    if is_fake(weights):
        from aion_encoder.fake import open_fake_encoder

        return open_fake_encoder(weights.partition("/")[2] or FAKE)
    # Imported here: it loads torch.
    from aion_encoder.encoder import open_encoder

    return open_encoder(weights, pooling=pooling, autocast=bfloat16)


def is_fake(weights: str) -> bool:
    """Say whether weights are those of the stand-in, which has no decoder."""
    return weights.partition("/")[0] == FAKE and not Path(weights).exists()


def weights_of(identity: Identity) -> str:
    """Return what `open_weights` takes for an encoder of this identity, as far as it can tell.

    The name of a local directory does not say where it is; who moves one names it again.
    """
    if identity.revision:
        return f"{identity.repository}@{identity.revision}"
    return identity.repository


def bridges_of(identity: Identity) -> Mapping[str, LinearHead]:
    """Return the heads that came with an encoder; none if it is not at hand, or has none.

    Only weights that are on this machine are looked at.
    """
    weights = weights_of(identity)
    if isinstance(identity, DeclaredIdentity):
        return {}
    if weights != "demo" and not Path(weights).expanduser().is_dir():
        return {}
    # Imported here: it loads torch.
    from aion_encoder.checkpoint import locate

    try:
        return read_bridges(locate(weights).directory, identity)
    except CheckpointError:
        # What is at hand is another version of these weights.
        return {}
