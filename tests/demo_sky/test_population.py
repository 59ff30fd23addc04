from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from demo_sky import SURVEYS, simulate
from demo_sky.defects import DEFECTS, damage, damaged_rows
from demo_sky.healpix import centre_of_pixel, pixel_of_position
from demo_sky.placement import FILE_PIXELS, file_pixel_of, surveys_of
from demo_sky.population import draw_parameters

AION_PAIRS = {
    ("legacysurvey", "hsc"): 2140,
    ("legacysurvey", "desi"): 420,
    ("legacysurvey", "sdss"): 400,
    ("hsc", "sdss"): 400,
    ("sdss", "desi"): 400,
    ("sdss", "gaia"): 100,
    ("desi", "gaia"): 60,
    ("hsc", "desi"): 0,
    ("legacysurvey", "gaia"): 0,
    ("hsc", "gaia"): 0,
}


@pytest.fixture(scope="module")
def labels() -> pd.DataFrame:
    return pd.DataFrame([source.labels for source in simulate(21, 0, 400, ())])


@pytest.mark.parametrize("objects", [200, 3000, 20000])
@pytest.mark.parametrize("seed", [0, 7])
def test_pairs_have_the_proportions_of_aion_1(objects: int, seed: int) -> None:
    pairs: Counter[tuple[str, str]] = Counter()
    singles: Counter[str] = Counter()
    for index in range(objects):
        members = surveys_of(seed, index)
        pairs.update(combinations(members, 2))
        singles.update(members)
    scale = objects / 4000
    for pair, weight in AION_PAIRS.items():
        assert pairs[pair] == pytest.approx(weight * scale, abs=4), pair
    assert min(singles[survey] for survey in SURVEYS) > 0.1 * objects


def test_classes_have_their_shares() -> None:
    drawn = [draw_parameters(7, i, np.random.default_rng([7, i])) for i in range(3000)]
    share = pd.Series([one.object_class for one in drawn]).value_counts(normalize=True)
    assert 0 < share["lens"] < 0.01
    assert 0.01 < share["ring"] < 0.035
    assert 0.01 < share["white_dwarf"] < 0.035
    assert 0.025 < share["merger"] < 0.065
    for name in ("elliptical", "spiral", "star"):
        assert 0.12 < share[name] < 0.35
    assert {one.spectral_class for one in drawn} == {"GALAXY", "QSO", "STAR"}
    # The Legacy release leaves out stars.
    assert not [p for p in drawn if p.spectral_class == "STAR" and "legacysurvey" in p.surveys]


def test_labels_are_astrophysically_sane(labels: pd.DataFrame) -> None:
    galaxies = labels[labels["spectral_class"] == "GALAXY"]
    assert galaxies["mag_r"].between(15.2, 20.6).all()
    assert galaxies["stellar_mass"].between(7.0, 12.5).all()
    median = galaxies.groupby("object_class")["stellar_mass"].median()
    assert median["elliptical"] > median["spiral"] > median["irregular"]
    specific = (
        (galaxies["sfr"] - galaxies["stellar_mass"]).groupby(galaxies["object_class"]).median()
    )
    assert specific["irregular"] > specific["spiral"] > specific["elliptical"] + 1
    stars = labels[labels["object_class"] == "star"]
    assert stars["temperature_k"].between(2900, 36000).all()
    assert labels.loc[labels["object_class"] == "white_dwarf", "logg"].between(7.4, 8.6).all()
    votes = galaxies.groupby("object_class")[["votes_spiral", "votes_merger"]].mean()
    assert votes["votes_spiral"].idxmax() == "spiral"
    assert votes["votes_merger"].idxmax() == "merger"
    assert labels["is_lens"].equals(labels["object_class"] == "lens")
    quasars = labels[labels["spectral_class"] == "QSO"]
    assert quasars["z"].max() > 2.0


def test_sources_are_apart_and_surveys_agree_on_positions() -> None:
    sources = list(simulate(21, 0, 60, ("gaia", "sdss")))
    for source in sources:
        first, second = (source.data[s] for s in ("gaia", "sdss"))
        shift = np.hypot(
            (first["ra"] - second["ra"]) * np.cos(np.radians(first["dec"])),
            first["dec"] - second["dec"],
        )
        assert 0 < shift * 3600 < 0.3
    # Neighbouring slots are the worst case for the separation.
    order = 13
    generator = np.random.default_rng(1)
    for pixel in generator.integers(FILE_PIXELS[0] << 18, FILE_PIXELS[0] + 1 << 18, 200):
        ra, dec = centre_of_pixel(order, int(pixel))
        other = [centre_of_pixel(order, int(pixel) ^ flip) for flip in (1, 2, 3)]
        distance = min(
            np.hypot((ra - r) * np.cos(np.radians(dec)), dec - d) * 3600 for r, d in other
        )
        assert distance - 2 * 3.5 * np.sqrt(2) > 5


def test_cells_fill_evenly() -> None:
    counts = Counter(file_pixel_of(7, index) for index in range(3000))
    assert set(counts) == set(FILE_PIXELS)
    assert min(counts.values()) > 250


def test_healpix_agrees_with_cdshealpix() -> None:
    nested = pytest.importorskip("cdshealpix.nested")
    units = pytest.importorskip("astropy.units")
    coordinates = pytest.importorskip("astropy.coordinates")
    generator = np.random.default_rng(5)
    ra = generator.uniform(0, 360, 500)
    dec = np.degrees(np.arcsin(generator.uniform(-1, 1, 500)))
    for order in (0, 4, 12):
        expected = nested.lonlat_to_healpix(
            coordinates.Longitude(ra, units.deg), coordinates.Latitude(dec, units.deg), order
        )
        ours = [pixel_of_position(order, *place) for place in zip(ra, dec, strict=True)]
        assert ours == list(expected)
        for pixel in ours[:50]:
            assert pixel_of_position(order, *centre_of_pixel(order, pixel)) == pixel


@pytest.mark.parametrize("survey", SURVEYS)
def test_defects_are_rare_and_of_every_kind(survey: str) -> None:
    indices = range(0, 3000, 3)
    chosen = damaged_rows(7, 3000, survey, indices)
    assert set(chosen.values()) == set(DEFECTS[survey])
    assert set(chosen) <= set(indices)
    assert len(chosen) <= 6
    assert damaged_rows(7, 3000, survey, indices) == chosen
    assert set(damaged_rows(7, 1000, survey, range(40)).values()) == set(DEFECTS[survey])
    assert not damaged_rows(7, 100, survey, range(40))


def test_damage_is_what_it_says_and_spares_the_original() -> None:
    source = next(iter(simulate(21, 3, 4, SURVEYS)))
    generator = np.random.default_rng(1)
    for survey, kinds in DEFECTS.items():
        record = source.data[survey]
        for kind in kinds:
            damaged = damage(record, kind, generator)
            if kind == "nan_pixels":
                assert 0 < np.isnan(damaged["image_array"]).sum() < 200
            elif kind == "empty_band":
                assert ((damaged["image_array"] == 0).mean(axis=(1, 2)) > 0.7).sum() == 1
            elif kind == "nan_coefficient":
                assert np.isnan(damaged["coeff"]).sum() == 1
            else:
                assert (damaged["spectrum_ivar"] == 0).all()
                assert damaged["spectrum_mask"].all() == (kind == "all_masked")
                assert damaged["spectrum_mask"].any() == (kind == "all_masked")
            for name in ("image_array", "coeff", "spectrum_flux"):
                if name in record:
                    assert np.isfinite(record[name]).all()
    with pytest.raises(ValueError, match="kind"):
        damage({}, "eaten", generator)
