"""How well pictures could find their spectra: one probe on pixels, and on what tokens give back.

    python -m benchmarks.ceiling WORK [--weights WORK/checkpoint] [--sources 9000]

WORK is a folder of `aion_encoder.training`, with packed held-out sources in `WORK/held`. Fluxes of
Legacy Survey pictures (five rings, four bands) and of DESI spectra (brightness and 68 arms) are
measured on the pixels and, once more, on what the tokenizers give back from their tokens. A small
network for either side learns on some sources, by symmetric InfoNCE, to tell partners from all
others; the last 2,000 sources ask. Where the probe does better on the pixels of one side than on
its tokens, the tokenizer has lost what was needed; where a checkpoint's vectors do worse than the
probe on tokens, the encoder or its pooling has. Prints a table in Markdown and JSON on the last
line.
"""

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aion.modalities import Image as AionImage
from torch import Tensor, nn

from aion_encoder.checkpoint import locate
from aion_encoder.codecs import load_codec
from aion_encoder.contrastive import FIRST_SCALE, LARGEST_SCALE, info_nce
from aion_encoder.training.fluxes import fluxes_of
from aion_encoder.training.simulated import BANDS, PackedSky, packed_sky
from aion_encoder.training.spectrum_codec import SpectrumArrays
from benchmarks.search_latency import machine

IMAGE, SPECTRUM = "legacysurvey", "desi"
ASKING = 2000
STEPS, BATCH, WIDTH, OUT = 1500, 768, 512, 128
COVERED_ANGSTROM = (3600.0, 9824.0)
"""By DESI: beyond, a tokenizer gives back what it makes up."""


class Probe(nn.Module):
    """A linear map with a network beside it, to unit length."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.straight = nn.Linear(size, OUT)
        self.bent = nn.Sequential(
            nn.Linear(size, WIDTH),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, WIDTH),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, OUT),
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return unit vectors."""
        return nn.functional.normalize(self.straight(values) + self.bent(values), dim=1)


@torch.inference_mode()
def given_back(codecs: Mapping[str, Any], sky: PackedSky) -> PackedSky:
    """Return a sky whose pictures and spectra are what the tokenizers give back."""
    pictures, spectra, bands = [], [], list(BANDS[IMAGE])
    for rows in np.array_split(np.arange(len(sky)), max(1, len(sky) // 25)):
        pixels = torch.from_numpy(sky.images[IMAGE][rows].astype(np.float32))
        tokens = codecs["image"].encode(AionImage(flux=pixels, bands=bands))
        pictures.append(codecs["image"].decode(tokens, bands=bands).flux.numpy())
        tokens = codecs["spectrum"].encode(sky.spectra[SPECTRUM].batch(rows))
        spectra.append(codecs["spectrum"].decode(tokens))
    flux = np.concatenate([each.flux.numpy() for each in spectra])
    wavelength = np.concatenate([each.wavelength.numpy() for each in spectra])
    first, last = COVERED_ANGSTROM
    arrays = SpectrumArrays(
        flux, np.ones_like(flux), (wavelength < first) | (wavelength > last), wavelength
    )
    return PackedSky(
        images={IMAGE: np.concatenate(pictures)},
        spectra={SPECTRUM: arrays},
        coefficients=sky.coefficients,
        scalars=sky.scalars,
        labels=sky.labels,
    )


def values_of(fluxes: np.ndarray, fit: slice) -> Tensor:
    """Return standardised values, unknown ones at their mean."""
    flat = fluxes.reshape(len(fluxes), -1)
    known = np.isfinite(flat[fit]).mean(axis=0) > 0.5
    flat = flat[:, known]
    mean, spread = np.nanmean(flat[fit], axis=0), np.nanstd(flat[fit], axis=0)
    return torch.from_numpy(np.nan_to_num((flat - mean) / np.maximum(spread, 1e-6))).float()


def partner_ranks(left: Tensor, right: Tensor, fit: slice, ask: slice, seed: int) -> np.ndarray:
    """Learn on some sources, and return the ranks of the partners of others."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    one, other = Probe(left.shape[1]), Probe(right.shape[1])
    scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))
    weights = [*one.parameters(), *other.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.1}, {"params": [scale], "weight_decay": 0.0}],
        lr=1e-3,
    )
    learned = np.arange(fit.start, fit.stop)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * 0.5 * (1.0 + math.cos(math.pi * step / STEPS))
        rows = torch.from_numpy(rng.choice(learned, min(BATCH, len(learned)), replace=False))
        loss = info_nce(
            one(left[rows]), other(right[rows]), scale.exp().clamp(max=LARGEST_SCALE), rows
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    one.eval(), other.eval()
    with torch.inference_mode():
        scores = one(left[ask]) @ other(right[ask]).T
    return np.asarray((scores > scores.diagonal()[:, None]).sum(dim=1).numpy() + 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--sources", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    home = locate(given.weights)
    codecs = {name: load_codec(home.codecs_directory, name) for name in ("image", "spectrum")}
    told: dict[str, dict[str, list[np.ndarray]]] = {"pixels": {}, "tokens": {}}
    count = 0
    for path in sorted((given.work / "held").glob("*.npz")):
        if count >= given.sources:
            break
        sky = packed_sky([path])
        count += len(sky)
        for name, each in (("pixels", sky), ("tokens", given_back(codecs, sky))):
            for survey in (IMAGE, SPECTRUM):
                measured = fluxes_of(each, survey)
                assert measured is not None
                told[name].setdefault(survey, []).append(measured)
    fit, ask = slice(0, count - ASKING), slice(count - ASKING, count)
    sides = {
        name: {survey: values_of(np.concatenate(parts), fit) for survey, parts in each.items()}
        for name, each in told.items()
    }
    print(
        f"{given.weights}: {fit.stop:,} simulated sources teach the probe, {ASKING:,} ask; "
        f"{machine()}"
    )
    print()
    print("| pictures | spectra | R@10 | median rank |")
    print("|---|---|---|---|")
    rows = []
    for image in told:
        for spectrum in told:
            ranks = partner_ranks(
                sides[image][IMAGE], sides[spectrum][SPECTRUM], fit, ask, given.seed
            )
            row = {
                "image": image,
                "spectrum": spectrum,
                "r_at_10": float((ranks <= 10).mean()),
                "median_rank": float(np.median(ranks)),
            }
            rows.append(row)
            print(f"| {image} | {spectrum} | {row['r_at_10']:.3f} | {row['median_rank']:.0f} |")
    print()
    print(json.dumps({"taught": fit.stop, "asking": ASKING, "rows": rows}))


if __name__ == "__main__":
    main()
