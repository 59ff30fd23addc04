"""Train the spectrum tokenizer: stage one of the paper, for spectra.

The official `SpectrumCodec` is trained on spectra of all surveys at once, to give back the flux on
its own grid in units of the noise. A floor of a few per cent of the continuum keeps a handful of
bright objects from ruling the loss; pixels that are bad or outside the spectrum weigh nothing, and
a second output learns where they are, as in the paper.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from aion.codecs.spectrum import SpectrumCodec
from aion.modalities import Spectrum
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from aion_encoder.training.schedule import Schedule

__all__ = [
    "SPECTRUM_CODEC",
    "SpectrumArrays",
    "SpectrumRecipe",
    "reconstruct_on_grid",
    "spectrum_codec_losses",
    "train_spectrum_codec",
]

logger = logging.getLogger("aion_encoder")

SPECTRUM_CODEC: Mapping[str, Any] = {
    "encoder_depths": [1, 1, 1, 2],
    "encoder_dims": [16, 32, 64, 128],
    "decoder_depths": [1, 1, 1, 1],
    "decoder_dims": [64, 32, 16, 2],
    "latent_channels": 128,
    "embedding_dim": 10,
}
"""Arguments of the demonstration codec. Strides and the 1024 codes are those of AION-1 (272 tokens
and one for the brightness); the widths are small."""

CONTINUUM_ERROR = 0.02
"""Relative error added to every pixel's noise."""


@dataclass(frozen=True)
class SpectrumArrays:
    """Spectra of one survey, padded to one length as the tokenizer pads them.

    Attributes are arrays of shape (n, pixels); `mask` is True where a pixel is bad.
    """

    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray
    wavelength_angstrom: np.ndarray

    def rows(self, chosen: slice) -> "SpectrumArrays":
        """Return some of the spectra."""
        return SpectrumArrays(
            self.flux[chosen],
            self.ivar[chosen],
            self.mask[chosen],
            self.wavelength_angstrom[chosen],
        )

    def batch(self, rows: np.ndarray, device: str = "cpu") -> Spectrum:
        """Return some rows as the official package wants them."""
        return Spectrum(
            flux=torch.from_numpy(self.flux[rows]).to(device).float(),
            ivar=torch.from_numpy(self.ivar[rows]).to(device).float(),
            mask=torch.from_numpy(self.mask[rows]).to(device),
            wavelength=torch.from_numpy(self.wavelength_angstrom[rows]).to(device).float(),
        )


@dataclass(frozen=True)
class SpectrumRecipe:
    """How long and how the spectrum tokenizer is trained."""

    steps: int = 4000
    minutes: float | None = 24.0
    """Time after which training ends although steps are left; the rate falls accordingly."""
    batch: int = 24
    learning_rate: float = 1e-3
    fast: bool = True
    """Matrix products in bfloat16, faster on a CPU with AMX. (Compiling the networks as well gave
    another half, but gradients of the response normalisation that were not numbers.)"""
    quantizer_weight: float = 0.5
    mask_weight: float = 0.05


def _target(
    codec: SpectrumCodec, batch: Spectrum, normalisation: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return flux over its level, its inverse error, and where it is good, on the codec's grid."""
    level = torch.clamp(10 ** normalisation[:, None] - 1.0, 0.1)
    good = (~batch.mask) & (batch.ivar > 0)
    flux = codec.latent_grid.to_latent(batch.flux, batch.wavelength) / level
    ivar = codec.latent_grid.to_latent(batch.ivar * good, batch.wavelength) * level**2
    inside = codec.latent_grid.to_latent(good.float(), batch.wavelength) > 0.99
    variance = 1.0 / ivar.clamp_min(1e-8) + (CONTINUUM_ERROR * flux.abs().clamp_min(1.0)) ** 2
    return flux, variance.rsqrt() * inside, inside


def _reconstruct(
    codec: SpectrumCodec, batch: Spectrum
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    latent, normalisation = codec._encode(batch)
    # The lookup-free quantizer keeps the signs; gradients pass straight through.
    signs = torch.where(latent > 0, 1.0, -1.0)
    quantized = latent + (signs - latent).detach()
    decoded = codec.decoder(codec.post_quant_conv(quantized))
    auxiliary = _quantizer_loss(latent, signs)
    return decoded[:, 0] + 1.0, decoded[:, 1], normalisation, auxiliary, (signs > 0).long()


def _quantizer_loss(latent: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
    """Commit to the codes, and use all of them.

    The quantizer's own entropy loss goes over all 1024 codes for every token, half of the time of
    a step on a CPU. The ten bits of a code are independent given the latent, so that asking for
    balanced and uncorrelated bits asks for the same at a hundredth of the cost.
    """
    tokens = latent.float().movedim(1, -1).flatten(0, 1)
    mean, spread = tokens.mean(dim=0), tokens.std(dim=0)
    standard = (tokens - mean) / spread.clamp_min(1e-4)
    correlation = standard.T @ standard / len(standard)
    shared = correlation - torch.diag(correlation.diagonal())
    balance = (mean**2).mean() + ((spread - 1.0) ** 2).mean() + (shared**2).sum(dim=1).mean()
    return balance + 0.05 * ((latent - signs) ** 2).mean()


@torch.no_grad()
def _spread_latents(codec: SpectrumCodec, batch: Spectrum) -> None:
    """Start the ten bits as the ten strongest, whitened directions of what the encoder sees.

    With the default start all bits follow the brightness of the pixel together, and a handful of
    codes takes all tokens.
    """
    seen: list[torch.Tensor] = []
    hook = codec.pre_quant_norm.register_forward_hook(lambda *call: seen.append(call[2]))
    codec._encode(batch)
    hook.remove()
    tokens = seen[0].flatten(0, 1)
    mean = tokens.mean(dim=0)
    _, spread, directions = torch.linalg.svd(tokens - mean, full_matrices=False)
    kept = codec.quant_conv.weight.shape[0]
    scale = spread[:kept] / len(tokens) ** 0.5
    codec.quant_conv.weight.copy_((directions[:kept] / scale[:, None])[..., None])
    codec.quant_conv.bias.copy_(-(directions[:kept] @ mean) / scale)


def train_spectrum_codec(
    surveys: Mapping[str, SpectrumArrays],
    recipe: SpectrumRecipe,
    *,
    seed: int,
    config: Mapping[str, Any] = SPECTRUM_CODEC,
    start: SpectrumCodec | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[SpectrumCodec, list[dict[str, float]]]:
    """Train one spectrum codec on the spectra of all surveys.

    Parameters
    ----------
    surveys
        Survey name to its spectra.
    recipe
        Length and rates.
    seed
        Of the batches and the initial weights.
    config
        Arguments of the official class.
    start
        A trained codec of the same configuration to go on from; changed in place.
    device
        Where it is trained.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    The codec in evaluation mode, on the CPU, and the losses logged on the way.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    if start is None:
        codec = SpectrumCodec(**config)
        first = next(iter(surveys.values()))
        _spread_latents(codec, first.batch(np.arange(min(64, len(first.flux)))))
    else:
        codec = start.requires_grad_(True)
    codec.train().to(device)
    kind = torch.device(device).type
    optimizer = torch.optim.AdamW(codec.parameters(), lr=recipe.learning_rate, weight_decay=0.01)
    schedule = Schedule(recipe.steps, recipe.minutes, warm_up=0.05)
    names = list(surveys)
    log: list[dict[str, float]] = []
    for step, _ in schedule.rated(optimizer, recipe.learning_rate):
        arrays = surveys[names[step % len(names)]]
        batch = arrays.batch(rng.integers(len(arrays.flux), size=recipe.batch), device)
        with torch.autocast(kind, torch.bfloat16, enabled=recipe.fast):
            decoded, mask_logit, normalisation, auxiliary, codes = _reconstruct(codec, batch)
        decoded, mask_logit = decoded.float(), mask_logit.float()
        flux, inverse_error, inside = _target(codec, batch, normalisation)
        fidelity = smooth_l1_loss(
            decoded * inverse_error, flux * inverse_error, reduction="sum"
        ) / inside.sum().clamp_min(1)
        masked = binary_cross_entropy_with_logits(mask_logit, (~inside).float())
        loss = fidelity + recipe.mask_weight * masked + recipe.quantizer_weight * auxiliary
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        if step % 51 == 0 or step == recipe.steps - 1:
            log.append(
                {
                    "step": step,
                    "loss": float(fidelity.detach()),
                    "mask": float(masked.detach()),
                    "quantizer": float(auxiliary.detach()),
                    "codes_in_batch": int(torch.unique(_index(codes)).numel()),
                    "seconds": schedule.seconds,
                }
            )
            logger.info("spectrum codec %s", log[-1])
        if progress is not None:
            progress(step + 1, recipe.steps)
    return codec.eval().to("cpu"), log


def _index(bits: torch.Tensor) -> torch.Tensor:
    """Number the codes of a lookup-free quantizer from the signs of their components."""
    powers = 2 ** torch.arange(bits.shape[1] - 1, -1, -1, device=bits.device)
    index: torch.Tensor = (bits * powers[None, :, None]).sum(dim=1)
    return index


@torch.inference_mode()
def spectrum_codec_losses(codec: SpectrumCodec, arrays: SpectrumArrays) -> dict[str, Any]:
    """Measure a codec on held-out spectra.

    Returns
    -------
    Share of the variance of the normalised flux explained, median over spectra of the mean squared
    error in units of the noise, and how many codes are used.
    """
    residual = total = 0.0
    chi_square: list[np.ndarray] = []
    used: set[int] = set()
    for start in range(0, len(arrays.flux), 32):
        batch = arrays.batch(np.arange(start, min(start + 32, len(arrays.flux))))
        decoded, _, normalisation, _, codes = _reconstruct(codec, batch)
        flux, inverse_error, inside = _target(codec, batch, normalisation)
        used.update(torch.unique(_index(codes)).tolist())
        error = torch.where(inside, decoded - flux, 0.0)
        count = inside.sum(dim=1).clamp_min(1)
        mean = torch.where(inside, flux, 0.0).sum(dim=1) / count
        residual += float((error**2).sum())
        total += float((torch.where(inside, flux - mean[:, None], 0.0) ** 2).sum())
        chi_square.append((((error * inverse_error) ** 2).sum(dim=1) / count).numpy())
    return {
        "variance_explained": round(1.0 - residual / total, 4),
        "median_squared_error_in_noise_units": round(
            float(np.median(np.concatenate(chi_square))), 3
        ),
        "codes_used": len(used),
        "codes": int(codec.quantizer.codebook_size),
    }


@torch.inference_mode()
def reconstruct_on_grid(
    codec: SpectrumCodec, arrays: SpectrumArrays, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return wavelengths (p,), then flux, reconstruction and validity of shape (rows, p).

    Both fluxes are divided by the level that the codec assigns.
    """
    batch = arrays.batch(rows)
    decoded, _, normalisation, _, _ = _reconstruct(codec, batch)
    flux, _, inside = _target(codec, batch, normalisation)
    return codec.latent_grid.wavelength.numpy(), flux.numpy(), decoded.numpy(), inside.numpy()
