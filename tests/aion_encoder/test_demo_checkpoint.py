"""The bundled demonstration checkpoint: complete, small, and as good as its card says."""

import json
from pathlib import Path

import numpy as np
import pytest

from aion_encoder import Encoder, Pooling, open_encoder
from aion_encoder.training.simulated import observe, pack, packed_sky

HOME = Path(__file__).parents[2] / "aion_encoder" / "checkpoints" / "aion-demo"
UNSEEN_SEED = 77


@pytest.fixture(scope="module")
def demo() -> Encoder:
    return open_encoder("demo", device="cpu")


def test_it_is_small_enough_to_be_bundled() -> None:
    assert sum(path.stat().st_size for path in HOME.rglob("*") if path.is_file()) < 25e6


def test_its_card_says_plainly_what_it_is(demo: Encoder) -> None:
    card = (HOME / "README.md").read_text()
    for words in ("demonstration", "simulated", "hardware", "codes used", "R@10", "hours"):
        assert words in card
    assert "demonstration" in demo.title


def test_its_measures_reach_the_bars_they_are_held_to() -> None:
    measures = json.loads((HOME / "measures.json").read_text())
    assert measures["asking"] == 1000
    for pooling in ("learned", "layered_part_means"):
        partners = measures["partners"]["legacysurvey->desi"][pooling]
        assert partners["linear_map"]["r_at_10"] >= 0.6
        assert partners["linear_map_on_shuffled_pairs"]["r_at_10"] < 0.03
    for survey in ("legacysurvey", "hsc", "sdss", "desi", "gaia"):
        scores = measures["neighbours"][survey]
        for measure in ("spectral_class_accuracy", "class_accuracy", "redshift_r2"):
            assert scores["learned"][measure] >= scores["principal_components"][measure]


def test_it_brings_its_bridges(demo: Encoder) -> None:
    assert demo.identity.pooling is Pooling.LEARNED
    assert demo.reference_spaces == {}
    assert {name: head.dim for name, head in demo.bridges.items()} == {
        "image": 128,
        "spectrum": 128,
        "xp": 128,
    }


def _ranks(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    scores = one @ other.T
    return np.asarray((scores > scores.diagonal()[:, None]).sum(axis=1))


def test_observations_of_one_source_are_nearer_than_of_others(
    demo: Encoder, tmp_path: Path
) -> None:
    """Not from the card: 40 sources of a sky that nothing was measured on."""
    pack(tmp_path / "sky.npz", UNSEEN_SEED, 0, 40)
    sky = packed_sky([tmp_path / "sky.npz"])
    rows = range(len(sky))
    legacy, sdss, desi = (
        demo.encode_alone([observe(sky, row, survey) for row in rows])
        for survey in ("legacysurvey", "sdss", "desi")
    )
    # Chance is 0.025, and 0.25 for being among the ten nearest.
    assert (_ranks(sdss, desi) < 1).mean() > 0.8
    picture, spectrum = demo.bridges["image"].apply(legacy), demo.bridges["spectrum"].apply(desi)
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (picture, spectrum)]
    assert (_ranks(*unit) < 10).mean() > 0.6
