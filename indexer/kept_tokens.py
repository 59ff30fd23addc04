"""Tokens kept in a segment: another model or pooling needs no pixels.

A row has the tokens of its observation, or `ABSENT_TOKEN` throughout.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Int64, UInt16

from aion_encoder.encoded import ABSENT_TOKEN
from aion_encoder.identity import EncoderIdentity, Identity
from indexer.durable import replacing, write_json
from indexer.errors import IndexFormatError
from indexer.layout import tokenizers_file, tokens_file
from indexer.manifests import Manifest
from indexer.staging import Staged

if TYPE_CHECKING:
    from aion_encoder import Encoder

__all__ = ["KeptTokens", "keeping_tokens", "read_tokens", "write_tokens"]

_ROWS = 4_096
"""At a time: 5 MB of tokens of pictures."""

_PREFIX = "tokens-"


@dataclass(frozen=True, eq=False)
class KeptTokens:
    """The tokens of a segment.

    Attributes
    ----------
    tokens
        By token key, shape (rows of the segment, count), mapped.
    tokenizers
        Whose they are: `EncoderIdentity.tokenizers`.
    """

    tokens: Mapping[str, UInt16[np.ndarray, "n count"]]
    tokenizers: Mapping[str, str]

    def vectors(
        self, encoder: "Encoder", modality: str
    ) -> Iterator[tuple[Int64[np.ndarray, " n"], Float32[np.ndarray, "n dim"]]]:
        """Encode the tokens of a modality with any model or pooling, block by block.

        Parameters
        ----------
        encoder
            With the tokenizers that the tokens are of.

        Yields
        ------
        Rows of the segment, ascending, and their raw vectors.

        Raises
        ------
        TokenError
            If the tokens are of other tokenizers.
        """
        # Imported here: it loads torch.
        from aion_encoder.vocabulary import modality_of

        own = {key: each for key, each in self.tokens.items() if modality_of(key) == modality}
        for start in range(0, max(map(len, own.values()), default=0), _ROWS):
            block = {key: table[start : start + _ROWS] for key, table in own.items()}
            encoded = encoder.encode_tokens(block, self.tokenizers)
            rows = np.flatnonzero(encoded.present[modality])
            yield start + rows, encoded.vectors[modality][rows]


def keeping_tokens(manifest: Manifest) -> Manifest:
    """Return a manifest whose releases keep their tokens, where AION-1 encodes them."""
    releases = [
        each.model_copy(update={"keep_tokens": each.has_tokens}) for each in manifest.releases
    ]
    return manifest.model_copy(update={"releases": tuple(releases)})


def write_tokens(
    root: Path,
    segment: str,
    staged: Sequence[Staged],
    origin: Int64[np.ndarray, " n"],
    encoder: Identity,
) -> None:
    """Write the tokens of a segment in row order, if its partitions have some.

    Parameters
    ----------
    root
        Folder that the paths of `layout` are relative to.
    segment
        Folder of the segment, relative to `root`.
    staged
        Its partitions, in their order.
    origin
        For each row, which of the staged records it is.
    encoder
        Who made them.
    """
    keys = sorted(
        {
            path.stem.removeprefix(_PREFIX)
            for each in staged
            for path in each.folder.glob(f"{_PREFIX}*.npy")
        }
    )
    if not keys:
        return
    assert isinstance(encoder, EncoderIdentity)
    starts = np.cumsum([0, *(each.indexed for each in staged)])
    for key in keys:
        parts = [each.tokens_path(key) for each in staged]
        # One that has none under this key has no such file.
        tables = [np.load(path, mmap_mode="r") if path.exists() else None for path in parts]
        width = next(table.shape[1] for table in tables if table is not None)
        target = root / tokens_file(segment, key)
        with replacing(target) as temporary:
            out = np.lib.format.open_memmap(
                temporary, mode="w+", dtype=np.uint16, shape=(len(origin), width)
            )
            for first in range(0, len(origin), _ROWS):
                wanted = origin[first : first + _ROWS]
                out[first : first + len(wanted)] = _gathered(tables, starts, wanted, width)
            out.flush()
            del out
    write_json(root / tokenizers_file(segment), encoder.tokenizers)


def _gathered(
    tables: Sequence[np.ndarray[Any, Any] | None],
    starts: Int64[np.ndarray, " parts"],
    wanted: Int64[np.ndarray, " n"],
    width: int,
) -> UInt16[np.ndarray, "n count"]:
    found = np.full((len(wanted), width), ABSENT_TOKEN, np.uint16)
    parts = np.searchsorted(starts, wanted, side="right") - 1
    for number in np.unique(parts):
        table = tables[number]
        if table is not None:
            mine = parts == number
            found[mine] = table[wanted[mine] - starts[number]]
    return found


def read_tokens(root: Path, segment: str) -> KeptTokens | None:
    """Return the tokens of a segment; None if they were not kept.

    Parameters
    ----------
    root
        Folder of the index.
    segment
        Folder of the segment, relative to it.

    Raises
    ------
    IndexFormatError
        If they are damaged.
    """
    listed = root / tokenizers_file(segment)
    if not listed.exists():
        return None
    try:
        tokenizers = json.loads(listed.read_text())
        tables = {
            path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
            for path in sorted(listed.parent.glob("*.npy"))
        }
    except (OSError, ValueError) as error:
        raise IndexFormatError(
            f"{listed.parent} cannot be read: {error}; build the index again"
        ) from error
    return KeptTokens(tables, tokenizers)
