"""Sizes of the model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aion_encoder.universal_spectra.patches import PATCH_PX

__all__ = ["PAPER", "SMALL", "UstConfig"]


class UstConfig(BaseModel):
    """Sizes of a universal spectral tokenizer.

    Attributes
    ----------
    patch
        Pixels of a patch.
    dim, heads, mlp_ratio
        Width of the transformer, its heads, and the width of its networks in units of `dim`.
    encoder_layers
        Layers over the patches of a spectrum.
    decoder_layers
        Layers of the decoder over the tokens of the encoder.
    query_layers
        Layers of the decoder in which requested wavelengths look at those tokens.
    periods
        How many wavelength periods the sinusoidal codes have.
    shortest_angstrom, longest_angstrom
        The first and the last of them; the others lie evenly in their logarithm.
    pooling
        ``mean`` of the tokens, or ``windows`` of wavelength, each with a mean of its own.
    windows, window_dim
        How many windows there are, and directions along which the mean of each is seen.
    first_window_angstrom, last_window_angstrom
        Middle of the first and of the last; the others lie evenly in their logarithm.
    taught_angstrom
        Ranges of vacuum wavelength that training covered; none if that is not known. Spectra are
        seen within them, see `aion_encoder.universal_spectra.taught`.
    head_dim, head_hidden
        Length of the vectors of the retrieval head, 0 if there is none; width of its network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    patch: Literal[32] = PATCH_PX
    dim: int = Field(gt=0)
    heads: int = Field(gt=0)
    mlp_ratio: int = Field(default=4, gt=0)
    encoder_layers: int = Field(gt=0)
    decoder_layers: int = Field(ge=0)
    query_layers: int = Field(default=2, gt=0)
    periods: int = Field(default=32, gt=0)
    # Shortest: the code of a patch is a mean over its pixels, so a period says something only of
    # patches that are shorter. A patch of GALAH or UVES is 1 to 2 A long; to place it within a
    # tenth of an Angstrom, 2 A are enough. Longest: twice the reddest wavelength of 5 um, so that
    # no two wavelengths between 0.1 and 5 um share its phase. 32 periods are two an octave.
    shortest_angstrom: float = Field(default=2.0, gt=0.0)
    longest_angstrom: float = Field(default=1e5, gt=0.0)
    pooling: Literal["mean", "windows"] = "mean"
    # As wide as 9 % of their wavelength: 400 A in the optical, where a prism's patch is 1,000 A.
    windows: int = Field(default=27, ge=2)
    window_dim: int = Field(default=32, gt=0)
    first_window_angstrom: float = Field(default=2500.0, gt=0.0)
    last_window_angstrom: float = Field(default=25_000.0, gt=0.0)
    taught_angstrom: tuple[tuple[float, float], ...] = ()
    head_dim: int = Field(default=0, ge=0)
    head_hidden: int = Field(default=384, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> "UstConfig":
        if self.dim % self.heads:
            raise ValueError(f"dim must divide by heads, got {self.dim} and {self.heads}")
        if self.longest_angstrom <= self.shortest_angstrom:
            raise ValueError(
                "longest_angstrom must be more than shortest_angstrom, got "
                f"{self.longest_angstrom} and {self.shortest_angstrom}"
            )
        if self.last_window_angstrom <= self.first_window_angstrom:
            raise ValueError(
                "last_window_angstrom must be more than first_window_angstrom, got "
                f"{self.first_window_angstrom} and {self.last_window_angstrom}"
            )
        return self

    @property
    def pooled_dim(self) -> int:
        """Length of a pooled vector."""
        return self.windows * (self.window_dim + 1) if self.pooling == "windows" else self.dim


PAPER = UstConfig(dim=512, heads=8, encoder_layers=6, decoder_layers=4, query_layers=2)
"""The paper's 6 + 6 layers (arXiv:2510.17959); two of the decoder's are those of the queries."""

SMALL = UstConfig(dim=192, heads=6, encoder_layers=6, decoder_layers=2, query_layers=2)
"""The bundled size: 4.5 million parameters, 9.0 MB in half precision."""
