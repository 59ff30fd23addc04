"""The searcher on a small sky, against plain matrix products."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aion_encoder.fake import FakeEncoder, open_fake_encoder
from indexer.errors import AmbiguousError, QueryError, ReadError, SearchError
from indexer.hits import Hits
from indexer.options import SearchOptions
from indexer.readers.uploads import Upload
from indexer.search import Searcher, open_searcher
from indexer.spaces import to_unit
from indexer.verify import verify
from tests.indexer.small_sky import (
    RELEASES,
    SHARED_ID,
    build_small_index,
    image_of,
    key_of,
    observation_of,
    position_of,
    sdss_id,
    spectrum_of,
    xp_of,
)

IMAGES = ("demo-hsc", "demo-legacysurvey")
SPECTRA = ("demo-desi", "demo-sdss")


@pytest.fixture(scope="module")
def searcher(small_index: Path) -> Searcher:
    return open_searcher(small_index)


def all_vectors(searcher: Searcher, space: str, modality: str) -> dict[str, np.ndarray]:
    vectors = {}
    for name in searcher.index.releases:
        segment = searcher.index.segment(name)
        if modality in segment.info.spaces.get(space, ()):
            for row, vector in zip(*segment.vectors(space, modality), strict=True):
                vectors[f"{name}:{segment.object_id(row)}"] = vector.astype(np.float32)
    return vectors


def ranking(vectors: dict[str, np.ndarray], query: np.ndarray) -> list[tuple[str, float]]:
    """Rank by the definition: inner product with a unit vector, ties by key."""
    query = to_unit(query[None])[0]
    scored = [(key, min(1.0, float((vector * query).sum()))) for key, vector in vectors.items()]
    return sorted(scored, key=lambda each: (-each[1], each[0]))


def upload_of(observation: object, **known: object) -> Upload:
    values = {
        "observation": observation,
        "assumptions": {"units": "as simulated"},
        "object_id": "",
        "survey": "",
        "ra_deg": math.nan,
        "dec_deg": math.nan,
        "redshift": math.nan,
        "sha256": "0" * 64,
        "file_name": "upload.fits",
    }
    return Upload(**(values | known))


@pytest.mark.parametrize(
    ("release", "source"),
    [("demo-legacysurvey", 3), ("demo-hsc", 17), ("demo-sdss", 149), ("demo-desi", 110)],
)
@pytest.mark.parametrize("k", [1, 7, 500])
def test_same_modality_is_exact(searcher: Searcher, release: str, source: int, k: int) -> None:
    key = key_of(release, source)
    hits = searcher.search(searcher.query_object(key), SearchOptions(k=k))
    vectors = all_vectors(searcher, hits.modality[0], hits.modality[0])
    truth = ranking(vectors, vectors[key])
    truth = [each for each in truth if each[0] != key][:k]
    assert hits.key.tolist() == [each for each, _ in truth]
    np.testing.assert_allclose(hits.score, [s for _, s in truth], atol=1e-6)
    assert hits.rank.tolist() == list(range(1, len(truth) + 1))
    assert set(hits.bridge) == {"same"}
    assert not any(hits.via)
    assert hits.receipt["left_out"] == [key]


def test_ties_break_by_key_wherever_the_cut_is(searcher: Searcher) -> None:
    twins = sorted([key_of("demo-legacysurvey", 158), key_of("demo-legacysurvey", 159)])
    query = searcher.query_object(key_of("demo-legacysurvey", 20))
    everything = searcher.search(query, SearchOptions(k=500)).key.tolist()
    at = everything.index(twins[0])
    assert everything[at : at + 2] == twins
    for k in (at + 1, at + 2):
        assert searcher.search(query, SearchOptions(k=k)).key.tolist() == everything[:k]


def test_releases_limit_the_hits(searcher: Searcher) -> None:
    query = searcher.query_object(key_of("demo-legacysurvey", 3))
    hits = searcher.search(query, SearchOptions(k=60, releases=("demo-hsc",)))
    assert set(hits.release) == {"demo-hsc"}
    assert len(hits) == 60
    assert hits.receipt["releases"] == ["demo-hsc"]


def test_source_can_be_left_out(searcher: Searcher) -> None:
    key = key_of("demo-sdss", 120)
    query = searcher.query_object(key)
    partner = key_of("demo-desi", 120)
    assert partner in searcher.search(query, SearchOptions(k=300)).key
    hits = searcher.search(query, SearchOptions(k=300, exclude_source=True))
    assert partner not in hits.key
    assert len(hits) == 151 + 60 - 2
    assert {key, partner} <= set(hits.receipt["left_out"])


def linked_by_definition(searcher: Searcher, key: str, to: str, k: int) -> list[tuple[str, float]]:
    own = "image" if key.split(":")[0] in IMAGES else "spectrum"
    vectors = all_vectors(searcher, own, own)
    targets = all_vectors(searcher, to, to)
    found: dict[str, float] = {}
    for neighbour, score in [(key, 1.0), *ranking(vectors, vectors[key])]:
        if neighbour == key and score != 1.0:
            continue
        for partner in searcher.counterparts(neighbour):
            if partner in targets:
                found.setdefault(partner, score)
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))[:k]


@pytest.mark.parametrize("source", [0, 30, 120, 155, 159])
@pytest.mark.parametrize("k", [1, 5, 40, 400])
def test_linked_is_what_it_says(searcher: Searcher, source: int, k: int) -> None:
    key = key_of("demo-legacysurvey", source)
    options = SearchOptions(k=k, to="spectrum", bridge="linked")
    hits = searcher.search(searcher.query_object(key), options)
    truth = linked_by_definition(searcher, key, "spectrum", k)
    assert hits.key.tolist() == [each for each, _ in truth]
    np.testing.assert_allclose(hits.score, [s for _, s in truth], atol=1e-6)
    assert len(set(hits.key)) == len(hits)
    assert set(hits.bridge) == {"linked"}
    assert set(hits.modality) == {"spectrum"}


def test_own_counterpart_comes_first_through_the_query(searcher: Searcher) -> None:
    key = key_of("demo-legacysurvey", 120)
    options = SearchOptions(k=5, to="spectrum", bridge="linked")
    hits = searcher.search(searcher.query_object(key), options)
    assert hits.key[:2].tolist() == [key_of("demo-desi", 120), key_of("demo-sdss", 120)]
    assert hits.score[:2].tolist() == [1.0, 1.0]
    assert hits.percentile[:2].tolist() == [100.0, 100.0]
    assert hits.via[:2].tolist() == [key, key]
    assert all(via.split(":")[0] in IMAGES and via != key for via in hits.via[2:])


def test_own_counterpart_can_be_left_out(searcher: Searcher) -> None:
    key = key_of("demo-legacysurvey", 120)
    options = SearchOptions(k=400, to="spectrum", bridge="linked", exclude_source=True)
    hits = searcher.search(searcher.query_object(key), options)
    assert not {key_of("demo-desi", 120), key_of("demo-sdss", 120)} & set(hits.key)
    assert key not in hits.via


def test_linked_reaches_few_targets_through_many_neighbours(searcher: Searcher) -> None:
    key = key_of("demo-desi", 140)
    options = SearchOptions(k=50, to="xp")
    hits = searcher.search(searcher.query_object(key), options)
    assert sorted(hits.key) == sorted(key_of("demo-gaia", source) for source in range(10))
    assert set(hits.bridge) == {"linked"}
    scores = dict(zip(hits.via, hits.score, strict=True))
    vectors = all_vectors(searcher, "spectrum", "spectrum")
    for via, score in scores.items():
        assert score == pytest.approx(float(vectors[via] @ vectors[key]), abs=1e-3)


def test_auto_takes_aligned_where_there_are_heads(searcher: Searcher) -> None:
    key = key_of("demo-legacysurvey", 60)
    query = searcher.query_object(key)
    hits = searcher.search(query, SearchOptions(k=50, to="spectrum"))
    vectors = all_vectors(searcher, "shared", "spectrum")
    mine = all_vectors(searcher, "shared", "image")[key]
    truth = ranking(vectors, mine)[:50]
    assert hits.key.tolist() == [each for each, _ in truth]
    assert set(hits.bridge) == {"aligned"}
    assert hits.receipt["spaces"] == ["shared"]
    for release in SPECTRA:
        assert np.all(np.diff(hits.percentile[hits.release == release]) <= 0)
    assert key_of("demo-sdss", 60) in hits.key


def test_percentiles_are_of_random_pairs(searcher: Searcher) -> None:
    key = key_of("demo-legacysurvey", 60)
    hits = searcher.search(searcher.query_object(key), SearchOptions(k=500))
    assert hits.percentile[0] > 90.0
    assert hits.percentile[-1] < 10.0
    assert np.all((hits.percentile >= 0.0) & (hits.percentile <= 100.0))


def test_hits_carry_the_catalogue(searcher: Searcher) -> None:
    query = searcher.query_object(key_of("demo-sdss", 10))
    hits = searcher.search(query, SearchOptions(k=151, releases=("demo-sdss",)))
    at = hits.key.tolist().index(key_of("demo-sdss", 141))
    ra_deg, dec_deg = position_of(141)
    assert (hits.ra_deg[at], hits.dec_deg[at]) == (ra_deg, dec_deg)
    assert hits.object_id[at] == sdss_id(141)
    assert int(hits.object_id[at]) > 2**63
    assert hits.redshift[at] == pytest.approx(1.41)
    assert hits.magnitude[at] == pytest.approx(15.0 + 0.03 * 141, abs=1e-5)
    assert hits.object_class[at] == "GALAXY"
    assert hits.link[at] == f"https://example.org/near?ra={ra_deg:.6f}"
    unplaced = hits.key.tolist().index(key_of("demo-sdss", 149))
    assert math.isnan(hits.ra_deg[unplaced])
    assert hits.link[unplaced] == f"https://example.org/spectrum/{sdss_id(149)}"


# Queries.


def test_positions_find_the_nearest_object(searcher: Searcher) -> None:
    ra_deg, dec_deg = position_of(27)
    query = searcher.query_position(f"{ra_deg} {dec_deg + 0.1 / 3600}")
    assert query.key == key_of("demo-hsc", 27)
    assert query.kind == "position"
    assert "0.10 arcsec away" in query.assumptions["nearest object"]
    assert key_of("demo-legacysurvey", 27) in query.assumptions["also here"]
    assert "degrees" in query.assumptions["position"]
    sexagesimal = searcher.query_position("10 00 04.8 -00 00 36")
    assert sexagesimal.key == key_of("demo-sdss", 22)[: len("demo-sdss")] + f":{sdss_id(22)}" or (
        sexagesimal.key == key_of("demo-legacysurvey", 22)
    )
    assert "hours" in sexagesimal.assumptions["position"]


def test_empty_places_name_the_nearest(searcher: Searcher) -> None:
    ra_deg, dec_deg = position_of(0)
    with pytest.raises(
        QueryError,
        match=r"no object within 5 arcsec .* the nearest is demo-\S+, 10\.0 arcsec away",
    ):
        searcher.query_position(f"{ra_deg} {dec_deg - 10 / 3600}")
    assert searcher.query_position(f"{ra_deg} {dec_deg - 10 / 3600}", 11.0).key is not None
    with pytest.raises(QueryError, match="no object of this index within 120 arcsec"):
        searcher.query_position("10 80")
    with pytest.raises(QueryError, match="the radius must be more than 0"):
        searcher.query_position("10 80", -1.0)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"demo-desi:{SHARED_ID}", f"demo-desi:{SHARED_ID}"),
        ("desi:-2713437", "demo-desi:-2713437"),
        ("-2713437", "demo-desi:-2713437"),
        ("9145-58042-142", key_of("demo-sdss", 141)),
        ("spec-0266-51630-0003.fits", key_of("demo-sdss", 2)),
        ("Gaia DR3 1666767135588491905", key_of("demo-gaia", 1)),
        ("1500p000-12", key_of("demo-legacysurvey", 12)),
        ("150.05 -0.02", key_of("demo-legacysurvey", 5)),
        ("10:00:12 -00:01:12", key_of("demo-legacysurvey", 5)),
        ("J100012.0-000112", key_of("demo-legacysurvey", 5)),
    ],
)
def test_the_one_box_understands(searcher: Searcher, text: str, key: str) -> None:
    query = searcher.query_text(text)
    found = {query.key, *searcher.counterparts(str(query.key))}
    assert key == query.key if query.kind == "object" else key in found


def test_ambiguous_identifiers_list_their_candidates(searcher: Searcher) -> None:
    keys = (f"demo-desi:{SHARED_ID}", f"demo-hsc:{SHARED_ID}")
    with pytest.raises(AmbiguousError, match="can be 2 objects; give one of demo-desi") as caught:
        searcher.query_text(SHARED_ID)
    assert caught.value.candidates == keys
    with pytest.raises(AmbiguousError, match="can be 2 objects") as caught:
        searcher.query_object("266-51630-1")
    assert caught.value.candidates == tuple(
        sorted(f"demo-sdss:{sdss_id(0, run2d)}" for run2d in (26, 103))
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12345", "no object of this index is called '12345'"),
        ("M31", "no object of this index is called 'M31'"),
        ("demo-sdss:1", "no object of this index is called 'demo-sdss:1'"),
        ("hubble:1", "'hubble' is no release or survey of this index"),
        ("", "an identifier is needed"),
        ("400 0", "right ascension must lie between 0 and 360"),
        ("10:00:00 -91:00:00", "declination must be at most 90 degrees"),
        ("20 20", "no object of this index within 120 arcsec"),
    ],
)
def test_the_one_box_refuses_in_words(searcher: Searcher, text: str, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        searcher.query_text(text)


# Files.


@pytest.mark.parametrize("source", [3, 158])
def test_a_file_that_is_indexed_is_its_own_query(searcher: Searcher, source: int) -> None:
    """It is encoded and transformed on the same way, so only the identical vector is left out."""
    query = searcher.query_upload(upload_of(image_of(source, "legacysurvey")))
    hits = searcher.search(query, SearchOptions(k=500))
    key = key_of("demo-legacysurvey", source)
    indexed = searcher.search(searcher.query_object(key), SearchOptions(k=500))
    same = {key, key_of("demo-legacysurvey", 159)} if source == 158 else {key}
    assert hits.receipt["left_out"] == sorted(same)
    expected = [other for other in indexed.key if other not in same]
    assert sorted(hits.key) == sorted(expected)
    assert np.abs(np.sort(hits.score) - np.sort(indexed.score[-len(hits) :])).max() < 1e-3


def test_what_is_known_decides_which_twin_is_the_query(searcher: Searcher) -> None:
    ra_deg, dec_deg = position_of(158)
    twins = [key_of("demo-legacysurvey", source) for source in (158, 159)]
    for known in ({"object_id": "1500p000-158"}, {"ra_deg": ra_deg, "dec_deg": dec_deg}):
        query = searcher.query_upload(upload_of(image_of(158, "legacysurvey"), **known))
        hits = searcher.search(query, SearchOptions(k=3))
        assert hits.receipt["left_out"] == [twins[0]]
        assert hits.key[0] == twins[1]
        assert hits.score[0] > 0.99999


@pytest.mark.parametrize("known", [{}, {"object_id": "1500p000-120"}])
def test_files_cross_links_through_their_identical_object(
    searcher: Searcher, known: dict[str, str]
) -> None:
    query = searcher.query_upload(upload_of(image_of(120, "legacysurvey"), **known))
    hits = searcher.search(query, SearchOptions(k=5, to="spectrum", bridge="linked"))
    assert hits.key[:2].tolist() == [key_of("demo-desi", 120), key_of("demo-sdss", 120)]
    assert hits.score[:2].tolist() == [1.0, 1.0]
    assert hits.via[0] == key_of("demo-legacysurvey", 120)


def test_files_cross_links_through_their_position(searcher: Searcher) -> None:
    ra_deg, dec_deg = position_of(0)
    upload = upload_of(image_of(200, "hsc"), ra_deg=ra_deg, dec_deg=dec_deg + 0.8 / 3600)
    query = searcher.query_upload(upload)
    hits = searcher.search(query, SearchOptions(k=4, to="spectrum", bridge="linked"))
    # Both reductions lie within 1 arcsec; a link holds only one.
    assert hits.key[:2].tolist() == sorted(f"demo-sdss:{sdss_id(0, run)}" for run in (26, 103))
    assert hits.via[:2].tolist() == ["", ""]
    assert hits.score[2] < 1.0


def test_files_reach_the_aligned_space(searcher: Searcher) -> None:
    key = key_of("demo-sdss", 60)
    query = searcher.query_upload(upload_of(spectrum_of(60, "sdss")))
    hits = searcher.search(query, SearchOptions(k=20, to="image"))
    indexed = searcher.search(searcher.query_object(key), SearchOptions(k=20, to="image"))
    assert set(hits.bridge) == {"aligned"}
    assert len(set(hits.key) & set(indexed.key)) >= 18


def test_files_without_partner_search_all_the_same(searcher: Searcher) -> None:
    query = searcher.query_upload(upload_of(xp_of(400)))
    hits = searcher.search(query, SearchOptions(k=20))
    assert len(hits) == 10
    assert hits.receipt["left_out"] == []
    assert hits.receipt["file_sha256"] == "0" * 64
    assert hits.receipt["read_as"] == {"units": "as simulated"}
    assert query.preview is not None
    assert query.preview.kind == "xp"


def test_the_encoder_opens_once_and_late(small_index: Path) -> None:
    opened: list[FakeEncoder] = []

    def open_it() -> FakeEncoder:
        opened.append(open_fake_encoder("fake"))
        return opened[-1]

    searcher = open_searcher(small_index)
    searcher = Searcher(searcher.index, open_it)
    searcher.search(searcher.query_object("-2713437"))
    assert not opened
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda s: searcher.query_upload(upload_of(xp_of(s))), range(8)))
    assert len(opened) == 1


def test_another_encoder_is_refused(small_index: Path) -> None:
    searcher = open_searcher(small_index, weights="fake/other")
    wanted = searcher.index.info.encoder.digest
    with pytest.raises(
        SearchError,
        match=rf"by fake/fake \(identity {wanted}\), but the encoder at hand is fake/other "
        r"\(identity [0-9a-f]{16}\)",
    ):
        searcher.query_upload(upload_of(xp_of(1)))


def test_weights_that_are_not_there_are_one_readable_line(small_index: Path) -> None:
    searcher = open_searcher(small_index, weights="no/such/folder/of/weights")
    with pytest.raises(SearchError, match="files cannot be encoded: this index was made by fake"):
        searcher.query_upload(upload_of(xp_of(1)))


def test_what_the_encoder_refuses_is_a_read_error(searcher: Searcher) -> None:
    spectrum = spectrum_of(3, "sdss")
    negative = type(spectrum)(
        -spectrum.flux, spectrum.ivar, spectrum.wavelength_angstrom, spectrum.survey
    )
    with pytest.raises(ReadError, match=r"upload\.fits: the median flux is negative"):
        searcher.query_upload(upload_of(negative))


# What cannot be answered, and what else is known.


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"k": 0}, "between 1 and 10000, got 0"),
        ({"k": 2.5}, "must be a whole number, got 2.5"),
        ({"k": True}, "must be a whole number, got True"),
        ({"to": "radio"}, "a modality is one of image, spectrum, xp, photometry, got 'radio'"),
        ({"bridge": "magic"}, "a bridge is one of auto, linked, aligned, got 'magic'"),
    ],
)
def test_options_that_cannot_be(values: dict[str, object], reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        SearchOptions(**values)


def test_what_the_index_lacks_is_said(searcher: Searcher) -> None:
    query = searcher.query_object(key_of("demo-gaia", 1))
    with pytest.raises(SearchError, match="this index has no photometry vectors, only image, spec"):
        searcher.search(query, SearchOptions(to="photometry"))
    with pytest.raises(SearchError, match="release demo-gaia has no image vectors, only xp"):
        searcher.search(query, SearchOptions(to="image", releases=("demo-gaia",)))
    with pytest.raises(SearchError, match="no aligned space from xp to image: use the bridge 'lin"):
        searcher.search(query, SearchOptions(to="image", bridge="aligned"))
    with pytest.raises(QueryError, match="gaia is no release of this index; it has: demo-"):
        searcher.search(query, SearchOptions(releases=("gaia",)))


def test_receipts_are_plain_and_complete(searcher: Searcher) -> None:
    query = searcher.query_object(key_of("demo-sdss", 10))
    receipt = searcher.search(query, SearchOptions(k=3)).receipt
    assert json.loads(json.dumps(receipt)) == receipt
    assert receipt["encoder"]["digest"] == searcher.index.info.encoder.digest
    assert receipt["encoder"]["repository"] == "fake/fake"
    assert receipt["index"]["id"] == searcher.index.info.index_id
    assert receipt["options"] == SearchOptions(k=3).plain()
    assert receipt["searched"]["demo-sdss"] == {
        "recipe": "flat",
        "vectors": 151,
        "lists": 0,
        "nprobe": 0,
    }
    assert set(receipt) >= {"software", "to", "bridge", "spaces", "releases", "left_out", "read_as"}


def test_threads_do_not_disturb_each_other(small_index: Path) -> None:
    searcher = open_searcher(small_index)
    keys = searcher.random_keys(60, seed=4)

    def answer(key: str) -> Hits:
        return searcher.search(searcher.query_object(key), SearchOptions(k=5))

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(answer, keys))
    for key, hits in zip(keys, together, strict=True):
        alone = answer(key)
        assert alone.key.tolist() == hits.key.tolist()
        assert alone.score.tolist() == hits.score.tolist()


def test_random_keys_are_objects_and_repeat(searcher: Searcher) -> None:
    keys = searcher.random_keys(441, seed=1)
    assert len(set(keys)) == 441
    assert searcher.random_keys(5, seed=1) == searcher.random_keys(5, seed=1)
    assert searcher.random_keys(5, seed=1) != searcher.random_keys(5, seed=2)
    assert len(searcher.random_keys(1000, seed=1)) == 441
    for key in keys:
        assert searcher.query_object(key).key == key


def test_counterparts_and_previews(searcher: Searcher) -> None:
    assert searcher.counterparts(key_of("demo-sdss", 5)) == sorted(
        key_of(name, 5) for name in ("demo-gaia", "demo-hsc", "demo-legacysurvey")
    )
    assert searcher.counterparts(key_of("demo-sdss", 149)) == []
    for release, (survey, _) in RELEASES.items():
        preview = searcher.preview(key_of(release, 5 if release != "demo-desi" else 105))
        assert preview is not None
        assert preview.kind == {"gaia": "xp", "sdss": "spectrum", "desi": "spectrum"}.get(
            survey, "image"
        )


def test_what_is_known_of_an_object(searcher: Searcher) -> None:
    known = searcher.object(key_of("demo-sdss", 12))
    assert known["object_id"] == sdss_id(12)
    assert known["modalities"] == ("spectrum",)
    assert known["source_file"] == "demo-sdss.data"
    assert known["title"] == "Simulated demo-sdss"
    assert [page["label"] for page in known["links"]] == ["Near it", "Spectrum"]
    with pytest.raises(QueryError, match=r"a key is release:object_id, got 'x'"):
        searcher.object("x")
    with pytest.raises(QueryError, match="release 'demo-sdss' has no object '1'"):
        searcher.object("demo-sdss:1")
    with pytest.raises(QueryError, match="'sdss' is no release of this index; it has: demo-"):
        searcher.object("sdss:1")


def test_observations_of_the_small_sky_are_what_was_indexed(searcher: Searcher) -> None:
    encoder = open_fake_encoder("fake")
    raw = encoder.encode_alone([observation_of("demo-desi", 130)])
    stored = all_vectors(searcher, "spectrum", "spectrum")[key_of("demo-desi", 130)]
    applied = searcher.index.space("spectrum").apply(raw)[0]
    assert float(applied @ stored) / float(np.linalg.norm(stored)) > 0.999999


@pytest.mark.parametrize(
    ("recipe", "lists", "nprobe", "most_bytes"),
    [("ivf_sq8", 64, 48, 2**30), ("ivf_pq4", 4, 4, 0)],
)
def test_inverted_lists_are_re_ranked_exactly(
    recipe: str,
    lists: int,
    nprobe: int,
    most_bytes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("indexer.ann.recipes.EXACT_UP_TO", 100)
    monkeypatch.setattr("indexer.ann.recipes.EIGHT_BIT_UP_TO", most_bytes)
    searcher = open_searcher(build_small_index(tmp_path))
    assert verify(searcher.index.path).ok
    key = key_of("demo-legacysurvey", 3)
    query = searcher.query_object(key)
    hits = searcher.search(query, SearchOptions(k=5))
    assert hits.receipt["searched"]["demo-legacysurvey"] == {
        "recipe": recipe,
        "vectors": 160,
        "lists": lists,
        "nprobe": nprobe,
    }
    assert hits.receipt["searched"]["demo-hsc"]["recipe"] == "flat"
    vectors = all_vectors(searcher, "image", "image")
    truth = dict(ranking(vectors, vectors[key]))
    np.testing.assert_allclose(hits.score, [truth[each] for each in hits.key], atol=1e-6)
    # Asked for everything, it visits as many lists as that takes.
    everything = searcher.search(query, SearchOptions(k=500))
    assert everything.key.tolist() == [each for each in truth if each != key]
    linked = searcher.search(query, SearchOptions(k=500, to="spectrum", bridge="linked"))
    assert len(linked) == len(linked_by_definition(searcher, key, "spectrum", 500))
