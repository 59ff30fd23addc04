"""What was measured on spectra as a page in Markdown and as flat keys."""

from collections.abc import Mapping
from typing import Any

from benchmarks.spectra_measures import Partners
from benchmarks.spectra_paper_size import told

__all__ = ["page"]

SPACES = {
    "learned": "retrieval head",
    "mean": "mean of the tokens",
    "baseline": "64 components of a common grid",
    "aion": "AION-1 (aion-demo)",
}

PUBLISHED = """Published, on real data (arXiv:2510.17959, after the authors' blog): DESI class
accuracy 0.96 on average; APOGEE scatter of gravity 0.07, temperature 23 K, [Fe/H] 0.02, with a
network on top, where ours is a linear map. No retrieval between instruments is published."""


def _partner(found: Partners | None) -> str:
    if found is None:
        return "-"
    low, high = found.interval
    return f"{found.r_at_10:.3f} ({low:.3f} to {high:.3f}), {found.median_rank:.0f}"


def page(measured: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """Return the page, and the flat keys of the same numbers."""
    keys: dict[str, float] = {}
    lines = [
        "# Spectra on any grid: what was measured",
        "",
        "Made by `make spectra`. **All data are simulated** (`demo_sky.native`, training",
        f"population, seed {measured['seed']}: stars, galaxies and quasars, a third each), and so",
        f"is the sky that `{measured['weights']}` was trained on, with another seed.",
        f"{measured['sources']:,} held-out sources by five instruments each;",
        f"{measured['gallery']:,} ask and are asked, probes and components are fitted on the",
        f"others. Weights {measured['digest']}. Machine:",
        f"{measured['machine']}.",
        "",
        "## One instrument finds the spectrum of another",
        "",
        "R@10 of the same source with its 95 % interval, and the median rank, among",
        f"{measured['gallery']:,}. Chance is {10 / measured['gallery']:.3f}. The prism was never",
        "trained on; GALAH and APOGEE, and DESI and APOGEE, share no wavelength.",
        "",
        "| from -> to | " + " | ".join(SPACES.values()) + " |",
        "|---|" + "---|" * len(SPACES),
    ]
    for pair, row in measured["cross_instrument"].items():
        lines.append(
            f"| {pair.replace('_to_', ' -> ')} | "
            + " | ".join(_partner(row.get(space)) for space in SPACES)
            + " |"
        )
        for space, found in row.items():
            name = "" if space == "learned" else f"{space}."
            keys[f"cross_instrument.{pair}.{name}r_at_10"] = found.r_at_10
            keys[f"cross_instrument.{pair}.{name}median_rank"] = found.median_rank
        if "baseline" in row:
            keys[f"cross_instrument.{pair}.baseline"] = row["baseline"].r_at_10
    lines += [
        "",
        "## What a linear probe reads from frozen vectors",
        "",
        "Class: star, galaxy or quasar, by multinomial logistic regression. Temperature as log10,",
        "gravity and metallicity of stars that are no white dwarfs; redshift as log10(1 + z) of",
        "galaxies and quasars; R2 by ridge regression, and the scatter (1.48 times the median",
        "absolute deviation).",
        "",
        "| vectors, instrument | class | log T | log g | [Fe/H] | redshift R2 |",
        "|---|---|---|---|---|---|",
    ]
    for space, instruments in measured["probes"].items():
        for instrument, row in instruments.items():
            lines.append(
                f"| {SPACES[space]}, {instrument} | {row['class_accuracy']:.3f} | "
                + " | ".join(
                    f"{row[f'{name}_r2']:.2f}, {row[f'{name}_scatter']:.3f}"
                    for name in ("temperature", "gravity", "metallicity")
                )
                + f" | {row['redshift_r2']:.2f} |"
            )
            for name, value in row.items():
                keys[f"probe.{space}.{instrument}.{name}"] = value
    of_means = measured["probes"]["mean"]
    keys["class_accuracy"] = of_means["desi"]["class_accuracy"]
    lines += ["", PUBLISHED, "", "## Resampled spectra keep their neighbours", ""]
    lines += [
        "Share of the ten nearest of a spectrum that are also nearest to the same spectrum on",
        "pixels of twice (coarser) or half (finer) the size; the gallery has the native grids.",
        "",
        "| spectra | retrieval head | mean of the tokens | components of a common grid |",
        "|---|---|---|---|",
    ]
    for name, row in measured["resampling"].items():
        lines.append(
            f"| {name} | {row['learned']:.3f} | {row['mean']:.3f} | {row['baseline']:.3f} |"
        )
        keys[f"resampling.{name.replace(' ', '.')}.baseline"] = row["baseline"]
        keys[f"resampling.{name.replace(' ', '.')}.overlap_at_10"] = row["learned"]
    keys["resampling.overlap_at_10"] = min(
        row["learned"] for row in measured["resampling"].values()
    )
    made = measured["reconstruction"]
    lines += [
        "",
        "## Reconstruction",
        "",
        "Median reduced chi-square on the native grid, of what the decoder gives back, of a flat",
        "guess at the median, and of the flux without noise.",
        "",
        "| instrument | reconstruction | flat | noise-free | spectra |",
        "|---|---|---|---|---|",
    ]
    for name, row in made["native"].items():
        lines.append(
            f"| {name} | {row['chi_square']:.2f} | {row['flat']:.1f} | {row['noise_free']:.2f} | "
            f"{row['spectra']} |"
        )
        keys[f"reconstruction.{name}.chi_square"] = row["chi_square"]
    new = made["new_grid"]
    keys["reconstruction.new_grid.error_in_noise"] = new["error_in_noise"]
    keys["reconstruction.native_grid.error_in_noise"] = new["on_its_own_grid"]
    lines += [
        "",
        "An SDSS spectrum asked on steps of 1.37 A, a grid that no instrument has: the median",
        f"error against the noise-free flux is {new['error_in_noise']:.2f} of a pixel's noise; on",
        f"its own grid it is {new['on_its_own_grid']:.2f}.",
        "",
        "## Rate",
        "",
        f"Spectra a second, preparation included, {measured['rate']['threads']:.0f} threads:",
        ", ".join(
            f"{name} {value:.0f}" for name, value in measured["rate"].items() if name != "threads"
        )
        + ".",
        "",
        "### At the paper's size",
        "",
        "6 + 6 layers, 512 wide, random weights. The share is that of the arithmetic of a large",
        "square matrix product of the same type (`python -m benchmarks.spectra_paper_size`).",
        "",
    ]
    for paper in measured["paper"].values():
        lines += [told(paper), ""]
    if "cuda" not in measured["paper"]:
        lines += ["No GPU was at hand.", ""]
    keys["rate.spectra_per_second"] = measured["rate"]["sdss"]
    for device, paper in measured["paper"].items():
        name = "rate.paper" if device == "cpu" else f"rate.paper.{device}"
        keys[f"{name}.spectra_per_second"] = paper.rates["sdss"].spectra_per_second
        keys[f"{name}.share_of_ceiling"] = paper.rates["sdss"].share_of_ceiling
    return "\n".join(lines), keys
