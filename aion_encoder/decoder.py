"""The frozen decoder, asked for tokens of something that an object was not seen in.

The masked model gives, for every place of a token key, a distribution over its codes from the
tokens of an object. Asked are all places at once: a place does not know what is said of another.

The official `AION.forward` hides every asked token from every other one: with nothing left to see,
its self-attention becomes a plain mean over all places (no difference for a scalar, which is one
token). Here they see each other, as all tokens of a key did in training.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, UInt16

from aion_encoder.encoded import ABSENT_TOKEN, Encoded
from aion_encoder.errors import EncoderError
from aion_encoder.surveys import SURVEYS

if TYPE_CHECKING:
    from torch import Tensor

    from aion_encoder.encoder import Encoder

__all__ = ["ask_decoder", "imagined_vectors", "objects_of", "predict_tokens"]

OBJECTS_PER_BATCH = {"cpu": 8, "cuda": 256}


def objects_of(encoded: Encoded) -> int:
    """Return how many objects were encoded, refused ones included."""
    count = len(next(iter((encoded.tokens or {}).values()), np.empty(0)))
    return max([count, *(len(there) for there in encoded.present.values())])


def ask_decoder(
    encoder: "Encoder", encoded: Encoded, key: str
) -> Iterator[tuple[list[int], "Tensor"]]:
    """Ask for one token key of all objects that have tokens.

    Parameters
    ----------
    encoder
        Opened with ``keep_decoder=True``.
    encoded
        What ``encoder.encode(objects, tokens=True)`` gave. All tokens of one object are used
        together, as they were encoded.
    key
        Token key that is asked for.

    Yields
    ------
    Objects of a batch by number, and logits of shape (batch, places, codes).

    Raises
    ------
    EncoderError
        If the decoder or the tokens were dropped, or these weights never say this key.
    """
    model = encoder.model
    if not len(model.decoder):
        raise EncoderError(
            "the decoder is needed and was dropped; open the encoder with keep_decoder=True"
        )
    if key not in model.decoder_embeddings:
        known = ", ".join(sorted(model.decoder_embeddings))
        raise EncoderError(
            f"these weights never say {key}: it is not among the outputs of the decoder ({known})"
        )
    if encoded.tokens is None:
        raise EncoderError("tokens are needed and were not kept; encode with tokens=True")
    for rows, tokens in _batches(encoded.tokens, encoder.device):
        yield rows, _ask(model, tokens, key, encoder.device)


def predict_tokens(
    encoder: "Encoder", encoded: Encoded, key: str
) -> UInt16[np.ndarray, "n places"]:
    """Return the most probable code at every place of a token key.

    Returns
    -------
    One row per object, in order; `ABSENT_TOKEN` where an object has no tokens.

    Raises
    ------
    EncoderError
        As `ask_decoder`.
    """
    told = [
        (rows, logits.argmax(dim=2).cpu().numpy())
        for rows, logits in ask_decoder(encoder, encoded, key)
    ]
    places = encoder.model.decoder_embeddings[key].pos_emb.shape[1]
    found = np.full((objects_of(encoded), places), ABSENT_TOKEN, np.uint16)
    for rows, codes in told:
        found[rows] = codes
    return found


def imagined_vectors(
    encoder: "Encoder", encoded: Encoded, survey: str
) -> Float32[np.ndarray, "n dim"]:
    """Let the decoder make up the observation of another survey, and encode that.

    A bridge between modalities that nothing was fitted for: what is made up lies in the space of
    the other modality, like any observation.

    Parameters
    ----------
    encoder, encoded
        As in `ask_decoder`.
    survey
        Whose observation, such as ``desi``.

    Returns
    -------
    Raw vectors, one row per object, in order; NaN where an object has no tokens.

    Raises
    ------
    EncoderError
        As `ask_decoder`.
    """
    wanted = SURVEYS[survey]
    tables = {key: predict_tokens(encoder, encoded, key) for key in wanted.token_keys}
    first = tables[wanted.token_keys[0]]
    there = np.flatnonzero(first[:, 0] != ABSENT_TOKEN)
    made_up = [{key: table[row] for key, table in tables.items()} for row in there]
    width = encoder.identity.vector_dim(wanted.modality)
    found = np.full((len(first), width), np.nan, np.float32)
    for row, vectors in zip(there, encoder.transformer.encode(made_up), strict=True):
        found[row] = vectors[wanted.modality]
    return found


def _batches(
    tables: Mapping[str, np.ndarray[Any, Any]], device: str
) -> Iterator[tuple[list[int], dict[str, np.ndarray[Any, Any]]]]:
    """Put objects with the same kinds of tokens together: nothing is ever padded."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for row in range(len(next(iter(tables.values()), ()))):
        keys = tuple(key for key in sorted(tables) if tables[key][row, 0] != ABSENT_TOKEN)
        if keys:
            groups.setdefault(keys, []).append(row)
    size = OBJECTS_PER_BATCH[device.partition(":")[0]]
    for keys, members in groups.items():
        for start in range(0, len(members), size):
            rows = members[start : start + size]
            yield rows, {key: tables[key][rows].astype(np.int64) for key in keys}


def _ask(model: Any, tokens: Mapping[str, np.ndarray[Any, Any]], key: str, device: str) -> "Tensor":
    """Return logits of every place, for objects with the same kinds of tokens."""
    import torch

    kind = device.partition(":")[0]
    with torch.inference_mode(), torch.autocast(kind, enabled=False):
        inputs = {name: torch.from_numpy(ids).to(device) for name, ids in tokens.items()}
        # The package's default would drop all tokens but the first 256.
        total = sum(ids.shape[1] for ids in tokens.values())
        embedded, codes, _, _ = model.embed_inputs(inputs, num_encoder_tokens=total)
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            hidden = model.forward_encoder(embedded + codes, encoder_mask=None)
        context = model.decoder_proj_context(hidden.float()) + codes
        asked = model.decoder_embeddings[key]
        # Mask tokens at the places that are asked for. The package's own way there shuffles with
        # the global random state of Python.
        question = model.mask_token + asked.pos_emb + asked.mod_emb
        answer = model.forward_decoder(
            question.expand(len(context), -1, -1),
            context,
            encoder_mask=None,
            decoder_attention_mask=None,
        )
        logits: Tensor = asked.forward_logits(answer)
        return logits
