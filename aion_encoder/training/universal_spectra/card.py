"""The model card of a universal spectral tokenizer."""

from typing import TYPE_CHECKING

from aion_encoder.training.universal_spectra.resampling import COARSE_STEPS_ANGSTROM
from aion_encoder.training.universal_spectra.views import BLURRED, COARSE_PAIRS, PAIRS, VIEWS

if TYPE_CHECKING:
    from aion_encoder.training.universal_spectra.stages import Logs, Recipe

__all__ = ["card"]


def card(
    recipe: "Recipe",
    logs: "Logs",
    hours: float,
    machine: str,
) -> str:
    """Return the card in Markdown.

    Parameters
    ----------
    logs
        Losses on the way.
    hours, machine
        What the run took, simulation included, and on what.
    """
    training = recipe.training
    model = training.model
    finest, coarsest = COARSE_STEPS_ANGSTROM
    steps = logs.model[-1]["step"] if logs.model else 0
    native = [name for name in VIEWS if name not in BLURRED]
    lines = [
        "# spectra-demo",
        "",
        "**A demonstration.** A small universal spectral tokenizer after arXiv:2510.17959, of",
        "which no code or weights are public, trained by this repository on a *simulated* sky. It",
        "knows nothing of real spectra beyond what the simulation has in common with them.",
        "",
        "## Data",
        "",
        f"{recipe.sources:,} simulated sources (`demo_sky.native`, training population, seed",
        f"{recipe.seed}): stars, galaxies and quasars, a third each, as SDSS, DESI, GALAH and",
        "APOGEE would see them on their own grids, and on coarser or finer ones:",
        f"{', '.join(native)};",
        f"and on {len(BLURRED)} coarse, irregular grids with steps of {finest:g} to {coarsest:g}",
        "Angstrom, at optical wavelengths and with the infrared beside them. The prism of the",
        "simulation is not among them; it is kept to show what the model makes of a new grid.",
        "",
        "## Recipe",
        "",
        f"{model.dim} dimensions, {model.heads} heads, {model.encoder_layers} layers of the",
        f"encoder and {model.decoder_layers} + {model.query_layers} of the decoder, patches of",
        f"{model.patch} native pixels. {steps:,} steps of up to {training.most} sources or",
        f"{training.tokens:,} patches, every step the same sources in two views, over",
        f"{len(COARSE_PAIRS if training.kept else PAIRS)} pairs of views. Asked for:",
        "",
        "- both spectra back, errors weighted by inverse variance, from what is left when up to",
        f"  {100 * training.hidden:.0f} % of the patches are hidden and, in "
        f"{100 * training.cut:.0f} % of the batches, up to half of the spectrum is cut off;",
        "- vectors of the retrieval head that pick out their own source in the other view among",
        f"  those of the batch (symmetric InfoNCE, weight {training.agreement:g}).",
        "",
        "No label, no redshift and no name of an instrument has a part in it. `recipe.json` holds",
        "every number; again with",
        "`python -m aion_encoder.training universal-spectra WORK --recipe recipe.json`.",
        "",
        *(_start(recipe, logs) if recipe.start else []),
        *(_head(recipe, logs) if logs.head else []),
        f"It took {60 * hours:.0f} minutes, simulation included, on {machine}.",
        "",
        "Reconstruction (loss against steps, by view; of the decoder if it was taught again):",
        "",
        "![losses](losses.png)",
        "",
        "Agreement (cross-entropy in nats against steps, by pair of views; of the head if it was",
        "fitted by itself):",
        "",
        "![agreement](agreement.png)",
        "",
        "## Measures",
        "",
        "`make spectra` measures it on held-out sources: see `docs/spectra.md`.",
    ]
    return "\n".join(lines) + "\n"


def _start(recipe: "Recipe", logs: "Logs") -> list[str]:
    training = recipe.training
    lines = [f"Training went on from an earlier checkpoint (`{recipe.start}` as it was then)."]
    if logs.decoder:
        lines += [
            f"Pairs were of coarse views only; {training.kept} native spectra a step had to keep",
            f"the tokens that they had (mean square of the change, weight {training.keeping:g}).",
            "Then the decoder alone was taught all views again,",
            f"{logs.decoder[-1]['step']:,} steps of up to {recipe.decoder.tokens:,} patches.",
        ]
    return [*lines, ""]


def _head(recipe: "Recipe", logs: "Logs") -> list[str]:
    model, head = recipe.training.model, recipe.head
    return [
        f"Then, on the frozen encoder, the pooling ({model.windows} windows of wavelength,",
        f"{model.window_dim} directions each) and the retrieval head were fitted again:",
        f"{logs.head[-1]['step']:,} steps of {head.batch:,} sources over {len(PAIRS)} pairs of",
        f"views; {100 * head.dropped:.0f} % of the batches lose a stretch of windows;",
        f"{head.most:,} sources at most of views other than SDSS, DESI and the coarse ones.",
        "",
    ]
