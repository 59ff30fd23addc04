"""Which objects are one source."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from indexer import links as linking
from indexer.links import (
    Links,
    PairLinks,
    Positions,
    link_epochs,
    match,
    read_links,
    write_links,
)
from indexer.proper_motion import Motions

ARCSEC = 1.0 / 3600.0


def _positions(ra: list[float], dec: list[float], ids: list[str] | None = None) -> Positions:
    names = ids or [f"{number:03d}" for number in range(len(ra))]
    return Positions(np.array(ra, float), np.array(dec, float), names.__getitem__)


def _pairs(a: Positions, b: Positions) -> list[tuple[int, int]]:
    row_a, row_b, _ = match(a, b)
    return list(zip(row_a.tolist(), row_b.tolist(), strict=True))


def test_within_one_arcsecond():
    a = _positions([10.0, 20.0, 30.0], [0.0, 45.0, -80.0])
    cos = np.cos(np.radians(-80.0))
    b = _positions(
        [30.0 + 0.99 * ARCSEC / cos, 10.0 + 1.01 * ARCSEC, 20.0], [-80.0, 0.0, 45.0 - 0.5 * ARCSEC]
    )
    row_a, row_b, separation = match(a, b)
    assert row_a.tolist() == [1, 2]
    assert row_b.tolist() == [2, 0]
    np.testing.assert_allclose(separation, [0.5, 0.99], atol=1e-3)


def test_the_same_position_across_zero_hours_and_at_the_pole():
    a = _positions([0.0, 359.99999, 123.0], [5.0, -5.0, 90.0])
    b = _positions([360.0 - 0.3 * ARCSEC, 0.00001, 300.0], [5.0, -5.0, 90.0])
    assert _pairs(a, b) == [(0, 0), (1, 1), (2, 2)]


def test_reciprocal_nearest_only():
    # The second of a is nearer to the object of b than the first is.
    a = _positions([10.0, 10.0], [0.0, 0.6 * ARCSEC])
    b = _positions([10.0], [0.8 * ARCSEC])
    assert _pairs(a, b) == [(1, 0)]


def test_equal_separations_are_decided_by_id():
    a = _positions([10.0], [0.0])
    b = _positions([10.0, 10.0], [0.5 * ARCSEC, -0.5 * ARCSEC], ["z", "m"])
    assert _pairs(a, b) == [(0, 1)]
    assert _pairs(b, a) == [(1, 0)]
    twins = _positions([10.0, 10.0], [0.0, 0.0], ["z", "m"])
    assert _pairs(twins, a) == [(1, 0)]


def test_objects_without_a_position_are_linked_to_nothing():
    a = _positions([10.0, np.nan], [0.0, 0.0])
    b = _positions([np.nan, 10.0], [0.0, 0.0])
    assert _pairs(a, b) == [(0, 1)]
    assert _pairs(a, _positions([], [])) == []
    assert _pairs(a, _positions([np.nan], [1.0])) == []


def test_random_sky_against_all_pairs():
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(0, 0.003, 60), rng.uniform(0, 0.003, 60)
    a, b = _positions(ra[:30], dec[:30]), _positions(ra[30:], dec[30:])
    separation = np.hypot(
        (a.ra_deg[:, None] - b.ra_deg) * np.cos(np.radians(0.0015)), a.dec_deg[:, None] - b.dec_deg
    )
    expected = [
        (i, int(separation[i].argmin()))
        for i in range(30)
        if separation[i].min() <= ARCSEC and separation[:, separation[i].argmin()].argmin() == i
    ]
    assert expected
    assert _pairs(a, b) == expected


def _of_whole_skies(a: Positions, b: Positions) -> dict[int, tuple[int, float]]:
    """Links by trees over all objects, and rivals looked at one by one."""
    epochs = link_epochs(a, b)
    compared = None if epochs is None else epochs.compared
    placed = [np.flatnonzero(np.isfinite(side.ra_deg)) for side in (a, b)]
    trees = [cKDTree(side.at(rows, compared)) for side, rows in zip((a, b), placed, strict=True)]
    chord = 2.0 * np.sin(0.5 * np.radians(ARCSEC)) * (1.0 + 1e-9)
    near = trees[0].sparse_distance_matrix(trees[1], chord, output_type="dict")
    candidates = [
        (round(2.0 * np.degrees(np.arcsin(0.5 * chord)) / ARCSEC, 6), placed[0][i], placed[1][j])
        for (i, j), chord in near.items()
    ]
    candidates = [each for each in candidates if each[0] <= 1.0]
    best_b: dict[int, tuple[float, str, int]] = {}
    best_a: dict[int, tuple[float, str, int]] = {}
    for far, i, j in candidates:
        best_b[i] = min(best_b.get(i, (9.0, "", -1)), (far, b.object_id(j), j))
        best_a[j] = min(best_a.get(j, (9.0, "", -1)), (far, a.object_id(i), i))
    return {i: (j, far) for i, (far, _, j) in best_b.items() if best_a[j][2] == i}


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 80),
    moving=st.booleans(),
    centre=st.sampled_from([0.0, 41.0, -89.9999]),
)
def test_bands_of_any_size_give_the_same_links(seed, size, moving, centre):
    rng = np.random.default_rng(seed)
    sides = []
    for count in rng.integers(0, 60, 2):
        # So near to each other that rivals lie on the other side of the edge of a band.
        ra = rng.uniform(0.0, 4.0, count) * ARCSEC
        dec = centre + np.round(rng.uniform(-8.0, 8.0, count), 1) * ARCSEC
        dec[rng.random(count) < 0.1] = np.nan
        ra[np.isnan(dec)] = np.nan
        ids = [f"{number}" for number in rng.permutation(count)]
        motions = None
        if moving:
            motions = Motions(*rng.normal(0.0, 1000.0, (2, count)), np.full(count, np.nan))
        sides.append(
            Positions(ra, dec, ids.__getitem__, epoch_yr=2000.0 + len(sides), motions=motions)
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linking, "BAND_OBJECTS", size)
        row_a, row_b, separation = match(*sides)
    expected = _of_whole_skies(*sides) if all(np.isfinite(s.ra_deg).any() for s in sides) else {}
    found = zip(row_a.tolist(), row_b.tolist(), separation.tolist(), strict=True)
    assert {i: (j, far) for i, j, far in found} == expected
    assert (np.diff(row_a) > 0).all()


def test_partners_both_ways_and_sources(tmp_path: Path):
    ab = PairLinks(("a", "b"), np.array([0, 2, 5]), np.array([7, 1, 4]), np.zeros(3, np.float32))
    bc = PairLinks(("b", "c"), np.array([1]), np.array([9]), np.zeros(1, np.float32))
    write_links(tmp_path / "ab.arrow", ab)
    links = Links({("a", "b"): read_links(tmp_path / "ab.arrow", ("a", "b")), ("b", "c"): bc})
    assert links.partners("a", np.array([0, 1, 5, 6]), "b").tolist() == [7, -1, 4, -1]
    assert links.partners("b", np.array([1, 4, 8]), "a").tolist() == [2, 5, -1]
    assert links.partners("a", np.array([1]), "c").tolist() == [-1]
    assert links.partners("a", np.array([1]), "a").tolist() == [-1]
    assert links.source("b", 1) == (("a", 2), ("b", 1), ("c", 9))
    # A link of a link does not count.
    assert links.source("a", 2) == (("a", 2), ("b", 1))
    assert links.source("a", 1) == (("a", 1),)
