"""Errors of the encoder.

Their tree::

    EncoderError
    ├── ObservationError      an observation that cannot be encoded; the message is the reason
    ├── CheckpointError       weights that are missing, incomplete or of an unknown form
    └── TokenError            tokens that no tokenizer should have made; a broken checkpoint
"""


class EncoderError(Exception):
    """Base of every error that this package raises on purpose."""


class ObservationError(EncoderError):
    """An observation that cannot be encoded. The message is a reason fit for a person."""


class CheckpointError(EncoderError):
    """Weights that are missing, incomplete, refused or of an unknown form."""


class TokenError(EncoderError):
    """Tokens outside their vocabulary, or the same for every token: a broken checkpoint."""
