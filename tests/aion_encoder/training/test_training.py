"""The whole training pipeline on a handful of simulated sources: it must run, resume and load."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from aion_encoder import open_encoder
from aion_encoder.checkpoint import load_transformer
from aion_encoder.identity import Pooling
from aion_encoder.surveys import SURVEYS
from aion_encoder.training.batches import Batch, Drawer, MaskedRecipe, TokenSky
from aion_encoder.training.card import write_card
from aion_encoder.training.image_codec import ImageRecipe
from aion_encoder.training.masked import _loss, train_transformer, transformer_config
from aion_encoder.training.means import Means
from aion_encoder.training.measures import neighbour_scores, partner_ranks
from aion_encoder.training.measuring import encode_all, measure, write_spaces
from aion_encoder.training.pooling import PoolingRecipe
from aion_encoder.training.simulated import SCALARS, observe, pack, packed_sky
from aion_encoder.training.spectrum_codec import SpectrumRecipe
from aion_encoder.training.stages import Recipe, recipe_from, run_stage
from aion_encoder.training.tokens import read_tokens

SOURCES = 24

HOURS = {"sky": {"hours": 0.1, "on": "14 cores of a kind"}}

RECIPE = Recipe(
    codec_sources=SOURCES,
    sources=SOURCES,
    chunk=12,
    image=ImageRecipe(steps=6, batch=6),
    spectrum=SpectrumRecipe(steps=4, batch=3, fast=False),
    masked=MaskedRecipe(steps=10, batch=4, input_tokens=32, target_tokens=16),
    image_codec={
        "quantizer_levels": [7, 5, 5, 5, 5],
        "hidden_dims": 16,
        "multisurvey_projection_dims": 9,
        "n_compressions": 2,
        "num_consecutive": 1,
        "embedding_dim": 5,
    },
    spectrum_codec={
        "encoder_depths": [1, 1, 1, 1],
        "encoder_dims": [8, 8, 16, 16],
        "decoder_depths": [1, 1, 1, 1],
        "decoder_dims": [16, 8, 8, 2],
        "latent_channels": 16,
        "embedding_dim": 10,
    },
    pooling=PoolingRecipe(
        width={"image": 4, "spectrum": 2, "xp": 2},
        hidden={"image": 4, "spectrum": 4, "xp": 4},
        steps=50,
        batch=12,
    ),
    pooling_sources=SOURCES,
    dim=24,
    encoder_depth=1,
    decoder_depth=1,
    num_heads=2,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    for stage in (
        "sky",
        "image-codec",
        "spectrum-codec",
        "scalar-codecs",
        "image-tokens",
        "other-tokens",
        "transformer",
    ):
        run_stage(stage, folder, RECIPE, Means())
    return folder


def test_trained_checkpoint_loads_strictly_and_encodes_every_survey(work: Path) -> None:
    encoder = open_encoder(str(work / "checkpoint"), device="cpu")
    sky = packed_sky([work / "sky" / "000.npz"])
    for survey in ("legacysurvey", "hsc", "sdss", "desi", "gaia"):
        vectors = encoder.encode_alone([observe(sky, row, survey) for row in (1, 2)])
        modality = SURVEYS[survey].modality
        assert vectors.shape == (2, encoder.identity.vector_dim(modality))
        assert np.isfinite(vectors).all()
        assert not np.allclose(vectors[0], vectors[1])


def test_released_decoder_keeps_only_the_outputs_of_the_recipe(work: Path) -> None:
    config = json.loads((work / "checkpoint" / "config.json").read_text())
    assert config["domains_out"] == sorted(RECIPE.domains_out)
    encoder = open_encoder(str(work / "checkpoint"), device="cpu", keep_decoder=True)
    assert set(encoder.model.decoder_embeddings) == set(RECIPE.domains_out)


def test_weights_are_kept_in_half_precision(work: Path) -> None:
    tensors = load_file(work / "checkpoint" / "model.safetensors")
    learned = {tensor.dtype for name, tensor in tensors.items() if name.endswith("weight")}
    assert learned == {torch.float16}


def test_training_resumes_where_it_stopped(work: Path) -> None:
    before = torch.load(work / "transformer.pt", weights_only=True)
    assert before["step"] == RECIPE.masked.steps
    run_stage("transformer", work, RECIPE, Means())
    after = torch.load(work / "transformer.pt", weights_only=True)
    for name, tensor in before["model"].items():
        assert torch.equal(tensor, after["model"][name]), name


def test_tokens_agree_with_the_encoders_own(work: Path) -> None:
    stored = {
        **TokenSky.load(work / "tokens" / "images-000.npz").tokens,
        **TokenSky.load(work / "tokens" / "others-000.npz").tokens,
    }
    sky = packed_sky([work / "sky" / "000.npz"])
    encoder = open_encoder(str(work / "checkpoint"), device="cpu")
    for survey, key in (("legacysurvey", "tok_image"), ("desi", "tok_spectrum_desi")):
        encoded = encoder.encode([(observe(sky, row, survey),) for row in range(6)], tokens=True)
        assert encoded.tokens is not None
        assert (encoded.tokens[key] == stored[key][:6]).mean() > 0.97


def test_card_states_what_was_measured(work: Path, tmp_path: Path) -> None:
    paths = [work / "sky" / "000.npz", work / "sky" / "001.npz"]
    sky = packed_sky(paths)
    checkpoint = work / "checkpoint"
    vectors = encode_all(checkpoint, paths, tmp_path, few=24)
    again = encode_all(checkpoint, paths, tmp_path, few=24)
    (pooling,) = vectors
    assert pooling is Pooling.LAYERED_PART_MEANS
    for survey, values in vectors[pooling].items():
        assert np.array_equal(values, again[pooling][survey], equal_nan=True)
    measures = measure(checkpoint, sky, vectors, asking=8, gallery=16)
    write_spaces(checkpoint, vectors, len(sky))
    write_card(checkpoint, measures, asdict(RECIPE), sky, _log(work), HOURS, "As it happened.")
    card = (checkpoint / "README.md").read_text()
    for words in (
        "demonstration",
        "simulated",
        "held-out",
        "R@10",
        "64 components",
        "codes used",
        "14 cores of a kind",
        "As it happened.",
    ):
        assert words in card
    assert set(open_encoder(str(checkpoint), device="cpu").reference_spaces) == {
        "image",
        "spectrum",
        "xp",
    }
    for figure in ("images.png", "spectra.png", "losses.png"):
        assert (checkpoint / figure).stat().st_size > 1000


def test_a_pooling_is_learned_on_top(work: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    shutil.copytree(work, folder)
    run_stage("features", folder, RECIPE, Means())
    assert not list((folder / "features").glob("*.claimed"))
    run_stage("pooling", folder, RECIPE, Means())
    checkpoint = folder / "checkpoint"
    encoder = open_encoder(str(checkpoint), device="cpu")
    assert encoder.identity.pooling is Pooling.LEARNED
    assert set(encoder.bridges) == {"image", "spectrum", "xp"}
    paths = [folder / "sky" / "000.npz", folder / "sky" / "001.npz"]
    sky = packed_sky(paths)
    vectors = encode_all(checkpoint, paths, tmp_path, few=24)
    assert list(vectors) == [Pooling.LEARNED, Pooling.LAYERED_PART_MEANS]
    length = np.linalg.norm(vectors[Pooling.LEARNED]["desi"], axis=1)
    np.testing.assert_allclose(length, 1.0, atol=1e-5)
    measures = measure(checkpoint, sky, vectors, asking=8, gallery=16)
    assert set(measures["neighbours"]["gaia"]) == {
        "learned",
        "layered_part_means",
        "principal_components",
    }
    write_spaces(checkpoint, vectors, len(sky))
    assert open_encoder(str(checkpoint), device="cpu").reference_spaces == {}
    write_card(checkpoint, measures, asdict(RECIPE), sky, _log(folder), HOURS)
    card = (checkpoint / "README.md").read_text()
    for words in ("learned pooling", "frozen means", "Class and redshift", "legacysurvey -> desi"):
        assert words in card


def _log(work: Path) -> Path:
    """Ten steps log nothing; a card needs losses to draw."""
    rows = [{"step": step, "tok_z": 7.0 - step / 100} for step in (50, 100)]
    (work / "logs" / "transformer.json").write_text(json.dumps(rows))
    return work / "logs"


def test_sky_is_packed_the_same_twice(work: Path, tmp_path: Path) -> None:
    pack(tmp_path / "again.npz", RECIPE.seed, 0, 2)
    one, two = packed_sky([work / "sky" / "000.npz"]), packed_sky([tmp_path / "again.npz"])
    assert np.array_equal(one.images["hsc"][:2], two.images["hsc"])
    assert np.array_equal(one.spectra["sdss"].flux[:2], two.spectra["sdss"].flux)


def _all_tokens(work: Path) -> TokenSky:
    names = sorted(path.name for path in (work / "tokens").glob("images-*.npz"))
    return read_tokens(work, [Path(name.removeprefix("images-")) for name in names])


def test_batches_never_ask_for_what_they_show(work: Path) -> None:
    sky = _all_tokens(work)
    drawer = Drawer(sky, replace(RECIPE.masked, pooled_share=0.0), tuple(SCALARS), seed=3)
    for _ in range(50):
        batch = drawer.draw()
        assert not batch.pooled
        assert "tok_z" not in batch.inputs
        assert "tok_shape_r" not in batch.inputs
        for key in set(batch.inputs) & set(batch.targets):
            shown, asked = batch.inputs[key][0], batch.targets[key][0]
            for row in range(len(shown)):
                assert not set(shown[row].tolist()) & set(asked[row].tolist())


def test_pooled_batches_show_one_modality_and_all_of_a_spectrum(work: Path) -> None:
    sky = _all_tokens(work)
    drawer = Drawer(sky, replace(RECIPE.masked, pooled_share=1.0), tuple(SCALARS), seed=3)
    seen = set()
    for _ in range(50):
        batch = drawer.draw()
        assert batch.pooled
        assert set(SCALARS) <= set(batch.targets)
        keys = tuple(batch.inputs)
        seen.add(keys)
        for key, (places, tokens) in batch.inputs.items():
            whole = sky.tokens[key].shape[1]
            assert places.shape == tokens.shape
            assert places.shape[1] == whole or (whole == 576 and places.shape[1] == 192)
            assert all(len(set(row.tolist())) == len(row) for row in places)
    assert seen == {
        ("tok_image",),
        ("tok_image_hsc",),
        ("tok_spectrum_sdss",),
        ("tok_spectrum_desi",),
        ("tok_xp_bp", "tok_xp_rp"),
    }


def test_the_decoder_of_a_pooled_batch_sees_only_the_means_of_parts(work: Path) -> None:
    from aion_encoder.checkpoint import load_transformer

    model = load_transformer(work / "checkpoint", keep_decoder=True)
    tokens = torch.arange(273)[None]
    inputs = {"tok_spectrum_sdss": (tokens.clone(), tokens % 1024)}
    targets = {"tok_z": (torch.zeros(1, 1, dtype=torch.long), torch.tensor([[7]]))}
    contexts = []
    decode = model.forward_decoder
    model.forward_decoder = lambda y, context, *masks: (
        contexts.append(context),
        decode(y, context, *masks),
    )[1]
    for pooled in (True, False):
        _loss(model, Batch(inputs, targets, pooled))
    mean, every = contexts
    assert mean.shape == (1, 9, RECIPE.dim)
    assert every.shape == (1, 273, RECIPE.dim)
    embedding = model.encoder_embeddings["tok_spectrum_sdss"]
    codes = embedding.pos_emb[0] + embedding.mod_emb[0]
    own = every - codes
    assert torch.allclose(mean[:, 0], own[:, 0], atol=1e-5)
    assert torch.allclose(mean[:, 1:], own[:, 1:].unflatten(1, (8, 34)).mean(dim=2), atol=1e-5)


def test_tokens_of_pictures_are_asked_for_near_the_centre(work: Path) -> None:
    sky = _all_tokens(work)
    drawer = Drawer(sky, replace(RECIPE.masked, pooled_share=1.0), tuple(SCALARS), seed=3)
    near, far = 0, 0
    for _ in range(100):
        for key, (places, _) in drawer.draw().targets.items():
            if key == "tok_image":
                radius = torch.hypot(places % 24 - 11.5, places // 24 - 11.5)
                near += int((radius < 6).sum())
                far += int((radius >= 6).sum())
    # The inner 113 of 576 places weigh 54, the outer 463 weigh 71.
    assert near / (near + far) > 0.35


def test_training_goes_on_from_a_checkpoint(work: Path, tmp_path: Path) -> None:
    recipe = replace(
        RECIPE,
        start=str(work / "checkpoint"),
        image=ImageRecipe(steps=0),
        masked=replace(RECIPE.masked, steps=1, learning_rate=0.0),
    )
    for name in ("sky", "tokens"):
        (tmp_path / name).symlink_to(work / name)
    for stage in ("image-codec", "spectrum-codec", "scalar-codecs", "transformer"):
        run_stage(stage, tmp_path, recipe, Means())
    for part in ("image", "Z", "rp_coefficients"):
        before = (work / "checkpoint/codecs" / part / "model.safetensors").read_bytes()
        after = (tmp_path / "checkpoint/codecs" / part / "model.safetensors").read_bytes()
        assert before == after, part
    spectra = [folder / "checkpoint/codecs/spectrum" for folder in (work, tmp_path)]
    first, second = (load_file(folder / "model.safetensors") for folder in spectra)
    assert any(not torch.equal(first[name], second[name]) for name in first)
    first, second = (
        load_file(folder / "checkpoint/model.safetensors") for folder in (work, tmp_path)
    )
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_tables_of_other_codes_are_learned_anew(work: Path) -> None:
    start = load_transformer(work / "checkpoint", keep_decoder=True)
    scalars = tuple(SCALARS)
    config = transformer_config(
        RECIPE.dim, RECIPE.encoder_depth, RECIPE.decoder_depth, RECIPE.num_heads, scalars
    )
    model, _ = train_transformer(
        _all_tokens(work),
        config,
        replace(RECIPE.masked, steps=0),
        scalars=scalars,
        seed=4,
        start=start,
        anew=("tok_image",),
    )
    theirs, own = start.state_dict(), model.state_dict()
    other = {name for name in theirs if not torch.equal(theirs[name], own[name])}
    assert other == {"encoder_embeddings.tok_image.token_emb.weight"}


def test_unknown_recipe_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"masked": {"stepz": 3}}))
    with pytest.raises(TypeError, match="stepz"):
        recipe_from(path)


def test_neighbours_and_partners_are_scored_right_on_planted_data() -> None:
    import pandas as pd

    rng = np.random.default_rng(5)
    hidden = rng.normal(size=(600, 6))
    left = hidden @ rng.normal(size=(6, 12)) + 0.05 * rng.normal(size=(600, 12))
    right = hidden @ rng.normal(size=(6, 9)) + 0.05 * rng.normal(size=(600, 9))
    ranks = partner_ranks(
        (left[:400], right[:400]), (left[400:], right[400:]), dimensions=6, ridge=1e-3
    )
    assert ranks["r_at_1"] > 0.8
    control = partner_ranks(
        (left[:400], right[:400]),
        (left[400:], right[400:]),
        dimensions=6,
        ridge=1e-3,
        shuffle=np.random.default_rng(1),
    )
    assert control["r_at_10"] < 0.2
    names = np.where(hidden[:, 0] > 0, "a", "b")
    table = pd.DataFrame(
        {"object_class": names, "spectral_class": "GALAXY", "z": 0.1, "mag_r": hidden[:, 0]}
    )
    table.loc[::2, "z"] = 0.2
    scores = neighbour_scores(hidden[:400], hidden[400:], table[:400], table[400:])
    assert scores.class_accuracy > 0.85
    assert scores.magnitude_r2 > 0.7
