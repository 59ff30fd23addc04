"""What a checkpoint is worth, measured on simulated sources that it never saw.

Sources are split once: the first part is the gallery with known labels (and the pairs on which
linear maps are fitted), the second asks. Nothing measured here was used in training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from aion_encoder.encoder import Encoder
from aion_encoder.errors import ObservationError
from aion_encoder.heads import DIMENSIONS, EMPHASIS, RIDGE, fit_linear
from aion_encoder.surveys import SURVEYS
from aion_encoder.training.simulated import PackedSky, observe
from aion_encoder.whitening import whitening

__all__ = [
    "NEIGHBOURS",
    "Neighbourhood",
    "encode_sky",
    "finite_whitening",
    "neighbour_scores",
    "partner_ranks",
]

NEIGHBOURS = 10


@dataclass(frozen=True)
class Neighbourhood:
    """What the ten nearest neighbours in the gallery say of the sources that ask."""

    class_accuracy: float
    spectral_class_accuracy: float
    redshift_r2: float
    magnitude_r2: float


def encode_sky(
    encoders: Sequence[Encoder], sky: PackedSky, survey: str
) -> list[Float32[np.ndarray, "n dim"]]:
    """Return a raw vector per source by each encoder, NaN where the observation is refused.

    Parameters
    ----------
    encoders
        Of the same weights, with different poolings: the first one tokenizes for all.
    """
    first, *others = encoders
    modality = SURVEYS[survey].modality
    vectors = [
        np.full((len(sky), each.identity.vector_dim(modality)), np.nan, np.float32)
        for each in encoders
    ]
    for start in range(0, len(sky), 100):
        rows, objects = [], []
        for row in range(start, min(start + 100, len(sky))):
            try:
                objects.append((observe(sky, row, survey),))
            except ObservationError:
                continue
            rows.append(row)
        encoded = first.encode(objects, tokens=True)
        if not encoded.vectors or encoded.tokens is None:
            continue
        vectors[0][rows] = encoded.vectors[modality]
        tokens = [
            {key: table[place] for key, table in encoded.tokens.items()}
            if encoded.present[modality][place]
            else {}
            for place in range(len(rows))
        ]
        for values, other in zip(vectors[1:], others, strict=True):
            for row, found in zip(rows, other.transformer.encode(tokens), strict=True):
                if modality in found:
                    values[row] = found[modality]
    return vectors


def finite_whitening(vectors: np.ndarray, keep: int) -> tuple[np.ndarray, np.ndarray]:
    """Whiten as an index does, to `keep` dimensions at most, without rows that are not finite."""
    finite = vectors[np.isfinite(vectors).all(axis=1)].astype(np.float64)
    mean, projection = whitening(finite, keep)
    return mean.astype(np.float32), projection.astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12))


def _r2(truth: np.ndarray, guess: np.ndarray) -> float:
    return float(1.0 - ((truth - guess) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def neighbour_scores(
    gallery: np.ndarray, ask: np.ndarray, labels: Any, ask_labels: Any
) -> Neighbourhood:
    """Score classes by majority and numbers by mean over the ten nearest by cosine.

    Parameters
    ----------
    gallery, ask
        Vectors, shapes (n, d) and (m, d); rows that are not finite are left out.
    labels, ask_labels
        Tables with `object_class`, `spectral_class`, `z` and `mag_r`, row by row.

    Returns
    -------
    Redshift is scored over galaxies and quasars that ask, as log10(1 + z); its neighbours may be
    anything.
    """
    known, asked = np.isfinite(gallery).all(axis=1), np.isfinite(ask).all(axis=1)
    scores = _unit(ask[asked]) @ _unit(gallery[known]).T
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, :NEIGHBOURS]
    table, truth = labels[known].reset_index(drop=True), ask_labels[asked].reset_index(drop=True)

    def accuracy(column: str) -> float:
        names, codes = np.unique(table[column].to_numpy(str), return_inverse=True)
        votes = np.stack([(codes[nearest] == k).sum(axis=1) for k in range(len(names))], axis=1)
        return float((names[votes.argmax(axis=1)] == truth[column].to_numpy(str)).mean())

    far = truth["spectral_class"].to_numpy(str) != "STAR"
    depth = np.log10(1.0 + np.maximum(table["z"].to_numpy(float), 0.0))
    true_depth = np.log10(1.0 + truth["z"].to_numpy(float))[far]
    magnitude = table["mag_r"].to_numpy(float)
    return Neighbourhood(
        class_accuracy=accuracy("object_class"),
        spectral_class_accuracy=accuracy("spectral_class"),
        redshift_r2=_r2(true_depth, depth[nearest].mean(axis=1)[far]),
        magnitude_r2=_r2(truth["mag_r"].to_numpy(float), magnitude[nearest].mean(axis=1)),
    )


def partner_ranks(
    fit: tuple[np.ndarray, np.ndarray],
    ask: tuple[np.ndarray, np.ndarray],
    *,
    dimensions: int = DIMENSIONS,
    ridge: float = RIDGE,
    emphasis: float = EMPHASIS,
    shuffle: np.random.Generator | None = None,
) -> Mapping[str, float]:
    """Fit linear maps on pairs and rank the partner of every asking source.

    Parameters
    ----------
    fit, ask
        Vectors of the two modalities, row by row of the same sources.
    shuffle
        Permute the partners of the pairs that are fitted on: a control that must fall to chance.

    Returns
    -------
    R@1, R@10, R@100, the median rank, and the size of the gallery.
    """
    good = [
        np.isfinite(pair[0]).all(axis=1) & np.isfinite(pair[1]).all(axis=1) for pair in (fit, ask)
    ]
    left, right = fit[0][good[0]], fit[1][good[0]]
    if shuffle is not None:
        right = right[shuffle.permutation(len(right))]
    heads = fit_linear(
        left,
        right,
        dimensions=min(dimensions, left.shape[1], right.shape[1]),
        ridge=ridge,
        emphasis=emphasis,
    )
    one = _unit(heads[0].apply(ask[0][good[1]]))
    other = _unit(heads[1].apply(ask[1][good[1]]))
    scores = one @ other.T
    ranks = (scores > scores.diagonal()[:, None]).sum(axis=1) + 1
    return {
        "r_at_1": float((ranks <= 1).mean()),
        "r_at_10": float((ranks <= 10).mean()),
        "r_at_100": float((ranks <= 100).mean()),
        "median_rank": float(np.median(ranks)),
        "gallery": float(len(ranks)),
    }
