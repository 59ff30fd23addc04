"""Our vectors against the official package's own encoder, at the real sizes.

Random weights, 12 blocks of 768 dimensions, 576 image tokens, 273 spectrum tokens, 110 XP tokens
and scalars. The second road is the package's `embed_inputs` and `_encode`, pooled by hand.
"""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aion import AION

from aion_encoder import (
    ABSENT_TOKEN,
    Encoded,
    Encoder,
    GaiaXp,
    Image,
    Photometry,
    Pooling,
    Spectrum,
    open_encoder,
)
from aion_encoder.checkpoint import load_transformer
from aion_encoder.training.blank import write_random_checkpoint
from aion_encoder.transformer import Transformer
from aion_encoder.vocabulary import modality_of

POOLINGS = (Pooling.MEAN_OUTPUT, Pooling.MEAN_CONTEXT, Pooling.MEAN_ENCODER)


@pytest.fixture(scope="module")
def base_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_checkpoint(
        tmp_path_factory.mktemp("base") / "base",
        size="base",
        seed=5,
        changes={"domains_out": ["tok_z"]},
    )


@pytest.fixture(scope="module")
def base(base_directory: Path) -> Encoder:
    return open_encoder(str(base_directory), device="cpu")


@pytest.fixture(scope="module")
def official(base_directory: Path) -> Any:
    return AION.from_pretrained(str(base_directory)).eval()


def _by_hand(model: Any, tokens: Mapping[str, np.ndarray]) -> dict[tuple[str, Pooling], np.ndarray]:
    """Pool the official outputs of one object, encoded by itself, without any mask."""
    inputs = {key: torch.tensor(ids.astype(np.int64))[None] for key, ids in tokens.items()}
    total = sum(ids.shape[1] for ids in inputs.values())
    hidden: list[torch.Tensor] = []
    handle = model.encoder_norm.register_forward_hook(lambda _m, _i, out: hidden.append(out))
    with torch.no_grad():
        embedded, codes, mask, owners = model.embed_inputs(inputs, num_encoder_tokens=total)
        context = model._encode(embedded, codes, mask)
    handle.remove()
    pooled = {}
    for modality in {modality_of(key) for key in inputs}:
        ids = [model.modality_info[key]["id"] for key in inputs if modality_of(key) == modality]
        mine = torch.isin(owners[0], torch.tensor(ids).to(owners))
        for pooling, values in zip(POOLINGS, (context, context - codes, hidden[0]), strict=True):
            pooled[modality, pooling] = values[0][mine].double().mean(dim=0).numpy()
        last, first = (values[0][mine].double().numpy() for values in (hidden[0], embedded))
        for pooling, own in (
            (Pooling.PART_MEANS, last),
            (Pooling.LAYERED_PART_MEANS, np.concatenate([first, last], axis=1)),
        ):
            # 1 + 8 x 34 tokens of one spectrum; everything else is one part.
            parts = [own[:1], *np.split(own[1:], 8)] if modality == "spectrum" else [own]
            pooled[modality, pooling] = np.concatenate([part.mean(axis=0) for part in parts])
    return pooled


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _with(pooling: Pooling, encoder: Encoder) -> Transformer:
    return Transformer(encoder.model, pooling, torch.device("cpu"))


def test_the_real_sizes(base: Encoder) -> None:
    assert base.identity.dim == 768
    assert len(base.model.encoder) == 12
    assert base.model.encoder[0].attn.num_heads == 12


@pytest.mark.timeout(300)
def test_vectors_against_the_official_encoder(
    base: Encoder,
    official: Any,
    make_image: Callable[..., Image],
    make_spectrum: Callable[..., Spectrum],
    make_xp: Callable[[], GaiaXp],
    make_photometry: Callable[..., Photometry],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every modality, alone and in mixed batches with modalities absent, for every pooling."""
    objects = [
        (make_image(), make_spectrum("sdss"), make_xp(), make_photometry()),
        (make_spectrum(), make_photometry("FLUX_G", "SHAPE_R")),
        (make_image("hsc"),),
        (make_xp(),),
        (make_photometry(),),
    ]
    encoded = base.encode(objects, tokens=True)
    assert not encoded.refusals
    rows = [_tokens_of(encoded, index) for index in range(len(objects))]
    expected = [_by_hand(official, tokens) for tokens in rows]
    compared = 0
    for pooling, padded in _all_in_one_batch(base, rows, monkeypatch).items():
        for index, of_object in enumerate(expected):
            for modality in {name for name, _ in of_object}:
                vector = of_object[modality, pooling]
                assert _cosine(padded[index][modality], vector) > 0.999999
                np.testing.assert_allclose(padded[index][modality], vector, atol=2e-4)
                if pooling is base.identity.pooling:
                    assert _cosine(encoded.vectors[modality][index], vector) > 0.999999
                compared += 1
    assert compared == 5 * 9
    for modality, present in encoded.present.items():
        held = [any(item.modality == modality for item in items) for items in objects]
        np.testing.assert_array_equal(present, held)
        assert np.isnan(encoded.vectors[modality][~present]).all()


def _tokens_of(encoded: Encoded, index: int) -> dict[str, np.ndarray]:
    assert encoded.tokens is not None
    return {
        key: table[index]
        for key, table in encoded.tokens.items()
        if table[index, 0] != ABSENT_TOKEN
    }


class _OneBatch(Transformer):
    """Puts all objects into one batch, in spite of the padding."""

    def _batches(self, objects: Any, _size: int | None) -> Any:
        yield list(range(len(objects)))


def _all_in_one_batch(
    encoder: Encoder, rows: list[dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> dict[Pooling, list[dict[str, np.ndarray]]]:
    """Every pooling of one padded batch; the blocks, the same for all, run once."""
    forward, done = encoder.model.forward_encoder, []

    def once(x: torch.Tensor, encoder_mask: torch.Tensor | None) -> torch.Tensor:
        if not done:
            assert encoder_mask is not None
            done.append((x.clone(), forward(x, encoder_mask=encoder_mask)))
        assert torch.equal(x, done[0][0])
        result: torch.Tensor = done[0][1]
        return result

    monkeypatch.setattr(encoder.model, "forward_encoder", once)
    return {
        pooling: _OneBatch(encoder.model, pooling, torch.device("cpu")).encode(rows)
        for pooling in (*POOLINGS, Pooling.PART_MEANS, Pooling.LAYERED_PART_MEANS)
    }


def test_poolings_are_related_as_stated(
    tiny: Encoder, make_xp: Callable[[], GaiaXp], make_image: Callable[..., Image]
) -> None:
    encoded = tiny.encode([(make_xp(),), (make_image(),)], tokens=True)
    rows = [_tokens_of(encoded, index) for index in range(2)]
    output, context, inner = ([*_with(which, tiny).encode(rows)] for which in POOLINGS)
    weight = tiny.model.decoder_proj_context.weight.numpy()
    bias = tiny.model.decoder_proj_context.bias.numpy()
    np.testing.assert_allclose(
        context[0]["xp"], weight @ inner[0]["xp"] + bias, atol=1e-5, rtol=1e-5
    )
    codes = [
        (tiny.model.encoder_embeddings[key].pos_emb + tiny.model.encoder_embeddings[key].mod_emb)
        for key in ("tok_xp_bp", "tok_xp_rp")
    ]
    constant = torch.cat(codes, dim=1).mean(dim=1)[0].numpy()
    np.testing.assert_allclose(output[0]["xp"] - context[0]["xp"], constant, atol=1e-5)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_fused_attention(tmp_path: Path, qk_norm: bool) -> None:
    """With and without a mask, with and without normalised queries and keys."""
    directory = write_random_checkpoint(
        tmp_path, seed=4, modalities=["photometry"], changes={"qk_norm": qk_norm}
    )
    plain, fused = (load_transformer(directory) for _ in range(2))
    Transformer(fused, Pooling.MEAN_OUTPUT, torch.device("cpu"))
    x = torch.randn(3, 40, 64, generator=torch.Generator().manual_seed(2))
    mask = torch.arange(40)[None, None] >= torch.tensor([40, 25, 7])[:, None, None]
    for given in (None, mask):
        for ours, theirs in zip(fused.encoder, plain.encoder, strict=True):  # type: ignore[arg-type]
            a, b = ours.attn(x, given), theirs.attn(x, given)
            assert "forward" in vars(ours.attn)
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_that_little_is_padded(tiny: Encoder) -> None:
    """Objects are sorted so that no batch is more than a sixteenth padding."""
    rng = np.random.default_rng(3)
    image, spectrum = np.zeros(576, np.uint16), np.zeros(273, np.uint16)
    scalars = {f"tok_flux_{band}": np.zeros(1, np.uint16) for band in "griz"}
    objects = []
    for _ in range(200):
        tokens = {key: value for key, value in scalars.items() if rng.random() < 0.5}
        tokens |= {"tok_image": image} if rng.random() < 0.5 else {}
        tokens |= {"tok_spectrum_desi": spectrum} if rng.random() < 0.5 else {}
        objects.append(tokens)
    lengths = np.array([sum(value.size for value in tokens.values()) for tokens in objects])
    batches = list(tiny.transformer._batches(objects, None))
    assert sorted(itertools.chain(*batches)) == sorted(np.flatnonzero(lengths))
    for batch in batches:
        assert lengths[batch].min() >= (1 - 1 / 16) * lengths[batch].max()
        assert lengths[batch].max() * len(batch) <= 4096 or len(batch) == 1
    assert max(len(batch) for batch in tiny.transformer._batches(objects, 5)) == 5
