"""Train the image tokenizer: stage one of the paper, for pictures.

The official `ImageCodec` is trained to give back what it was shown, in the compressed range in
which it works (arcsinh, as the codec itself applies it) and in units of each band's sky noise
there, pixel by pixel and averaged over each token, with a smooth L1 loss. Noise hides what
astronomers compare first, how bright a source is and of what colour; so the flux of blocks of
pixels, and its ratio between neighbouring bands, count as well (`_photometry`). Random crops
weighted to the centre make it fast: objects sit in the centre, and the codec is convolutional.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from aion.codecs.image import ImageCodec
from torch.nn.functional import avg_pool2d, smooth_l1_loss

from aion_encoder.training.schedule import Schedule

__all__ = ["IMAGE_CODEC", "ImageRecipe", "image_codec_losses", "train_image_codec"]

logger = logging.getLogger("aion_encoder")

IMAGE_CODEC: Mapping[str, Any] = {
    "quantizer_levels": [7, 5, 5, 5, 5],
    "hidden_dims": 48,
    "multisurvey_projection_dims": 18,
    "n_compressions": 2,
    "num_consecutive": 1,
    "embedding_dim": 5,
}
"""Arguments of the demonstration codec. Levels and compressions are those of AION-1 (4375 codes,
576 tokens); the widths are small."""


@dataclass(frozen=True)
class ImageRecipe:
    """How long and how the image tokenizer is trained."""

    steps: int = 1600
    minutes: float | None = None
    """Time after which training ends although steps are left; the rate falls accordingly."""
    batch: int = 48
    crop_px: int = 32
    learning_rate: float = 1e-3
    whole_image_share: float = 0.1
    """Share of the steps at the end that see whole 96 px images, as encoding does."""
    colour_weight: float = 1.0
    """Weight of the same loss on 4 x 4 px means, in units of their own noise."""
    photometry_weight: float = 0.1
    """Weight of relative errors, in per cent, of flux and of flux ratios, see `_photometry`."""
    spread_weight: float = 0.5
    """Weight of the term that keeps the five latents of tokens that see a source at zero mean,
    unit variance and without correlation: without it all patches drift into one code within a
    hundred steps, and with all tokens counted alike bright sources share one."""


def _crops(
    images: torch.Tensor, rows: np.ndarray, size: int, rng: np.random.Generator
) -> torch.Tensor:
    """Cut one random square of some images, its centre drawn from a triangle about the middle."""
    span = images.shape[-1] - size
    # The sum of two uniform draws is triangular, also for a span of nothing.
    corners = np.rint(rng.random((2, len(rows), 2)).sum(axis=0) * span / 2).astype(int)
    row, top, left = (
        torch.from_numpy(values).to(images.device)[:, None, None, None]
        for values in (rows, corners[:, 0], corners[:, 1])
    )
    side = torch.arange(size, device=images.device)
    band = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    out = images[row, band, top + side[:, None], left + side].float()
    # The sky has no preferred direction: flips and quarter turns are free examples.
    if rng.random() < 0.5:
        out = out.flip(-1)
    return out.rot90(int(rng.integers(4)), (-2, -1))


def _compressed(codec: ImageCodec, flux: torch.Tensor, bands: Sequence[str]) -> torch.Tensor:
    """Bring flux into the range in which the codec works, as its own `_encode` does."""
    flux = codec.clamp(flux.clone(), bands)
    flux = codec.rescaler.forward(flux, codec._get_survey(list(bands)))
    compressed: torch.Tensor = codec._range_compress(flux)
    return compressed


def _reconstruct(
    codec: ImageCodec, compressed: torch.Tensor, bands: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the reconstruction in the compressed range, the latents and the codes."""
    padded, present = codec.image_padder.forward(compressed, bands)
    latent = codec.pre_quant_proj(codec.encoder(codec.subsample_in(padded, present)))
    quantized = codec.quantizer.quantize(latent)
    with torch.no_grad():
        codes = codec.quantizer.encode(latent)
    decoded = codec.decoder(codec.post_quant_proj(quantized))
    everything = torch.ones_like(present)
    return (
        codec.image_padder.backward(codec.subsample_out(decoded, everything), bands),
        latent,
        codes,
    )


def _sky_noise(codec: ImageCodec, images: torch.Tensor, bands: Sequence[str]) -> torch.Tensor:
    """Estimate each band's noise in the compressed range from the corners of the images."""
    compressed = _compressed(codec, images[:256, :, :16, :16].float(), bands)
    deviation = (compressed - compressed.median()).abs().flatten(2).median(dim=2).values
    noise: torch.Tensor = 1.4826 * deviation.median(dim=0).values
    return noise.clamp_min(1e-4)[None, :, None, None]


BLOCKS_PX = (8, 16, 32)
"""Sides of the squares whose flux is compared."""

_SOFT = 3.0
"""Flux below which an error counts as one of noise rather than as a relative one, in units of the
noise of a block."""


def _block_flux(
    codec: ImageCodec, compressed: torch.Tensor, sigma: torch.Tensor, side: int
) -> torch.Tensor:
    """Return the mean flux of squares from the compressed range, in units of `_SOFT` noises."""
    # Beyond this no survey has flux; a decoder that is not trained yet may, and sinh would burst.
    linear = codec._reverse_range_compress(compressed.clamp(-1.5, 1.5))
    soft = _SOFT * codec._reverse_range_compress(sigma) / side
    flux: torch.Tensor = avg_pool2d(linear, side) / soft
    return flux


def _seen(flux: torch.Tensor) -> torch.Tensor:
    """Return how much of a source is in squares, from 0 to 1, by their flux in those units."""
    return torch.where(flux > 0, flux**2 / (1.0 + flux**2), 0.0)


def _photometry(
    codec: ImageCodec, decoded: torch.Tensor, target: torch.Tensor, sigma: torch.Tensor
) -> torch.Tensor:
    """Return the mean error of flux and of flux ratios of neighbouring bands, in per cent.

    With F the mean flux of a square and b three times its noise, a = arcsinh(F / b) is a magnitude
    where F is large (Lupton, Gunn & Szalay 1999). Errors of a, and of its difference between
    neighbouring bands, are weighted with F^2 / (F^2 + b^2): empty sky has no colour.
    """
    errors, weights = [], []
    for side in BLOCKS_PX:
        told, true = (_block_flux(codec, each, sigma, side) for each in (decoded, target))
        error = torch.arcsinh(told) - torch.arcsinh(true)
        weight = _seen(true)
        errors += [error.abs().flatten(), (error[:, 1:] - error[:, :-1]).abs().flatten()]
        weights += [weight.flatten(), torch.minimum(weight[:, 1:], weight[:, :-1]).flatten()]
    weight = torch.cat(weights)
    mean: torch.Tensor = (torch.cat(errors) * weight).sum() / weight.sum().clamp_min(1.0)
    return 100.0 * mean


def _moments(
    codec: ImageCodec, latent: torch.Tensor, target: torch.Tensor, sigma: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and covariance of the latents of tokens that see a source."""
    bright = _seen(_block_flux(codec, target, sigma, 4)).mean(dim=1).flatten()
    weight = (bright / bright.sum().clamp_min(1e-6))[:, None]
    values = latent.movedim(1, -1).flatten(0, -2)
    mean = (weight * values).sum(dim=0)
    centred = values - mean
    return mean, (weight * centred).T @ centred


@torch.no_grad()
def _whiten_latents(codec: ImageCodec, images: torch.Tensor, bands: Sequence[str]) -> None:
    """Turn and scale the projection before the quantizer so that sources fill its range.

    Tokens of the sky are many and those of sources few: latents that are spread over all tokens
    alike leave every bright source in the outermost level of most of them, without a colour.
    """
    sigma = _sky_noise(codec, images, bands)
    target = _compressed(codec, images[:256, :, 32:64, 32:64].float(), bands)
    _, latent, _ = _reconstruct(codec, target, bands)
    mean, covariance = _moments(codec, latent, target, sigma)
    values, vectors = torch.linalg.eigh(covariance)
    turn = vectors @ torch.diag(values.clamp_min(1e-6).rsqrt()) @ vectors.T
    projection = codec.pre_quant_proj
    projection.weight.copy_(torch.einsum("ij,jkhw->ikhw", turn, projection.weight))
    projection.bias.copy_(turn @ (projection.bias - mean))


def train_image_codec(
    surveys: Mapping[str, tuple[np.ndarray, Sequence[str]]],
    recipe: ImageRecipe,
    *,
    seed: int,
    config: Mapping[str, Any] = IMAGE_CODEC,
    start: ImageCodec | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ImageCodec, list[dict[str, float]]]:
    """Train one image codec on the pictures of all surveys.

    Parameters
    ----------
    surveys
        Survey name to (images of shape (n, bands, 96, 96) in the survey's own counts, bands).
    recipe
        Length and rates.
    seed
        Of the crops, the batches and the initial weights.
    config
        Arguments of the official class.
    start
        A trained codec of the same configuration to go on from; changed in place. Its codes will
        mean something else, unless there are no steps.
    device
        Where it is trained; all pictures have to fit there.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    The codec in evaluation mode, on the CPU, and the losses logged on the way.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    codec = ImageCodec(**config) if start is None else start.requires_grad_(True)
    codec.to(device)
    pictures = {name: torch.from_numpy(each).to(device) for name, (each, _) in surveys.items()}
    noise = {name: _sky_noise(codec, pictures[name], surveys[name][1]) for name in surveys}
    if recipe.steps:
        first = next(iter(surveys))
        _whiten_latents(codec, pictures[first], surveys[first][1])
    optimizer = torch.optim.AdamW(codec.parameters(), lr=recipe.learning_rate, weight_decay=0.0)
    schedule = Schedule(recipe.steps, recipe.minutes, warm_up=0.05)
    names = list(surveys)
    log: list[dict[str, float]] = []
    for step, share in schedule.rated(optimizer, recipe.learning_rate):
        name = names[step % len(names)]
        images, bands = pictures[name], surveys[name][1]
        whole = share >= 1.0 - recipe.whole_image_share
        size = max(4, recipe.batch // 9) if whole else recipe.batch
        chosen = np.sort(rng.integers(len(images), size=size))
        pixels = _crops(images, chosen, images.shape[-1] if whole else recipe.crop_px, rng)
        target = _compressed(codec, pixels, bands)
        if rng.random() < 0.25 and len(bands) > 3:
            # Northern pictures have three bands: the codec must work without one.
            kept = np.sort(rng.permutation(len(bands))[:-1])
        else:
            kept = np.arange(len(bands))
        kept_bands = [bands[k] for k in kept]
        target = target[:, kept]
        decoded, latent, codes = _reconstruct(codec, target, kept_bands)
        sigma = noise[name][:, kept]
        fidelity = smooth_l1_loss(decoded / sigma, target / sigma)
        # Averaged over the 4 x 4 pixels of a token the noise is four times less: this is where
        # colour stands out, which single pixels teach last.
        coarse = 4.0 / sigma
        colour = smooth_l1_loss(avg_pool2d(decoded, 4) * coarse, avg_pool2d(target, 4) * coarse)
        photometry = _photometry(codec, decoded, target, sigma)
        mean, covariance = _moments(codec, latent, target, sigma)
        unit = torch.eye(len(mean), device=mean.device)
        uneven = (mean**2).mean() + ((covariance - unit) ** 2).mean()
        loss = (
            fidelity
            + recipe.colour_weight * colour
            + recipe.photometry_weight * photometry
            + recipe.spread_weight * uneven
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        if step % 101 == 0 or step == recipe.steps - 1:
            log.append(
                {
                    "step": step,
                    "survey": names.index(name),
                    "loss": float(fidelity.detach()),
                    "colour": float(colour.detach()),
                    "photometry": float(photometry.detach()),
                    "codes_in_batch": int(torch.bincount(codes.flatten()).count_nonzero()),
                    "seconds": schedule.seconds,
                }
            )
            logger.info("image codec %s", log[-1])
        if progress is not None:
            progress(step + 1, recipe.steps)
    return codec.eval().to("cpu"), log


@torch.inference_mode()
def image_codec_losses(
    codec: ImageCodec, images: np.ndarray, bands: Sequence[str]
) -> dict[str, Any]:
    """Measure a codec on held-out whole images.

    Returns
    -------
    Share of the variance explained per band in the compressed range, the same over pixels brighter
    than five times the sky noise, and how many codes are used.
    """
    noise = _sky_noise(codec, torch.from_numpy(images), bands)
    residual = np.zeros((2, len(bands)))
    total = np.zeros((2, len(bands)))
    used: set[int] = set()
    for start in range(0, len(images), 32):
        target = _compressed(codec, torch.from_numpy(images[start : start + 32]).float(), bands)
        decoded, _, codes = _reconstruct(codec, target, bands)
        used.update(np.unique(codes.numpy()).tolist())
        centred = target - target.mean(dim=(0, 2, 3), keepdim=True)
        for row, weight in enumerate((torch.ones_like(target), (target > 5 * noise).float())):
            residual[row] += (weight * (decoded - target) ** 2).sum(dim=(0, 2, 3)).numpy()
            total[row] += (weight * centred**2).sum(dim=(0, 2, 3)).numpy()
    explained = 1.0 - residual / np.maximum(total, 1e-12)
    return {
        "variance_explained": dict(zip(bands, explained[0].round(4).tolist(), strict=True)),
        "variance_explained_bright": dict(zip(bands, explained[1].round(4).tolist(), strict=True)),
        "codes_used": len(used),
        "codes": int(codec.quantizer.codebook_size),
    }
