"""The universal spectral tokenizer: patches of any spectrum in, tokens, a vector and fluxes out.

What the paper (arXiv:2510.17959) leaves open is decided so:

- A patch enters as its 32 fluxes, errors and flags, projected; plus the mean over its pixels of
  their wavelength codes, with the place and the step of its grid, projected. A period shorter than
  the patch averages out of that mean, so the codes themselves say how wide the patch is (the
  integrated codes of Barron et al. 2021, arXiv:2103.13415).
- Plus the mean of flux times code, projected: what light there is at which wavelength, the same
  numbers whatever grid it was sampled on, where the 32 fluxes mean another thing on every grid.
- The decoder mirrors it. Requested wavelengths, 32 to a query, look at the tokens; a query gives
  32 numbers for its places, plus a sum of wavelength codes that is evaluated at each wavelength,
  so that any grid, regular or not, can be asked for.

Nothing tells the model the survey, the redshift or the brightness.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor, nn

from aion_encoder.strict import plain_torch
from aion_encoder.universal_spectra.batches import SpectrumBatch
from aion_encoder.universal_spectra.blocks import CrossLayer, SelfLayer
from aion_encoder.universal_spectra.codes import GRID_FEATURES, WavelengthCodes, grid_features
from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.pooling import AttentionPool, MeanPool, RetrievalHead

__all__ = ["Output", "Tokens", "UniversalSpectra", "blank_model"]

CHANNELS = 3
"""Flux, errors and flag of each pixel."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """What the encoder makes of a batch.

    Attributes
    ----------
    values
        One token for each patch that was seen, normalised.
    seen
        Which are tokens and no padding; None for all.
    """

    values: Float[Tensor, "batch tokens dim"]
    seen: Bool[Tensor, "batch tokens"] | None

    @property
    def keys(self) -> Bool[Tensor, "batch 1 1 tokens"] | None:
        """`seen` in the shape that attention takes."""
        return None if self.seen is None else self.seen[:, None, None, :]


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
    pooled: Float[Tensor, "batch dim"]
    aligned: Float[Tensor, "batch dim_out"] | None


class SpectrumEncoder(nn.Module):
    """Patches into tokens.

    Parameters
    ----------
    config
        Its sizes.
    """

    def __init__(self, config: UstConfig) -> None:
        super().__init__()
        self.codes = WavelengthCodes(config)
        self.pixels = nn.Linear(CHANNELS * config.patch, config.dim)
        self.place = nn.Linear(self.codes.width + GRID_FEATURES, config.dim)
        self.light = nn.Linear(self.codes.width, config.dim, bias=False)
        self.layers = nn.ModuleList(
            SelfLayer(config.dim, config.heads, config.mlp_ratio)
            for _ in range(config.encoder_layers)
        )
        self.norm = nn.LayerNorm(config.dim)

    def embed(self, batch: SpectrumBatch) -> Float[Tensor, "batch patches dim"]:
        """Return the patches as they enter the transformer."""
        flux = batch.flux
        codes = self.codes(batch.wavelength_angstrom)
        channels = torch.cat([flux, batch.errors, batch.good.to(flux.dtype)], dim=-1)
        place = torch.cat([codes.mean(dim=-2), grid_features(batch.wavelength_angstrom)], dim=-1)
        # Departures from the patch's mean: its level is among the fluxes already.
        varying = flux - flux.mean(dim=-1, keepdim=True)
        light = (varying[..., None, :] @ codes).squeeze(-2) / flux.shape[-1]
        embedded: Tensor = self.pixels(channels) + self.place(place) + self.light(light)
        return embedded

    def forward(
        self, batch: SpectrumBatch, keep: Bool[Tensor, "batch patches"] | None = None
    ) -> Tokens:
        """Return the tokens of the patches that are seen.

        Parameters
        ----------
        batch
            Spectra.
        keep
            True where a patch may be seen, at least one in each spectrum; None for all that are
            present. Hidden patches cost nothing.
        """
        values, seen = self.embed(batch), batch.present
        if keep is not None:
            values, seen = _packed(values, keep if seen is None else keep & seen)
        tokens = Tokens(values, seen)
        for layer in self.layers:
            values = layer(values, tokens.keys)
        return Tokens(self.norm(values), seen)


def _packed(values: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Move the kept patches of each spectrum to its front and cut off what none of them needs."""
    most = int(keep.sum(dim=1).max())
    order = torch.argsort(keep.logical_not().to(torch.uint8), dim=1, stable=True)[:, :most]
    packed = torch.gather(values, 1, order[..., None].expand(-1, -1, values.shape[-1]))
    return packed, torch.gather(keep, 1, order)


class SpectrumDecoder(nn.Module):
    """Tokens into fluxes at any wavelength.

    Parameters
    ----------
    config
        Its sizes.
    """

    def __init__(self, config: UstConfig) -> None:
        super().__init__()
        self.codes = WavelengthCodes(config)
        sizes = (config.dim, config.heads, config.mlp_ratio)
        self.layers = nn.ModuleList(SelfLayer(*sizes) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(config.dim)
        self.place = nn.Linear(self.codes.width + GRID_FEATURES, config.dim)
        self.query_layers = nn.ModuleList(CrossLayer(*sizes) for _ in range(config.query_layers))
        self.query_norm = nn.LayerNorm(config.dim)
        self.pixels = nn.Linear(config.dim, config.patch)
        self.light = nn.Linear(config.dim, self.codes.width, bias=False)

    def forward(
        self, tokens: Tokens, wavelength_angstrom: Float64[Tensor, "batch queries 32"]
    ) -> Float[Tensor, "batch queries 32"]:
        """Return fluxes in units of the scale, bent beyond ten.

        Parameters
        ----------
        tokens
            Of the encoder.
        wavelength_angstrom
            Vacuum wavelengths, in patches as `aion_encoder.universal_spectra.patches` makes them.
        """
        values = tokens.values
        for layer in self.layers:
            values = layer(values, tokens.keys)
        values = self.norm(values)
        codes = self.codes(wavelength_angstrom)
        place = torch.cat([codes.mean(dim=-2), grid_features(wavelength_angstrom)], dim=-1)
        queries = self.place(place)
        for layer in self.query_layers:
            queries = layer(queries, values, tokens.keys)
        queries = self.query_norm(queries)
        light = (codes @ self.light(queries).float()[..., None]).squeeze(-1)
        # One is the scale of the spectrum: what is learned is how the flux departs from it.
        flux: Tensor = 1.0 + self.pixels(queries).float() + light
        return flux


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
        self.pool = AttentionPool(config.dim) if config.pooling == "attention" else MeanPool()
        self.head = RetrievalHead(config.dim, config.head_dim) if config.head_dim else None
        self._draw()

    def _draw(self) -> None:
        """Draw the weights: small, and smaller where a layer adds to what passes by it."""
        depth = 2 * max(
            self.config.encoder_layers, self.config.decoder_layers + self.config.query_layers
        )
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                adds = name.endswith(("out", "network.2")) and "layers" in name
                nn.init.trunc_normal_(module.weight, std=0.02 / (depth**0.5 if adds else 1.0))
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

    def pooled(self, tokens: Tokens) -> Float[Tensor, "batch dim"]:
        """Return one vector for each spectrum."""
        vectors: Tensor = self.pool(tokens.values, tokens.seen)
        return vectors

    def aligned(self, pooled: Float[Tensor, "batch dim"]) -> Float32[Tensor, "batch dim_out"]:
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
