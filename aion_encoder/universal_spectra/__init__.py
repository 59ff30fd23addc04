"""A tokenizer for spectra of any instrument, range and grid: vectors, and reconstructions.

After the Universal Spectral Tokenizer (arXiv:2510.17959). Importing this package never loads
torch; the first model that is opened does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aion_encoder.universal_spectra.axes import Axis, ascending_vacuum
    from aion_encoder.universal_spectra.config import PAPER, SMALL, UstConfig
    from aion_encoder.universal_spectra.encoded import EncodedSpectra, Reconstruction
    from aion_encoder.universal_spectra.encoder import (
        UniversalSpectraEncoder,
        open_universal_encoder,
    )
    from aion_encoder.universal_spectra.preparation import PreparedSpectrum, prepare
    from aion_encoder.universal_spectra.spectrum import (
        NativeSpectrum,
        join_pieces,
        native_spectrum,
    )

__all__ = [
    "PAPER",
    "SMALL",
    "Axis",
    "EncodedSpectra",
    "NativeSpectrum",
    "PreparedSpectrum",
    "Reconstruction",
    "UniversalSpectraEncoder",
    "UstConfig",
    "ascending_vacuum",
    "join_pieces",
    "native_spectrum",
    "open_universal_encoder",
    "prepare",
]

_HOME = {
    "PAPER": "config",
    "SMALL": "config",
    "Axis": "axes",
    "EncodedSpectra": "encoded",
    "NativeSpectrum": "spectrum",
    "PreparedSpectrum": "preparation",
    "Reconstruction": "encoded",
    "UniversalSpectraEncoder": "encoder",
    "UstConfig": "config",
    "ascending_vacuum": "axes",
    "join_pieces": "spectrum",
    "native_spectrum": "spectrum",
    "open_universal_encoder": "encoder",
    "prepare": "preparation",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
