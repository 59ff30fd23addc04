"""Properties from labelled neighbours: on a sky whose truth is planted, and closed forms."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aion_encoder.observations import GaiaXp
from indexer.errors import QueryError
from indexer.estimates import (
    ClassEstimate,
    Errors,
    NoEstimate,
    NumberEstimate,
    class_votes,
    effective_number,
    errors_of,
    neighbour_weights,
    spread_of,
    weighted_quantile,
)
from indexer.examples import examples_query
from indexer.index_file import Index
from indexer.known_values import is_known, known_values, property_names
from indexer.labelled import labelled_neighbours, labelled_rows
from indexer.properties import PropertyReader
from indexer.search import Searcher, open_searcher
from tests.indexer.planted_sky import SOURCES, build_planted_index, coefficients, labelled, truth
from tests.indexer.small_sky import key_of
from tests.indexer.test_search import upload_of

NAMES = ("redshift", "object_class")


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return open_searcher(build_planted_index(tmp_path_factory.mktemp("planted")))


@pytest.fixture(scope="module")
def reader(searcher: Searcher) -> PropertyReader:
    return PropertyReader(searcher)


@pytest.fixture(scope="module")
def read(
    reader: PropertyReader, searcher: Searcher
) -> dict[int, tuple[NumberEstimate, ClassEstimate]]:
    """Estimates of the unlabelled sources; the few that have none are left out."""
    found = {}
    for source in range(SOURCES):
        if not labelled(source):
            query = searcher.query_object(f"planted-plain:P{source:04d}")
            number, vote = reader.read(query, NAMES)
            if isinstance(number, NumberEstimate) and isinstance(vote, ClassEstimate):
                found[source] = (number, vote)
    return found


def test_intervals_hold_what_they_say(
    read: dict[int, tuple[NumberEstimate, ClassEstimate]],
) -> None:
    """Within 0.05: three standard deviations of a share of 1,300, with that of the calibration."""
    sources = list(read)
    redshift = truth().redshift[sources]
    for name, share, tolerance in (("interval_68", 0.68, 0.05), ("interval_95", 0.95, 0.02)):
        ends = np.array([getattr(number, name) for number, _ in read.values()])
        held = (ends[:, 0] <= redshift) & (redshift <= ends[:, 1])
        assert held.mean() == pytest.approx(share, abs=tolerance)
        # Where the scatter is nine times larger the intervals are wider, too.
        second = truth().second[sources]
        width = ends[:, 1] - ends[:, 0]
        assert width[second > 0.8].mean() > 1.5 * width[second < 0.2].mean()
    assert all(number.calibrated for number, _ in read.values())


def test_redshifts_stay_between_those_that_are_known(
    read: dict[int, tuple[NumberEstimate, ClassEstimate]], reader: PropertyReader
) -> None:
    index = reader.searcher.index
    values = known_values(index, "redshift", None)
    known = np.concatenate([each[is_known(each)] for each in values.values()])
    for number, _ in read.values():
        assert known.min() <= number.interval_95[0] <= number.interval_95[1] <= known.max()


def test_medians_follow_the_truth(read: dict[int, tuple[NumberEstimate, ClassEstimate]]) -> None:
    sources = list(read)
    expected = 0.3 + 0.5 * truth().first[sources]
    median = np.array([number.median for number, _ in read.values()])
    assert np.corrcoef(median, expected)[0, 1] > 0.95
    assert np.median(median - expected) == pytest.approx(0.0, abs=0.005)
    # The distribution itself is there: its weighted median is the one that is stated.
    one = read[1][0]
    assert weighted_quantile(one.values, one.weights, (0.5,))[0] == pytest.approx(one.median)
    assert 5 < one.effective_number <= len(one.keys) == 16


def test_votes_are_probabilities(read: dict[int, tuple[NumberEstimate, ClassEstimate]]) -> None:
    """Of those called red with a probability around p, about p are red."""
    sources = list(read)
    red = truth().red[sources]
    stated = np.array([vote.probabilities.get("red", 0.0) for _, vote in read.values()])
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        chosen = (stated > low) & (stated < high)
        assert chosen.sum() > 150
        assert red[chosen].mean() == pytest.approx(stated[chosen].mean(), abs=0.1)
    right = np.mean([(vote.best == "red") == red[at] for at, (_, vote) in enumerate(read.values())])
    assert read[1][1].right == pytest.approx(float(right), abs=0.05)


def test_most_are_near_enough_and_the_strange_are_not(
    read: dict[int, tuple[NumberEstimate, ClassEstimate]],
    reader: PropertyReader,
    searcher: Searcher,
) -> None:
    assert 0.97 <= len(read) / (SOURCES / 2) < 1.0
    rng = np.random.default_rng(0)
    strange = GaiaXp(bp=rng.normal(0, 300, 55), rp=rng.normal(0, 300, 55))
    for estimate in reader.read(searcher.query_upload(upload_of(strange)), NAMES):
        assert isinstance(estimate, NoEstimate)
        assert "is near enough: the nearest scores" in estimate.reason
        assert "99 % of this index's own have one above" in estimate.reason
        assert estimate.document() == {
            "name": estimate.name,
            "kind": "none",
            "reason": estimate.reason,
        }


def test_an_uploaded_file_is_read_like_an_object(
    reader: PropertyReader, searcher: Searcher
) -> None:
    file = coefficients(0.5, 0.1, [1, 2, 3])
    number, vote = reader.read(searcher.query_upload(upload_of(file)), NAMES)
    assert isinstance(number, NumberEstimate)
    assert number.median == pytest.approx(0.55, abs=0.06)
    low, high = number.interval_95
    assert low < number.interval_68[0] < number.median < number.interval_68[1] < high
    assert isinstance(vote, ClassEstimate)
    document = json.loads(json.dumps([number.document(), vote.document()], allow_nan=False))
    assert document[0]["interval_68"] == pytest.approx(number.interval_68, abs=1e-6)
    assert sum(document[1]["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    assert sum(each["weight"] for each in document[0]["neighbours"]) == pytest.approx(1, abs=1e-5)


def test_own_source_never_counts(reader: PropertyReader, searcher: Searcher) -> None:
    """Source 10 is labelled through its counterpart only."""
    index = searcher.index
    values = known_values(index, "redshift")
    segment = index.segment("planted-plain")
    row = segment.row_of("P0010")
    assert row is not None
    assert np.isnan(segment.column("redshift")[row])
    assert values["planted-plain"][row] == pytest.approx(truth().redshift[10])
    for key in ("planted-plain:P0010", "planted-labels:L0010"):
        number, _ = reader.read(searcher.query_object(key), NAMES)
        assert isinstance(number, NumberEstimate)
        assert not {"planted-plain:P0010", "planted-labels:L0010"} & set(number.keys)
        # Every source counts once, though two releases have it.
        sources = [name.rpartition(":")[2][1:] for name in number.keys]
        assert len(set(sources)) == len(sources)


def test_labelled_neighbours_against_all_products(searcher: Searcher) -> None:
    index = searcher.index
    values = known_values(index, "object_class")
    rows = labelled_rows(index, "xp", {name: each != "" for name, each in values.items()})
    query = searcher.query_object("planted-plain:P0777")
    vector = searcher.vector(query, "xp")
    found = labelled_neighbours(
        index, vector[None], 30, modality="xp", rows=rows, leave_out=[searcher.source(query)]
    )[0]
    best: dict[str, tuple[float, str, int]] = {}
    for release, segment in index.segments.items():
        having, stored = segment.vectors("xp")
        scores = stored.astype(np.float32) @ vector
        for row, score in zip(having, scores, strict=True):
            source = segment.object_id(int(row))[1:]
            if source != "0777" and labelled(int(source)):
                best[source] = max(
                    best.get(source, (-2.0, "", 0)), (float(score), release, int(row))
                )
    expected = sorted(best.values(), reverse=True)[:30]
    np.testing.assert_allclose([each[0] for each in found], [each[0] for each in expected], 1e-5)
    assert {each[1] for each in found} == {(release, row) for _, release, row in expected}


def test_inverted_lists_are_filtered_too(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many labels: FAISS looks among the labelled rows alone, and what it gives is re-ranked."""
    index = searcher.index
    values = known_values(index, "redshift")
    rows = labelled_rows(index, "xp", {name: np.isfinite(each) for name, each in values.items()})
    vectors = np.stack([searcher.vector(searcher.query_object(f"planted-plain:P{n:04d}"), "xp")
                        for n in (1, 501, 1201)])  # fmt: skip

    def lists() -> list[list[tuple[float, tuple[str, int]]]]:
        return labelled_neighbours(
            index, vectors, 16, modality="xp", rows=rows, leave_out=[(), (), ()]
        )

    exact = lists()
    monkeypatch.setattr("indexer.labelled.EXACT_UP_TO", 10)
    assert lists() == exact


class _Some:
    """Labels of a few objects."""

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self._values = values
        self.names = ("mass", "redshift")

    def values(self, _name: str, _index: Index) -> dict[str, np.ndarray]:
        return self._values


def test_labels_from_elsewhere(searcher: Searcher, small_index: Path) -> None:
    plain = searcher.index.segment("planted-plain")
    number = np.array([int(each[1:]) for each in plain.rows.column("object_id").to_pylist()])
    mass = np.where(number % 3 == 0, 9.0 + truth().first[number], np.nan)
    unknown = np.full(len(searcher.index.segment("planted-labels")), np.nan)
    labels = _Some({"planted-plain": mass, "planted-labels": unknown})
    read = PropertyReader(searcher, labels, neighbours=8)
    (estimate,) = read.read(searcher.query_object("planted-plain:P0001"), ["mass"])
    assert isinstance(estimate, NumberEstimate)
    assert estimate.median == pytest.approx(9.0 + truth().first[1], abs=0.1)
    assert len(estimate.keys) == 8
    # A label goes before the column of the catalogue.
    (masked,) = read.read(searcher.query_object("planted-plain:P0001"), ["redshift"])
    assert isinstance(masked, NumberEstimate)
    assert masked.median > 8.0
    with pytest.raises(
        QueryError, match="'colour' is not known of any object; known are magnitude, mass"
    ):
        read.read(searcher.query_object("planted-plain:P0001"), ["colour"])


@pytest.mark.parametrize(("count", "calibrated"), [(19, None), (60, False), (150, True)])
def test_few_labels(searcher: Searcher, count: int, calibrated: bool | None) -> None:
    plain = np.full(len(searcher.index.segment("planted-plain")), np.nan)
    plain[:: len(plain) // count][:count] = 1.0
    plain[np.flatnonzero(np.isfinite(plain))[count:]] = np.nan
    labels = _Some(
        {
            "planted-plain": plain,
            "planted-labels": np.full(len(searcher.index.segment("planted-labels")), np.nan),
        }
    )
    read = PropertyReader(searcher, labels)
    # The counterparts of those with a label have it, too.
    number = sum(len(each) for each in _rows(searcher, labels).values())
    (estimate,) = read.read(searcher.query_object("planted-plain:P0501"), ["mass"])
    if number < 20:
        assert isinstance(estimate, NoEstimate)
        assert estimate.reason == (
            f"only {number} objects of this index that have the modality xp have a known mass; at "
            "least 20 are needed"
        )
        return
    assert isinstance(estimate, NumberEstimate)
    # All truths are alike: so are median and intervals.
    assert (estimate.median, *estimate.interval_68, *estimate.interval_95) == (1.0,) * 5
    assert estimate.calibrated == (number >= 100)


def _rows(searcher: Searcher, labels: _Some) -> dict[str, np.ndarray]:
    values = known_values(searcher.index, "mass", labels)
    known = {name: np.isfinite(each) for name, each in values.items()}
    return labelled_rows(searcher.index, "xp", known)


def test_pictures_get_redshifts_of_their_spectra(small_index: Path) -> None:
    searcher = open_searcher(small_index)
    read = PropertyReader(searcher)
    query = searcher.query_object(key_of("demo-hsc", 20))
    (estimate,) = read.read(query, ["redshift"])
    assert isinstance(estimate, NumberEstimate)
    assert {key.partition(":")[0] for key in estimate.keys} <= {"demo-hsc", "demo-legacysurvey"}
    assert key_of("demo-legacysurvey", 20) not in estimate.keys
    values = known_values(searcher.index, "redshift")
    row = searcher.index.segment("demo-hsc").row_of(key_of("demo-hsc", 33).partition(":")[2])
    assert values["demo-hsc"][row] == pytest.approx(0.33)
    # Redshifts that the survey does not trust are none: the second reduction of source 0.
    segment = searcher.index.segment("demo-sdss")
    untrusted = np.flatnonzero(~np.asarray(segment.column("redshift_ok"), bool))
    assert len(untrusted) == 1
    assert np.isnan(values["demo-sdss"][untrusted]).all()


def test_examples_have_properties_too(reader: PropertyReader, searcher: Searcher) -> None:
    first = searcher.query_object("planted-plain:P1201")
    queries = [first, searcher.query_object(searcher.search(first).key[0])]
    (estimate,) = reader.read(examples_query(queries), ["redshift"])
    assert isinstance(estimate, NumberEstimate)
    assert estimate.median == pytest.approx(0.3 + 0.5 * truth().first[1201], abs=0.08)
    assert not {each.key for each in queries} & set(estimate.keys)


def test_too_few_neighbours_are_refused(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match="properties need at least 5 neighbours, got 2"):
        PropertyReader(searcher, neighbours=2)


# Closed forms.


def test_weights_fall_off_with_the_distance() -> None:
    scores = np.array([1.0, 0.9, 0.6])
    raw = np.exp([0.0, -2.0 * 0.2 / 0.8, -2.0])
    np.testing.assert_allclose(neighbour_weights(scores), raw / raw.sum())
    np.testing.assert_allclose(neighbour_weights(np.ones(4)), np.full(4, 0.25))
    assert effective_number(np.full(7, 0.3)) == pytest.approx(7.0)
    assert effective_number(np.array([1.0, 0.0, 0.0])) == pytest.approx(1.0)


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_a_weight_is_a_repetition_of_like_neighbours(weights: list[int], random: object) -> None:
    """Quantiles at the middle of a value's stretch are that value, whatever the order."""
    values = np.arange(len(weights), dtype=float) * 2.0
    order = np.array(sorted(range(len(weights)), key=lambda _: random.random()))  # type: ignore[attr-defined]
    given_weights = np.array(weights, dtype=float)
    before = np.cumsum(given_weights) - 0.5 * given_weights
    levels = (before / given_weights.sum()).tolist()
    found = weighted_quantile(values[order], given_weights[order], levels)
    np.testing.assert_allclose(found, values)
    ends = weighted_quantile(values[order], given_weights[order], (0.0, 1.0))
    np.testing.assert_allclose(ends, values[[0, -1]])


def test_spread_of_an_even_distribution() -> None:
    values = np.linspace(0.0, 1.0, 10_001)
    assert spread_of(values, np.ones(10_001)) == pytest.approx(0.34, abs=1e-3)


def test_votes() -> None:
    votes = class_votes(["b", "a", "b", "c"], np.array([0.2, 0.4, 0.2, 0.2]))
    assert list(votes) == ["a", "b", "c"]
    assert list(votes.values()) == pytest.approx([0.4, 0.4, 0.2])


@settings(deadline=None, max_examples=20)
@given(st.integers(100, 400), st.integers(0, 10_000))
def test_conformal_ranks_leave_a_tail_on_either_side(count: int, seed: int) -> None:
    """The truth of a new object is as likely in any gap of n like ones: a count is enough."""
    rng = np.random.default_rng(seed)
    errors = Errors((np.sort(rng.standard_cauchy(count)),), np.empty(0), 0.0)
    (scaled,) = errors.scaled
    for coverage in (0.68, 0.95):
        low, high = errors.interval(0.0, 1.0, coverage)
        below, above = (scaled < low).sum(), (scaled > high).sum()
        gaps = count + 1 - (below + 1) - (above + 1)
        assert coverage <= gaps / (count + 1) + 1e-12 <= coverage + 3 / count
        doubled = errors.interval(5.0, 2.0, coverage)
        assert doubled == pytest.approx((5.0 + 2.0 * low, 5.0 + 2.0 * high))


def test_no_interval_reaches_beyond_what_is_known() -> None:
    errors = Errors((np.linspace(-3.0, 3.0, 200),), np.empty(0), 0.0, between=(0.0, 5.0))
    assert errors.interval(1.0, 1.0, 0.95)[0] == 0.0
    assert errors.interval(4.9, 1.0, 0.95)[1] == 5.0
    low, high = errors.interval(2.5, 0.1, 0.95)
    assert low == pytest.approx(2.5 - 0.29, abs=0.02)
    assert high == pytest.approx(2.79, abs=0.02)


def test_every_group_of_spreads_holds_what_it_says() -> None:
    """Half of the errors are tiny beside the floor, as those of stars are among galaxies."""
    rng = np.random.default_rng(4)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        star = np.arange(count) % 2 == 0
        spreads = np.where(star, 1e-4, 0.02) * rng.uniform(0.5, 1.5, count)
        return spreads * rng.standard_normal(count), spreads

    errors = errors_of(*drawn(1000), smallest_spread=0.01)
    assert len(errors.scaled) == 5 == len(errors.edges) + 1
    assert min(len(each) for each in errors.scaled) >= 200
    told, spreads = drawn(4000)
    ends = np.array([errors.interval(0.0, each, 0.68) for each in spreads.tolist()])
    inside = (ends[:, 0] <= told) & (told <= ends[:, 1])
    # One group of five holds some of both halves, hence the tolerance.
    for kind in (spreads < 0.001, spreads > 0.001):
        assert inside[kind].mean() == pytest.approx(0.68, abs=0.1)
    assert inside.mean() == pytest.approx(0.68, abs=0.05)
    # Of all errors together, intervals of the one half would hold all, of the other too few.
    alone = Errors((np.sort(np.concatenate(errors.scaled)),), np.empty(0), 0.01)
    ends = np.array([alone.interval(0.0, each, 0.68) for each in spreads.tolist()])
    inside = (ends[:, 0] <= told) & (told <= ends[:, 1])
    assert inside[spreads < 0.001].mean() > 0.95
    assert inside[spreads > 0.001].mean() < 0.6


@settings(deadline=None)
@given(st.integers(1, 1300), st.integers(1, 40), st.integers(0, 10_000))
def test_groups_are_large_enough_and_equal_spreads_stay_together(
    count: int, values: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    spreads = rng.integers(0, values, count).astype(float)
    # The error of each is its spread, so that every group says which spreads it has.
    errors = errors_of(spreads * (spreads + 1.0), spreads, 1.0)
    assert sum(len(each) for each in errors.scaled) == count
    assert min(len(each) for each in errors.scaled) >= min(count, 200)
    for at, each in enumerate(errors.scaled):
        places = np.searchsorted(errors.edges, np.unique(each), side="left")
        assert (places == at).all()


def test_coverage_is_measured_on_errors_that_did_not_make_the_interval() -> None:
    rng = np.random.default_rng(4)
    like = errors_of(rng.standard_cauchy(4_000), np.ones(4_000), 0.1)
    assert like.coverage == pytest.approx((0.68, 0.95), abs=0.02)
    # Where the halves are nothing alike, no calibration can hide it.
    halves = np.where(np.arange(1_000) % 2, 100.0, 0.0) + rng.standard_normal(1_000)
    assert errors_of(halves, np.ones(1_000), 0.1).coverage == (0.0, 0.0)


def test_labels_that_stand_for_a_column_are_not_named_twice() -> None:
    class Few:
        names = ("object_class", "z", "stellar_mass")

        def values(self, name: str, index: Index) -> dict[str, np.ndarray]:
            raise AssertionError(f"names need no values, asked for {name} of {index}")

    columns = ("redshift", "object_class", "magnitude")
    assert property_names() == columns
    assert property_names(Few()) == (*columns, "stellar_mass")
