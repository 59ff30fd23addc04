"""Spectra on any grid as queries: which space answers, why, and what it says of the hits."""

import dataclasses
import json
from pathlib import Path

import click
import fake_sky as sky
import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner
from fake_native import open_fake_native

from aion_encoder.fake import open_fake_encoder
from indexer import native_queries
from indexer.build import build
from indexer.cli import main
from indexer.cli_properties import _decoded
from indexer.cli_query import Asked, query_of
from indexer.errors import QueryError, ReadError, SearchError
from indexer.examples import examples_query
from indexer.export import FORMATS, render_hits
from indexer.index_file import open_index
from indexer.index_model import NATIVE
from indexer.options import SearchOptions
from indexer.printing import hits_text
from indexer.properties import PropertyReader
from indexer.readers.records import Record
from indexer.readers.uploads import read_spectrum_file
from indexer.search import Searcher
from indexer.upload_queries import open_same_native

TOOLS = dataclasses.replace(sky.FAKE_TOOLS, open_native=open_fake_native)
RELEASES = ("fake-images", "fake-sdss")
KEY = "fake-sdss:S0020"
GRID = np.linspace(15_000.0, 17_000.0, 900)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return sky.write_fake_sky(tmp_path_factory.mktemp("native-search"), RELEASES, sources=60)


@pytest.fixture(scope="module")
def searcher(manifest, tmp_path_factory) -> Searcher:
    path = tmp_path_factory.mktemp("native-search-index")
    build(manifest, path, weights="fake", native_weights="universal", tools=TOOLS)
    return Searcher(open_index(path), open_fake_encoder, lambda: open_fake_native("universal"))


@pytest.fixture(scope="module")
def plain(manifest, tmp_path_factory) -> Searcher:
    path = tmp_path_factory.mktemp("plain-index")
    build(manifest, path, weights="fake", tools=TOOLS)
    return Searcher(open_index(path), open_fake_encoder)


@pytest.fixture(scope="module")
def spectrum(manifest):
    release = manifest.release("fake-sdss")
    for partition in TOOLS.partitions(manifest, release):
        for each in sky.read_fake_partition(manifest, release, partition):
            if isinstance(each, Record) and f"fake-sdss:{each.object_id}" == KEY:
                return each.observations[0]
    raise AssertionError(KEY)


def write(path: Path, wavelength, flux, **columns) -> Path:
    Table({"wavelength": wavelength, "flux": flux, **columns}).write(path)
    return path


@pytest.fixture
def inside(spectrum, tmp_path: Path) -> Path:
    wavelength = spectrum.wavelength_angstrom
    return write(tmp_path / "inside.csv", wavelength, spectrum.flux, ivar=spectrum.ivar)


@pytest.fixture
def infrared(tmp_path: Path) -> Path:
    flux = 3.0 + np.sin(GRID / 90.0)
    return write(tmp_path / "infrared.csv", GRID, flux)


def test_a_spectrum_inside_the_range_is_encoded_by_both(searcher: Searcher, inside: Path):
    query = searcher.query_upload(read_spectrum_file([inside]))
    assert query.raw_vector is not None
    assert query.native_vector is not None
    assert (query.modality, query.space, query.home) == ("spectrum", "", "spectrum")
    assert query.answered == (
        "answered in 'spectrum' by AION-1 (fake/fake), whose range it lies in; the universal "
        "spectral tokenizer universal can be asked in 'spectrum_native'"
    )
    hits = searcher.search(query)
    assert hits.receipt["spaces"] == ["spectrum"]
    assert "space_encoder" not in hits.receipt
    assert hits.receipt["left_out"] == [KEY]


def test_how_much_of_a_wide_spectrum_aion_sees(searcher: Searcher, tmp_path: Path):
    wavelength = np.linspace(9000.0, 17_000.0, 2001)
    path = write(tmp_path / "wide.csv", wavelength, 3.0 + np.sin(wavelength / 90.0))
    query = searcher.query_upload(read_spectrum_file([path]))
    assert "which sees 366 of its 2,001 good pixels, those in 3500-10462 A" in query.answered


def test_both_spaces_find_the_same_object_as_the_query_itself(searcher: Searcher, inside: Path):
    query = searcher.in_space(searcher.query_upload(read_spectrum_file([inside])), NATIVE)
    assert query.answered == (
        "answered in 'spectrum_native' by the universal spectral tokenizer universal, as you asked"
    )
    hits = searcher.search(query)
    assert hits.receipt["spaces"] == [NATIVE]
    assert hits.receipt["space_encoder"]["repository"] == "universal"
    assert hits.receipt["left_out"] == [KEY]
    assert set(hits.bridge) == {"same"}
    assert np.all(np.isfinite(hits.percentile))
    assert np.all(np.diff(hits.score) <= 0)
    assert hits.receipt["verdict"]["level"] != "unknown"
    back = searcher.in_space(query, "spectrum")
    assert searcher.search(back).receipt["spaces"] == ["spectrum"]


def test_an_infrared_spectrum_is_answered_by_the_tokenizer(searcher: Searcher, infrared: Path):
    query = searcher.query_upload(read_spectrum_file([infrared]))
    assert query.raw_vector is None
    assert query.observation is None
    assert query.answered.startswith(
        "answered in 'spectrum_native' by the universal spectral tokenizer universal; AION-1 does "
        "not take this spectrum: no overlap with 3500-10462 A"
    )
    assert any("errors" in note and note.startswith("spectrum_native:") for note in query.notes)
    assert query.preview is not None
    assert query.preview.wavelength_angstrom[0] > 15_000
    hits = searcher.search(query, SearchOptions(k=5))
    assert hits.receipt["spaces"] == [NATIVE]
    assert len(hits) == 5
    assert set(hits.bridge) == {"same"}
    assert np.all(np.isfinite(hits.percentile))
    assert hits.query.summary()["space"] == NATIVE
    assert query.answered in hits_text(hits)
    for form in FORMATS:
        assert render_hits(hits, form), form
    assert json.loads(render_hits(hits, "json"))["query"]["answered"] == query.answered


def test_too_short_an_overlap_is_answered_by_the_tokenizer(searcher: Searcher, spectrum, tmp_path):
    part = slice(0, 180)
    short = write(tmp_path / "short.csv", spectrum.wavelength_angstrom[part], spectrum.flux[part])
    query = searcher.query_upload(read_spectrum_file([short]))
    assert query.space == NATIVE
    assert "too few pixels: AION-1 needs 200" in query.answered


def test_what_the_encoder_of_aion_refuses_is_answered_by_the_tokenizer(searcher, tmp_path):
    wavelength = np.linspace(4000.0, 9000.0, 800)
    flux = -2.0 + 0.5 * np.sin(wavelength / 50.0)
    path = write(tmp_path / "negative.csv", wavelength, flux, ivar=np.ones(800))
    query = searcher.query_upload(read_spectrum_file([path]))
    assert query.space == NATIVE
    assert "the median flux is negative" in query.answered
    assert searcher.search(query).receipt["spaces"] == [NATIVE]


def test_other_modalities_are_reached_through_links(searcher: Searcher, infrared: Path):
    query = searcher.query_upload(read_spectrum_file([infrared]))
    hits = searcher.search(query, SearchOptions(k=3, to="image"))
    assert set(hits.bridge) == {"linked"}
    assert set(hits.modality) == {"image"}
    assert all(via.startswith("fake-sdss:") for via in hits.via)
    with pytest.raises(SearchError, match="'spectrum_native' is not aligned with image"):
        searcher.search(query, SearchOptions(to="image", bridge="aligned"))
    with pytest.raises(SearchError, match=r"has no vector in 'spectrum': it is answered in"):
        searcher.in_space(query, "spectrum")
    with pytest.raises(click.UsageError, match="--decoder needs AION-1's tokens, but this is ans"):
        _decoded(searcher, query, None)
    estimates = PropertyReader(searcher).read(query, ["redshift"])
    assert estimates[0].reason == (
        f"properties are read in the space 'spectrum', and this is {query.answered}"
    )


def test_an_object_of_the_index_is_asked_in_either_space(searcher: Searcher):
    query = searcher.query_object(KEY)
    native = searcher.search(searcher.in_space(query, NATIVE), SearchOptions(k=3))
    assert native.receipt["spaces"] == [NATIVE]
    assert KEY not in native.key
    segment = searcher.index.segment("fake-sdss")
    rows, vectors = segment.vectors(NATIVE)
    own = vectors[np.searchsorted(rows, segment.row_of("S0020"))].astype(np.float32)
    scores = vectors.astype(np.float32) @ own
    best = rows[np.argsort(-scores, kind="stable")[1:4]]
    assert list(native.object_id) == [segment.object_id(row) for row in best]
    assert searcher.search(query, SearchOptions(k=3)).receipt["spaces"] == ["spectrum"]


def test_where_a_spectrum_can_be_compared(
    searcher: Searcher, plain: Searcher, inside: Path, infrared: Path
):
    both = searcher.query_upload(read_spectrum_file([inside]))
    wide = searcher.query_upload(read_spectrum_file([infrared]))
    assert searcher.spaces(both) == ("spectrum", NATIVE)
    assert searcher.spaces(searcher.in_space(both, NATIVE)) == ("spectrum", NATIVE)
    assert searcher.spaces(wide) == (NATIVE,)
    assert searcher.spaces(searcher.query_object(KEY)) == ("spectrum", NATIVE)
    assert searcher.spaces(searcher.query_object("fake-images:I0020")) == ()
    assert plain.spaces(plain.query_object(KEY)) == ("spectrum",)
    assert plain.spaces(plain.query_upload(read_spectrum_file([inside]))) == ("spectrum",)
    examples = examples_query([both, wide], [])
    assert searcher.spaces(examples) == (NATIVE,)
    with pytest.raises(
        SearchError, match=r"has no vector in 'spectrum': ask it in 'spectrum_native'"
    ):
        searcher.in_space(examples, "spectrum")


def test_an_object_that_the_tokenizer_refused_is_not_asked_there(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
):
    stored = native_queries.vector_of

    def lacking(segment, space, modality, row):
        return None if space == NATIVE else stored(segment, space, modality, row)

    monkeypatch.setattr(native_queries, "vector_of", lacking)
    query = searcher.query_object(KEY)
    assert searcher.spaces(query) == ("spectrum",)
    with pytest.raises(
        SearchError, match=rf"^{KEY} has no vector in 'spectrum_native': ask it in 'spectrum'$"
    ):
        searcher.in_space(query, NATIVE)


def test_a_brought_spectrum_is_given_back_with_what_was_ignored(
    searcher: Searcher, plain: Searcher, tmp_path: Path
):
    wavelength = np.linspace(4000.0, 8000.0, 640)
    flux = 3.0 + np.sin(wavelength / 90.0)
    ivar = np.full(640, 4.0)
    # 20 of the 32 pixels of the fourth patch, and one alone.
    ivar[[*range(100, 120), 300]] = 0.0
    path = write(tmp_path / "holes.csv", wavelength, flux, ivar=ivar)
    query = searcher.query_upload(read_spectrum_file([path]))
    told = searcher.reconstruct(query)
    expected = np.zeros(640, bool)
    expected[[*range(96, 128), 300]] = True
    np.testing.assert_array_equal(told.ignored, expected)
    np.testing.assert_array_equal(np.isnan(told.flux), ivar == 0.0)
    np.testing.assert_allclose(told.flux[ivar > 0], flux[ivar > 0])
    # The stand-in gives the mean back, so the squares are four times the variance.
    assert told.chi_square == pytest.approx(4.0 * np.var(flux[~expected]))
    assert not told.errors_estimated
    assert told.starts == (0,)
    assert told.model == "the universal spectral tokenizer universal"
    assert query.native is not None
    assert plain.query_upload(read_spectrum_file([path])).native is None


def test_errors_of_a_spectrum_without_any_are_estimated_and_gaps_are_told(searcher, tmp_path):
    rng = np.random.default_rng(3)
    arms = [np.linspace(9000.0, 10_000.0, 800), np.linspace(10_500.0, 12_000.0, 800)]
    wavelength = np.concatenate(arms)
    flux = 5.0 + rng.normal(0.0, 0.2, 1600)
    path = write(tmp_path / "arms.csv", wavelength, flux)
    told = searcher.reconstruct(searcher.query_upload(read_spectrum_file([path])))
    assert told.errors_estimated
    assert told.starts == (0, 800)
    assert told.chi_square == pytest.approx(1.0, abs=0.15)


def test_only_a_brought_spectrum_is_given_back(searcher: Searcher, plain: Searcher, inside: Path):
    with pytest.raises(SearchError, match=rf"{KEY} has no spectrum that can be given back"):
        searcher.reconstruct(searcher.query_object(KEY))
    with pytest.raises(SearchError, match=r"must be a file with a vector in 'spectrum_native'"):
        plain.reconstruct(plain.query_upload(read_spectrum_file([inside])))


def test_several_examples_are_asked_in_the_space(searcher: Searcher, infrared: Path):
    upload = searcher.query_upload(read_spectrum_file([infrared]))
    examples = examples_query([searcher.query_object(KEY), upload], [])
    hits = searcher.search(searcher.in_space(examples, NATIVE), SearchOptions(k=3))
    assert hits.receipt["spaces"] == [NATIVE]
    with pytest.raises(
        SearchError, match="has no spectrum vector for the space 'spectrum': it is ans"
    ):
        searcher.search(examples)


def test_what_cannot_be_asked_there(searcher: Searcher, plain: Searcher, infrared: Path):
    image = searcher.query_object("fake-images:I0020")
    with pytest.raises(QueryError, match="has no spectrum, only image"):
        searcher.in_space(image, NATIVE)
    with pytest.raises(QueryError, match="asked in spectrum or spectrum_native, got 'shared'"):
        searcher.in_space(searcher.query_object(KEY), "shared")
    lacking = r"this index has no space 'spectrum_native'.*--native-weights spectra-demo"
    with pytest.raises(SearchError, match=lacking):
        plain.in_space(plain.query_object(KEY), NATIVE)
    with pytest.raises(SearchError, match=r"^infrared.csv: AION-1 does not take.*" + lacking):
        plain.query_upload(read_spectrum_file([infrared]))


def test_an_index_without_the_space_answers_as_before(plain: Searcher, inside: Path):
    query = plain.query_upload(read_spectrum_file([inside]))
    assert (query.native_vector, query.space, query.answered) == (None, "", "")
    assert "answered" not in query.summary()


def test_what_both_refuse_is_refused_with_both_reasons(searcher: Searcher, tmp_path: Path):
    wavelength = np.linspace(4000.0, 9000.0, 800)
    flat = read_spectrum_file(
        [write(tmp_path / "flat.csv", wavelength, np.full(800, -2.0), ivar=np.ones(800))]
    )
    both = r"^flat.csv: the median flux is negative; the universal .* too: fluxes must differ"
    with pytest.raises(ReadError, match=both):
        searcher.query_upload(flat)
    even = write(tmp_path / "even.csv", wavelength, np.full(800, 2.0), ivar=np.ones(800))
    query = searcher.query_upload(read_spectrum_file([even]))
    assert "has no vector of it: fluxes must differ" in query.answered
    with pytest.raises(SearchError, match=r"has no vector in 'spectrum_native': it is answered"):
        searcher.in_space(query, NATIVE)
    sparse = write(tmp_path / "sparse.csv", GRID[:60], np.arange(60.0))
    with pytest.raises(ReadError, match=r"sparse.csv: no overlap with 3500-10462 A"):
        read_spectrum_file([sparse])


def test_other_weights_of_the_tokenizer_are_refused_only_where_needed(
    searcher: Searcher, inside: Path, infrared: Path
):
    index = searcher.index
    other = Searcher(index, open_fake_encoder, lambda: open_same_native(index, "spectra-demo"))
    query = other.query_upload(read_spectrum_file([inside]))
    assert query.native_vector is None
    assert "has no vector of it: spectra must be encoded as the space" in query.answered
    with pytest.raises(SearchError, match=r"name the right weights with --native-weights"):
        other.query_upload(read_spectrum_file([infrared]))
    moved = Searcher(index, open_fake_encoder)
    with pytest.raises(SearchError, match=r"must be 'spectra-demo' or a directory"):
        moved.query_upload(read_spectrum_file([infrared]))


def test_the_command_line_names_the_space(searcher: Searcher):
    asked = Asked(KEY, *[None, (), ()], *[None] * 10, space=NATIVE)
    assert query_of(searcher, asked).space == NATIVE
    run = CliRunner().invoke(
        main, ["search", str(searcher.index.path), "--object", KEY, "--space", NATIVE, "-k", "2"]
    )
    assert run.exit_code == 0, run.output
    assert "answered in 'spectrum_native' by the universal spectral tokenizer" in run.stdout
    nowhere = CliRunner().invoke(
        main, ["properties", str(searcher.index.path), "--object", KEY, "--space", NATIVE]
    )
    assert "No such option" in nowhere.stderr
    bad = CliRunner().invoke(
        main, ["search", str(searcher.index.path), "--object", KEY, "--space", "image"]
    )
    assert bad.exit_code == 2
