"""What tokens may be."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from aion_encoder.codecs import SCALAR_KEYS
from aion_encoder.errors import TokenError
from aion_encoder.surveys import SURVEYS

__all__ = ["check_tokens", "constant_rows", "modality_of", "same_for_all", "token_count"]

_COUNTS = {
    key: (count, vocabulary, survey.modality)
    for survey in SURVEYS.values()
    for key, count, vocabulary in zip(
        survey.token_keys, survey.token_counts, survey.vocabularies, strict=True
    )
} | {key: (1, 1024, "photometry") for key in SCALAR_KEYS.values()}


def token_count(key: str) -> int:
    """Return how many tokens one observation has under a token key."""
    return _COUNTS[key][0]


def modality_of(key: str) -> str:
    """Return the modality that a token key belongs to."""
    return _COUNTS[key][2]


def check_tokens(key: str, tokens: Int64[np.ndarray, "n count"]) -> UInt16[np.ndarray, "n count"]:
    """Return tokens in their final type once they are what AION-1 expects.

    Parameters
    ----------
    key
        Their token key.
    tokens
        What a tokenizer gave.

    Raises
    ------
    TokenError
        If there are too many or too few, or one lies outside the vocabulary.
    """
    count, vocabulary, _ = _COUNTS[key]
    if tokens.ndim != 2 or tokens.shape[1] != count:
        raise TokenError(
            f"{key} must be {count} tokens per observation, got the shape {tokens.shape}; these "
            "tokenizer weights are not AION-1's"
        )
    if tokens.size and (tokens.min() < 0 or tokens.max() >= vocabulary):
        raise TokenError(
            f"{key} must lie in 0-{vocabulary - 1}, got {tokens.min()}-{tokens.max()}; the "
            "tokenizer's weights are broken, or its input was not finite"
        )
    return tokens.astype(np.uint16)


def constant_rows(tokens: UInt16[np.ndarray, "n count"]) -> Bool[np.ndarray, " n"]:
    """Return which observations got one and the same token everywhere."""
    return np.asarray((tokens == tokens[:, :1]).all(axis=1))


def same_for_all(tokens: UInt16[np.ndarray, "n count"], content: Callable[[], np.ndarray]) -> bool:
    """Return whether clearly different observations all got the same tokens.

    Parameters
    ----------
    tokens
        Tokens of the observations.
    content
        Gives what was tokenized, one row per observation; called only in doubt.
    """
    if not (tokens == tokens[0]).all():
        return False
    values = content().reshape(len(tokens), -1).astype(np.float64)
    difference = np.sqrt(((values - values[0]) ** 2).mean(axis=1)).max()
    # Copies and near copies may share all tokens; these differ by more than a little.
    return bool(difference > 0.05 * np.sqrt((values[0] ** 2).mean()))
