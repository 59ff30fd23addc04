"""The official package, used as its documentation shows.

``codec_manager.encode(...)``, then ``model.encode(tokens, num_encoder_tokens=...)`` with the right
number of tokens, whose default cuts pictures short; then the mean over the tokens.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from aion import AION
from aion.codecs.manager import CodecManager
from aion.modalities import DESISpectrum, GaiaXpBp, GaiaXpRp, LegacySurveyImage
from jaxtyping import Float32, UInt16

from aion_encoder.codecs import load_codec
from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum

__all__ = ["Package"]


class Package:
    """Tokenizers and transformer of a checkpoint as the package runs them.

    Parameters
    ----------
    directory
        The checkpoint, in the official layout.
    device
        Where it runs.
    """

    def __init__(self, directory: Path, device: str = "cpu") -> None:
        codecs = {
            kind: load_codec(directory, kind.name)
            for kind in (LegacySurveyImage, DESISpectrum, GaiaXpBp, GaiaXpRp)
        }
        self.model: Any = AION.from_pretrained(str(directory)).eval().to(device)
        self._device = device
        self._manager = CodecManager(device=device)
        # On a local directory the manager's own loader fails.
        load = staticmethod(lambda _, kind: codecs[kind])
        with patch.object(CodecManager, "_load_codec_from_hf", load):
            for kind in codecs:
                self._manager._load_codec(kind)

    def encode(
        self, observations: Sequence[Observation]
    ) -> tuple[dict[str, UInt16[np.ndarray, "n count"]], Float32[np.ndarray, "n dim"]]:
        """Return tokens by key, and vectors: the mean over all tokens of what the model says."""
        tokens = self._manager.encode(*_given(observations, self._device))
        count = sum(each.shape[1] for each in tokens.values())
        said = self.model.encode(tokens, num_encoder_tokens=count)
        return (
            {key: each.cpu().numpy().astype(np.uint16) for key, each in tokens.items()},
            said.mean(dim=1).detach().cpu().numpy(),
        )


def _given(observations: Sequence[Observation], device: str) -> list[Any]:
    """Copies, as tensors: the package writes into what it is given."""
    first = observations[0]

    def stacked(name: str) -> torch.Tensor:
        values = np.stack([getattr(each, name) for each in observations])
        return torch.from_numpy(values).to(device)

    if isinstance(first, Image):
        return [LegacySurveyImage(flux=stacked("flux"), bands=list(first.bands))]
    if isinstance(first, Spectrum):
        names = {name: stacked(name) for name in ("flux", "ivar", "mask")}
        return [DESISpectrum(**names, wavelength=stacked("wavelength_angstrom"))]
    assert isinstance(first, GaiaXp)
    return [GaiaXpBp(value=stacked("bp")), GaiaXpRp(value=stacked("rp"))]
