"""Spectra that only the tokenizer takes, as records of an index: built, asked, verified."""

import dataclasses
import json
from pathlib import Path

import fake_sky as sky
import numpy as np
import pytest
from astropy.table import Table
from fake_native import open_fake_native

from aion_encoder.fake import open_fake_encoder
from aion_encoder.observations import Spectrum
from indexer.align_index import align_index
from indexer.build import build, encode
from indexer.discordant import find_discordant
from indexer.errors import BuildError, QueryError, SearchError
from indexer.examples import examples_query
from indexer.export import FORMATS, render_hits
from indexer.index_file import open_index, write_checked
from indexer.index_model import NATIVE, VECTOR_BITS
from indexer.layout import INDEX_FILE
from indexer.options import SearchOptions
from indexer.properties import PropertyReader
from indexer.readers.records import Record
from indexer.readers.uploads import read_spectrum_file
from indexer.reports import info_text
from indexer.runners.local import Processes
from indexer.search import Searcher
from indexer.verify import verify

TOOLS = dataclasses.replace(sky.FAKE_TOOLS, open_native=open_fake_native)
INFRARED = "fake-apogee"
RELEASES = ("fake-images", "fake-sdss", INFRARED)
KEY = f"{INFRARED}:A0020"
FLAT, NEGATIVE = "A0030", "S0031"
NAMES = {"weights": "fake", "native_weights": "universal"}


def _read(manifest, release, partition):
    """One infrared spectrum is refused by the tokenizer, one of SDSS by AION-1."""
    for each in sky.read_fake_partition(manifest, release, partition):
        if isinstance(each, Record) and each.object_id in (FLAT, NEGATIVE):
            (spectrum,) = each.observations
            size = spectrum.flux.size
            flux = np.full(size, 2.0) if each.object_id == FLAT else -spectrum.flux
            changed = dataclasses.replace(spectrum, flux=flux)
            each = dataclasses.replace(each, observations=(changed,))
        yield each


PECULIAR = dataclasses.replace(TOOLS, read_partition=_read)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return sky.write_fake_sky(tmp_path_factory.mktemp("infrared-sky"), RELEASES, sources=80)


@pytest.fixture(scope="module")
def path(manifest, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("infrared-index")
    build(manifest, path, tools=PECULIAR, **NAMES)
    return path


@pytest.fixture(scope="module")
def searcher(path: Path) -> Searcher:
    return Searcher(open_index(path), open_fake_encoder, lambda: open_fake_native("universal"))


@pytest.fixture(scope="module")
def observed(manifest):
    """Every spectrum as read, by key."""
    found = {}
    for name in ("fake-sdss", INFRARED):
        release = manifest.release(name)
        for partition in TOOLS.partitions(manifest, release):
            for each in _read(manifest, release, partition):
                if isinstance(each, Record):
                    found.setdefault(f"{name}:{each.object_id}", each.observations[0])
    return found


@pytest.fixture
def upload(observed, tmp_path: Path):
    def write(key: str):
        spectrum = observed[key]
        columns = {"wavelength": spectrum.wavelength_angstrom, "flux": spectrum.flux}
        if isinstance(spectrum, Spectrum):
            columns["ivar"] = spectrum.ivar
        Table(columns).write(tmp_path / "upload.csv", overwrite=True)
        return read_spectrum_file([tmp_path / "upload.csv"])

    return write


def by_hand(observed, key: str) -> list[str]:
    """Keys by cosine of the tokenizer's own vectors, without any index."""
    keys = [each for each in observed if each != f"{INFRARED}:{FLAT}"]
    raw = open_fake_native("universal").encode([observed[each] for each in keys]).vectors
    moved = raw.astype(np.float64)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    scores = moved @ moved[keys.index(key)]
    return [keys[at] for at in np.argsort(-scores, kind="stable")]


def test_such_a_release_has_vectors_in_the_space_of_the_tokenizer_alone(searcher: Searcher):
    index = searcher.index
    segment = index.segment(INFRARED)
    assert segment.info.survey == "apogee"
    assert segment.info.spaces == {NATIVE: ("spectrum",)}
    assert segment.info.vectors == {"spectrum": len(segment)}
    assert set(segment.column("modalities")) == {VECTOR_BITS[NATIVE]}
    rows, vectors = segment.vectors(NATIVE)
    np.testing.assert_array_equal(rows, np.arange(len(segment)))
    assert len(vectors) == len(rows)
    assert len(segment.rows_in("spectrum", "spectrum")) == 0
    with pytest.raises(SearchError, match=r"has no vectors in space 'spectrum'"):
        segment.vectors("spectrum")
    assert index.info.spaces["spectrum"].modalities == ("spectrum",)
    assert f"{INFRARED}:spectrum" not in index.calibration("spectrum").nearest
    assert f"{INFRARED}:spectrum" in index.calibration(NATIVE).nearest
    assert INFRARED in info_text(index)


def test_what_the_tokenizer_refuses_is_counted_and_kept_with_the_reason(searcher: Searcher):
    segment = searcher.index.segment(INFRARED)
    assert segment.row_of(FLAT) is None
    (refused,) = [each for each in segment.rejects.to_pylist() if each["object_id"] == FLAT]
    assert refused["modality"] == ""
    assert refused["reason"].startswith("fluxes must differ")
    assert segment.info.read == segment.info.indexed + segment.info.rejected


def test_what_only_aion_refuses_keeps_its_other_vector(searcher: Searcher):
    segment = searcher.index.segment("fake-sdss")
    row = segment.row_of(NEGATIVE)
    assert segment.column("modalities")[row] == VECTOR_BITS[NATIVE]
    assert row in segment.rows_with("spectrum")
    assert row not in segment.rows_in("spectrum", "spectrum")
    assert row in segment.vectors(NATIVE)[0]
    noted = [each for each in segment.rejects.to_pylist() if each["object_id"] == NEGATIVE]
    assert [(each["modality"], each["reason"]) for each in noted] == [
        ("spectrum", "the median flux is negative")
    ]
    assert segment.info.vectors["spectrum"] == len(segment)
    assert len(segment.vectors("spectrum")[0]) == len(segment) - 1


def test_an_infrared_file_finds_its_own_source_and_its_neighbours(searcher, upload, observed):
    query = searcher.query_upload(upload(KEY))
    assert query.space == NATIVE
    hits = searcher.search(query, SearchOptions(k=10, exclude_source=False))
    assert hits.receipt["left_out"] == [KEY]
    first, *others = by_hand(observed, KEY)
    assert first == KEY
    assert list(hits.key) == others[:10]
    assert set(hits.release) == {INFRARED}
    assert np.all(np.isfinite(hits.percentile))
    # Tilted by a little: not the very observation, and still its nearest.
    tilted = observed[KEY].flux * np.linspace(0.97, 1.03, observed[KEY].flux.size)
    changed = dataclasses.replace(observed[KEY], flux=tilted)
    observed_again = dataclasses.replace(upload(KEY), native=changed)
    nearest = searcher.search(searcher.query_upload(observed_again), SearchOptions(k=1))
    assert list(nearest.key) == [KEY]


def test_an_object_without_a_vector_by_aion_is_asked_in_its_own_space(searcher, observed):
    query = searcher.query_object(KEY)
    assert (query.modality, query.space) == ("spectrum", NATIVE)
    assert query.answered == (
        "answered in 'spectrum_native' by the universal spectral tokenizer universal; the index "
        "has no vector by AION-1 of this spectrum"
    )
    hits = searcher.search(query, SearchOptions(k=5, exclude_source=False))
    assert list(hits.key) == by_hand(observed, KEY)[1:6]
    assert hits.receipt["spaces"] == [NATIVE]
    assert hits.receipt["verdict"]["level"] != "unknown"
    with pytest.raises(SearchError, match=r"^fake-apogee:A0020 has no vector in 'spectrum': it is"):
        searcher.in_space(query, "spectrum")
    for form in FORMATS:
        assert render_hits(hits, form), form
    assert searcher.preview(KEY).wavelength_angstrom[0] > 10_462
    assert searcher.object(KEY)["modalities"] == ("spectrum",)
    estimate = PropertyReader(searcher).read(query, ["redshift"])[0]
    assert estimate.reason == (
        f"properties are read in the space 'spectrum', and this is {query.answered}"
    )
    joined = examples_query([query, searcher.query_object(f"{INFRARED}:A0021")])
    assert (joined.space, joined.answered) == (NATIVE, query.answered)
    assert searcher.search(joined, SearchOptions(k=3)).receipt["spaces"] == [NATIVE]


def test_the_space_of_aion_lacks_these_rows(searcher: Searcher):
    query = searcher.query_object("fake-sdss:S0020")
    everything = SearchOptions(k=1000, exclude_source=False)
    found = searcher.search(query, everything)
    own = searcher.index.segment("fake-sdss").vectors("spectrum")[0]
    assert set(found.release) == {"fake-sdss"}
    assert len(found) == len(own) - 1
    assert np.all(found.score > -1.0)
    assert NEGATIVE not in found.object_id
    with pytest.raises(
        SearchError,
        match=r"^release fake-apogee has no spectrum vectors in the space 'spectrum', only in "
        r"spectrum_native$",
    ):
        searcher.search(query, SearchOptions(releases=(INFRARED,)))
    native = searcher.in_space(query, NATIVE)
    there = searcher.search(native, SearchOptions(k=1000, exclude_source=False))
    assert set(there.release) == {"fake-sdss", INFRARED}
    assert NEGATIVE in there.object_id


def test_links_lead_there_and_back(searcher: Searcher):
    key = f"{INFRARED}:A0021"
    (image,) = (
        searcher.query_object(each)
        for each in searcher.counterparts(key)
        if each.startswith("fake-images:")
    )
    hits = searcher.search(image, SearchOptions(to="spectrum", bridge="linked", k=20))
    assert INFRARED in hits.release
    assert key in set(
        searcher.search(
            image, SearchOptions(to="spectrum", bridge="linked", k=5, exclude_source=False)
        ).key
    )
    through = SearchOptions(to="image", bridge="linked", k=5, exclude_source=False)
    back = searcher.search(searcher.query_object(key), through)
    assert set(back.modality) == {"image"}
    assert back.key[0] == image.key


def test_pairs_of_pictures_and_spectra_are_those_with_a_vector_by_aion(searcher: Searcher):
    found = find_discordant(searcher.index, neighbours=5, properties=())
    assert all(key.startswith("fake-sdss:") for key in found.spectrum_key)
    assert f"fake-sdss:{NEGATIVE}" not in found.spectrum_key


def test_an_index_of_nothing_else(manifest, tmp_path: Path, upload):
    build(sky.fake_manifest(manifest.root, (INFRARED,)), tmp_path, tools=TOOLS, **NAMES)
    assert verify(tmp_path).ok
    index = open_index(tmp_path)
    assert list(index.info.spaces) == [NATIVE]
    alone = Searcher(index, open_fake_encoder, lambda: open_fake_native("universal"))
    query = alone.query_upload(upload("fake-sdss:S0020"))
    assert query.answered == (
        "answered in 'spectrum_native' by the universal spectral tokenizer universal; this index "
        "holds no spectra by AION-1"
    )
    assert set(alone.search(query, SearchOptions(k=3)).release) == {INFRARED}
    with pytest.raises(QueryError, match="asked in spectrum or spectrum_native, got 'image'"):
        alone.in_space(query, "image")


@pytest.mark.parametrize("named", [None, "none"])
def test_without_the_tokenizer_such_a_release_is_refused(manifest, tmp_path: Path, named):
    message = (
        r"only the universal spectral tokenizer takes the spectra of fake-apogee "
        r"\(survey apogee\), and this index is built without it: name its weights "
        r"with --native-weights, such as spectra-demo, or leave these releases out"
    )
    for make in (build, encode):
        with pytest.raises(BuildError, match=message):
            make(manifest, tmp_path, weights="fake", native_weights=named, tools=TOOLS)
    assert not (tmp_path / INDEX_FILE).exists()


def test_verified_in_every_way(path: Path, manifest, tmp_path: Path):
    assert verify(path).ok
    build(manifest, tmp_path, tools=PECULIAR, **NAMES)
    told = json.loads((tmp_path / INDEX_FILE).read_text())
    told["releases"][INFRARED]["vectors"]["spectrum"] -= 1
    told["releases"]["fake-sdss"]["spaces"].pop(NATIVE)
    write_checked(tmp_path / INDEX_FILE, told)
    problems = "; ".join(verify(tmp_path, hashes=False).problems)
    count = len(open_index(path).segment(INFRARED))
    assert f"{INFRARED}: spectrum vectors are listed for {count - 1} objects, {count} have one" in (
        problems
    )
    assert (
        f"fake-sdss: objects have a vector in space {NATIVE}, which the segment lacks" in problems
    )


def test_kept_with_its_space_when_another_release_comes(manifest, path: Path, tmp_path: Path):
    some = sky.fake_manifest(manifest.root, (INFRARED, "fake-images"))
    build(some, tmp_path, tools=PECULIAR, **NAMES)
    before = open_index(tmp_path).segment(INFRARED).info
    assert not build(some, tmp_path, tools=PECULIAR, **NAMES).changed
    more = sky.fake_manifest(manifest.root, (INFRARED, "fake-images", "fake-sdss"))
    build(more, tmp_path, tools=PECULIAR, **NAMES)
    opened = open_index(tmp_path)
    assert opened.segment(INFRARED).info == before
    assert (
        opened.segment("fake-sdss").info.vectors
        == open_index(path).segment("fake-sdss").info.vectors
    )
    assert verify(tmp_path).ok


def test_slices_and_jobs_give_the_same(manifest, path: Path, tmp_path: Path, fingerprint):
    build(manifest, tmp_path, tools=PECULIAR, runner=Processes(2), **NAMES)
    assert fingerprint(tmp_path) == fingerprint(path)


def test_heads_fitted_anew_keep_the_records(manifest, tmp_path: Path):
    wide = sky.write_fake_sky(tmp_path / "sky", RELEASES, sources=160)
    build(wide, tmp_path / "index", tools=TOOLS, **NAMES)
    align_index(tmp_path / "index")
    assert verify(tmp_path / "index").ok
