"""Encode simulated sources that a trained checkpoint never saw, and measure it on them."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from aion_encoder.encoder import open_encoder
from aion_encoder.identity import Pooling
from aion_encoder.reference_spaces import write_reference_spaces
from aion_encoder.surveys import SURVEYS as ENCODER_SURVEYS
from aion_encoder.training.components import fit_components, raw_features
from aion_encoder.training.image_codec import image_codec_losses
from aion_encoder.training.measures import (
    encode_sky,
    finite_whitening,
    neighbour_scores,
    partner_ranks,
)
from aion_encoder.training.simulated import BANDS, PackedSky, observe, packed_sky
from aion_encoder.training.spectrum_codec import spectrum_codec_losses
from aion_encoder.training.tokens import load_codecs

__all__ = ["FROZEN", "encode_all", "measure", "write_spaces"]

logger = logging.getLogger("aion_encoder")

SURVEYS = ("legacysurvey", "hsc", "sdss", "desi", "gaia")
MANY = ("legacysurvey", "desi")
"""Surveys of which all sources are encoded: linear maps want pairs."""

FROZEN = Pooling.LAYERED_PART_MEANS
"""The plain frozen means that stand beside a learned pooling."""

PAIRS = (("legacysurvey", "desi"), ("legacysurvey", "sdss"), ("hsc", "desi"), ("gaia", "desi"))


def _encode_one(
    checkpoint: Path, poolings: Sequence[Pooling], paths: Sequence[Path], survey: str, first: int
) -> list[np.ndarray]:
    """Encode one survey, file by file, by each pooling; rows before `first` stay NaN."""
    import torch

    torch.set_num_threads(1)
    encoders = [open_encoder(str(checkpoint), pooling=each) for each in poolings]
    parts: list[list[np.ndarray]] = [[] for _ in encoders]
    seen = 0
    for path in paths:
        sky = packed_sky([path])
        if seen + len(sky) <= first:
            found = [
                np.full(
                    (len(sky), each.identity.vector_dim(ENCODER_SURVEYS[survey].modality)),
                    np.nan,
                    np.float32,
                )
                for each in encoders
            ]
        else:
            found = encode_sky(encoders, sky, survey)
        for part, values in zip(parts, found, strict=True):
            part.append(values)
        seen += len(sky)
    return [np.concatenate(part) for part in parts]


def encode_all(
    checkpoint: Path, paths: Sequence[Path], cache: Path, *, few: int, jobs: int = 1
) -> dict[Pooling, dict[str, np.ndarray]]:
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

    Returns
    -------
    Vectors by survey, by the pooling of the checkpoint and by `FROZEN`.
    """
    own = open_encoder(str(checkpoint)).identity
    poolings = list(dict.fromkeys((own.pooling, FROZEN)))
    count = sum(_length(path) for path in paths)

    def kept(survey: str, pooling: Pooling) -> Path:
        return cache / f"vectors-{own.digest}-{pooling}-{survey}-{count}-{few}.npy"

    missing = [
        survey for survey in SURVEYS if not all(kept(survey, each).exists() for each in poolings)
    ]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = {
            survey: pool.submit(
                _encode_one,
                checkpoint,
                poolings,
                paths,
                survey,
                0 if survey in MANY else count - few,
            )
            for survey in missing
        }
        for survey, future in waiting.items():
            for pooling, values in zip(poolings, future.result(), strict=True):
                np.save(kept(survey, pooling), values)
            logger.info("encoded %s", survey)
    return {
        pooling: {survey: np.load(kept(survey, pooling)) for survey in SURVEYS}
        for pooling in poolings
    }


def _length(path: Path) -> int:
    with np.load(path, allow_pickle=False) as stored:
        return len(stored["coefficients"])


def measure(
    checkpoint: Path,
    sky: PackedSky,
    vectors: Mapping[Pooling, Mapping[str, np.ndarray]],
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
        Of all encoded sources, of which `sky` holds the last, by pooling and survey.
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
    dim = open_encoder(str(checkpoint)).identity.dim
    spaces = {
        pooling: {
            survey: _in_space(pooling, values, asking, dim) for survey, values in of_all.items()
        }
        for pooling, of_all in vectors.items()
    }
    out["neighbours"] = {}
    for survey in SURVEYS:
        raw = np.stack([raw_features(observe(sky, row, survey)) for row in range(len(sky))])
        fitted = fit_components(raw[fit])
        components = fitted.apply(raw[fit]), fitted.apply(raw[ask])
        scored = {
            str(pooling): neighbour_scores(
                of_all[survey][-len(sky) :][fit],
                of_all[survey][-len(sky) :][ask],
                labels[fit],
                labels[ask],
            )
            for pooling, of_all in spaces.items()
        }
        scored["principal_components"] = neighbour_scores(*components, labels[fit], labels[ask])
        out["neighbours"][survey] = {name: asdict(scores) for name, scores in scored.items()}
        logger.info("%s %s", survey, out["neighbours"][survey])
    out["partners"] = {}
    rng = np.random.default_rng(seed)
    for one, other in PAIRS:
        row: dict[str, Any] = {}
        for pooling, of_all in spaces.items():
            pair = (of_all[one][:-asking], of_all[other][:-asking])
            asked = (of_all[one][-asking:], of_all[other][-asking:])
            both = np.isfinite(pair[0]).all(axis=1) & np.isfinite(pair[1]).all(axis=1)
            row[str(pooling)] = {
                "pairs": int(both.sum()),
                "linear_map": dict(partner_ranks(pair, asked)),
                "linear_map_on_shuffled_pairs": dict(partner_ranks(pair, asked, shuffle=rng)),
            }
        out["partners"][f"{one}->{other}"] = row
        logger.info("%s->%s %s", one, other, row)
    return out


def _in_space(pooling: Pooling, vectors: np.ndarray, asking: int, keep: int) -> np.ndarray:
    """Bring vectors into a space: as they are if the pooling is learned, else whitened."""
    if pooling is Pooling.LEARNED:
        return vectors
    mean, projection = finite_whitening(vectors[:-asking], keep)
    return np.asarray((vectors - mean) @ projection)


def write_spaces(
    checkpoint: Path, vectors: Mapping[Pooling, Mapping[str, np.ndarray]], sources: int
) -> None:
    """Keep mean and whitening per modality beside the checkpoint, for indexes too small to fit.

    Learned vectors have unit length and need neither.
    """
    modalities = {
        "image": ("legacysurvey", "hsc"),
        "spectrum": ("sdss", "desi"),
        "xp": ("gaia",),
    }
    encoder = open_encoder(str(checkpoint))
    if encoder.identity.pooling is Pooling.LEARNED:
        return
    own = vectors[encoder.identity.pooling]
    spaces = {
        modality: finite_whitening(
            np.concatenate([own[survey] for survey in surveys]), encoder.identity.dim
        )
        for modality, surveys in modalities.items()
    }
    facts = {"measured_on": f"{sources} simulated sources, each seen by all surveys"}
    write_reference_spaces(checkpoint, spaces, encoder.identity, facts)
