"""Known hazards of `polymathic-aion` 0.0.2 with pictures; see `official`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion.codecs.manager import CodecManager
from aion.modalities import HSCImage, LegacySurveyImage

from aion_encoder import Encoder, Image, ObservationError, TokenError
from aion_encoder.codecs import load_codec
from aion_encoder.tokenizer import Tokenizer
from aion_encoder.vocabulary import check_tokens
from tests.aion_encoder.hazards.official import (
    HSC_BANDS,
    LS_BANDS,
    ImageMaker,
    official_image,
    our_tokens,
)


def test_02_several_images_at_once(
    tiny: Encoder, official_codecs: list[tuple[str, Any]], make_image: ImageMaker
) -> None:
    """The official manager keeps only the last of several observations of one kind."""
    images = [make_image() for _ in range(3)]
    official = CodecManager().encode(*(official_image(image) for image in images))
    assert official["tok_image"].shape == (1, 576)
    ours = our_tokens(tiny, *images)
    assert ours.shape == (3, 576)
    np.testing.assert_array_equal(ours[2], official["tok_image"][0].numpy())
    assert len(np.unique(ours, axis=0)) == 3


def test_03_the_pixels_of_the_caller(
    tiny: Encoder, image_codec: Any, make_image: ImageMaker
) -> None:
    """The official tokenizer clamps and rescales the picture that it is given."""
    flux = np.array(make_image("hsc", 96).flux)
    tensor = torch.tensor(flux)[None]
    official = [image_codec.encode(HSCImage(flux=tensor, bands=HSC_BANDS)) for _ in range(2)]
    assert (official[0] != official[1]).float().mean() > 0.2
    assert not np.array_equal(tensor[0].numpy(), flux)

    mine = flux.copy()
    image = Image(mine, HSC_BANDS, "hsc")
    ours = [our_tokens(tiny, image) for _ in range(2)]
    np.testing.assert_array_equal(*ours)
    np.testing.assert_array_equal(ours[0][0], official[0][0].numpy())
    np.testing.assert_array_equal(mine, flux)
    np.testing.assert_array_equal(image.flux, flux)
    assert not image.flux.flags.writeable


def test_04_memory_mapped_files(
    tiny: Encoder, image_codec: Any, make_image: ImageMaker, tmp_path: Path
) -> None:
    """The official tokenizer overwrites the file behind a memory map."""
    path = tmp_path / "flux.npy"
    np.save(path, np.array(make_image("hsc", 96).flux))
    original = path.read_bytes()
    mapped = np.load(path, mmap_mode="r+")
    image_codec.encode(HSCImage(flux=torch.from_numpy(mapped)[None], bands=HSC_BANDS))
    mapped.flush()
    assert path.read_bytes() != original

    path.write_bytes(original)
    for mode in ("r", "r+"):
        mapped = np.load(path, mmap_mode=mode)  # type: ignore[call-overload]
        our_tokens(tiny, Image(mapped, HSC_BANDS, "hsc"))
        assert path.read_bytes() == original


@pytest.mark.parametrize(("side", "count"), [(95, 1), (64, 64)])
def test_05_small_pictures(image_codec: Any, side: int, count: int) -> None:
    """Below 96 pixels the official crop starts at a negative index, and few tokens come out."""
    flux = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(1))
    tokens = image_codec.encode(LegacySurveyImage(flux=flux, bands=LS_BANDS))
    assert tokens.shape[1] <= count
    with pytest.raises(ObservationError, match=f"too few pixels.* got {side} x {side}"):
        Image(flux[0].numpy(), LS_BANDS, "legacysurvey")
    with pytest.raises(TokenError, match="tok_image must be 576 tokens per observation"):
        check_tokens("tok_image", tokens.numpy().astype(np.int64))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_06_missing_pixels(
    tiny: Encoder, model: Any, image_codec: Any, make_image: ImageMaker, value: float
) -> None:
    """One NaN makes every official token the smallest integer."""
    good, other = make_image(side=96), make_image(side=96)
    flux = good.flux.copy()
    flux[1, 50, 60] = np.nan
    raw = image_codec.encode(
        LegacySurveyImage(flux=torch.tensor(np.stack([flux, other.flux])), bands=LS_BANDS)
    )
    assert (raw[0] == -(2**31)).all()
    with pytest.raises(IndexError):
        model.encode({"tok_image": raw.long()}, num_encoder_tokens=576)
    with pytest.raises(TokenError, match="tok_image must lie in 0-4374, got -2147483648"):
        check_tokens("tok_image", raw.numpy().astype(np.int64))

    flux[1, 50, 60] = value
    filled = good.flux.copy()
    filled[1, 50, 60] = 0.0
    ours = our_tokens(
        tiny,
        Image(flux, LS_BANDS, "legacysurvey"),
        Image(filled, LS_BANDS, "legacysurvey"),
        other,
    )
    np.testing.assert_array_equal(ours[0], ours[1])
    np.testing.assert_array_equal(ours[2], raw[1].numpy())


class _Constant(torch.nn.Module):
    """A tokenizer that sees nothing, as with NaN on CUDA or with a dead latent grid."""

    def __init__(self, token: int) -> None:
        super().__init__()
        self.token = token

    def encode(self, item: Any) -> torch.Tensor:
        return torch.full((len(item.flux), 576), self.token)


def test_06_tokens_that_are_all_equal(make_image: ImageMaker) -> None:
    """On CUDA a NaN may become 576 valid tokens 0, without any error, for each such object."""
    dead = Tokenizer({"image": _Constant(0)}, ["tok_image"], torch.device("cpu"))
    check_tokens("tok_image", np.zeros((1, 576), np.int64))
    (alone,) = dead.encode([make_image()])
    assert "the same token everywhere" in alone.refusal
    assert not alone.tokens
    with pytest.raises(TokenError, match="3 different observations got the same tokens"):
        dead.encode([make_image() for _ in range(3)])


class _Recorder(torch.nn.Module):
    """A tokenizer that notes where its input lies."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.device] = []
        self.register_buffer("here", torch.zeros(1))

    def encode(self, item: Any) -> torch.Tensor:
        self.seen.append(item.flux.device)
        return torch.arange(576).repeat(len(item.flux), 1)


def test_07_devices(image_codec: Any, make_image: ImageMaker, tiny_directory: Path) -> None:
    """The official tokenizer is not given its input on its own device."""
    elsewhere = load_codec(tiny_directory, "image").to("meta")
    image = make_image()
    with pytest.raises(RuntimeError, match="device"):
        elsewhere.encode(official_image(image))  # type: ignore[operator]
    recorder = _Recorder()
    (result,) = Tokenizer({"image": recorder}, ["tok_image"], torch.device("meta")).encode([image])
    assert {device.type for device in recorder.seen} == {"meta"}
    assert result.tokens["tok_image"].shape == (576,)
