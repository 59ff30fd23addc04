"""The universal spectral tokenizer: spectra on any grid in; tokens, vectors and fluxes out.

What the paper (arXiv:2510.17959) leaves open is decided so:

- A patch enters as its 32 fluxes, errors and flags, projected; plus the mean over its pixels of
  their wavelength codes, with the place and the step of its grid, projected. A period shorter than
  the patch averages out of that mean, so the codes themselves say how wide the patch is (the
  integrated codes of Barron et al. 2021, arXiv:2103.13415).
- The decoder mirrors it: layers over the tokens, then requested wavelengths, 32 to a query, look
  at them, nearby ones first. A query gives 32 fluxes at even steps, interpolated to what was asked.

Nothing tells the model the survey, the redshift or the brightness.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor, nn

from aion_encoder.strict import plain_torch
from aion_encoder.universal_spectra.batches import SpectrumBatch
from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.flux_decoder import SpectrumDecoder
from aion_encoder.universal_spectra.pooling import MeanPool, RetrievalHead, WindowPool
from aion_encoder.universal_spectra.token_encoder import SpectrumEncoder, Tokens

__all__ = ["Output", "UniversalSpectra", "blank_model"]


@dataclass(frozen=True, eq=False)
class Output:
    """What the whole model makes of a batch.

    Attributes
    ----------
    flux
        Reconstruction of every patch, hidden ones too, in units of the scale and bent beyond ten
        (`aion_encoder.universal_spectra.scaling`).
    pooled
        One vector for each spectrum.
    aligned
        The same after the retrieval head, of unit length; None if there is none.
    """

    flux: Float[Tensor, "batch patches 32"]
    pooled: Float[Tensor, "batch pooled"]
    aligned: Float[Tensor, "batch dim_out"] | None


class UniversalSpectra(nn.Module):
    """The whole model.

    Parameters
    ----------
    config
        Its sizes.
    """

    def __init__(self, config: UstConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SpectrumEncoder(config)
        self.decoder = SpectrumDecoder(config)
        self.pool = WindowPool(config) if config.pooling == "windows" else MeanPool()
        self.head = (
            RetrievalHead(config.pooled_dim, config.head_hidden, config.head_dim)
            if config.head_dim
            else None
        )
        self._draw()

    def _draw(self) -> None:
        """Draw the weights: small, and smaller where a layer adds to what passes by it.

        What enters keeps its size, or the places of patches would be lost beside their fluxes.
        """
        depth = 2 * max(
            self.config.encoder_layers, self.config.decoder_layers + self.config.query_layers
        )
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                adds = name.endswith(("out", "network.2")) and "layers" in name
                enters = name == "encoder.pixels" or name.endswith("places.project")
                spread = module.in_features**-0.5 if enters else 0.02
                nn.init.trunc_normal_(module.weight, std=spread / (depth**0.5 if adds else 1.0))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def encode(
        self, batch: SpectrumBatch, keep: Bool[Tensor, "batch patches"] | None = None
    ) -> Tokens:
        """Return the tokens; see `SpectrumEncoder.forward`."""
        tokens: Tokens = self.encoder(batch, keep)
        return tokens

    def decode(
        self, tokens: Tokens, wavelength_angstrom: Float64[Tensor, "batch queries 32"]
    ) -> Float[Tensor, "batch queries 32"]:
        """Return fluxes at wavelengths; see `SpectrumDecoder.forward`."""
        flux: Tensor = self.decoder(tokens, wavelength_angstrom)
        return flux

    def pooled(self, tokens: Tokens) -> Float[Tensor, "batch pooled"]:
        """Return one vector for each spectrum."""
        vectors: Tensor = self.pool(tokens)
        return vectors

    def aligned(self, pooled: Float[Tensor, "batch pooled"]) -> Float32[Tensor, "batch dim_out"]:
        """Return vectors of the retrieval head, of unit length.

        Raises
        ------
        ValueError
            If the configuration says that there is none.
        """
        if self.head is None:
            raise ValueError("this model has no retrieval head: its head_dim is 0")
        vectors: Tensor = self.head(pooled)
        return vectors

    def forward(
        self, batch: SpectrumBatch, keep: Bool[Tensor, "batch patches"] | None = None
    ) -> Output:
        """Encode what is kept, and reconstruct every patch, hidden ones too.

        Parameters
        ----------
        batch
            Spectra.
        keep
            See `SpectrumEncoder.forward`.
        """
        tokens = self.encode(batch, keep)
        pooled = self.pooled(tokens)
        return Output(
            flux=self.decode(tokens, batch.wavelength_angstrom),
            pooled=pooled,
            aligned=None if self.head is None else self.aligned(pooled),
        )


def blank_model(config: UstConfig, seed: int) -> UniversalSpectra:
    """Return a model with weights drawn from a seed, on the CPU.

    Parameters
    ----------
    config
        Its sizes.
    seed
        The same one gives the same weights; torch's global random state is left as it was.
    """
    with plain_torch():
        torch.default_generator.manual_seed(seed)
        return UniversalSpectra(config)
