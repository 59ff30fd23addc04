"""Pairs of linked observations: which there are, of which source, on which side of the split."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.pairs import (
    ReleasePairs,
    Split,
    digest_of_pairs,
    gather_pairs,
    held_out_cells,
    split_cells,
    thinned,
    with_sources,
)


@dataclass
class Sky:
    """Releases whose objects are named by the source they see."""

    sources: dict[str, list[int]]
    modalities: dict[str, dict[str, list[int]]]
    cells: dict[int, int] = field(default_factory=dict)

    @property
    def releases(self):
        return list(self.sources)

    def places_with(self, release, modality):
        rows = self.modalities[release].get(modality, [])
        return np.array(rows, np.int64)

    def partners_of(self, release, rows, other):
        there = {source: row for row, source in enumerate(self.sources[other])}
        return np.array([there.get(self.sources[release][row], -1) for row in rows], np.int64)

    def cells_of(self, release):
        return np.array([self.cells.get(s, s) for s in self.sources[release]], np.int64)

    def vectors_of(self, release, modality):
        rows = self.modalities[release][modality]
        return np.array([[self.sources[release][row], row] for row in rows], np.float16)


SKY = Sky(
    sources={"a": [1, 2, 3, 4], "b": [4, 3, 9], "c": [2, 3]},
    modalities={
        # The object in row 3 of a has an image and a spectrum.
        "a": {"image": [0, 1, 3], "spectrum": [2, 3]},
        "b": {"spectrum": [0, 1, 2]},
        "c": {"image": [0, 1]},
    },
)


def test_every_pair_is_found_once():
    found = gather_pairs(SKY, ("image", "spectrum", "xp"))
    by_name = {each.name: each for each in found}
    listed = {
        name: list(zip(each.rows[0].tolist(), each.rows[1].tolist(), strict=True))
        for name, each in by_name.items()
    }
    assert listed == {
        "a:image>c:image": [(1, 0)],
        "a:image>a:spectrum": [(3, 3)],
        "a:image>b:spectrum": [(3, 0)],
        "c:image>a:spectrum": [(1, 2)],
        "c:image>b:spectrum": [(1, 1)],
        "a:spectrum>b:spectrum": [(2, 1), (3, 0)],
    }
    for each in found:
        left, right = each.take(np.arange(len(each)))
        assert left.dtype == np.float32
        # Both sides see one source, and the vectors are those of the rows.
        np.testing.assert_array_equal(left[:, 0], right[:, 0])
        np.testing.assert_array_equal(left[:, 1], each.rows[0])
        np.testing.assert_array_equal(right[:, 1], each.rows[1])
        block = each.block()
        assert (block.left, block.right) == each.modalities
        assert len(block) == len(each)


def test_pairs_of_one_source_have_one_number():
    found = {each.name: each for each in gather_pairs(SKY, ("image", "spectrum"))}
    number = {}
    for each in found.values():
        for row, source in zip(each.rows[0], each.sources, strict=True):
            number.setdefault(SKY.sources[each.releases[0]][row], set()).add(int(source))
    assert all(len(numbers) == 1 for numbers in number.values())
    assert len(set.union(*number.values())) == len(number)


def test_a_chain_is_one_source_in_one_cell():
    """A sees B and B sees C, but A does not see C: their pairs must not be divided."""
    vectors = (np.zeros((1, 2), np.float16),) * 2
    place = (np.zeros(1, np.int64),) * 2

    def pair(releases, rows, cell):
        return ReleasePairs(
            releases,
            ("image", "spectrum"),
            vectors,
            place,
            tuple(np.array([row]) for row in rows),
            np.zeros(1, np.int64),
            np.array([cell]),
        )

    ab, bc, other = (
        pair(("a", "b"), (0, 5), 700),
        pair(("c", "b"), (8, 5), 20),
        pair(("a", "b"), (1, 6), 3),
    )
    numbered = with_sources([ab, other, bc])
    assert numbered[0].sources == numbered[2].sources != numbered[1].sources
    assert [int(each.healpix_29[0]) for each in numbered] == [20, 3, 20]
    # An equal row of another release is another object.
    apart = with_sources([ab, pair(("c", "d"), (0, 5), 1)])
    assert apart[0].sources != apart[1].sources
    assert with_sources([]) == []


def many(count: int, seed: int = 0) -> ReleasePairs:
    rng = np.random.default_rng(seed)
    places = np.arange(count)
    vectors = rng.normal(size=(count, 3)).astype(np.float16)
    return ReleasePairs(
        ("a", "b"),
        ("image", "spectrum"),
        (vectors, vectors),
        (places, places),
        (places, places),
        places,
        rng.integers(0, 12 * 4**29, count),
    )


def test_pairs_are_read_in_blocks_of_a_bounded_size():
    pairs = many(25)
    blocks = list(pairs.blocks(rows=10))
    assert [len(left) for left, _ in blocks] == [10, 10, 5]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in blocks]), pairs.vectors[0])
    np.testing.assert_array_equal(np.concatenate([y for _, y in blocks]), pairs.vectors[1])


def test_thinning_is_even_and_reaches_every_release():
    pairs = [many(9000), many(900, seed=1), many(2, seed=2)]
    kept = thinned(pairs, 1000)
    assert [len(each) for each in kept] == [908, 90, 2]
    assert np.diff(kept[0].places[0]).max() <= 11
    assert [len(each) for each in thinned(pairs, 9902)] == [9000, 900, 2]


def test_the_digest_knows_every_row():
    pairs = many(50)
    assert digest_of_pairs([pairs]) == digest_of_pairs([many(50)])
    assert digest_of_pairs([pairs]) != digest_of_pairs([pairs.only(np.arange(49))])
    other = pairs.only(np.arange(50))
    other.rows[1][7] += 1
    assert digest_of_pairs([other]) != digest_of_pairs([pairs])


def test_whole_cells_are_held_out():
    rng = np.random.default_rng(0)
    healpix = rng.integers(0, 12 * 4**29, 5000)
    split = split_cells(healpix)
    assert split.order == 4
    parts = split.parts(healpix)
    shares = np.bincount(parts) / 5000
    np.testing.assert_allclose(shares, [0.65, 0.15, 0.2], atol=0.03)
    cells = split.cells(healpix)
    by_part = [set(cells[parts == part]) for part in range(3)]
    assert not by_part[0] & by_part[1]
    assert not by_part[0] & by_part[2]
    assert not by_part[1] & by_part[2]
    held_out, order = held_out_cells(healpix)
    assert order == 4
    np.testing.assert_array_equal(held_out, parts == 2)
    small = (5 << 58) + rng.integers(0, 4**20, 500)
    split = split_cells(small)
    assert split.order > 4
    assert 0.05 < (split.parts(small) == 2).mean() < 0.4


@given(st.lists(st.integers(-1, 12 * 4**29 - 1), min_size=1, max_size=30), st.integers(0, 13))
@settings(deadline=None)
def test_a_position_is_on_the_same_side_whatever_else_there_is(healpix: list[int], order: int):
    split = Split(order)
    together = split.parts(np.array(healpix))
    alone = [int(split.parts(np.array([each]))[0]) for each in healpix]
    assert together.tolist() == alone
