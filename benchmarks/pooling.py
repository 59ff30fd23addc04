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
}
KEYS = {
    "legacysurvey": "tok_image",
    "hsc": "tok_image_hsc",
    "sdss": "tok_spectrum_sdss",
    "desi": "tok_spectrum_desi",
}
TOKENS = {"image": 576, "spectrum": 273}


def cells(first: int, count: int) -> np.ndarray:
    """Return the order-29 HEALPix cells of sources of the held-out sky."""
    places = [
        draw_parameters(HELD_OUT_SEED, index, np.random.default_rng([HELD_OUT_SEED, index]))
        for index in range(first, first + count)
    ]
    ra = Longitude([place.ra_deg for place in places], "deg")
    dec = Latitude([place.dec_deg for place in places], "deg")
    return np.asarray(lonlat_to_healpix(ra, dec, 29), np.int64)


def encode(
    encoder: Encoder, sky: PackedSky, surveys: tuple[str, str]
) -> dict[str, dict[str, np.ndarray]]:
    """Return vectors before the projection: alone and together, by modality."""
    alone: dict[str, list[np.ndarray]] = {"image": [], "spectrum": []}
    together: dict[str, list[np.ndarray]] = {"image": [], "spectrum": []}
    for start in range(0, len(sky), 100):
        rows = range(start, min(start + 100, len(sky)))
        pairs = [tuple(observe(sky, row, survey) for survey in surveys) for row in rows]
        for column, modality in enumerate(alone):
            alone[modality].append(encoder.encode_alone([pair[column] for pair in pairs]))
        joint = encoder.encode(pairs)
        for modality, parts in together.items():
            parts.append(joint.vectors[modality])
    return {
        "alone": {name: np.concatenate(parts) for name, parts in alone.items()},
        "together": {name: np.concatenate(parts) for name, parts in together.items()},
    }


def pooled(encoder: Encoder, vectors: np.ndarray, key: str, pooling: Pooling) -> np.ndarray:
    """Turn means of the encoder's last layer into those of another pooling."""
    if pooling is Pooling.MEAN_ENCODER:
        return vectors
    model = encoder.model
    weight = model.decoder_proj_context.weight.detach().numpy()
    projected = vectors @ weight.T
    if pooling is Pooling.MEAN_CONTEXT:
        return np.asarray(projected)
    embedding = model.encoder_embeddings[key]
    constant = (embedding.pos_emb[0].mean(dim=0) + embedding.mod_emb[0]).detach().numpy()
    return np.asarray(projected + constant)


def treatments(vectors: np.ndarray, gallery: np.ndarray) -> dict[str, np.ndarray]:
    """Return vectors raw, centred and whitened with what the gallery says."""
    mean, projection = finite_whitening(vectors[gallery])
    return {"raw": vectors, "centred": vectors - mean, "whitened": (vectors - mean) @ projection}


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
    encoder = open_encoder(given.weights)
    encoder.transformer.pooling = Pooling.MEAN_ENCODER
    vectors = encode(encoder, sky, surveys)
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
    for pooling, title in TITLES.items():
        sides = {
            modality: treatments(
                pooled(encoder, vectors["alone"][modality], KEYS[survey], pooling), gallery
            )
            for modality, survey in zip(TOKENS, surveys, strict=True)
        }
        # The mean over the mixture is the mean of the two, weighted by their counts of tokens.
        mixture = sum(
            TOKENS[modality] * pooled(encoder, vectors["together"][modality], KEYS[survey], pooling)
            for modality, survey in zip(TOKENS, surveys, strict=True)
        ) / sum(TOKENS.values())
        sides["joint"] = treatments(np.asarray(mixture), gallery)
        for treatment in ("raw", "centred", "whitened"):
            row = {"pooling": title, "treatment": treatment}
            for side, values in sides.items():
                row[side] = score(values[treatment])
            image, spectrum = sides["image"][treatment], sides["spectrum"][treatment]
            unit = [
                side[asking] / np.linalg.norm(side[asking], axis=1, keepdims=True)
                for side in (image, spectrum)
            ]
            scores = unit[0] @ unit[1].T
            ranks = (scores > scores.diagonal()[:, None]).sum(axis=1)
            row["cosine_r_at_10"] = float((ranks < 10).mean())
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
        print(
            f"| {row['pooling']} | {row['treatment']} | {' | '.join(cells_of)} | "
            f"{row['cosine_r_at_10']:.3f} | {row['linear_map']['r_at_10']:.3f} |"
        )
    print()
    print(json.dumps({"gallery": int(gallery.sum()), "asking": int(asking.sum()), "rows": rows}))


if __name__ == "__main__":
    main()
