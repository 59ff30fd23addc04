"""Maps of spaces: like beside like, the same again, and read as written."""

from pathlib import Path

import numpy as np
import pytest

from indexer import space_maps
from indexer.index_file import open_index
from indexer.space_maps import make_map, read_map, write_map

GROUPS = 6


def groups(count: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around a few directions, and which one each is around."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, GROUPS, count)
    vectors = np.eye(16)[group] + 0.25 * rng.standard_normal((count, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16), group


def purity(found: space_maps.SpaceMap, group: np.ndarray) -> float:
    """Share of objects whose nearest on the map is of their own group, by every distance."""
    places = np.stack([found.x, found.y], axis=1).astype(np.float64)
    apart = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    return float((group[apart.argmin(axis=1)] == group).mean())


def test_like_lies_beside_like() -> None:
    vectors, group = groups(900)
    found = make_map({("a", "image"): vectors}, {("a", "image"): None})
    assert found is not None
    assert found.method == "t-SNE"
    assert found.objects == len(found) == 900
    assert found.row.tolist() == list(range(900))
    assert max(np.abs(found.x).max(), np.abs(found.y).max()) == pytest.approx(1.0)
    # Of the two principal components of six directions in general position less is left.
    assert purity(found, group) > 0.95


def test_objects_beside_the_landmarks_are_placed_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_maps, "LANDMARKS", 600)
    vectors, group = groups(1500)
    found = make_map({("a", "image"): vectors}, {("a", "image"): None})
    assert found is not None
    others = np.setdiff1d(np.arange(1500), np.linspace(0, 1499, 600).astype(int))
    assert purity(found, group) > 0.95
    places = np.stack([found.x, found.y], axis=1)
    centres = np.stack([np.median(places[group == each], axis=0) for each in range(GROUPS)])
    nearest = ((places[others, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == group[others]).mean() > 0.9


def test_a_sample_is_picked_from_every_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_maps, "MOST_OBJECTS", 100)
    sides = {("a", "image"): groups(900)[0], ("b", "image"): groups(90)[0]}
    rows = {("a", "image"): None, ("b", "image"): np.arange(90) * 3}
    found = make_map(sides, rows)
    assert found is not None
    assert found.method == "principal components"
    assert found.objects == 990
    assert [int((found.release == code).sum()) for code in (0, 1)] == [90, 9]
    assert found.row[found.release == 1].max() == 89 * 3
    again = make_map(sides, rows)
    assert again is not None
    assert np.array_equal(again.x, found.x)


def test_the_first_components_of_few_are_those_of_a_decomposition() -> None:
    vectors, _ = groups(50)
    found = make_map({("a", "image"): vectors}, {("a", "image"): None})
    assert found is not None
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
    for column, axis in enumerate((found.x, found.y)):
        assert abs(np.corrcoef(axis, left[:, column] * values[column])[0, 1]) > 0.9999


def test_two_objects_have_no_map() -> None:
    assert make_map({("a", "image"): groups(2)[0]}, {("a", "image"): None}) is None


def test_a_map_is_read_as_it_was_written(tmp_path: Path) -> None:
    vectors, _ = groups(40)
    found = make_map(
        {("b", "xp"): vectors, ("a", "xp"): vectors[:7]}, {("b", "xp"): None, ("a", "xp"): None}
    )
    assert found is not None
    write_map(found, tmp_path / "map.parquet")
    again = read_map(tmp_path / "map.parquet")
    assert (again.releases, again.method, again.objects) == (("a", "b"), found.method, 47)
    for name in ("release", "row", "x", "y"):
        assert np.array_equal(getattr(again, name), getattr(found, name)), name


def test_an_index_has_a_map_of_every_space_of_its_own(small_index: Path) -> None:
    index = open_index(small_index)
    for space in index.info.spaces:
        found = index.map_of(space)
        if space == "shared":
            assert found is None
            continue
        assert found is not None
        assert found.objects == len(found)
        for code, release in enumerate(found.releases):
            segment = index.segment(release)
            (modality,) = segment.info.spaces[space]
            rows = segment.rows_in(space, modality)
            assert np.array_equal(found.row[found.release == code], rows)
    assert index.map_of("nothing") is None
