"""The model card: what a checkpoint was trained on and how, and what it is worth."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aion_encoder.identity import Pooling
from aion_encoder.training.figures import draw_images, draw_losses, draw_spectra
from aion_encoder.training.measuring import FROZEN
from aion_encoder.training.simulated import PackedSky
from aion_encoder.training.tokens import load_codecs

__all__ = ["write_card"]


def write_card(
    checkpoint: Path,
    measures: Mapping[str, Any],
    recipe: Mapping[str, Any],
    sky: PackedSky,
    logs: Path,
    hours: Mapping[str, Mapping[str, Any]],
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
    learned = logs / "pooling.json"
    pooling_log = json.loads(learned.read_text()) if learned.exists() else []
    (checkpoint / "measures.json").write_text(json.dumps(measures, indent=2) + "\n")
    (checkpoint / "recipe.json").write_text(
        json.dumps(recipe, indent=2, sort_keys=True, default=list) + "\n"
    )
    (checkpoint / "README.md").write_text(_card(measures, recipe, log, pooling_log, hours, history))


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


def _pooling(recipe: Mapping[str, Any], log: list[Mapping[str, Any]]) -> list[str]:
    """Say how the pooling was learned."""
    if not log:
        return []
    labels = (
        "Class and redshift of the simulated catalogue have a part in it: sources of one spectral\n"
        "class and of like redshift should be the nearer ones."
        if recipe["pooling"]["physics"]
        else "No label has a part in it."
    )
    return [
        "The transformer is then frozen, and a pooling is learned over its tokens",
        "(`aion_encoder/learned_pooling.py`): vectors of one source must agree between surveys,",
        "between modalities (through a linear map of each, which stays as a bridge) and with",
        "turned, mirrored and shifted copies of the same picture, against all other sources of a",
        "batch (symmetric InfoNCE).",
        labels,
        f"{recipe['pooling_sources']:,} of the same sources, batches of "
        f"{recipe['pooling']['batch']}, {log[-1]['step']:,} steps. The plain means of the frozen",
        'encoder stand beside it below ("frozen means": token embeddings and last layer, by',
        "parts); `open_encoder(..., pooling=Pooling.LAYERED_PART_MEANS)` gives them.",
        "",
    ]


_TITLES = {
    str(Pooling.LEARNED): "learned pooling",
    str(FROZEN): "frozen means",
    "principal_components": "64 components",
}


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _card(
    measures: Mapping[str, Any],
    recipe: Mapping[str, Any],
    log: list[Mapping[str, Any]],
    pooling_log: list[Mapping[str, Any]],
    hours: Mapping[str, Mapping[str, Any]],
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
        *_pooling(recipe, pooling_log),
        *_origin(recipe),
        *([history.strip(), ""] if history else []),
        f"Transformer: {recipe['dim']} dimensions, {recipe['encoder_depth']} + "
        f"{recipe['decoder_depth']} blocks, {log[-1]['step']:,} steps.",
        "",
        "| stage | hours | hardware |",
        "|---|---|---|",
        *[f"| {stage} | {row['hours']:.3f} | {row['on']} |" for stage, row in hours.items()],
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
        "others; ten nearest by cosine. Learned vectors are compared as they are, frozen means",
        f"centred and whitened down to {recipe['dim']} dimensions. Beside them, 64 principal",
        "components of the arcsinh pixels, of the fluxes over their mean, or of the arcsinh",
        "coefficients. Ten classes (three spectral classes); redshift as log10(1 + z) of galaxies",
        "and quasars.",
        "",
        "| observation | class accuracy | spectral class | redshift R2 | magnitude R2 |",
        "|---|---|---|---|---|",
    ]
    for survey, row in neighbours.items():
        for name, value in row.items():
            lines.append(
                f"| {survey}, {_TITLES[name]} | {value['class_accuracy']:.3f} | "
                f"{value['spectral_class_accuracy']:.3f} | {value['redshift_r2']:.2f} | "
                f"{value['magnitude_r2']:.2f} |"
            )
    lines += [
        "",
        "## From one modality to another, on held-out sources",
        "",
        "Rank of the partner among all asking sources, through a linear map (regularised",
        "canonical correlation) fitted on other held-out pairs; chance of R@10",
        f"is {10 / measures['asking']:.3f}.",
        "",
        "| from -> to | pairs fitted on | R@1 | R@10 | R@100 | median rank | "
        "R@10, fitted on shuffled pairs |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in partners.items():
        for pooling, of_pooling in row.items():
            value, control = of_pooling["linear_map"], of_pooling["linear_map_on_shuffled_pairs"]
            lines.append(
                f"| {name.replace('->', ' -> ')}, {_TITLES[pooling]} | {of_pooling['pairs']:,} | "
                f"{value['r_at_1']:.3f} | {value['r_at_10']:.3f} | {value['r_at_100']:.3f} | "
                f"{value['median_rank']:.0f} | {control['r_at_10']:.3f} |"
            )
    return "\n".join(lines) + "\n"
