"""Suites on a sky whose labels follow from its data: checks of the protocol, and second roads."""

import numpy as np
import pytest

from indexer.align import ALIGNED_MODALITIES
from indexer.errors import QueryError
from indexer.evaluate import bench as bench_module
from indexer.evaluate import duplicates as duplicates_module
from indexer.evaluate import fidelity as fidelity_module
from indexer.evaluate import partners as partners_module
from indexer.evaluate.bench import PHOTOMETRY, Bench
from indexer.evaluate.evaluation import SUITES, Evaluation, suites_named
from indexer.evaluate.partners import OfIndex
from indexer.evaluate.pool import pool_of
from indexer.evaluate.records import Recorder, SuiteResult
from indexer.evaluate.redshifts import NO_STARS
from indexer.pairs import Split, gather_pairs
from indexer.spaces import to_unit


@pytest.fixture(scope="module")
def results(evaluation: Evaluation) -> dict[str, SuiteResult]:
    return {each.name: each for each in evaluation.results}


def numbers(result: SuiteResult, metric: str, **wanted) -> list:
    found = [
        each
        for each in result.records
        if each.metric == metric and all(getattr(each, k) == v for k, v in wanted.items())
    ]
    assert found, f"{metric} {wanted}"
    return found


def one(result: SuiteResult, metric: str, **wanted):
    (found,) = numbers(result, metric, **wanted)
    return found


def test_every_number_has_an_interval_that_holds_it_and_rows_behind_it(results):
    for result in results.values():
        assert result.records
        rows = result.rows.to_pandas()
        for each in result.records:
            if np.isfinite(each.value):
                assert each.low - 1e-9 <= each.value <= each.high + 1e-9
            assert each.queries > 0
            assert each.gallery.size > 0
        # What a record says is the mean or median of its rows.
        for each in result.records[::7]:
            mine = rows[
                (rows.metric == each.metric)
                & (rows["mode"] == each.mode)
                & (rows.arm == each.arm)
                & (rows.direction == each.direction)
                & (rows.gallery == each.gallery.name)
                & ((rows.k == each.k) if each.k is not None else rows.k.isna())
            ]
            values = mine.value.dropna()
            if len(values) == each.queries:
                expected = {values.mean(), values.median()}
                assert min(abs(each.value - value) for value in expected) < 1e-9


def test_exact_search_has_recall_one_and_every_object_finds_itself(results):
    result = results["fidelity"]
    directions = {each.direction for each in result.records}
    for own in ALIGNED_MODALITIES:
        assert {f"{own}_to_{to}" for to in ALIGNED_MODALITIES} <= directions
        assert f"{own}_perturbed" in directions
    for each in numbers(result, "recall", mode="exact"):
        assert each.value == 1.0
    for each in numbers(result, "recall", mode="index", arm="", k=10):
        assert each.value >= 0.99
    for each in numbers(result, "self_retrieval"):
        assert each.value == 1.0
    for each in numbers(result, "recall", mode="random", k=10):
        assert each.value == pytest.approx(each.chance, abs=0.02)
    for each in numbers(result, "recall", arm="searcher"):
        assert each.value >= 0.99


def test_a_sweep_gains_recall_with_every_list_that_is_visited(monkeypatch, bench):
    monkeypatch.setattr(fidelity_module, "LISTS_FROM", 100)
    few = Bench(bench.index, queries=40)
    result = fidelity_module.fidelity(few)
    curve = next(
        each
        for each in result.figures["recall_against_latency"]
        if each["name"].startswith("image") and "made for this measurement" in each["name"]
    )
    deep = [point for point in curve["points"] if point["depth"] == 4]
    recalls = [point["recall"] for point in deep]
    assert recalls == sorted(recalls)
    assert recalls[-1] >= 0.99 > recalls[0]
    assert all(0.0 < point["p50_ms"] <= point["p95_ms"] for point in curve["points"])
    # Ranking candidates anew can only help.
    shallow = [point["recall"] for point in curve["points"] if point["depth"] == 1]
    assert all(a <= b + 1e-9 for a, b in zip(shallow, recalls, strict=True))


def test_morphology_by_a_second_road(results, bench):
    result = results["morphology"]
    pool = pool_of(bench.index, "image")
    votes = pool.flat(bench.labels.values("votes_spiral", bench.index))
    vectors = pool.vectors(np.arange(len(pool))).astype(np.float64)
    asking = np.flatnonzero(votes > 0.9)
    discount = 1.0 / np.log2(np.arange(2, 12))
    ideal = ((2.0 ** np.sort(votes)[::-1][:10] - 1.0) * discount).sum()
    values = []
    for query in asking:
        order = np.argsort(-(vectors @ vectors[query]), kind="stable")
        best = order[order != query][:10]
        values.append(((2.0 ** votes[best] - 1.0) * discount).sum() / ideal)
    wanted = {
        "arm": "fraction above 0.9",
        "k": 10,
        "formula": "exponential gain, ideal of the whole pool, the query included",
    }
    every = numbers(result, "ndcg.spiral", mode="exact", **wanted)
    published = next(each for each in every if each.gallery.exclusion == "the query")
    assert published.queries == len(asking)
    assert published.value == pytest.approx(np.mean(values), abs=2e-3)
    assert published.bar == 0.632
    assert {each.gallery.exclusion for each in every} == {
        "the query",
        "2 arcsec around the query, and its source",
    }
    random = one(result, "ndcg.spiral", mode="random", **wanted)
    assert published.low > random.high
    baseline = numbers(result, "ndcg.spiral", mode="baseline")[0]
    assert baseline.arm == f"fraction above 0.9; {PHOTOMETRY}"
    means = [
        one(result, "ndcg_of_mean.spiral", arm=f"mean of {count}").value for count in (1, 5, 15)
    ]
    assert means[0] < means[1] < means[2] + 0.02
    facts = result.facts["pool"]["fake-images, spiral"]
    assert facts["voted"] == len(pool)
    assert facts["without_votes"] == 0


def test_lenses_find_lenses(results, bench):
    result = results["lenses"]
    exact = numbers(result, "ndcg.lens", mode="exact", k=10)[0]
    random = numbers(result, "ndcg.lens", mode="random", k=10)[0]
    assert exact.low > random.high
    # Relevance is 0 or 1: the two gains coincide.
    pairs = [
        (a.value, b.value)
        for a in numbers(result, "ndcg.lens", mode="index")
        for b in numbers(result, "ndcg.lens", mode="index")
        if (a.k, a.gallery, a.arm) == (b.k, b.gallery, b.arm) and a.formula != b.formula
    ]
    assert pairs
    assert all(a == pytest.approx(b) for a, b in pairs)
    found = numbers(result, "lenses_found", mode="index", k=100)[0]
    share = numbers(result, "recall_of_lenses", mode="index", k=100)[0]
    lenses = result.facts["pool"]["fake-images_to_fake-images"]["lenses"]
    assert found.value / (lenses - 1) == pytest.approx(share.value)
    by_chance = numbers(result, "lenses_found", mode="random", k=100)[0]
    assert by_chance.value == pytest.approx(by_chance.chance, rel=0.25)
    assert exact.bar == 0.012


def test_only_sources_that_no_head_was_fitted_on_are_asked_for(results, bench):
    split = Split(int(bench.index.heads_facts["split"]["healpix_order"]))
    pairs = gather_pairs(OfIndex(bench.index), ALIGNED_MODALITIES)
    fitted: set[str] = set()
    for each in pairs:
        training = split.parts(each.healpix_29) != 2
        for side in (0, 1):
            segment = bench.index.segment(each.releases[side])
            fitted |= {
                f"{segment.name}:{segment.object_id(int(row))}" for row in each.rows[side][training]
            }
    assert sum(len(each) for each in pairs) > 500
    asked = set(results["partners"].rows.column("query").to_pylist())
    assert len(asked) > 50
    assert not asked & fitted
    counted = sum(bench.index.heads_facts["pairs_of_releases"].values())
    of_training = sum(int((split.parts(each.healpix_29) == 0).sum()) for each in pairs)
    assert of_training == counted


def test_partners_by_a_second_road(results, bench):
    result = results["partners"]
    index = bench.index
    pairs = [
        each
        for each in gather_pairs(OfIndex(index), ("image", "xp"))
        if each.modalities == ("image", "xp")
    ]
    (only,) = pairs
    held = only.only(bench.split.parts(only.healpix_29) == 2)
    x, y = held.take(np.arange(len(held)))
    x = to_unit(index.heads("image").apply(to_unit(x)))
    y = to_unit(index.heads("xp").apply(to_unit(y)))
    scores = x @ y.T
    ranks = (scores >= np.diag(scores)[:, None]).sum(axis=1)
    exact = one(result, "r_at_k", mode="exact", arm="aligned", direction="image_to_xp", k=1)
    assert exact.value == pytest.approx(np.mean(ranks == 1), abs=0.03)
    assert exact.queries == len(held)
    middle = one(result, "median_rank", mode="exact", arm="aligned", direction="image_to_xp")
    assert middle.value == np.median(ranks)
    index_value = one(result, "r_at_k", mode="index", arm="aligned", direction="image_to_xp", k=1)
    assert index_value.value == pytest.approx(exact.value, abs=0.03)


def test_shuffled_and_random_partners_are_found_by_chance(results):
    result = results["partners"]
    for mode, arm in (("exact", "aligned; partners shuffled"), ("random", "aligned")):
        every = numbers(result, "r_at_k", mode=mode, arm=arm, k=10)
        errors = [each.value - each.chance for each in every]
        # Of ten directions none may lie far off, and they must not lean to one side.
        assert max(abs(error) for error in errors) < 0.15
        assert abs(np.mean(errors)) < 0.05
    aligned = numbers(result, "r_at_k", mode="index", arm="aligned", k=10)
    assert all(each.low > each.chance for each in aligned)


def test_physics_agree_more_than_by_chance(results):
    result = results["partners"]
    wanted = {"direction": "image_to_spectrum", "k": 10}
    near = one(result, "delta_z", arm="aligned", mode="index", **wanted)
    random = one(result, "delta_z", arm="aligned", mode="random", **wanted)
    linked = one(result, "delta_z", arm="linked", mode="index", **wanted)
    assert near.value < 0.8 * random.value
    assert linked.high < random.low
    arm = f"nearest by {PHOTOMETRY}, fake-images"
    assert one(result, "delta_z", arm=arm, mode="baseline", **wanted).queries > 20
    assert one(result, "agreement.object_class", arm="aligned", mode="index", **wanted).value > 0.6
    mutual = one(result, "mutual_neighbours", direction="image_and_xp")
    assert mutual.low > mutual.chance
    equal = numbers(result, "r_at_k.equal_brightness", mode="exact")
    assert all(each.value > each.chance for each in equal)


def test_redshifts_from_neighbours(results):
    result = results["redshifts"]
    for direction in ("image", "spectrum", "xp"):
        cosine = {"direction": direction, "arm": "16 neighbours, cosine"}
        exact, index = (one(result, "r2", mode=mode, **cosine) for mode in ("exact", "index"))
        assert index.value == pytest.approx(exact.value, abs=0.01)
        assert exact.value > 0.4
        random = one(result, "r2", mode="random", **cosine)
        assert random.value < 0.2
        shuffled = one(result, "r2", direction=direction, arm="shuffled labels")
        assert shuffled.value < 0.3
        assert one(result, "r2", direction=direction, arm="ridge").value > 0.6
        assert one(result, "r2", direction=direction, arm="median").value <= 0.0
        crps = one(result, "crps", mode="index", **cosine)
        mae = one(result, "mae", mode="index", **cosine)
        assert 0.0 < crps.value <= mae.value * 1.2
        assert one(result, "r2", direction=direction, arm="reference recipe").k == 64
    bars = [one(result, "r2", direction="image", mode="index", arm="16 neighbours, cosine").bar]
    assert bars == [0.79]
    table = result.facts["by_magnitude"]["image; 16 neighbours, cosine; index"]
    assert len(table) == 4
    assert (
        sum(row["queries"] for row in table.values())
        == one(result, "r2", direction="image", mode="index", arm="16 neighbours, cosine").queries
    )
    rows = result.rows.to_pandas()
    told = rows[rows.predicted.notna() & (rows.arm == "16 neighbours, cosine")]
    assert not told.empty
    assert told.true.astype(float).between(0.29, 0.71).all()


def test_stars_do_not_ask_for_redshifts(results, bench):
    asked = set(results["redshifts"].rows.column("query").to_pylist())
    pool = pool_of(bench.index, "image")
    classes = pool.flat(bench.labels.values("spectral_class", bench.index))
    stars = set(pool.keys(np.flatnonzero(classes == "STAR")))
    assert len(stars) > 5
    assert not asked & stars


def test_classes_properties_and_twins(results):
    result = results["classes"]
    for direction in ("image", "spectrum", "xp"):
        index = one(result, "purity.object_class", direction=direction, mode="index")
        random = one(result, "purity.object_class", direction=direction, mode="random")
        assert index.low > random.high
        assert random.value == pytest.approx(random.chance, abs=0.07)
        accuracy = one(result, "accuracy.object_class", direction=direction, mode="index")
        assert accuracy.value >= index.value
    mass = one(
        result, "r2.stellar_mass", direction="spectrum", mode="index", arm="16 neighbours, cosine"
    )
    assert mass.value > 0.6
    scatter = one(
        result,
        "scatter.temperature_k",
        direction="spectrum",
        mode="index",
        arm="16 neighbours, cosine",
    )
    assert scatter.value < 350.0
    confusion = next(
        each
        for each in result.figures["confusion"]
        if (each["direction"], each["label"]) == ("spectrum", "object_class")
    )
    assert confusion["names"] == ["elliptical", "spiral"]
    counts = np.array(confusion["counts"])
    accuracy = one(result, "accuracy.object_class", direction="spectrum", mode="index")
    assert np.trace(counts) / counts.sum() == pytest.approx(accuracy.value)
    direction = "spectrum: fake-desi_to_fake-sdss"
    for arm in ("as indexed", "each release's mean removed"):
        twins = one(result, "twin_r_at_k", direction=direction, mode="exact", arm=arm)
        assert twins.low > twins.chance
    index = one(result, "twin_r_at_k", direction=direction, mode="index", arm="as indexed")
    exact = one(result, "twin_r_at_k", direction=direction, mode="exact", arm="as indexed")
    assert index.value == pytest.approx(exact.value, abs=0.02)


def test_twins_are_found_again_once_an_offset_is_removed(bench, monkeypatch):
    """An offset that one release has is what centring must take away."""
    original = duplicates_module.Pool.vectors

    def with_offset(pool, chosen):
        vectors = original(pool, chosen)
        if pool.releases == ("fake-sdss",):
            vectors = to_unit(vectors + 5.0 * np.eye(vectors.shape[1])[0])
        return vectors

    monkeypatch.setattr(duplicates_module.Pool, "vectors", with_offset)
    recorder = Recorder("classes", "", 0)
    duplicates_module.duplicates(bench, recorder)
    wanted = {"direction": "spectrum: fake-sdss_to_fake-desi", "mode": "exact"}
    result = recorder.result()
    before = one(result, "twin_r_at_k", arm="as indexed", **wanted)
    after = one(result, "twin_r_at_k", arm="each release's mean removed", **wanted)
    assert after.low > before.high


def test_without_labels_a_suite_says_what_it_lacks(bench):
    bare = Bench(bench.index, queries=20)
    result = SUITES["morphology"](bare)
    assert result.records == ()
    assert result.skipped[0] == (
        "fake-images: votes_spiral must be known of at least 20 objects, it is of 0"
    )
    assert "at least 2 lenses are needed" in SUITES["lenses"](bare).skipped[0]
    # The catalogue has redshifts: they stand in.
    assert np.isfinite(bare.of(pool_of(bare.index, "spectrum"), "z")).mean() > 0.9
    assert bare.known("stellar_mass") is None
    with pytest.raises(ValueError, match="at least one query, got 0"):
        Bench(bench.index, queries=0)


def test_suites_have_letters():
    assert suites_named([]) == tuple(SUITES)
    assert suites_named(["D", "a", "lenses", "A"]) == ("fidelity", "lenses", "partners")
    with pytest.raises(QueryError, match=r"'H' is no suite; there are A \(fidelity\), B"):
        suites_named(["H"])


def test_a_baseline_of_ones_own_stands_beside(bench):
    def pixels(pool):
        return pool.vectors(np.arange(len(pool)))[:, :3].astype(float)

    own = Bench(bench.index, bench.labels, queries=50, baselines={"first three": pixels})
    result = SUITES["morphology"](own)
    arms = {each.arm for each in result.records if each.mode == "baseline"}
    assert "fraction above 0.9; first three" in arms
    assert bench_module.PHOTOMETRY not in " ".join(arms)


def test_galleries_of_one_size_are_drawn_outside_the_test_cells(bench):
    few = Bench(bench.index, bench.labels, queries=30, gallery=120)
    pool = pool_of(bench.index, "image")
    others = ~few.test_cells(pool.healpix_29)
    drawn = few.drawn(others)
    assert drawn.sum() == 120
    assert not (drawn & ~others).any()
    assert (few.drawn(others) == drawn).all()
    assert Bench(bench.index).drawn(others).sum() == others.sum()
    result = SUITES["classes"](few)
    for direction in ("image", "spectrum", "spectrum, fake-sdss"):
        for each in numbers(result, "purity.object_class", direction=direction):
            assert each.gallery.size == 120
            assert each.gallery.split == "queries from test cells, neighbours from all others"
    with pytest.raises(ValueError, match="at least one object, got 0"):
        Bench(bench.index, gallery=0)


def test_partners_stand_among_others_of_the_test_cells(bench, results):
    wide = Bench(bench.index, bench.labels, queries=30, gallery=100_000)
    result = partners_module.partners(wide)
    wanted = {"direction": "image_to_spectrum", "arm": "aligned", "mode": "exact", "k": 10}
    plain = one(results["partners"], "r_at_k", **wanted).gallery
    sizes = {each.gallery.name: each.gallery.size for each in numbers(result, "r_at_k", **wanted)}
    spectra = pool_of(bench.index, "spectrum")
    alone = ~np.isin(spectra.sources, pool_of(bench.index, "image").sources)
    beside = int((alone & bench.test_cells(spectra.healpix_29)).sum())
    assert beside > 0
    size = plain.size + beside
    assert sizes == {
        plain.name: plain.size,
        f"{partners_module.PARTNERS_AND_OTHERS}, {size}": size,
    }


def test_lists_stand_in_for_files_that_hold_every_vector(monkeypatch, bench):
    monkeypatch.setattr(fidelity_module, "LISTS_FROM", 100)
    result = fidelity_module.fidelity(Bench(bench.index, queries=20))
    for direction in ("image_to_image", "image_to_spectrum", "spectrum_to_image"):
        found = one(result, "recall", direction=direction, arm=fidelity_module.LISTS_ARM)
        assert 0.5 < found.value <= 1.0
        assert found.chance == pytest.approx(10 / found.gallery.size)


def test_neighbours_may_be_no_stars_either(results, bench):
    result = results["redshifts"]
    pool = pool_of(bench.index, "image")
    classes = pool.flat(bench.labels.values("spectral_class", bench.index))
    wanted = {"direction": "image", "mode": "exact"}
    any_class = one(result, "r2", arm="16 neighbours, cosine", **wanted)
    apart = one(result, "r2", arm=f"16 neighbours, cosine{NO_STARS}", **wanted)
    assert apart.queries == any_class.queries
    test = bench.test_cells(pool.healpix_29)
    assert any_class.gallery.size - apart.gallery.size == int(((classes == "STAR") & ~test).sum())
