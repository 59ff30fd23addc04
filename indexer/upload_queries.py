"""A file that a person brought -> a query, by the very encoders that made the index."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from aion_encoder.errors import EncoderError
from aion_encoder.identity import DeclaredIdentity, Identity, Pooling, is_of, named
from aion_encoder.surveys import SPECTRUM_GRID_ANGSTROM
from aion_encoder.universal_spectra import NativeSpectrum
from indexer.errors import ReadError, SearchError
from indexer.index_file import Index
from indexer.index_model import NATIVE
from indexer.native_queries import lacks_native, model_of
from indexer.previews import as_spectrum, preview_of
from indexer.queries import Query, QueryKind
from indexer.weights import open_weights, weights_of

if TYPE_CHECKING:
    from indexer.readers.uploads import Upload

__all__ = ["encode_upload", "open_same_encoder", "open_same_native"]


def open_same_encoder(index: Index, weights: str | None, space: str = "") -> Any:
    """Open the encoder that made an index.

    Parameters
    ----------
    index
        The open index.
    weights
        Where the weights are; by default where the index says they were.
    space
        Whose vectors' encoder, if it has its own. Default: that of the index.

    Raises
    ------
    SearchError
        If its weights cannot be opened, or have another identity, or too little is declared of
        it to tell; both identities are stated.
    """
    wanted = index.encoder_of(space) if space else index.info.encoder
    lacking = wanted.lacks() if isinstance(wanted, DeclaredIdentity) else ()
    if lacking and not weights:
        # Whatever would be fetched could not be known to be the same.
        raise SearchError(_unknown(wanted, lacking))
    try:
        encoder = open_weights(weights or weights_of(wanted), _pooling_of(wanted))
    except EncoderError as error:
        raise SearchError(
            f"files cannot be encoded: this index was made by {named(wanted)}, and {error}"
        ) from error
    if lacking:
        at_hand = f"; the encoder at hand is {named(encoder.identity)}"
        raise SearchError(_unknown(wanted, lacking) + at_hand)
    if not is_of(wanted, encoder.identity):
        raise SearchError(
            f"files must be encoded as the index was, by {named(wanted)}, but the encoder at hand "
            f"is {named(encoder.identity)}; name the right weights, or build the index again"
        )
    return encoder


def _unknown(wanted: Identity, lacking: Sequence[str]) -> str:
    return (
        "files cannot be encoded: the vectors of this index were brought, declared to be of "
        f"{named(wanted)}, but without {'; without '.join(lacking)}, so that no encoder can be "
        "known as the same; ask by identifier, position or vector"
    )


def _pooling_of(wanted: Identity) -> Pooling | None:
    """Return the pooling to open weights with, where they may state another."""
    pooling = wanted.known_pooling if isinstance(wanted, DeclaredIdentity) else wanted.pooling
    # A learned one comes with the weights, or not at all.
    return None if pooling is Pooling.LEARNED else pooling


def open_same_native(index: Index, weights: str | None) -> Any:
    """Open the universal spectral tokenizer that made the space ``spectrum_native`` of an index.

    Parameters
    ----------
    index
        The open index, which has that space.
    weights
        Where the weights are; by default where the index says they were.

    Raises
    ------
    SearchError
        As `open_same_encoder`.
    """
    wanted = index.native_encoder
    assert wanted is not None
    # Imported here: it loads torch.
    from aion_encoder.universal_spectra import open_universal_encoder

    try:
        encoder = open_universal_encoder(weights or wanted.repository)
    except EncoderError as error:
        raise SearchError(
            f"the space {NATIVE!r} of this index was made by {named(wanted)}, and {error}; name "
            "its folder with --native-weights"
        ) from error
    if encoder.identity.digest != wanted.digest:
        raise SearchError(
            f"spectra must be encoded as the space {NATIVE!r} was, by {named(wanted)}, but the "
            f"encoder at hand is {named(encoder.identity)}; name the right weights with "
            "--native-weights, or build the index again"
        )
    return encoder


_NO_SPECTRA = "this index holds no spectra by AION-1"


@dataclass(frozen=True, eq=False)
class _Said:
    """What one model says of an observation: a vector, or why there is none."""

    vector: NDArray[np.float32] | None
    refusal: str = ""
    notes: tuple[str, ...] = ()


def encode_upload(
    index: Index, upload: "Upload", aion: Callable[[str], Any], native: Callable[[], Any]
) -> Query:
    """Encode what was read from a file: a spectrum by both models where both take it.

    AION-1 answers where it can, because its space reaches the other modalities; the universal
    spectral tokenizer answers for the spectra that AION-1 does not take.

    Parameters
    ----------
    index
        The open index.
    upload
        From `indexer.readers.uploads`.
    aion, native
        Give the two encoders, the first that of a modality; neither is called without need.

    Raises
    ------
    ReadError
        If no model takes it, with the reason.
    SearchError
        If only the universal spectral tokenizer takes it and the index has no space for that, or
        an encoder is not that of the index.
    """
    others = index.native_encoder is not None and upload.native is not None
    here = "spectrum" in index.info.spaces or not others
    first = _by_aion(upload, aion) if here else _Said(None, _NO_SPECTRA)
    if upload.native is None or (index.native_encoder is None and upload.observation is not None):
        if first.refusal:
            raise ReadError(f"{upload.file_name}: {first.refusal}")
        query = _query(upload, first, _Said(None), "", "")
        if query.preview is None or query.preview.kind != "xp":
            return query
        return replace(query, preview=as_spectrum(query.preview, index.xp_basis))
    if index.native_encoder is None:
        raise SearchError(
            f"{upload.file_name}: AION-1 does not take this spectrum ({first.refusal}), and "
            f"{lacks_native()}"
        )
    second = _by_native(upload.native, native, needed=bool(first.refusal))
    if first.refusal and second.refusal:
        raise ReadError(
            f"{upload.file_name}: {first.refusal}; the universal spectral tokenizer refuses it, "
            f"too: {second.refusal}"
        )
    by_native = model_of(index, NATIVE)
    if first.refusal:
        why = f"AION-1 does not take this spectrum: {first.refusal}" if here else first.refusal
        return _query(
            upload, first, second, NATIVE, f"answered in {NATIVE!r} by {by_native}; {why}"
        )
    other = (
        f"{by_native} has no vector of it: {second.refusal}"
        if second.refusal
        else f"{by_native} can be asked in {NATIVE!r}"
    )
    by_aion = model_of(index, "spectrum")
    seen = _seen_by_aion(upload.native)
    why = f"answered in 'spectrum' by {by_aion}, {seen}; {other}"
    return _query(upload, first, second, "", why)


def _by_aion(upload: "Upload", opened: Callable[[str], Any]) -> _Said:
    observation = upload.observation
    if observation is None:
        return _Said(None, upload.refusal)
    encoded = opened(observation.modality).encode([(observation,)])
    for refusal in encoded.refusals:
        return _Said(None, refusal.reason)
    vector = np.asarray(encoded.vectors[observation.modality][0], np.float32)
    return _Said(vector, "", tuple(note.text for note in encoded.notes))


def _seen_by_aion(spectrum: NativeSpectrum) -> str:
    """Say how much of a spectrum lies on AION-1's grid, which it takes from 200 pixels on."""
    first, last = SPECTRUM_GRID_ANGSTROM
    good = spectrum.wavelength_angstrom[spectrum.good]
    inside = int(((good >= first) & (good <= last)).sum())
    if inside == good.size:
        return "whose range it lies in"
    return (
        f"which sees {inside:,} of its {good.size:,} good pixels, those in {first:.0f}-{last:.0f} A"
    )


def _by_native(spectrum: NativeSpectrum, opened: Callable[[], Any], *, needed: bool) -> _Said:
    try:
        model = opened()
    except SearchError as error:
        if needed:
            raise
        return _Said(None, str(error))
    encoded = model.encode([spectrum])
    for refusal in encoded.refusals:
        return _Said(None, refusal.reason)
    notes = tuple(f"{NATIVE}: {note.text}" for note in encoded.notes)
    return _Said(np.asarray(encoded.vectors[0], np.float32), "", notes)


def _query(upload: "Upload", first: _Said, second: _Said, space: str, answered: str) -> Query:
    observation = upload.observation
    shown = upload.native if observation is None else observation
    assert shown is not None
    kind = "spectrum" if observation is None else observation.modality
    return Query(
        kind=cast(QueryKind, kind),
        text=upload.file_name,
        modality=kind,
        raw_vector=first.vector,
        native_vector=second.vector,
        space=space,
        answered=answered,
        survey=upload.survey if observation is None else observation.survey,
        object_id=upload.object_id,
        ra_deg=upload.ra_deg,
        dec_deg=upload.dec_deg,
        redshift=upload.redshift,
        assumptions=upload.assumptions,
        notes=(*first.notes, *second.notes),
        file_name=upload.file_name,
        sha256=upload.sha256,
        preview=preview_of(shown),
        observation=observation,
        native=None if second.vector is None else upload.native,
    )
