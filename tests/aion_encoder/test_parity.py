"""Beside the official package at real sizes, and in bfloat16.

Tokenizers as large as the package makes them, blocks as of AION-1-Base, random weights. Vectors of
every modality and pooling in float32 are compared in `test_transformer`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion import AION
from aion.modalities import DESISpectrum, LegacySurveyImage

from aion_encoder import Encoder, Image, Pooling, Spectrum, open_encoder
from aion_encoder.preparation import prepare_images
from aion_encoder.tokenizer import Tokenizer
from aion_encoder.training.blank import random_tokenizer, write_random_checkpoint
from aion_encoder.training.simulated import PackedSky, observe, pack, packed_sky
from aion_encoder.vocabulary import token_count

CPU = torch.device("cpu")
COUNT = 2
UNSEEN_SEED = 78


def _tokens(tokenizer: Tokenizer, observations: list[Any], key: str) -> np.ndarray:
    return np.stack([each.tokens[key] for each in tokenizer.encode(observations)])


def test_tokens_of_pictures(make_image: Callable[..., Image]) -> None:
    codec = random_tokenizer("image", size="full", seed=2)
    assert sum(each.numel() for each in codec.parameters()) > 6e7
    images = [make_image(side=96) for _ in range(COUNT)]
    ours = _tokens(Tokenizer({"image": codec}, ["tok_image"], CPU), images, "tok_image")
    flux, bands = torch.from_numpy(prepare_images(images)), list(images[0].bands)
    with torch.no_grad():
        theirs = codec.encode(LegacySurveyImage(flux=flux.clone(), bands=bands)).numpy()
    np.testing.assert_array_equal(ours, theirs)
    assert len(np.unique(ours)) > 100


def test_tokens_of_spectra(make_spectrum: Callable[..., Spectrum]) -> None:
    codec = random_tokenizer("spectrum", size="full", seed=2)
    assert sum(each.numel() for each in codec.encoder.parameters()) > 1.5e7
    spectra = [make_spectrum("desi") for _ in range(COUNT)]
    key = "tok_spectrum_desi"
    ours = _tokens(Tokenizer({"spectrum": codec}, [key], CPU), spectra, key)
    given = {
        name: torch.from_numpy(np.stack([getattr(each, field) for each in spectra]))
        for name, field in (
            ("flux", "flux"),
            ("ivar", "ivar"),
            ("mask", "mask"),
            ("wavelength", "wavelength_angstrom"),
        )
    }
    with torch.no_grad():
        theirs = codec.encode(DESISpectrum(**given)).numpy()
    np.testing.assert_array_equal(ours, theirs)
    assert len(np.unique(ours)) > 50


def test_vectors_in_bfloat16(tmp_path: Path) -> None:
    """Of real numbers of tokens, without the constant that would make all vectors alike."""
    directory = write_random_checkpoint(
        tmp_path, size="base", seed=5, modalities=["image"], changes={"domains_out": ["tok_z"]}
    )
    official: Any = AION.from_pretrained(str(directory)).eval()
    ours = open_encoder(str(directory), device="cpu", pooling=Pooling.MEAN_CONTEXT, autocast=True)
    tokens = np.random.default_rng(4).integers(0, 4375, (COUNT, token_count("tok_image")))
    given = {"tok_image": torch.from_numpy(tokens)}
    with torch.no_grad():
        embedded, codes, mask, _ = official.embed_inputs(given, num_encoder_tokens=576)
        theirs = (official._encode(embedded, codes, mask) - codes).mean(dim=1).numpy()
    found = ours.transformer.encode([{"tok_image": row.astype(np.uint16)} for row in tokens])
    for each, expected in zip(found, theirs, strict=True):
        assert _cosine(each["image"], expected) > 0.999
        # It is not float32 in disguise.
        assert np.abs(each["image"] - expected).max() > 1e-6


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> PackedSky:
    """Sources that the bundled weights were not taught."""
    path = tmp_path_factory.mktemp("sky") / "sky.npz"
    pack(path, UNSEEN_SEED, 0, 100)
    return packed_sky([path])


@pytest.mark.parametrize("survey", ["desi", "gaia"])
def test_neighbours_in_bfloat16(survey: str, sky: PackedSky) -> None:
    """Of the bundled weights: under one in a hundred of ten neighbours is another."""
    encoder: Encoder = open_encoder("demo", device="cpu")
    observations = [observe(sky, row, survey) for row in range(len(sky))]
    tokens = [each.tokens for each in encoder.tokenizer.encode(observations)]
    fast = open_encoder("demo", device="cpu", autocast=True).transformer
    (modality,) = {each.modality for each in observations}
    exact, rounded = (
        np.stack([each[modality] for each in which.encode(tokens)])
        for which in (encoder.transformer, fast)
    )
    changed = [
        len(set(ours) - set(theirs)) / 10
        for ours, theirs in zip(_ten(exact), _ten(rounded), strict=True)
    ]
    assert np.mean(changed) < 0.01


def _ten(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1)[:, :10]
