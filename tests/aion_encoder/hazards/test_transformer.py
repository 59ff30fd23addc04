"""Known hazards of `polymathic-aion` 0.0.2 from tokens to a vector; see `official`."""

import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion import AION
from aion.modalities import LegacySurveyFluxG
from torch.profiler import ProfilerActivity

from aion_encoder import (
    Encoder,
    GaiaXp,
    Image,
    ObservationError,
    Photometry,
    open_encoder,
)
from aion_encoder.checkpoint import load_transformer
from aion_encoder.codecs import load_codec
from aion_encoder.training.blank import write_random_checkpoint
from tests.aion_encoder.hazards.official import (
    ImageMaker,
    SpectrumMaker,
    as_ids,
    official_image,
    official_spectrum,
    our_tokens,
)

CPU = ProfilerActivity.CPU


def test_01_every_token_counts(tiny: Encoder, model: Any, make_image: ImageMaker) -> None:
    """The official default keeps the first 256 tokens: of an image not even its upper half."""
    tokens = as_ids(our_tokens(tiny, make_image()))
    changed = tokens.clone()
    changed[:, 256:] = (changed[:, 256:] + 1000) % 4375
    with torch.inference_mode():
        official = [model.encode({"tok_image": ids}) for ids in (tokens, changed)]
    assert torch.equal(*official)
    ours = [
        tiny.transformer.encode([{"tok_image": ids[0].numpy().astype(np.uint16)}])[0]["image"]
        for ids in (tokens, changed)
    ]
    assert not np.allclose(*ours, atol=1e-3)


def test_01_a_scalar_behind_an_image_counts(
    tiny: Encoder, model: Any, make_image: ImageMaker
) -> None:
    """With 576 tokens kept, what follows the image is dropped."""
    tokens = as_ids(our_tokens(tiny, make_image()))
    with torch.inference_mode():
        official = [
            model.encode(
                {"tok_image": tokens, "tok_flux_g": torch.tensor([[flux]])}, num_encoder_tokens=576
            )
            for flux in (1, 900)
        ]
    assert torch.equal(*official)
    image = make_image()
    ours = tiny.encode([(image, Photometry({"FLUX_G": flux})) for flux in (0.1, 500.0)])
    assert ours.present["photometry"].all()
    assert not np.array_equal(*ours.vectors["image"])


def test_08_no_graphs(tiny: Encoder, model: Any, make_image: ImageMaker) -> None:
    """The official encode builds an autograd graph, which holds all its activations."""
    image = make_image()
    tokens = as_ids(our_tokens(tiny, image))
    assert model.encode({"tok_image": tokens}, num_encoder_tokens=576).requires_grad
    outputs: list[torch.Tensor] = []
    handle = tiny.model.encoder_norm.register_forward_hook(
        lambda _module, _given, output: outputs.append(output)
    )
    tiny.encode_alone([image])
    handle.remove()
    assert outputs[0].is_inference()
    assert not outputs[0].requires_grad
    assert not any(value.requires_grad for value in tiny.model.parameters())


def test_14_missing_scalars(tiny: Encoder, tiny_directory: Path) -> None:
    """A missing flux becomes the brightest, a negative one the faintest official token."""
    codec: Any = load_codec(tiny_directory, "FLUX_G")
    values = torch.tensor([np.nan, np.inf, -5.0, 0.01, 3.0])
    raw = codec.encode(LegacySurveyFluxG(value=values)).tolist()
    assert raw[:4] == [1023, 1023, 0, 0]
    assert 0 < raw[4] < 1023
    for value in (np.nan, np.inf):
        with pytest.raises(ObservationError, match="missing value for FLUX_G; leave missing"):
            Photometry({"FLUX_G": value, "FLUX_R": 3.0})
    encoded = tiny.encode(
        [
            (Photometry({"FLUX_G": -5.0, "FLUX_R": 3.0}),),
            (Photometry({"FLUX_R": 3.0}),),
            (Photometry({"FLUX_G": 0.01}),),
        ],
        tokens=True,
    )
    assert encoded.tokens is not None
    assert set(encoded.tokens) == {"tok_flux_r"}
    # Not to the last digit: on some processors that depends on the place in a batch.
    np.testing.assert_allclose(*encoded.vectors["photometry"][:2], rtol=1e-4, atol=1e-6)
    assert encoded.notes[0].text.startswith("FLUX_G left out: -5 is not above 0.04979")
    assert [(refusal.index, refusal.modality) for refusal in encoded.refusals] == [
        (2, "photometry")
    ]
    assert "no scalar can be encoded: FLUX_G left out" in encoded.refusals[0].reason


def test_15_masks_of_absent_modalities(
    tiny: Encoder,
    model: Any,
    make_image: ImageMaker,
    make_xp: Callable[[], GaiaXp],
    make_photometry: Callable[..., Photometry],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The official model takes only a bool mask, and only on its own device."""
    tokens = {"tok_flux_g": torch.zeros(2, 1, dtype=torch.long)}
    with pytest.raises((RuntimeError, IndexError)):
        model.encode(tokens, input_mask={"tok_flux_g": torch.tensor([[0], [1]])})
    seen: list[torch.Tensor] = []
    embed_inputs = tiny.model.embed_inputs

    def spy(*given: Any, mask: dict[str, torch.Tensor], **options: Any) -> Any:
        seen.extend(mask.values())
        return embed_inputs(*given, mask=mask, **options)

    monkeypatch.setattr(tiny.model, "embed_inputs", spy)
    tiny.encode([(make_xp(), make_photometry("FLUX_G")), (make_xp(),), (make_image(),)])
    assert any(mask.any() for mask in seen)
    device = next(tiny.model.parameters()).device
    assert all(mask.dtype == torch.bool and mask.device == device for mask in seen)


def test_16_a_mean_over_padding(tiny: Encoder, model: Any, make_xp: Callable[[], GaiaXp]) -> None:
    """Masked outputs are not zero and stand at the end: a mean over all of them is wrong."""
    xp, other = make_xp(), make_xp()
    encoded = tiny.encode([(xp,), (other,)], tokens=True)
    assert encoded.tokens is not None
    inputs = {key: as_ids(values) for key, values in encoded.tokens.items()}
    inputs["tok_flux_g"] = torch.tensor([[3], [0]])
    masks = {"tok_flux_g": torch.tensor([[False], [True]])}
    with torch.inference_mode():
        together = model.encode(inputs, masks, num_encoder_tokens=111)
        alone = model.encode(
            {key: inputs[key][1:] for key in ("tok_xp_bp", "tok_xp_rp")}, num_encoder_tokens=110
        )
    assert together[1, 110:].abs().max() > 1e-3
    assert not torch.allclose(together[1].mean(0), alone[0].mean(0), atol=1e-3)
    mixed = tiny.encode([(xp, Photometry({"FLUX_G": 3.0})), (other,)], batch_size=2)
    np.testing.assert_allclose(
        mixed.vectors["xp"][1], encoded.vectors["xp"][1], atol=1e-5, rtol=1e-5
    )


def test_17_the_constant_in_every_vector(tiny: Encoder, model: Any, make_image: ImageMaker) -> None:
    """Every official vector holds the same position and modality codes."""
    images = [make_image() for _ in range(4)]
    tokens = as_ids(our_tokens(tiny, *images))
    with torch.inference_mode():
        official = model.encode({"tok_image": tokens}, num_encoder_tokens=576).mean(1).numpy()
    ours = tiny.encode_alone(images)
    embedding = model.encoder_embeddings["tok_image"]
    constant = (embedding.pos_emb + embedding.mod_emb).mean(dim=1)[0].detach().numpy()
    assert np.linalg.norm(constant) > 1.0
    np.testing.assert_allclose(official - ours, np.tile(constant, (4, 1)), atol=1e-4)


def _operations(call: Callable[[], Any]) -> set[str]:
    """Names of what torch computes, down to the kernels."""
    with warnings.catch_warnings(), torch.profiler.profile(activities=[CPU]) as profile:
        warnings.simplefilter("ignore")
        call()
    return {event.key for event in profile.key_averages()}


def test_18_attention_matrices(tiny: Encoder, model: Any, make_image: ImageMaker) -> None:
    """The official attention forms every matrix of 576 x 576 weights in memory."""
    tokens = our_tokens(tiny, make_image(), make_image())
    with torch.inference_mode():
        official = _operations(
            lambda: model.encode({"tok_image": as_ids(tokens)}, num_encoder_tokens=576)
        )
    assert "aten::_softmax" in official
    assert not any("flash_attention" in name for name in official)
    ours = _operations(lambda: tiny.transformer.encode([{"tok_image": row} for row in tokens]))
    assert "aten::_softmax" not in ours
    assert any("flash_attention" in name for name in ours)
    # The patch is on our instance alone.
    assert "forward" not in vars(model.encoder[0].attn)
    assert "forward" in vars(tiny.model.encoder[0].attn)


def test_18_no_mask_without_padding(
    tiny: Encoder,
    make_spectrum: SpectrumMaker,
    make_xp: Callable[[], GaiaXp],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    masks: list[torch.Tensor | None] = []
    forward = tiny.model.forward_encoder

    def spy(x: torch.Tensor, encoder_mask: torch.Tensor | None) -> torch.Tensor:
        masks.append(encoder_mask)
        result: torch.Tensor = forward(x, encoder_mask=encoder_mask)
        return result

    monkeypatch.setattr(tiny.model, "forward_encoder", spy)
    spectra = [make_spectrum(), make_spectrum("sdss"), make_spectrum()]
    tiny.encode([(item,) for item in spectra] + [(make_xp(),), (make_xp(),)])
    assert len(masks) == 2
    assert masks == [None, None]


@pytest.mark.parametrize("kind", ["image", "spectrum"])
def test_27_tokens_under_autocast(
    tiny: Encoder,
    image_codec: Any,
    spectrum_codec: Any,
    make_image: ImageMaker,
    make_spectrum: SpectrumMaker,
    kind: str,
) -> None:
    """Under autocast the official tokenizers give other tokens."""
    item = make_image() if kind == "image" else make_spectrum()
    raw = []
    for enabled in (False, True):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            if isinstance(item, Image):
                raw.append(image_codec.encode(official_image(item)))
            else:
                raw.append(spectrum_codec.encode(official_spectrum(item)))
    assert not torch.equal(*raw)
    plain = tiny.encode_alone([item])
    with torch.autocast("cpu", torch.bfloat16):
        under = tiny.encode_alone([item])
        tokens = our_tokens(tiny, item)
    np.testing.assert_array_equal(tokens, raw[0].numpy())
    np.testing.assert_array_equal(under, plain)


@pytest.mark.parametrize("name", ["Z", "ra", "dec", "EBV", "a_g"])
def test_31_what_must_not_be_in_a_vector(tmp_path: Path, tiny: Encoder, name: str) -> None:
    """To the official model, sky position, redshift and dust are tokens like any other."""
    key = {"EBV": "tok_ebv"}.get(name, f"tok_{name.lower()}")
    domains = [key, "tok_flux_g"]
    directory = write_random_checkpoint(
        tmp_path, seed=2, modalities=["photometry"], changes={"domains_in": domains}
    )
    model = AION.from_pretrained(str(directory)).eval()
    with torch.inference_mode():
        raw = [
            model.encode({"tok_flux_g": torch.tensor([[5]]), key: torch.tensor([[token]])})[:, 0]
            for token in (1, 900)
        ]
    assert not torch.allclose(*raw)
    encoded = tiny.encode([(Photometry({"FLUX_G": 3.0, name: 0.5}),)])
    assert not encoded.present["photometry"].any()
    assert encoded.refusals[0].reason.startswith(f"{name} never go into a vector")
    assert open_encoder(str(directory)).tokenizer.token_keys == ("tok_flux_g",)


def test_32_no_hidden_randomness(
    tiny: Encoder, tiny_directory: Path, make_image: ImageMaker
) -> None:
    """The official forward pass shuffles with Python's global random state; ours touches none."""
    model: Any = load_transformer(tiny_directory, keep_decoder=True)
    before = random.getstate()
    target = {"tok_z": torch.zeros(1, 1, dtype=torch.bool)}
    model.embed_targets(target, num_decoder_tokens=1)
    assert random.getstate() != before
    image = make_image()
    states = random.getstate(), torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = tiny.encode_alone([image]), tiny.encode_alone([image])
    np.testing.assert_array_equal(first, second)
    assert random.getstate() == states[0]
    assert torch.equal(torch.random.get_rng_state(), states[1])
    np.testing.assert_array_equal(np.random.get_state()[1], states[2])  # noqa: NPY002
