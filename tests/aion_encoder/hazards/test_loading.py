"""Known hazards of `polymathic-aion` 0.0.2 while it is loaded; see `official`."""

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from aion import AION
from aion.codecs import manager as official_manager
from aion.codecs.catalog import CatalogCodec
from aion.codecs.manager import CodecManager
from aion.codecs.utils import _codec_path_context
from aion.modalities import HSCImage, LegacySurveyCatalog, LegacySurveyImage
from huggingface_hub import hub_mixin
from safetensors.torch import load_file, save_file

import aion_encoder.codecs
from aion_encoder import CheckpointError, Encoder, open_encoder
from aion_encoder.checkpoint import load_transformer
from aion_encoder.codecs import load_codec
from aion_encoder.training.blank import write_random_checkpoint


def test_19_shared_tokenizers(
    tiny: Encoder, tiny_directory: Path, official_codecs: list[tuple[str, Any]]
) -> None:
    """Two official managers share one module; two surveys of one tokenizer load it twice."""
    first, second = CodecManager("cpu"), CodecManager("meta")
    assert first._load_codec(HSCImage) is second._load_codec(HSCImage)
    assert first._load_codec(HSCImage) is not first._load_codec(LegacySurveyImage)
    other = open_encoder(str(tiny_directory))
    assert tiny.tokenizer._codecs["image"] is not other.tokenizer._codecs["image"]
    assert {"tok_image", "tok_image_hsc"} <= set(tiny.tokenizer.token_keys)
    assert list(tiny.tokenizer._codecs).count("image") == 1


def test_20_where_tokenizers_come_from(
    tiny_directory: Path,
    official_codecs: list[tuple[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Official tokenizers come from one fixed repository, whatever the transformer's is."""
    monkeypatch.setattr("aion.codecs.config.HF_REPO_ID", "someone/else")
    CodecManager()._load_codec(HSCImage)
    assert official_codecs == [("polymathic-ai/aion-base", HSCImage)]
    assert official_manager.HF_REPO_ID == "polymathic-ai/aion-base"
    official_codecs.clear()
    identity = open_encoder(str(tiny_directory)).identity
    assert not official_codecs
    assert identity.codecs_repository == identity.repository == "tiny"


def test_21_constants_of_other_libraries(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the official package loads a tokenizer, any other load in the process goes wrong."""
    with _codec_path_context(HSCImage):
        assert hub_mixin.constants.CONFIG_NAME == "codecs/image/config.json"
    seen: list[str] = []
    load_strictly = aion_encoder.codecs.load_strictly

    def spy(*given: Any, **options: Any) -> None:
        seen.append(hub_mixin.constants.CONFIG_NAME)
        load_strictly(*given, **options)

    monkeypatch.setattr(aion_encoder.codecs, "load_strictly", spy)
    open_encoder(str(tiny_directory))
    assert set(seen) == {"config.json"}


def test_22_a_missing_tensor(tiny_directory: Path, tmp_path: Path) -> None:
    """The official loader leaves what the file lacks at random values."""
    directory = Path(shutil.copytree(tiny_directory, tmp_path / "copy"))
    path = directory / "model.safetensors"
    tensors = load_file(path)
    name = "encoder.0.mlp.fc2.weight"
    stored = tensors.pop(name)
    save_file(tensors, path)
    loaded = AION.from_pretrained(str(directory)).state_dict()[name]
    assert not torch.equal(loaded, stored)
    with pytest.raises(CheckpointError, match=f"missing: {name}; unexpected: none"):
        open_encoder(str(directory))


def test_23_a_missing_config(tmp_path: Path) -> None:
    """The official loader names a constructor's argument; the reason is a missing file."""
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'config'"):
        AION.from_pretrained(str(tmp_path))
    with pytest.raises(CheckpointError, match=r"config\.json is missing: weights must lie in"):
        open_encoder(str(tmp_path))


def test_24_catalogues_never_reach_the_model(tmp_path: Path) -> None:
    """Tokens of the official catalogue tokenizer lie outside the model's vocabulary."""
    directory = write_random_checkpoint(
        tmp_path, seed=2, modalities=["xp"], changes={"domains_in": ["catalog", "tok_xp_bp"]}
    )
    model = AION.from_pretrained(str(directory)).eval()
    empty = {
        key: torch.full((1, 20), 9999) for key in ("X", "Y", "SHAPE_E1", "SHAPE_E2", "SHAPE_R")
    }
    empty["X"][0, 0] = empty["Y"][0, 0] = 48
    floats = {key: value.float() if "SHAPE" in key else value for key, value in empty.items()}
    for key in ("SHAPE_E1", "SHAPE_E2", "SHAPE_R"):
        floats[key][0, 0] = 0.5
    tokens = CatalogCodec().encode(LegacySurveyCatalog(**floats))
    with pytest.raises(IndexError):
        model.encode({"catalog": tokens}, num_encoder_tokens=200)
    assert open_encoder(str(directory)).tokenizer.token_keys == ("tok_xp_bp",)


def test_28_position_codes_stay_exact(tiny: Encoder, tiny_directory: Path) -> None:
    """Casting the official model to bfloat16 rounds its position codes, too."""
    rough: Any = load_transformer(tiny_directory).bfloat16()
    codes = tiny.model.encoder_embeddings["tok_image"].pos_emb
    assert not torch.equal(rough.encoder_embeddings["tok_image"].pos_emb.float(), codes)
    tensors = [*tiny.model.parameters(), *tiny.model.buffers()]
    assert {value.dtype for value in tensors if value.is_floating_point()} == {torch.float32}
    assert "bfloat16()" not in inspect.getsource(type(tiny.transformer))


def test_30_a_caller_with_another_default_device(tiny_directory: Path, tiny: Encoder) -> None:
    """The official model cannot be built where the caller's default device is meta."""
    config = json.loads((tiny_directory / "config.json").read_text())
    config["drop_path_rate_encoder"] = 0.0
    with torch.device("meta"), pytest.raises((RuntimeError, NotImplementedError)):
        AION(config)
    with torch.device("meta"):
        model = load_transformer(tiny_directory)
        codec = load_codec(tiny_directory, "spectrum")
    assert {value.device.type for value in [*model.parameters(), *codec.buffers()]} == {"cpu"}
