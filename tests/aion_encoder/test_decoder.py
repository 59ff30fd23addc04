"""What the decoder makes up, against the official forward pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion.modalities import DESISpectrum
from aion.model import AION

from aion_encoder import ABSENT_TOKEN, GaiaXp, Image, Spectrum, open_encoder
from aion_encoder.decoder import imagined_vectors, predict_tokens
from aion_encoder.encoder import Encoder
from aion_encoder.errors import EncoderError


@pytest.fixture(scope="module")
def whole(tiny_directory: Path) -> Encoder:
    return open_encoder(str(tiny_directory), device="cpu", keep_decoder=True)


@pytest.mark.parametrize(
    ("row", "given", "modality"),
    [(0, "tok_image", DESISpectrum), (1, "tok_spectrum_sdss", DESISpectrum)],
)
def test_codes_are_those_of_the_official_decoder(
    row: int,
    given: str,
    modality: Any,
    whole: Encoder,
    tiny_directory: Path,
    make_image: Callable[..., Image],
    make_spectrum: Callable[..., Spectrum],
) -> None:
    encoded = whole.encode([(make_image(),), (make_spectrum("sdss"),)], tokens=True)
    assert encoded.tokens is not None
    key, count = modality.token_key, modality.num_tokens
    told = predict_tokens(whole, encoded, key)
    assert told.shape == (2, count)
    official = AION.from_pretrained(str(tiny_directory)).eval()
    inputs = {given: torch.from_numpy(encoded.tokens[given][row : row + 1].astype(np.int64))}
    with torch.no_grad():
        tokens, codes, mask, _ = official.embed_inputs(
            inputs, num_encoder_tokens=inputs[given].shape[1]
        )
        context = official._encode(tokens, codes, mask)
        asked = {key: torch.zeros(1, count, dtype=torch.bool)}
        questions, places, _, _, hidden_from, _ = official.embed_targets(asked, count)
        # The package's own inference hides every token from every other one, so that all places
        # get the same mean of values; in training all tokens of a key see each other.
        assert hidden_from.all()
        free = torch.zeros_like(hidden_from)
        answer, alone = (
            official._decode(context, mask, questions, places, each) for each in (free, hidden_from)
        )
        logits, blind = (
            official.decoder_embeddings[key].forward_logits(each)[0] for each in (answer, alone)
        )
        forward = official(inputs, target_modality=modality)[key][0]
    assert torch.allclose(forward, blind, atol=1e-4)
    assert not torch.allclose(logits, blind, atol=1e-3)
    chosen = logits[torch.arange(count), torch.from_numpy(told[row].astype(np.int64))]
    # A tie by rounding may go either way; nothing else may.
    assert torch.allclose(chosen, logits.max(dim=1).values, atol=1e-3)
    assert (told[row] == logits.argmax(dim=1).numpy()).mean() > 0.98


def test_what_is_made_up_is_encoded_like_an_observation(
    whole: Encoder, make_image: Callable[..., Image]
) -> None:
    bad = GaiaXp(bp=np.full(55, 1e30), rp=np.full(55, 1e30))
    encoded = whole.encode([(make_image(),), (bad,)], tokens=True)
    codes = predict_tokens(whole, encoded, "tok_spectrum_desi")
    assert (codes[0] < 1024).all()
    assert (codes[1] == ABSENT_TOKEN).all()
    vectors = imagined_vectors(whole, encoded, "desi")
    assert vectors.shape == (2, whole.identity.vector_dim("spectrum"))
    (by_hand,) = whole.transformer.encode([{"tok_spectrum_desi": codes[0]}])
    np.testing.assert_allclose(vectors[0], by_hand["spectrum"], rtol=1e-5, atol=1e-6)
    assert np.isnan(vectors[1]).all()


def test_weights_that_cannot_say_it(make_image: Callable[..., Image]) -> None:
    opened = open_encoder("demo", keep_decoder=True)
    encoded = opened.encode([(make_image(),)], tokens=True)
    with pytest.raises(EncoderError, match=r"never say tok_spectrum_desi: .* \(tok_z\)"):
        imagined_vectors(opened, encoded, "desi")
