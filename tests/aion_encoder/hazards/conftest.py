"""The parts of the official package, as it loads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aion import AION
from aion.codecs.image import ImageCodec
from aion.codecs.manager import CodecManager

from aion_encoder.codecs import load_codec


@pytest.fixture(scope="module")
def model(tiny_directory: Path) -> Any:
    """The transformer as the official package loads it."""
    return AION.from_pretrained(str(tiny_directory)).eval()


@pytest.fixture(scope="module")
def image_codec(tiny_directory: Path) -> Any:
    return load_codec(tiny_directory, "image")


@pytest.fixture(scope="module")
def spectrum_codec(tiny_directory: Path) -> Any:
    return load_codec(tiny_directory, "spectrum")


@pytest.fixture
def official_codecs(
    monkeypatch: pytest.MonkeyPatch, image_codec: Any
) -> Iterator[list[tuple[str, Any]]]:
    """Let the official manager load tokenizers without a network; lists what it asked for."""
    asked: list[tuple[str, Any]] = []

    def from_pretrained(cls: type, where: str, modality: Any) -> Any:
        asked.append((where, modality))
        codec = ImageCodec(
            quantizer_levels=[7, 5, 5, 5, 5], hidden_dims=16, multisurvey_projection_dims=18,
            num_consecutive=1,
        )  # fmt: skip
        codec.load_state_dict(image_codec.state_dict())
        return codec

    monkeypatch.setattr(ImageCodec, "from_pretrained", classmethod(from_pretrained))
    CodecManager._load_codec_from_hf.cache_clear()
    CodecManager._load_codec.cache_clear()
    yield asked
    CodecManager._load_codec_from_hf.cache_clear()
    CodecManager._load_codec.cache_clear()
