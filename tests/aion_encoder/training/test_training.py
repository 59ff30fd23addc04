"""The whole training pipeline on a handful of simulated sources: it must run, resume and load."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from aion_encoder import open_encoder
from aion_encoder.training.card import encode_all, measure, write_card, write_spaces
from aion_encoder.training.image_codec import ImageRecipe, train_image_codec
from aion_encoder.training.masked import MaskedRecipe, TokenSky, _Drawer
from aion_encoder.training.measures import neighbour_scores, partner_ranks
from aion_encoder.training.simulated import SCALARS, observe, pack, packed_sky
from aion_encoder.training.spectrum_codec import SpectrumRecipe
from aion_encoder.training.stages import Recipe, _token_sky, recipe_from, run_stage

SOURCES = 24

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
        run_stage(stage, folder, RECIPE)
    return folder


def test_trained_checkpoint_loads_strictly_and_encodes_every_survey(work: Path) -> None:
    encoder = open_encoder(str(work / "checkpoint"), device="cpu")
    sky = packed_sky([work / "sky" / "000.npz"])
    for survey in ("legacysurvey", "hsc", "sdss", "desi", "gaia"):
        vectors = encoder.encode_alone([observe(sky, row, survey) for row in (1, 2)])
        assert vectors.shape == (2, RECIPE.dim)
        assert np.isfinite(vectors).all()
        assert not np.allclose(vectors[0], vectors[1])


def test_released_decoder_keeps_only_the_outputs_of_the_recipe(work: Path) -> None:
    config = json.loads((work / "checkpoint" / "config.json").read_text())
    assert config["domains_out"] == sorted(RECIPE.domains_out)
    encoder = open_encoder(str(work / "checkpoint"), device="cpu", keep_decoder=True)
    assert set(encoder.model.decoder_embeddings) == set(RECIPE.domains_out)


def test_weights_are_kept_in_half_precision(work: Path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(work / "checkpoint" / "model.safetensors")
    learned = {tensor.dtype for name, tensor in tensors.items() if name.endswith("weight")}
    assert learned == {torch.float16}


def test_training_resumes_where_it_stopped(work: Path) -> None:
    before = torch.load(work / "transformer.pt", weights_only=True)
    assert before["step"] == RECIPE.masked.steps
    run_stage("transformer", work, RECIPE)
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
    assert all(np.array_equal(vectors[name], again[name], equal_nan=True) for name in vectors)
    measures = measure(checkpoint, sky, vectors, asking=8, gallery=16)
    write_spaces(checkpoint, vectors, len(sky))
    write_card(checkpoint, measures, asdict(RECIPE), sky, _log(work), {"sky": 0.1})
    card = (checkpoint / "README.md").read_text()
    for words in ("demonstration", "simulated", "held-out", "R@10", "64 components", "codes used"):
        assert words in card
    assert set(open_encoder(str(checkpoint), device="cpu").reference_spaces) == {
        "image",
        "spectrum",
        "xp",
    }
    for figure in ("images.png", "spectra.png", "losses.png"):
        assert (checkpoint / figure).stat().st_size > 1000


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


def test_image_latents_do_not_collapse_into_one_code(work: Path) -> None:
    sky = packed_sky([work / "sky" / "000.npz"])
    surveys = {"legacysurvey": (sky.images["legacysurvey"], ("DES-G", "DES-R", "DES-I", "DES-Z"))}
    _, log = train_image_codec(
        surveys, ImageRecipe(steps=60, batch=8), seed=0, config=RECIPE.image_codec
    )
    assert log[-1]["codes_in_batch"] > 30


def test_batches_never_ask_for_what_they_show(work: Path) -> None:
    sky = _token_sky(work, RECIPE)
    drawer = _Drawer(sky, RECIPE.masked, tuple(SCALARS), seed=3)
    for _ in range(50):
        inputs, targets = drawer.draw()
        assert "tok_z" not in inputs
        assert "tok_shape_r" not in inputs
        for key in set(inputs) & set(targets):
            shown, asked = inputs[key][0], targets[key][0]
            for row in range(len(shown)):
                assert not set(shown[row].tolist()) & set(asked[row].tolist())


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
