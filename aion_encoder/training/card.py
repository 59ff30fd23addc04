"""Measure a trained checkpoint on sources it never saw, and write its model card."""

import json
import logging
import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from aion_encoder.encoder import open_encoder
from aion_encoder.reference_spaces import write_reference_spaces
from aion_encoder.surveys import SURVEYS as ENCODER_SURVEYS
from aion_encoder.training.figures import draw_images, draw_losses, draw_spectra
from aion_encoder.training.image_codec import image_codec_losses
from aion_encoder.training.measures import (
    encode_sky,
    finite_whitening,
    neighbour_scores,
    partner_ranks,
    principal_components,
)
from aion_encoder.training.simulated import BANDS, PackedSky, packed_sky
from aion_encoder.training.spectrum_codec import spectrum_codec_losses
from aion_encoder.training.stages import load_codecs

__all__ = ["encode_all", "measure", "write_card", "write_spaces"]

logger = logging.getLogger("aion_encoder")

SURVEYS = ("legacysurvey", "hsc", "sdss", "desi", "gaia")
MANY = ("legacysurvey", "desi")
"""Surveys of which all sources are encoded: linear maps want pairs."""

PAIRS = (("legacysurvey", "desi"), ("legacysurvey", "sdss"), ("hsc", "desi"), ("gaia", "desi"))


def _raw_features(sky: PackedSky, survey: str) -> np.ndarray:
    """Return what the principal components are taken of.

    Arcsinh pixels (softened at 0.01 nanomaggies, as the codec does) at full resolution, or fluxes
    over their mean, resampled to 1000 bins of the survey's own range.
    """
    if survey in BANDS:
        softening = 0.01 if survey == "legacysurvey" else 0.63
        pixels = sky.images[survey].astype(np.float32)
        flat: np.ndarray = np.arcsinh(pixels / softening).reshape(len(sky), -1)
        return flat
    if survey == "gaia":
        return np.asarray(np.arcsinh(sky.coefficients))
    arrays = sky.spectra[survey]
    grid = np.linspace(3850.0, 9150.0, 1000)
    flux = np.stack(
        [
            np.interp(grid, wave, flux)
            for wave, flux in zip(
                arrays.wavelength_angstrom, arrays.flux.astype(np.float32), strict=True
            )
        ]
    )
    return np.asarray(flux / np.maximum(np.abs(flux).mean(axis=1, keepdims=True), 1e-3))


def _encode_one(checkpoint: Path, paths: Sequence[Path], survey: str, first: int) -> np.ndarray:
    """Encode one survey, file by file; rows before `first` stay NaN."""
    import torch

    torch.set_num_threads(1)
    encoder = open_encoder(str(checkpoint))
    parts, seen = [], 0
    for path in paths:
        sky = packed_sky([path])
        if seen + len(sky) <= first:
            width = encoder.identity.vector_dim(ENCODER_SURVEYS[survey].modality)
            parts.append(np.full((len(sky), width), np.nan, np.float32))
        else:
            parts.append(encode_sky(encoder, sky, survey))
        seen += len(sky)
    return np.concatenate(parts)


def encode_all(
    checkpoint: Path, paths: Sequence[Path], cache: Path, *, few: int, jobs: int = 1
) -> dict[str, np.ndarray]:
    """Encode packed sources in every survey, or read what an earlier call kept.

    Parameters
    ----------
    checkpoint
        A directory in the official layout.
    paths
        Packed files.
    cache
        Where vectors are kept between calls.
    few
        Surveys outside `MANY` are encoded for the last files that hold this many sources.
    jobs
        Processes.
    """
    digest = open_encoder(str(checkpoint)).identity.digest
    count = sum(_length(path) for path in paths)
    names = {survey: cache / f"vectors-{digest}-{survey}-{count}-{few}.npy" for survey in SURVEYS}
    missing = [survey for survey, name in names.items() if not name.exists()]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = {
            survey: pool.submit(
                _encode_one, checkpoint, paths, survey, 0 if survey in MANY else count - few
            )
            for survey in missing
        }
        for survey, future in waiting.items():
            np.save(names[survey], future.result())
            logger.info("encoded %s", survey)
    return {survey: np.load(name) for survey, name in names.items()}


def _length(path: Path) -> int:
    with np.load(path, allow_pickle=False) as stored:
        return len(stored["coefficients"])


def measure(
    checkpoint: Path,
    sky: PackedSky,
    vectors: Mapping[str, np.ndarray],
    *,
    asking: int,
    gallery: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure tokenizers and vectors.

    Parameters
    ----------
    checkpoint
        A directory in the official layout.
    sky
        Sources that were not trained on: the last `gallery` + `asking` of those encoded.
    vectors
        Survey to vectors of all encoded sources, of which `sky` holds the last.
    asking
        The last sources ask.
    gallery
        Those before them are what they ask.

    Returns
    -------
    What goes into the card, as JSON can hold it.
    """
    codecs = load_codecs(checkpoint)
    fit, ask = slice(len(sky) - asking - gallery, len(sky) - asking), slice(-asking, None)
    out: dict[str, Any] = {"gallery": gallery, "asking": asking}
    out["tokenizers"] = {
        **{
            survey: image_codec_losses(
                codecs["image"], sky.images[survey][ask].astype(np.float32), bands
            )
            for survey, bands in BANDS.items()
        },
        **{
            survey: spectrum_codec_losses(codecs["spectrum"], arrays.rows(ask))
            for survey, arrays in sky.spectra.items()
        },
    }
    labels = sky.labels
    spaces: dict[str, np.ndarray] = {}
    keep = open_encoder(str(checkpoint)).identity.dim
    out["neighbours"] = {}
    for survey in SURVEYS:
        mean, projection = finite_whitening(vectors[survey][:-asking], keep)
        spaces[survey] = (vectors[survey] - mean) @ projection
        white = spaces[survey][-len(sky) :]
        raw = _raw_features(sky, survey)
        components = principal_components(raw[fit], raw[ask])
        out["neighbours"][survey] = {
            "vector": asdict(neighbour_scores(white[fit], white[ask], labels[fit], labels[ask])),
            "principal_components": asdict(neighbour_scores(*components, labels[fit], labels[ask])),
        }
        logger.info("%s %s", survey, out["neighbours"][survey])
    out["partners"] = {}
    rng = np.random.default_rng(seed)
    for one, other in PAIRS:
        pair = (spaces[one][:-asking], spaces[other][:-asking])
        asked = (spaces[one][-asking:], spaces[other][-asking:])
        both = np.isfinite(pair[0]).all(axis=1) & np.isfinite(pair[1]).all(axis=1)
        out["partners"][f"{one}->{other}"] = {
            "pairs": int(both.sum()),
            "linear_map": dict(partner_ranks(pair, asked)),
            "linear_map_on_shuffled_pairs": dict(partner_ranks(pair, asked, shuffle=rng)),
        }
        logger.info("%s->%s %s", one, other, out["partners"][f"{one}->{other}"])
    return out


def write_spaces(checkpoint: Path, vectors: Mapping[str, np.ndarray], sources: int) -> None:
    """Keep mean and whitening per modality beside the checkpoint, for indexes too small to fit."""
    modalities = {
        "image": ("legacysurvey", "hsc"),
        "spectrum": ("sdss", "desi"),
        "xp": ("gaia",),
    }
    encoder = open_encoder(str(checkpoint))
    spaces = {
        modality: finite_whitening(
            np.concatenate([vectors[survey] for survey in surveys]), encoder.identity.dim
        )
        for modality, surveys in modalities.items()
    }
    facts = {"measured_on": f"{sources} simulated sources, each seen by all surveys"}
    write_reference_spaces(checkpoint, spaces, encoder.identity, facts)


def write_card(
    checkpoint: Path,
    measures: Mapping[str, Any],
    recipe: Mapping[str, Any],
    sky: PackedSky,
    logs: Path,
    hours: Mapping[str, float],
    history: str = "",
) -> None:
    """Write ``README.md``, ``measures.json`` and the figures into a checkpoint.

    Parameters
    ----------
    history
        What the recipe cannot say of how the weights came about, in Markdown.
    """
    codecs = load_codecs(checkpoint)
    classes = sky.labels["object_class"].to_numpy(str)
    rows = [int(np.flatnonzero(classes == name)[0]) for name in np.unique(classes)]
    draw_images(codecs["image"], sky, rows, checkpoint / "images.png")
    draw_spectra(codecs["spectrum"], sky, "desi", rows[:8], checkpoint / "spectra.png")
    log = json.loads((logs / "transformer.json").read_text())
    keys = sorted({key for row in log for key in row if key not in ("step", "seconds")})
    draw_losses(log, keys, checkpoint / "losses.png")
    (checkpoint / "measures.json").write_text(json.dumps(measures, indent=2) + "\n")
    (checkpoint / "recipe.json").write_text(
        json.dumps(recipe, indent=2, sort_keys=True, default=list) + "\n"
    )
    (checkpoint / "README.md").write_text(_card(measures, recipe, log, hours, history))


def _origin(recipe: Mapping[str, Any]) -> list[str]:
    """Say what the training went on from."""
    if recipe["start"] is None:
        return []
    kept = [name for name in ("image", "spectrum") if not recipe[name]["steps"]]
    return [
        f"Training went on from an earlier checkpoint (`{recipe['start']}` as it was then): its",
        "tables of scalars"
        + (f" and its {' and '.join(kept)} tokenizer{'s' * (len(kept) > 1)}" if kept else "")
        + " are kept as they were; what else it held gave the",
        "first weights. So a rerun needs that checkpoint, and the hours below add to its own.",
        "",
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _card(
    measures: Mapping[str, Any],
    recipe: Mapping[str, Any],
    log: list[Mapping[str, Any]],
    hours: Mapping[str, float],
    history: str,
) -> str:
    neighbours, partners = measures["neighbours"], measures["partners"]
    masked = recipe["masked"]
    lines = [
        "# aion-demo",
        "",
        "**A demonstration.** A small AION-1 of the official classes, trained by this repository",
        "on a *simulated* sky. It shows that everything works and makes the tests real; it knows",
        "nothing of the real sky beyond what the simulation has in common with it. For science,",
        "open the released weights instead (`--weights polymathic-ai/aion-base@<revision>`).",
        "",
        "## Data",
        "",
        f"{recipe['sources']:,} simulated sources (`demo_sky`, seed {recipe['seed']}), each seen",
        f"by all five surveys; the tokenizers saw the first {recipe['codec_sources']:,}. The",
        "demonstration index and the measurements below use other seeds.",
        "",
        "## Recipe",
        "",
        "The paper's two stages: a tokenizer per modality, then masked modelling across",
        "modalities (arXiv:2510.17960). `recipe.json` holds every number; again with",
        "`python -m aion_encoder.training all WORK --recipe recipe.json`. Departures from the",
        "paper, for a small budget:",
        "",
        f"- In {_percent(masked['pooled_share'])} of the batches the decoder sees nothing but the",
        "  mean of the encoder's tokens of one modality, the vector that a search takes. The",
        "  released AION-1 was not trained so, and its means may hold less.",
        f"- Of the other batches, {_percent(masked['alone_share'])} see one modality only and",
        f"  {_percent(masked['full_length_share'])} every token of one.",
        "- Fluxes, half-light radius and redshift are asked for in every batch; redshift and",
        "  radius are never given.",
        "- Tokens of pictures are asked for more often near the centre.",
        "- Every source has every survey.",
        "",
        f"The decoder keeps only the outputs {', '.join(recipe['domains_out'])}.",
        "",
        *_origin(recipe),
        *([history.strip(), ""] if history else []),
        f"Transformer: {recipe['dim']} dimensions, {recipe['encoder_depth']} + "
        f"{recipe['decoder_depth']} blocks, {log[-1]['step']:,} steps.",
        "",
        "| stage | hours |",
        "|---|---|",
        *[f"| {stage} | {value:.2f} |" for stage, value in hours.items()],
        "",
        f"Hardware: 2 shared cores ({platform.machine()}), no GPU; other work ran beside it.",
        "",
        "Losses (cross-entropy in nats against steps; `mean:` marks those from the mean alone):",
        "",
        "![losses](losses.png)",
        "",
        "## Tokenizers, on held-out sources",
        "",
        "Share of the variance explained in the range in which each codec works, and codes used.",
        "",
        "| survey | variance explained | codes used |",
        "|---|---|---|",
    ]
    for survey, row in measures["tokenizers"].items():
        explained = row["variance_explained"]
        text = (
            ", ".join(f"{band} {_percent(value)}" for band, value in explained.items())
            if isinstance(explained, Mapping)
            else f"{_percent(explained)}; median squared error "
            f"{row['median_squared_error_in_noise_units']} in units of the noise"
        )
        lines.append(f"| {survey} | {text} | {row['codes_used']} of {row['codes']} |")
    lines += [
        "",
        "One simulated object per class: as observed above, as given back by the tokenizer",
        "below; Legacy Survey in the upper two rows, HSC in the lower two.",
        "",
        "![images](images.png)",
        "",
        "Spectra as observed (grey) and as given back (red):",
        "",
        "![spectra](spectra.png)",
        "",
        "## Neighbours, on held-out sources",
        "",
        f"{measures['asking']:,} simulated sources ask a gallery of {measures['gallery']:,}",
        "others; ten nearest by cosine. Vectors are centred and whitened (those of spectra, pooled",
        f"by parts, down to {recipe['dim']} dimensions). Beside each, the same",
        "with 64",
        "principal components of the arcsinh pixels, of the fluxes over their mean, or of the",
        "arcsinh coefficients. Ten classes (three spectral classes); redshift as log10(1 + z) of",
        "galaxies and quasars.",
        "",
        "| observation | class accuracy | spectral class | redshift R2 | magnitude R2 |",
        "|---|---|---|---|---|",
    ]
    for survey, row in neighbours.items():
        for name, title in (("vector", "aion-demo"), ("principal_components", "64 components")):
            value = row[name]
            lines.append(
                f"| {survey}, {title} | {value['class_accuracy']:.3f} | "
                f"{value['spectral_class_accuracy']:.3f} | {value['redshift_r2']:.2f} | "
                f"{value['magnitude_r2']:.2f} |"
            )
    lines += [
        "",
        "## From one modality to another, on held-out sources",
        "",
        "Rank of the partner among all asking sources, through a linear map (regularised",
        "canonical correlation, whitened vectors) fitted on other held-out pairs; chance of R@10",
        f"is {10 / measures['asking']:.3f}.",
        "",
        "| from -> to | pairs fitted on | R@1 | R@10 | R@100 | median rank | "
        "R@10, fitted on shuffled pairs |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in partners.items():
        value, control = row["linear_map"], row["linear_map_on_shuffled_pairs"]
        lines.append(
            f"| {name.replace('->', ' -> ')} | {row['pairs']:,} | {value['r_at_1']:.3f} | "
            f"{value['r_at_10']:.3f} | {value['r_at_100']:.3f} | "
            f"{value['median_rank']:.0f} | {control['r_at_10']:.3f} |"
        )
    return "\n".join(lines) + "\n"
