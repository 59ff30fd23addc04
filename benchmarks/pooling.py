"""What the mean of the tokens should be taken of, and what should be done to it.

    python -m benchmarks.pooling WORK [--weights WORK/checkpoint] [--sources 3000] [--survey ...]

WORK is a folder of `aion_encoder.training`, with packed held-out sources in `WORK/held`. Pictures
and spectra are encoded alone and together; every pooling is tried raw, centred and whitened.
Sources are split by whole HEALPix cells: those of the held-out cells ask, the others are the
gallery, and means, covariances and linear maps are fitted on the gallery alone. Prints a table in
Markdown and one JSON object on the last line.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

from aion_encoder import open_encoder
from aion_encoder.encoder import Encoder
from aion_encoder.identity import Pooling
from aion_encoder.training.__main__ import HELD_OUT_SEED
from aion_encoder.training.measures import finite_whitening, neighbour_scores, partner_ranks
from aion_encoder.training.simulated import PackedSky, observe, packed_sky
from benchmarks.search_latency import machine
from demo_sky.population import draw_parameters
from indexer.align import held_out_cells

TITLES = {
    Pooling.MEAN_OUTPUT: "mean of the output, as published",
    Pooling.MEAN_CONTEXT: "constant removed",
    Pooling.MEAN_ENCODER: "before the projection",
    Pooling.PART_MEANS: "the same, means of parts",
    Pooling.LAYERED_PART_MEANS: "the same, of two layers",
    Pooling.LEARNED: "learned",
}
KEYS = {
    "legacysurvey": "tok_image",
    "hsc": "tok_image_hsc",
    "sdss": "tok_spectrum_sdss",
    "desi": "tok_spectrum_desi",
}
TOKENS = {"image": 576, "spectrum": 273}
KEPT = 192
"""Dimensions kept by whitening, as an index keeps them."""


def cells(first: int, count: int) -> np.ndarray:
    """Return the order-29 HEALPix cells of sources of the held-out sky."""
    places = [
        draw_parameters(HELD_OUT_SEED, index, np.random.default_rng([HELD_OUT_SEED, index]))
        for index in range(first, first + count)
    ]
    ra = Longitude([place.ra_deg for place in places], "deg")
    dec = Latitude([place.dec_deg for place in places], "deg")
    return np.asarray(lonlat_to_healpix(ra, dec, 29), np.int64)


def tokenize(
    encoder: Encoder, sky: PackedSky, surveys: tuple[str, str]
) -> dict[str, list[dict[str, np.ndarray]]]:
    """Return the tokens of every source: of each modality alone, and of both together."""
    tokens: dict[str, list[dict[str, np.ndarray]]] = {"image": [], "spectrum": [], "together": []}
    for start in range(0, len(sky), 100):
        rows = range(start, min(start + 100, len(sky)))
        pairs = [tuple(observe(sky, row, survey) for survey in surveys) for row in rows]
        table = encoder.encode(pairs, tokens=True).tokens
        assert table is not None
        for place in range(len(pairs)):
            each = {KEYS[survey]: table[KEYS[survey]][place] for survey in surveys}
            tokens["together"].append(each)
            for modality, survey in zip(TOKENS, surveys, strict=True):
                tokens[modality].append({KEYS[survey]: each[KEYS[survey]]})
    return tokens


def vectors_of(
    encoder: Encoder, tokens: dict[str, list[dict[str, np.ndarray]]]
) -> dict[str, np.ndarray]:
    """Return vectors: of each modality alone, and of both together (mean over the mixture)."""
    out = {}
    for name, objects in tokens.items():
        found = encoder.transformer.encode(objects)
        parts = {
            modality: np.stack([each[modality] for each in found])
            for modality in TOKENS
            if modality in found[0]
        }
        if len(parts) == 1:
            out[name] = parts[name]
        elif len({values.shape[1] for values in parts.values()}) == 1:
            # The mean over the mixture is the mean of the two, weighted by their counts.
            out[name] = sum(TOKENS[key] * values for key, values in parts.items()) / sum(
                TOKENS.values()
            )
        else:
            # Means of parts have another length in each modality: joined, not mixed.
            out[name] = np.concatenate(list(parts.values()), axis=1)
    return out


def treatments(vectors: np.ndarray, gallery: np.ndarray) -> dict[str, np.ndarray]:
    """Return vectors raw, centred and whitened with what the gallery says."""
    mean, projection = finite_whitening(vectors[gallery], KEPT)
    return {"raw": vectors, "centred": vectors - mean, "whitened": (vectors - mean) @ projection}


def cosine_recall(one: np.ndarray, other: np.ndarray) -> float | None:
    """Return R@10 of the partner by plain cosine; None between vectors of unlike lengths."""
    if one.shape[1] != other.shape[1]:
        return None
    one, other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (one, other))
    scores = one @ other.T
    ranks = (scores > scores.diagonal()[:, None]).sum(axis=1)
    return float((ranks < 10).mean())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--sources", type=int, default=3000)
    parser.add_argument("--image", choices=["legacysurvey", "hsc"], default="legacysurvey")
    parser.add_argument("--spectrum", choices=["sdss", "desi"], default="desi")
    given = parser.parse_args()
    paths = sorted((given.work / "held").glob("*.npz"))
    chunk = len(packed_sky(paths[:1]))
    paths = paths[: -(-given.sources // chunk)]
    sky = packed_sky(paths)
    first = chunk * int(paths[0].stem)
    surveys = (given.image, given.spectrum)
    own = open_encoder(given.weights)
    tokens = tokenize(own, sky, surveys)
    poolings = [each for each in TITLES if each is not Pooling.LEARNED]
    if own.identity.pooling is Pooling.LEARNED:
        poolings.append(Pooling.LEARNED)
    asking, order = held_out_cells(cells(first, len(sky)))
    gallery, labels = ~asking, sky.labels

    def score(values: np.ndarray) -> dict[str, float]:
        found = neighbour_scores(values[gallery], values[asking], labels[gallery], labels[asking])
        return {
            "class": found.class_accuracy,
            "spectral_class": found.spectral_class_accuracy,
            "redshift_r2": found.redshift_r2,
            "magnitude_r2": found.magnitude_r2,
        }

    rows = []
    for pooling in poolings:
        vectors = vectors_of(open_encoder(given.weights, pooling=pooling), tokens)
        sides = {name: treatments(values, gallery) for name, values in vectors.items()}
        sides["joint"] = sides.pop("together")
        for treatment in ("raw", "centred", "whitened"):
            row: dict[str, Any] = {"pooling": TITLES[pooling], "treatment": treatment}
            for side, values in sides.items():
                row[side] = score(values[treatment])
            image, spectrum = sides["image"][treatment], sides["spectrum"][treatment]
            row["cosine_r_at_10"] = cosine_recall(image[asking], spectrum[asking])
            row["linear_map"] = dict(
                partner_ranks(
                    (image[gallery], spectrum[gallery]), (image[asking], spectrum[asking])
                )
            )
            rows.append(row)
    print(
        f"{given.weights}: {int(gallery.sum())} simulated sources in the gallery, "
        f"{int(asking.sum())} ask, split by HEALPix cells of order {order}; {machine()}"
    )
    print()
    print(
        "| pooling | treatment | image class / z R2 | spectrum class / z R2 | joint class / z R2 "
        "| cosine R@10 | linear map R@10 |"
    )
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        cells_of = [
            f"{row[side]['class']:.3f} / {row[side]['redshift_r2']:.2f}"
            for side in ("image", "spectrum", "joint")
        ]
        cosine = row["cosine_r_at_10"]
        print(
            f"| {row['pooling']} | {row['treatment']} | {' | '.join(cells_of)} | "
            f"{'-' if cosine is None else f'{cosine:.3f}'} | {row['linear_map']['r_at_10']:.3f} |"
        )
    print()
    print(json.dumps({"gallery": int(gallery.sum()), "asking": int(asking.sum()), "rows": rows}))


if __name__ == "__main__":
    main()
