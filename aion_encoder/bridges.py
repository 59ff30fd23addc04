"""Heads that come with a checkpoint: between modalities, learned together with its pooling.

``bridges.safetensors`` is a file of `aion_encoder.heads`; it says for which encoder they are. An
index whose own pairs are few does better to begin with them than with nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from aion_encoder.errors import CheckpointError
from aion_encoder.heads import LinearHead, load_heads, save_heads
from aion_encoder.identity import EncoderIdentity

__all__ = ["BRIDGES_FILE", "read_bridges", "write_bridges"]

BRIDGES_FILE = "bridges.safetensors"


def read_bridges(directory: Path, identity: EncoderIdentity) -> dict[str, LinearHead]:
    """Read the heads of a checkpoint by modality; none if it has none.

    Raises
    ------
    CheckpointError
        If the file is damaged, or its heads are for another encoder.
    """
    path = directory / BRIDGES_FILE
    if not path.exists():
        return {}
    heads, facts = load_heads(path)
    if facts.get("encoder") != identity.digest:
        raise CheckpointError(
            f"{path} must be for this encoder ({identity.digest}), but is for "
            f"{facts.get('encoder')}; learn them again or delete it"
        )
    linear = {name: head for name, head in heads.items() if isinstance(head, LinearHead)}
    strange = sorted(
        name
        for name in heads
        if name not in linear or linear[name].input_dim != identity.vector_dim(name)
    )
    if strange:
        raise CheckpointError(
            f"{path} must hold linear heads for vectors of this encoder, those of "
            f"{', '.join(strange)} are not"
        )
    return linear


def write_bridges(
    directory: Path, heads: Mapping[str, LinearHead], identity: EncoderIdentity
) -> None:
    """Write the heads of a checkpoint.

    Parameters
    ----------
    directory
        The checkpoint.
    heads
        By modality, all into one space.
    identity
        The encoder whose vectors they take.
    """
    save_heads(directory / BRIDGES_FILE, heads, {"encoder": identity.digest})
