"""A file that a person brought -> a query, by the very encoder that made the index."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from aion_encoder.errors import EncoderError
from aion_encoder.identity import EncoderIdentity
from indexer.errors import ReadError, SearchError
from indexer.index_file import Index
from indexer.previews import preview_of
from indexer.queries import Query, QueryKind
from indexer.weights import open_weights, weights_of

if TYPE_CHECKING:
    from indexer.readers.uploads import Upload

__all__ = ["encode_upload", "open_same_encoder"]


def open_same_encoder(index: Index, weights: str | None) -> Any:
    """Open the encoder that made an index.

    Parameters
    ----------
    index
        The open index.
    weights
        Where the weights are; by default where the index says they were.

    Raises
    ------
    SearchError
        If its weights cannot be opened, or have another identity; both are stated.
    """
    wanted = index.info.encoder
    try:
        encoder = open_weights(weights or weights_of(wanted))
    except EncoderError as error:
        raise SearchError(
            f"files cannot be encoded: this index was made by {_told(wanted)}, and {error}"
        ) from error
    if encoder.identity.digest != wanted.digest:
        raise SearchError(
            f"files must be encoded as the index was, by {_told(wanted)}, but the encoder at hand "
            f"is {_told(encoder.identity)}; name the right weights, or build the index again"
        )
    return encoder


def encode_upload(encoder: Any, upload: "Upload") -> Query:
    """Encode what was read from a file.

    Raises
    ------
    ReadError
        If the encoder refuses it, with the reason.
    """
    observation = upload.observation
    encoded = encoder.encode([(observation,)])
    for refusal in encoded.refusals:
        raise ReadError(f"{upload.file_name}: {refusal.reason}")
    return Query(
        kind=cast(QueryKind, observation.modality),
        text=upload.file_name,
        modality=observation.modality,
        raw_vector=np.asarray(encoded.vectors[observation.modality][0], np.float32),
        survey=observation.survey,
        object_id=upload.object_id,
        ra_deg=upload.ra_deg,
        dec_deg=upload.dec_deg,
        redshift=upload.redshift,
        assumptions=upload.assumptions,
        notes=tuple(note.text for note in encoded.notes),
        file_name=upload.file_name,
        sha256=upload.sha256,
        preview=preview_of(observation),
        observation=observation,
    )


def _told(identity: EncoderIdentity) -> str:
    revision = f"@{identity.revision}" if identity.revision else ""
    return f"{identity.repository}{revision} (identity {identity.digest})"
