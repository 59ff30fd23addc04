"""Weights: found, complete, and of a stated identity."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion import AION
from aion.codecs.image import ImageCodec
from aion.codecs.scalar import LogScalarCodec
from aion.modalities import Image as OfficialImage
from aion.modalities import LegacySurveyFluxG
from safetensors.torch import load_file, save_file

from aion_encoder import CheckpointError, Encoder, EncoderError, Image, Pooling, open_encoder
from aion_encoder import checkpoint as checkpoint_module
from aion_encoder.checkpoint import Settings, load_transformer, locate
from aion_encoder.checkpoint_writer import write_codec, write_settings, write_transformer
from aion_encoder.codecs import load_codec
from aion_encoder.training.blank import write_random_checkpoint

MODEL = "model.safetensors"


@pytest.fixture
def copy(tiny_directory: Path, tmp_path: Path) -> Path:
    """A copy of the small checkpoint that a test may spoil."""
    return Path(shutil.copytree(tiny_directory, tmp_path / "copy"))


def _edit_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _edit_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def _spoiled(name: str) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name] = torch.full_like(tensors[name], torch.nan)

    return change


def test_identity(tiny: Encoder, tiny_directory: Path) -> None:
    identity = tiny.identity
    assert identity.repository == identity.codecs_repository == "tiny"
    assert identity.pooling is Pooling.MEAN_CONTEXT
    assert (identity.dim, tiny.transformer.dim) == (64, 64)
    assert {"config.json", MODEL, "codecs/image/model.safetensors"} <= set(identity.files)
    assert "codecs/spectrum/config.json" in identity.files
    assert all((tiny_directory / name).is_file() for name in identity.files)


def test_that_the_digest_follows_the_weights_and_not_the_place(
    copy: Path, tiny: Encoder, tmp_path: Path
) -> None:
    moved = copy.rename(tmp_path / "renamed")
    assert open_encoder(str(moved)).identity.digest == tiny.identity.digest
    _edit_tensors(moved / MODEL, lambda t: t["encoder_norm.weight"].mul_(1.01))
    assert open_encoder(str(moved)).identity.digest != tiny.identity.digest


# A learned pooling has a file of its own: see test_learned_pooling.
@pytest.mark.parametrize("pooling", [each for each in Pooling if each is not Pooling.LEARNED])
def test_that_the_checkpoint_states_the_pooling(
    copy: Path, tiny: Encoder, pooling: Pooling
) -> None:
    write_settings(copy, Settings(pooling=pooling, title="a trial"))
    encoder = open_encoder(str(copy))
    assert encoder.identity.pooling is pooling
    assert encoder.title == "a trial"
    same = pooling is Pooling.MEAN_CONTEXT
    assert (encoder.identity.digest == tiny.identity.digest) is same


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "max"}, "pooling: Input should be"),
        ({"poling": "mean_output"}, "poling: Extra"),
    ],
)
def test_settings_that_are_wrong(copy: Path, settings: dict[str, str], message: str) -> None:
    (copy / "aion_search.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=rf"aion_search.json: {message}"):
        locate(str(copy))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("/nowhere/at/all", "there is no directory '/nowhere/at/all'"),
        ("aion-base", "must be 'demo', a directory in the official layout or a repository"),
        ("polymathic-ai/aion base", "there is no directory"),
    ],
)
def test_weights_that_are_nothing(weights: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_encoder(weights)


def test_the_demo(monkeypatch: pytest.MonkeyPatch, tiny_directory: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(checkpoint_module, "DEMO", tiny_directory)
    assert locate("demo").repository == "demo"
    monkeypatch.setattr(checkpoint_module, "DEMO", tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="bundled weights are missing"):
        locate("demo")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("tpu", "device must be auto, cpu, cuda or cuda:<number>, got 'tpu'"),
        ("meta", "device must be auto, cpu, cuda"),
        ("cuda:99", "device 'cuda:99' is not there"),
    ],
)
def test_devices_that_are_not_there(tiny_directory: Path, device: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        open_encoder(str(tiny_directory), device=device)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("config.json", "config.json is missing: weights must lie in the official layout"),
        (MODEL, "model.safetensors is missing; fetch it again"),
        (f"codecs/image/{MODEL}", "image/model.safetensors is missing; the download or copy is"),
        ("codecs/spectrum/config.json", "spectrum/config.json is missing"),
    ],
)
def test_missing_files(copy: Path, file: str, message: str) -> None:
    (copy / file).unlink()
    with pytest.raises(CheckpointError, match=message):
        open_encoder(str(copy))


def test_missing_codecs(copy: Path) -> None:
    shutil.rmtree(copy / "codecs" / "spectrum")
    shutil.rmtree(copy / "codecs" / "FLUX_G")
    with pytest.raises(CheckpointError, match="missing: spectrum; copy them from polymathic-ai"):
        open_encoder(str(copy))


@pytest.mark.parametrize("file", [MODEL, f"codecs/FLUX_G/{MODEL}"])
def test_a_truncated_file(copy: Path, file: str) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="must be a complete safetensors file"):
        open_encoder(str(copy))


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_damaged_config(copy: Path, text: str) -> None:
    (copy / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"must be readable JSON|must hold a JSON object"):
        open_encoder(str(copy))


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("config.json", {"rotary": True}, "options of AION-1; unknown: rotary; missing: none"),
        ("config.json", {"domains_in": ["tok_x"]}, "domains_in names unknown modalities: tok_x"),
        ("config.json", {"act_layer": "Swish"}, "act_layer 'Swish' is none of torch.nn"),
        ("config.json", {"num_heads": 7}, "dim must divide by num_heads, got 64 and 7"),
        ("codecs/image/config.json", {"width": 3}, "options of ImageCodec; unknown: width"),
        ("codecs/image/config.json", {"n_compressions": "2"}, "ImageCodec cannot be built"),
        ("codecs/FLUX_G/config.json", {"modality": "FLUX_R"}, "must be for 'FLUX_G'"),
        ("codecs/image/config.json", {"embedding_dim": 4}, "do not belong together"),
    ],
)
def test_configs_that_are_wrong(
    copy: Path, file: str, change: dict[str, Any], message: str
) -> None:
    _edit_json(copy / file, lambda content: content.update(change))
    with pytest.raises(CheckpointError, match=message):
        open_encoder(str(copy))


def test_a_config_with_a_missing_key(copy: Path) -> None:
    _edit_json(copy / "config.json", lambda content: content.pop("norm_bias"))
    with pytest.raises(CheckpointError, match="unknown: none; missing: norm_bias"):
        open_encoder(str(copy))


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            MODEL,
            lambda t: t.pop("encoder.1.attn.qkv.weight"),
            "missing: encoder.1.attn.qkv.weight; unexpected: none",
        ),
        (
            MODEL,
            lambda t: t.update({"encoder.2.attn.qkv.weight": torch.zeros(2)}),
            "missing: none; unexpected: encoder.2.attn.qkv.weight",
        ),
        (
            MODEL,
            lambda t: t.update({"encoder_norm.weight": torch.ones(32)}),
            r"encoder_norm.weight must have the shape \(64,\), got \(32,\)",
        ),
        (
            MODEL,
            lambda t: t.update({"encoder_norm.weight": torch.ones(64, dtype=torch.int32)}),
            "encoder_norm.weight must be of type torch.float32, got torch.int32",
        ),
        (MODEL, _spoiled("encoder_norm.weight"), "encoder_norm.weight holds values that are not"),
        (
            f"codecs/image/{MODEL}",
            lambda t: t.pop("_quantizer.levels"),
            "missing: _quantizer.levels",
        ),
        (
            f"codecs/spectrum/{MODEL}",
            lambda t: t.update({"junk": torch.zeros(1)}),
            "unexpected: junk",
        ),
    ],
)
def test_weights_that_do_not_fit(
    copy: Path, file: str, change: Callable[[dict[str, torch.Tensor]], None], message: str
) -> None:
    _edit_tensors(copy / file, change)
    with pytest.raises(CheckpointError, match=message):
        open_encoder(str(copy))


def test_tied_tensors(copy: Path) -> None:
    """One of two names is enough; two names must not disagree."""
    stored = load_file(copy / MODEL)
    names = [f"{side}_embeddings.tok_spectrum_desi.mod_emb" for side in ("decoder", "encoder")]
    assert names[0] in stored
    assert names[1] not in stored

    def under_the_other_name(tensors: dict[str, torch.Tensor]) -> None:
        tensors[names[1]] = tensors.pop(names[0])

    _edit_tensors(copy / MODEL, under_the_other_name)
    model: Any = load_transformer(copy, keep_decoder=True)
    mine = model.encoder_embeddings["tok_spectrum_desi"].mod_emb
    assert mine is model.decoder_embeddings["tok_spectrum_desi"].mod_emb
    assert torch.equal(mine, stored[names[0]])
    _edit_tensors(copy / MODEL, lambda t: t.update({names[0]: t[names[1]] + 1}))
    with pytest.raises(CheckpointError, match="are one tensor in AION-1, but differ"):
        load_transformer(copy)


def test_half_precision(copy: Path, tiny: Encoder, make_image: Callable[..., Image]) -> None:
    """Weights are widened; a table in half precision is refused unless it can be computed."""
    config = json.loads((copy / "config.json").read_text())
    write_transformer(copy, load_transformer(copy, keep_decoder=True), config, half=True)
    stored = load_file(copy / MODEL)
    assert stored["encoder_norm.weight"].dtype == torch.float16
    assert stored["encoder_embeddings.tok_image.pos_emb"].dtype == torch.float32
    encoder = open_encoder(str(copy))
    assert {value.dtype for value in encoder.model.parameters()} == {torch.float32}
    picture = make_image()
    ours, full = encoder.encode_alone([picture])[0], tiny.encode_alone([picture])[0]
    assert not np.array_equal(ours, full)
    assert ours @ full / np.linalg.norm(ours) / np.linalg.norm(full) > 0.9999

    def halve(name: str) -> Callable[[dict[str, torch.Tensor]], None]:
        return lambda tensors: tensors.update({name: tensors[name].half()})

    position = "encoder_embeddings.tok_image.pos_emb"
    _edit_tensors(copy / MODEL, halve(position))
    exact = dict(load_transformer(copy).named_buffers())[position]
    assert torch.equal(exact, dict(tiny.model.named_buffers())[position])
    flux = copy / "codecs" / "FLUX_G" / MODEL
    _edit_tensors(flux, halve("_quantizer._reservoir"))
    with pytest.raises(CheckpointError, match=r"_reservoir must be stored as torch\.float32"):
        open_encoder(str(copy))


def test_that_the_decoder_is_dropped_unless_kept(tiny_directory: Path) -> None:
    lean, full = (
        sum(value.numel() for value in model.parameters())
        for model in (
            load_transformer(tiny_directory, keep_decoder=False),
            load_transformer(tiny_directory, keep_decoder=True),
        )
    )
    assert lean < full
    kept: Any = open_encoder(str(tiny_directory), keep_decoder=True).model
    logits = kept(
        {"tok_flux_g": torch.zeros(2, 1, dtype=torch.long)},
        target_modality=[type("Z", (), {"token_key": "tok_z", "num_tokens": 1})],
    )
    assert logits["tok_z"].shape == (2, 1, 1025)


def test_that_the_official_package_reads_what_we_write(tiny_directory: Path) -> None:
    official = AION.from_pretrained(str(tiny_directory))
    ours = load_transformer(tiny_directory, keep_decoder=True)
    assert official.state_dict().keys() == ours.state_dict().keys()
    assert all(
        torch.equal(value, ours.state_dict()[name]) for name, value in official.state_dict().items()
    )


def test_that_we_read_what_the_official_package_writes(
    tmp_path: Path, tiny_directory: Path
) -> None:
    AION.from_pretrained(str(tiny_directory)).save_pretrained(tmp_path)
    config = json.loads((tiny_directory / "codecs" / "image" / "config.json").read_text())
    torch.manual_seed(3)
    ImageCodec(**config).save_pretrained(tmp_path, modality=OfficialImage)
    flux = LogScalarCodec(modality="FLUX_G", codebook_size=1024, reservoir_size=64)
    flux.quantizer._reservoir.copy_(torch.linspace(-2, 4, 64))
    flux.quantizer._generate_index_to_val()
    flux.save_pretrained(tmp_path, modality=LegacySurveyFluxG)
    ours: Any = load_codec(tmp_path, "FLUX_G")
    assert torch.equal(ours.quantizer._index_to_val, flux.quantizer._index_to_val)
    load_codec(tmp_path, "image")
    official, mine = (
        load_transformer(directory).state_dict() for directory in (tmp_path, tiny_directory)
    )
    assert all(torch.equal(value, mine[name]) for name, value in official.items())


def test_scalar_tokenizers_under_their_published_names(copy: Path) -> None:
    path = copy / "codecs" / "FLUX_G" / MODEL
    stored = load_file(path)
    save_file({name.removeprefix("_"): value for name, value in stored.items()}, path)
    codec: Any = load_codec(copy, "FLUX_G")
    assert torch.equal(codec.quantizer._index_to_val, stored["_quantizer._index_to_val"])


def test_an_unknown_tokenizer(copy: Path) -> None:
    with pytest.raises(CheckpointError, match="AION-1 has no tokenizer named 'radio'"):
        load_codec(copy, "radio")


def test_that_loading_leaves_torch_as_it_was(tiny_directory: Path) -> None:
    state = torch.random.get_rng_state()
    torch.set_default_dtype(torch.float64)
    try:
        encoder = open_encoder(str(tiny_directory))
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert {value.dtype for value in encoder.model.parameters()} == {torch.float32}


def test_random_checkpoints(tmp_path: Path) -> None:
    def digest(name: str, seed: int) -> str:
        made = write_random_checkpoint(tmp_path / name, seed=seed, modalities=["xp"])
        return open_encoder(str(made)).identity.digest

    assert digest("a", 1) == digest("b", 1) != digest("c", 2)
    assert {path.name for path in (tmp_path / "a" / "codecs").iterdir()} == {
        "bp_coefficients",
        "rp_coefficients",
    }


def test_writing_one_codec(tmp_path: Path, tiny_directory: Path) -> None:
    config = json.loads((tiny_directory / "codecs" / "spectrum" / "config.json").read_text())
    codec = load_codec(tiny_directory, "spectrum")
    write_codec(tmp_path, "spectrum", codec, config, half=True)
    again = load_codec(tmp_path, "spectrum").state_dict()
    for name, value in codec.state_dict().items():
        torch.testing.assert_close(again[name], value, atol=1e-3, rtol=1e-3)
    assert torch.equal(again["latent_grid._wavelength"], codec.latent_grid._wavelength)  # type: ignore[union-attr, arg-type]
