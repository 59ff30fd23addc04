"""The encoder: observations in, vectors out. Loads torch only when one is opened."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, UInt16

from aion_encoder.devices import device_named
from aion_encoder.encoded import ABSENT_TOKEN, Encoded, Note, Refusal
from aion_encoder.errors import ObservationError, TokenError
from aion_encoder.heads import LinearHead
from aion_encoder.identity import EncoderIdentity, Pooling
from aion_encoder.observations import MODALITIES, Observation

if TYPE_CHECKING:
    from aion_encoder.reference_spaces import ReferenceSpaces
    from aion_encoder.tokenizer import Tokenizer
    from aion_encoder.transformer import Transformer

__all__ = ["Encoder", "open_encoder"]


@dataclass(frozen=True, eq=False)
class Encoder:
    """A frozen AION-1. Made by `open_encoder`.

    Attributes
    ----------
    identity
        What must be equal for two vectors to be comparable.
    title
        What people should read about these weights; may be empty.
    device
        Where it runs.
    tokenizer, transformer
        Its parts.
    reference_spaces
        Per modality the mean and the whitening matrix measured on the training sky; empty if the
        checkpoint has none.
    bridges
        Heads between modalities that were learned with the pooling; empty if the checkpoint has
        none.
    """

    identity: EncoderIdentity
    title: str
    device: str
    tokenizer: "Tokenizer"
    transformer: "Transformer"
    reference_spaces: "ReferenceSpaces"
    bridges: Mapping[str, LinearHead]

    @property
    def model(self) -> Any:
        """The official transformer; its decoder is there only if it was kept."""
        return self.transformer.model

    def encode(
        self,
        objects: Sequence[Sequence[Observation]],
        *,
        tokens: bool = False,
        batch_size: int | None = None,
    ) -> Encoded:
        """Encode objects.

        Parameters
        ----------
        objects
            For each object its observations. They see each other: a spectrum encoded together
            with an image has another vector than alone. None is changed.
        tokens
            Give the tokens back, too.
        batch_size
            Objects per batch of the transformer; changes memory and speed, not the vectors.

        Returns
        -------
        Raw vectors per modality, neither centred nor of unit length. What could not be encoded is
        among the refusals with its reason, and has no vector.

        Raises
        ------
        TokenError
            If the tokenizers' weights are broken.
        """
        places = [(index, item) for index, given in enumerate(objects) for item in given]
        results = self.tokenizer.encode([item for _, item in places])
        inputs: list[dict[str, np.ndarray]] = [{} for _ in objects]
        refusals, notes = [], []
        for (index, item), result in zip(places, results, strict=True):
            twice = sorted(set(inputs[index]) & set(result.tokens))
            reason = result.refusal
            if twice and not reason:
                reason = f"this object has more than one observation of the kind {twice[0]}"
            if reason:
                refusals.append(Refusal(index, item.modality, reason))
                continue
            inputs[index].update(result.tokens)
            notes += [Note(index, item.modality, text) for text in result.notes]
        given = {item.modality for _, item in places}
        return self._encoded(
            inputs, given, batch_size, _table(inputs) if tokens else None, refusals, notes
        )

    def encode_tokens(
        self,
        tokens: Mapping[str, UInt16[np.ndarray, "n count"]],
        tokenizers: Mapping[str, str],
        *,
        batch_size: int | None = None,
    ) -> Encoded:
        """Encode objects whose tokens were kept; no pixels are needed.

        Parameters
        ----------
        tokens
            As in `Encoded.tokens`.
        tokenizers
            Whose they are: `EncoderIdentity.tokenizers` of the encoder that made them.
        batch_size
            As for `encode`.

        Returns
        -------
        What `encode` gave for the same objects in the same order, without refusals and notes:
        what was refused has no tokens.

        Raises
        ------
        TokenError
            If they are of another tokenizer, or do not have the form of tokens.
        """
        # Imported here: they load torch.
        from aion_encoder.codecs import codec_folder
        from aion_encoder.vocabulary import check_tokens, modality_of

        own = self.identity.tokenizers
        for key in tokens:
            folder = codec_folder(key)
            if folder is None or key not in self.tokenizer.token_keys:
                raise TokenError(f"these weights do not know the tokens {key}; leave them out")
            if tokenizers.get(folder) != own[folder]:
                raise TokenError(
                    f"{key} must be of the tokenizer {own[folder]} of these weights, got those of "
                    f"{tokenizers.get(folder, 'an unknown one')}; encode the observations again"
                )
        counts = {len(table) for table in tokens.values()}
        if len(counts) > 1:
            raise TokenError(f"all tokens must be of the same objects, got {sorted(counts)} rows")
        inputs: list[dict[str, np.ndarray]] = [{} for _ in range(max(counts, default=0))]
        for key, table in tokens.items():
            rows = np.flatnonzero((table != ABSENT_TOKEN).any(axis=1))
            for row, values in zip(rows, check_tokens(key, table[rows]), strict=True):
                inputs[row][key] = values
        return self._encoded(inputs, {modality_of(key) for key in tokens}, batch_size)

    def _encoded(
        self,
        inputs: Sequence[Mapping[str, np.ndarray]],
        given: Set[str],
        batch_size: int | None,
        table: Mapping[str, np.ndarray] | None = None,
        refusals: Sequence[Refusal] = (),
        notes: Sequence[Note] = (),
    ) -> Encoded:
        modalities = [modality for modality in MODALITIES if modality in given]
        vectors = {
            modality: np.full((len(inputs), self.identity.vector_dim(modality)), np.nan, np.float32)
            for modality in modalities
        }
        encoded = self.transformer.encode(inputs, batch_size=batch_size)
        for index, of_object in enumerate(encoded):
            for modality, vector in of_object.items():
                vectors[modality][index] = vector
        return Encoded(
            vectors=vectors,
            present={
                modality: np.array([modality in of_object for of_object in encoded], bool)
                for modality in modalities
            },
            tokens=table,
            refusals=tuple(refusals),
            notes=tuple(notes),
        )

    def encode_alone(
        self, observations: Sequence[Observation], *, batch_size: int | None = None
    ) -> Float32[np.ndarray, "n dim"]:
        """Return one vector per observation, each encoded by itself.

        Parameters
        ----------
        observations
            Of one modality, or of several whose vectors have one length; in any order.
        batch_size
            See `encode`.

        Raises
        ------
        ValueError
            If their vectors differ in length.
        ObservationError
            If one of them cannot be encoded, with the reason.
        """
        encoded = self.encode([(item,) for item in observations], batch_size=batch_size)
        for refusal in encoded.refusals:
            raise ObservationError(
                f"observation {refusal.index} ({refusal.modality}) cannot be encoded: "
                f"{refusal.reason}"
            )
        lengths = {self.identity.vector_dim(item.modality) for item in observations}
        if len(lengths) > 1:
            raise ValueError(
                f"observations must have vectors of one length, got {sorted(lengths)}; encode one "
                "modality at a time"
            )
        width = lengths.pop() if lengths else self.identity.dim
        vectors = np.empty((len(observations), width), np.float32)
        for index, item in enumerate(observations):
            vectors[index] = encoded.vectors[item.modality][index]
        return vectors


def _table(inputs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    tables: dict[str, np.ndarray] = {}
    for index, tokens in enumerate(inputs):
        for key, values in tokens.items():
            if key not in tables:
                tables[key] = np.full((len(inputs), values.size), ABSENT_TOKEN, np.uint16)
            tables[key][index] = values
    return tables


def open_encoder(
    weights: str = "demo",
    *,
    device: str = "auto",
    keep_decoder: bool = False,
    pooling: Pooling | None = None,
    autocast: bool | None = None,
) -> Encoder:
    """Open a frozen AION-1.

    Parameters
    ----------
    weights
        ``demo`` (small, bundled, trained on a simulated sky), a directory in the official layout,
        or a repository such as ``polymathic-ai/aion-base@<revision>``.
    device
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:<number>``.
    keep_decoder
        Keep the decoder in memory, for those who ask the model for more than vectors.
    pooling
        How tokens become vectors; by default as the weights say. With another one they have
        neither reference spaces nor bridges.
    autocast
        Whether the transformer's matrix products run in bfloat16; the tokenizers never do.
        Default: on a GPU. It pays on a CPU that multiplies such matrices in hardware (AMX), and
        changes vectors by a cosine of less than 0.001.

    Raises
    ------
    CheckpointError
        If the weights cannot be had or are not complete; the message says what to do.
    EncoderError
        If there is no such device.
    """
    from aion_encoder.bridges import read_bridges
    from aion_encoder.checkpoint import load_transformer, locate
    from aion_encoder.reference_spaces import read_reference_spaces
    from aion_encoder.tokenizer import Tokenizer
    from aion_encoder.transformer import Transformer

    place = device_named(device)
    checkpoint = locate(weights)
    model: Any = load_transformer(checkpoint.directory, keep_decoder=keep_decoder)
    own = checkpoint.settings.pooling
    chosen = pooling or own
    dim = int(model.dim)
    learned = checkpoint.load_learned_pooling(dim) if chosen is Pooling.LEARNED else None
    transformer = Transformer(model, chosen, place, learned, autocast=autocast)
    codecs = checkpoint.load_codecs()
    identity = checkpoint.identity(dim, chosen)
    return Encoder(
        identity=identity,
        title=checkpoint.settings.title,
        device=str(place),
        tokenizer=Tokenizer(codecs, checkpoint.token_keys, place),
        transformer=transformer,
        reference_spaces=(
            read_reference_spaces(checkpoint.directory, identity) if chosen is own else {}
        ),
        bridges=read_bridges(checkpoint.directory, identity) if chosen is own else {},
    )
