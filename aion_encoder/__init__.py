"""Frozen AION-1 models behind a small door: observations in, vectors out.

Importing this package never loads torch; the first encoder that is opened does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aion_encoder.encoded import ABSENT_TOKEN, Encoded, Note, Refusal
    from aion_encoder.encoder import Encoder, open_encoder
    from aion_encoder.errors import CheckpointError, EncoderError, ObservationError, TokenError
    from aion_encoder.heads import Head, LinearHead, fit_linear
    from aion_encoder.identity import EncoderIdentity, Pooling
    from aion_encoder.observations import (
        MODALITIES,
        GaiaXp,
        Image,
        Observation,
        Photometry,
        Spectrum,
    )
    from aion_encoder.readouts import RedshiftDistribution, fit_recalibration, read_redshift
    from aion_encoder.residual_head import ResidualHead

__all__ = [
    "ABSENT_TOKEN",
    "MODALITIES",
    "CheckpointError",
    "Encoded",
    "Encoder",
    "EncoderError",
    "EncoderIdentity",
    "GaiaXp",
    "Head",
    "Image",
    "LinearHead",
    "Note",
    "Observation",
    "ObservationError",
    "Photometry",
    "Pooling",
    "RedshiftDistribution",
    "Refusal",
    "ResidualHead",
    "Spectrum",
    "TokenError",
    "fit_linear",
    "fit_recalibration",
    "open_encoder",
    "read_redshift",
]

_HOME = {
    "ABSENT_TOKEN": "encoded",
    "MODALITIES": "observations",
    "CheckpointError": "errors",
    "Encoded": "encoded",
    "Encoder": "encoder",
    "EncoderError": "errors",
    "EncoderIdentity": "identity",
    "GaiaXp": "observations",
    "Head": "heads",
    "Image": "observations",
    "LinearHead": "heads",
    "Note": "encoded",
    "Observation": "observations",
    "ObservationError": "errors",
    "Photometry": "observations",
    "Pooling": "identity",
    "RedshiftDistribution": "readouts",
    "Refusal": "encoded",
    "ResidualHead": "residual_head",
    "Spectrum": "observations",
    "TokenError": "errors",
    "fit_linear": "heads",
    "fit_recalibration": "readouts",
    "open_encoder": "encoder",
    "read_redshift": "readouts",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
