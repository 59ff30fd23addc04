"""Vectors from tokens that were kept, and batches that did not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aion_encoder import (
    ABSENT_TOKEN,
    Encoder,
    GaiaXp,
    Image,
    Observation,
    Photometry,
    Pooling,
    Spectrum,
    TokenError,
    open_encoder,
)
from aion_encoder.training.blank import write_random_checkpoint

Make = Callable[..., Observation]


@pytest.fixture
def objects(
    make_image: Callable[..., Image],
    make_spectrum: Callable[..., Spectrum],
    make_xp: Callable[[], GaiaXp],
    make_photometry: Callable[..., Photometry],
) -> list[tuple[Observation, ...]]:
    """Objects of several kinds, two without anything that can be encoded."""
    return [
        (make_image(), make_spectrum("sdss"), make_photometry("FLUX_G", "FLUX_R")),
        (),
        (make_image("hsc"),),
        (Photometry({"FLUX_Q": 1.0}),),
        (make_spectrum("desi"), make_xp()),
        (make_image(),),
    ]


def test_kept_tokens_give_the_very_vectors(
    tiny: Encoder, objects: list[tuple[Observation, ...]]
) -> None:
    seen = tiny.encode(objects, tokens=True)
    assert seen.tokens is not None
    again = tiny.encode_tokens(seen.tokens, tiny.identity.tokenizers)
    assert again.vectors.keys() == seen.vectors.keys()
    for modality, vectors in seen.vectors.items():
        np.testing.assert_array_equal(again.vectors[modality], vectors)
        np.testing.assert_array_equal(again.present[modality], seen.present[modality])
    assert (again.refusals, again.notes, again.tokens) == ((), (), None)
    assert tiny.encode_tokens({}, {}).vectors == {}


def test_another_model_or_pooling_takes_them(
    tiny: Encoder, tiny_directory: Path, objects: list[tuple[Observation, ...]]
) -> None:
    seen = tiny.encode(objects, tokens=True)
    assert seen.tokens is not None
    other = open_encoder(str(tiny_directory), device="cpu", pooling=Pooling.PART_MEANS)
    assert other.identity.digest != tiny.identity.digest
    assert other.identity.tokenizers == tiny.identity.tokenizers
    found = other.encode_tokens(seen.tokens, tiny.identity.tokenizers)
    expected = other.encode(objects)
    np.testing.assert_array_equal(found.vectors["spectrum"], expected.vectors["spectrum"])


def test_tokens_of_another_tokenizer_are_refused(tiny: Encoder, tmp_path: Path) -> None:
    xp = np.zeros((2, 55), np.uint16)
    own = tiny.identity.tokenizers
    tiny.encode_tokens({"tok_xp_bp": xp, "tok_xp_rp": xp}, own)
    changed = tiny.identity.model_copy(update={"preprocessing": 99}).tokenizers
    assert set(changed) == set(own)
    for given, said in ((changed, changed["bp_coefficients"]), ({}, "an unknown one")):
        with pytest.raises(TokenError, match=f"{own['bp_coefficients']} of these .* {said};"):
            tiny.encode_tokens({"tok_xp_bp": xp}, given)
    with pytest.raises(TokenError, match=r"must be of the same objects, got \[2, 3\] rows"):
        tiny.encode_tokens({"tok_xp_bp": xp, "tok_xp_rp": np.zeros((3, 55), np.uint16)}, own)
    with pytest.raises(TokenError, match="do not know the tokens tok_z; leave them out"):
        tiny.encode_tokens({"tok_z": xp}, own)
    with pytest.raises(TokenError, match="tok_xp_bp must lie in 0-1023, got 0-5000"):
        tiny.encode_tokens({"tok_xp_bp": np.where(xp == 0, [[5000] + [0] * 54], xp)}, own)
    without = write_random_checkpoint(tmp_path, seed=1, modalities=["photometry"])
    with pytest.raises(TokenError, match="do not know the tokens tok_xp_bp"):
        open_encoder(str(without), device="cpu").encode_tokens({"tok_xp_bp": xp}, own)


def test_absent_tokens_are_no_object(tiny: Encoder) -> None:
    bp = np.full((3, 55), ABSENT_TOKEN, np.uint16)
    bp[1] = 7
    found = tiny.encode_tokens({"tok_xp_bp": bp}, tiny.identity.tokenizers)
    np.testing.assert_array_equal(found.present["xp"], [False, True, False])


def test_batches_that_do_not_fit_are_halved(tiny: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """And stay as small: every failure on a GPU costs time."""
    tried: list[int] = []
    pooled = tiny.transformer._pooled

    def small(objects: Any) -> Any:
        tried.append(len(objects))
        if len(objects) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return pooled(objects)

    rng = np.random.default_rng(3)
    tokens = [{"tok_xp_bp": rng.integers(0, 1024, 55).astype(np.uint16)} for _ in range(20)]
    expected = tiny.transformer.encode(tokens, batch_size=1)
    monkeypatch.setattr(tiny.transformer, "_pooled", small)
    monkeypatch.setattr(tiny.transformer, "_at_most", None)
    limit = 6
    found = tiny.transformer.encode(tokens, batch_size=16)
    assert tried == [16, 8, 4, 4, 4, 4, 4]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours["xp"], theirs["xp"], atol=1e-5)
    limit = 0
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        tiny.transformer.encode(tokens, batch_size=2)
    assert tried[7:] == [2, 1]
