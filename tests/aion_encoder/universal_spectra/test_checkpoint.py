"""Weights: found, complete, and of a stated identity."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_spectra import TINY, see
from safetensors.torch import load_file, save_file

from aion_encoder import CheckpointError, EncoderError, Pooling
from aion_encoder.universal_spectra import (
    SMALL,
    UniversalSpectraEncoder,
    open_universal_encoder,
)
from aion_encoder.universal_spectra import checkpoint as checkpoint_module
from aion_encoder.universal_spectra.checkpoint import locate, write_checkpoint
from aion_encoder.universal_spectra.model import blank_model
from aion_encoder.universal_spectra.preparation import PREPARATION_VERSION

MODEL, CONFIG = "model.safetensors", "config.json"
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def copy(tiny_directory: Path, tmp_path: Path) -> Path:
    """A copy of the small checkpoint that a test may spoil."""
    return Path(shutil.copytree(tiny_directory, tmp_path / "copy"))


def edit_tensors(path: Path, change: Callable[[Tensors], object]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def edit_config(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_identity(tiny: UniversalSpectraEncoder, tiny_directory: Path) -> None:
    identity = tiny.identity
    assert identity.repository == identity.codecs_repository == "tiny"
    assert set(identity.files) == {CONFIG, MODEL}
    assert identity.preprocessing == PREPARATION_VERSION
    assert (identity.pooling, identity.dim) == (Pooling.LEARNED, 16)
    assert identity.comparable("spectrum")
    assert identity.vector_dim("spectrum") == 16
    assert tiny.title == "a trial"
    mean = open_universal_encoder(str(tiny_directory), pooling=Pooling.MEAN_ENCODER).identity
    assert (mean.pooling, mean.dim) == (Pooling.MEAN_ENCODER, 32)
    assert mean.digest != identity.digest
    assert mean.vector_dim("spectrum") == 32


def test_that_the_digest_follows_the_weights_and_not_the_place(
    copy: Path, tiny: UniversalSpectraEncoder, tmp_path: Path
) -> None:
    moved = copy.rename(tmp_path / "renamed")
    assert open_universal_encoder(str(moved)).identity.digest == tiny.identity.digest
    edit_tensors(moved / MODEL, lambda t: t["encoder.norm.weight"].mul_(2.0))
    assert open_universal_encoder(str(moved)).identity.digest != tiny.identity.digest


def test_poolings_that_the_weights_cannot_give(tmp_path: Path, tiny_directory: Path) -> None:
    write_checkpoint(tmp_path / "plain", blank_model(TINY, 1))
    plain = open_universal_encoder(str(tmp_path / "plain"))
    assert plain.identity.pooling is Pooling.MEAN_ENCODER
    with pytest.raises(EncoderError, match="must be mean_encoder with the weights plain, got lear"):
        open_universal_encoder(str(tmp_path / "plain"), pooling=Pooling.LEARNED)
    with pytest.raises(EncoderError, match=r"must be learned or mean_encoder .* got mean_output"):
        open_universal_encoder(str(tiny_directory), pooling=Pooling.MEAN_OUTPUT)


def test_windows_without_a_head(tmp_path: Path) -> None:
    config = TINY.model_copy(update={"pooling": "windows", "windows": 12, "window_dim": 4})
    write_checkpoint(tmp_path / "pool", blank_model(config, 1))
    encoder = open_universal_encoder(str(tmp_path / "pool"))
    assert (encoder.identity.pooling, encoder.identity.dim) == (Pooling.LEARNED, 12 * 5)
    vectors = encoder.encode([see()]).vectors
    assert np.linalg.norm(vectors[0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("/nowhere/at/all", "'spectra-demo' or a directory, got '/nowhere/at/all', which is none"),
        ("demo", "'spectra-demo' or a directory, got 'demo'"),
    ],
)
def test_weights_that_are_nothing(weights: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_universal_encoder(weights)


def test_the_demo(monkeypatch: pytest.MonkeyPatch, tiny_directory: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(checkpoint_module, "DEMO", tiny_directory)
    assert locate("spectra-demo").repository == "spectra-demo"
    monkeypatch.setattr(checkpoint_module, "DEMO", tmp_path / "nothing")
    with pytest.raises(CheckpointError, match=r"bundled weights are missing from .*: install the"):
        locate("spectra-demo")


def test_a_device_that_is_not_there(tiny_directory: Path) -> None:
    with pytest.raises(EncoderError, match="device must be auto, cpu, cuda or cuda:<number>"):
        open_universal_encoder(str(tiny_directory), device="tpu")


@pytest.mark.parametrize("name", [CONFIG, MODEL])
def test_missing_files(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match=rf"{name} is missing: a checkpoint must hold"):
        open_universal_encoder(str(copy))


def test_a_truncated_file(copy: Path) -> None:
    (copy / MODEL).write_bytes((copy / MODEL).read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="must be a complete safetensors file"):
        open_universal_encoder(str(copy))


def test_a_config_that_is_no_json(copy: Path) -> None:
    (copy / CONFIG).write_text("{")
    with pytest.raises(CheckpointError, match="must be readable JSON"):
        open_universal_encoder(str(copy))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(kind="aion"), "kind: Input should be 'universal-spectra'"),
        (lambda c: c.update(version=2), "version: Input should be 1"),
        (lambda c: c.update(codecs=1), "codecs: Extra inputs are not permitted"),
        (lambda c: c.pop("model"), "model: Field required"),
        (lambda c: c["model"].update(heads=5), "model: Value error, dim must divide by heads"),
        (lambda c: c["model"].update(rotary=True), "model.rotary: Extra inputs"),
    ],
)
def test_configs_that_are_wrong(
    copy: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit_config(copy / CONFIG, change)
    with pytest.raises(
        CheckpointError, match=rf"must describe a universal spectral tokenizer, but {message}"
    ):
        open_universal_encoder(str(copy))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("decoder.pixels.bias"), "missing: decoder.pixels.bias; unexpected: none"),
        (lambda t: t.update(junk=torch.zeros(1)), "missing: none; unexpected: junk"),
        (
            lambda t: t.update({"encoder.norm.weight": torch.ones(31)}),
            r"encoder.norm.weight must have the shape \(32,\), got \(31,\)",
        ),
        (
            lambda t: t.update({"encoder.norm.weight": torch.full((32,), torch.nan)}),
            "encoder.norm.weight holds values that are not finite",
        ),
        (
            lambda t: t.update({"encoder.norm.weight": torch.ones(32, dtype=torch.int32)}),
            "encoder.norm.weight must be of type torch.float32, got torch.int32",
        ),
    ],
)
def test_weights_that_do_not_fit(
    copy: Path, change: Callable[[Tensors], object], message: str
) -> None:
    edit_tensors(copy / MODEL, change)
    with pytest.raises(CheckpointError, match=message):
        open_universal_encoder(str(copy))


def test_a_config_of_other_weights(copy: Path) -> None:
    edit_config(copy / CONFIG, lambda c: c["model"].update(head_dim=0))
    with pytest.raises(CheckpointError, match=r"unexpected: head.bend.bias, head.bend.weight"):
        open_universal_encoder(str(copy))
    edit_config(copy / CONFIG, lambda c: c["model"].update(head_dim=8))
    with pytest.raises(CheckpointError, match=r"config.json and weights do not belong together"):
        open_universal_encoder(str(copy))


def test_half_precision_on_disk_and_single_in_memory(tmp_path: Path) -> None:
    model = blank_model(TINY, 3)
    write_checkpoint(tmp_path / "half", model)
    write_checkpoint(tmp_path / "again", model)
    write_checkpoint(tmp_path / "full", model, half=False)
    assert (tmp_path / "half" / MODEL).read_bytes() == (tmp_path / "again" / MODEL).read_bytes()
    stored = load_file(tmp_path / "half" / MODEL)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    half, full = (open_universal_encoder(str(tmp_path / name)) for name in ("half", "full"))
    assert {value.dtype for value in half.model.parameters()} == {torch.float32}
    assert not half.model.training
    np.testing.assert_allclose(
        half.encode([see()]).vectors, full.encode([see()]).vectors, atol=5e-3
    )
    for name, value in full.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_that_the_bundled_size_is_small_on_disk(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"head_dim": 128})
    write_checkpoint(tmp_path / "small", blank_model(config, 1))
    size = sum(path.stat().st_size for path in (tmp_path / "small").iterdir())
    assert size < 10_000_000


def test_a_caller_with_other_defaults(tiny_directory: Path, tiny: UniversalSpectraEncoder) -> None:
    spectrum = see()
    expected = tiny.encode([spectrum]).vectors
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            opened = open_universal_encoder(str(tiny_directory), device="cpu")
            np.testing.assert_allclose(opened.encode([spectrum]).vectors, expected, atol=1e-6)
            assert np.all(np.isfinite(opened.reconstruct(spectrum).flux))
    finally:
        torch.set_default_dtype(torch.float32)
