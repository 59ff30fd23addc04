"""Observations into tokens, guarded against what the official tokenizers ruin in silence.

What goes in is our own copy, float32 and finite, on the tokenizer's device; what comes out is
checked against its vocabulary. The arithmetic is always float32, and always runs on batches of one
shape, so that the tokens of an observation do not depend on what else is encoded with it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt16
from torch import Tensor, nn

from aion_encoder.codecs import FORBIDDEN_SCALARS, SCALAR_KEYS, codec_folder
from aion_encoder.convnext import keep_channels_last
from aion_encoder.devices import onto
from aion_encoder.errors import ObservationError, TokenError
from aion_encoder.observations import GaiaXp, Image, Observation, Photometry, Spectrum
from aion_encoder.preparation import (
    NORMALISATION_FLOOR,
    image_bands,
    normalisation,
    padded_length,
    prepare_images,
    prepare_spectra,
)
from aion_encoder.surveys import SURVEYS
from aion_encoder.vocabulary import check_tokens, constant_rows, same_for_all

__all__ = ["Tokenized", "Tokenizer"]

CHUNK = {"cpu": 1, "cuda": 32}
"""Observations per call of a tokenizer that is a network. Fixed, and short batches are filled up:
another batch size may round differently, and one rounding can be another token."""

CHUNK_OF_TABLES = 64
"""The same of the tokenizers that are mere tables, on any device."""


@dataclass
class Tokenized:
    """Tokens of one observation.

    Attributes
    ----------
    tokens
        Token key to tokens of shape (count,); empty if the observation was refused.
    refusal
        Why it was not encoded, or empty.
    notes
        What there is to know about it.
    """

    tokens: dict[str, UInt16[np.ndarray, " count"]] = field(default_factory=dict)
    refusal: str = ""
    notes: list[str] = field(default_factory=list)


@contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Float32 without autocast, without TF32, without an algorithm chosen by a race."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        if torch.amp.is_autocast_available(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        if device.type == "cuda":
            stack.enter_context(
                torch.backends.cudnn.flags(
                    enabled=True, benchmark=False, deterministic=True, allow_tf32=False
                )
            )
        yield


class Tokenizer:
    """The tokenizers of one checkpoint.

    Parameters
    ----------
    codecs
        Loaded tokenizers by folder name, one module for all surveys that share it.
    token_keys
        The token keys that the transformer takes.
    device
        Where they run; they are moved there once.
    """

    def __init__(
        self, codecs: Mapping[str, nn.Module], token_keys: Sequence[str], device: torch.device
    ) -> None:
        self._codecs = {
            name: keep_channels_last(codec.to(device)) for name, codec in codecs.items()
        }
        self._device = device
        self._chunk = CHUNK.get(device.type, 1)
        self.token_keys = tuple(key for key in token_keys if codec_folder(key) in self._codecs)

    def encode(self, observations: Sequence[Observation]) -> list[Tokenized]:
        """Tokenize observations of any modalities, in any order.

        Parameters
        ----------
        observations
            What to tokenize; none is changed.

        Returns
        -------
        One result per observation, in order.

        Raises
        ------
        TokenError
            If tokens lie outside their vocabulary, or different observations got the same ones.
        """
        results = [Tokenized() for _ in observations]
        groups: dict[tuple[Any, ...], list[int]] = {}
        for index, observation in enumerate(observations):
            try:
                groups.setdefault(self._group(observation), []).append(index)
            except ObservationError as error:
                results[index].refusal = str(error)
        for group, rows in groups.items():
            members = [observations[row] for row in rows]
            self._encode_group(group[0], members, [results[row] for row in rows])
        return results

    def _group(self, observation: Observation) -> tuple[Any, ...]:
        """What must be equal for two observations to be tokenized in one batch."""
        if isinstance(observation, Photometry):
            forbidden = {
                name: FORBIDDEN_SCALARS[name]
                for name in observation.values
                if name in FORBIDDEN_SCALARS
            }
            if forbidden:
                raise ObservationError(
                    f"{', '.join(forbidden)} never go into a vector, which would then hold "
                    f"{', '.join(sorted(set(forbidden.values())))}; leave them out"
                )
            unknown = [name for name in observation.values if name not in SCALAR_KEYS]
            if unknown:
                raise ObservationError(
                    f"scalars must be among {', '.join(SCALAR_KEYS)}; got {', '.join(unknown)}"
                )
            return ("photometry",)
        lacking = set(SURVEYS[observation.survey].token_keys) - set(self.token_keys)
        if lacking:
            raise ObservationError(
                f"these weights do not know the {observation.modality} of "
                f"{SURVEYS[observation.survey].title}"
            )
        if isinstance(observation, Image):
            return ("image", observation.survey, image_bands(observation))
        if isinstance(observation, Spectrum):
            return ("spectrum", observation.survey, padded_length(observation))
        return ("xp",)

    def _encode_group(
        self, modality: str, members: Sequence[Any], results: Sequence[Tokenized]
    ) -> None:
        if modality == "image":
            self._images(members, results)
        elif modality == "spectrum":
            self._spectra(members, results)
        elif modality == "xp":
            self._xp(members, results)
        else:
            self._photometry(members, results)

    def _images(self, images: Sequence[Image], results: Sequence[Tokenized]) -> None:
        from aion.modalities import HSCImage, LegacySurveyImage

        survey = SURVEYS[images[0].survey]
        kind = HSCImage if survey.name == "hsc" else LegacySurveyImage
        bands = list(image_bands(images[0]))

        def call(codec: nn.Module, chunk: Sequence[Image]) -> Tensor:
            flux = onto(prepare_images(chunk), self._device)
            return codec.encode(kind(flux=flux, bands=bands))  # type: ignore[operator, no-any-return]

        self._store(survey.token_keys[0], images, results, call)
        self._refuse_dead(results, [survey.token_keys[0]], lambda: prepare_images(images))

    def _spectra(self, spectra: Sequence[Spectrum], results: Sequence[Tokenized]) -> None:
        from aion.modalities import DESISpectrum, SDSSSpectrum

        survey = SURVEYS[spectra[0].survey]
        kind = DESISpectrum if survey.name == "desi" else SDSSSpectrum
        length = padded_length(spectra[0])

        def call(codec: nn.Module, chunk: Sequence[Spectrum]) -> Tensor:
            arrays = prepare_spectra(chunk, length)
            tensors = {name: onto(values, self._device) for name, values in arrays.items()}
            return codec.encode(kind(**tensors))  # type: ignore[operator, no-any-return]

        self._store(survey.token_keys[0], spectra, results, call)
        # The first token is the normalisation; only the others tell of the spectrum's shape.
        self._refuse_dead(
            results,
            [survey.token_keys[0]],
            lambda: prepare_spectra(spectra, length)["flux"],
            skip=1,
        )
        for spectrum, result in zip(spectra, results, strict=True):
            mean = normalisation(spectrum)
            if mean < NORMALISATION_FLOOR:
                result.notes.append(
                    f"normalisation at the floor: the mean flux is {mean:.3g}, below "
                    f"{NORMALISATION_FLOOR} in 1e-17 erg/s/cm2/A, and all fainter spectra look "
                    "equally bright to AION-1"
                )

    def _xp(self, members: Sequence[GaiaXp], results: Sequence[Tokenized]) -> None:
        from aion.modalities import GaiaXpBp, GaiaXpRp

        for key, name, kind in (("tok_xp_bp", "bp", GaiaXpBp), ("tok_xp_rp", "rp", GaiaXpRp)):

            def call(
                codec: nn.Module, chunk: Sequence[GaiaXp], name: str = name, kind: Any = kind
            ) -> Tensor:
                values = np.stack([getattr(member, name) for member in chunk])
                return codec.encode(kind(value=onto(values, self._device)))  # type: ignore[operator, no-any-return]

            self._store(key, members, results, call)
        self._refuse_dead(
            results,
            ["tok_xp_bp", "tok_xp_rp"],
            lambda: np.stack([np.concatenate([member.bp, member.rp]) for member in members]),
        )

    def _photometry(self, members: Sequence[Photometry], results: Sequence[Tokenized]) -> None:
        from aion.modalities import ScalarModalities

        for name in sorted({name for member in members for name in member.values}):
            key = SCALAR_KEYS[name]
            having = [row for row, member in enumerate(members) if name in member.values]
            if key not in self.token_keys:
                for row in having:
                    results[row].notes.append(f"{name} left out: these weights do not know it")
                continue
            quantizer = self._codecs[name].quantizer
            floor = getattr(quantizer, "_min_value", None)
            usable = []
            for row in having:
                value = members[row].values[name]
                # The package would put all of these into its lowest bin.
                if floor is not None and not value > floor:
                    results[row].notes.append(
                        f"{name} left out: {value:.4g} is not above {floor:.4g}, the least that "
                        "AION-1 can tell apart"
                    )
                else:
                    usable.append(row)
            kind = ScalarModalities[name]

            def call(
                codec: nn.Module, chunk: Sequence[Photometry], name: str = name, kind: Any = kind
            ) -> Tensor:
                values = np.array([member.values[name] for member in chunk], np.float32)
                return codec.encode(kind(value=onto(values, self._device))).unsqueeze(1)  # type: ignore[operator, no-any-return]

            self._store(
                key, [members[row] for row in usable], [results[row] for row in usable], call
            )
        for result in results:
            if not result.tokens and not result.refusal:
                result.refusal = "no scalar can be encoded: " + "; ".join(result.notes)
                result.notes.clear()

    def _store(
        self,
        key: str,
        members: Sequence[Any],
        results: Sequence[Tokenized],
        call: Callable[[nn.Module, Sequence[Any]], Tensor],
    ) -> None:
        """Run a tokenizer over equal chunks, check the tokens and hand them out."""
        codec = self._codecs[str(codec_folder(key))]
        size = CHUNK_OF_TABLES if hasattr(codec, "_modality_class") else self._chunk
        found = []
        with exact_arithmetic(self._device):
            for start in range(0, len(members), size):
                chunk = list(members[start : start + size])
                filled = chunk + chunk[-1:] * (size - len(chunk))
                found.append(call(codec, filled)[: len(chunk)])
            # Asked for at last: a GPU is at one chunk while the next one is prepared.
            raw = [each.to("cpu", torch.int64).numpy() for each in found]
        if raw:
            for row, result in zip(check_tokens(key, np.concatenate(raw)), results, strict=True):
                result.tokens[key] = row

    def _refuse_dead(
        self,
        results: Sequence[Tokenized],
        keys: Sequence[str],
        content: Callable[[], np.ndarray],
        *,
        skip: int = 0,
    ) -> None:
        """Refuse observations without content; raise if the tokenizer does not see any."""
        rows = np.stack(
            [np.concatenate([result.tokens[key] for key in keys])[skip:] for result in results]
        )
        constant = constant_rows(rows)
        if len(rows) > 1 and (constant.all() or same_for_all(rows, content)):
            raise TokenError(
                f"{len(rows)} different observations got the same tokens ({', '.join(keys)}); the "
                "tokenizer's weights are broken, or it sees nothing of its input"
            )
        for result, bad in zip(results, constant, strict=True):
            if bad:
                result.tokens.clear()
                result.refusal = (
                    "AION-1's tokenizer gives this observation the same token everywhere: "
                    "there is nothing in it that it can tell apart"
                )
