"""An index of vectors that somebody else made: what is in it, and what can be asked of it."""

import dataclasses
import json
from pathlib import Path

import fake_sky
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vector_sky as sky

from aion_encoder.fake import FakeEncoder, open_fake_encoder
from aion_encoder.identity import DeclaredIdentity, EncoderIdentity
from indexer.build import build, encode
from indexer.durable import write_json
from indexer.errors import BuildError, QueryError, SearchError
from indexer.export import FORMATS, render_hits
from indexer.index_file import open_index
from indexer.manifests import Manifest
from indexer.options import SearchOptions
from indexer.readers.uploads import read_spectrum_file
from indexer.reports import info_text
from indexer.runners.job_array import Slice
from indexer.runners.local import Processes
from indexer.search import Searcher, open_searcher
from indexer.tools import Tools
from indexer.verify import verify

COUNT = 260
K = 12


def _never(weights: str) -> FakeEncoder:
    raise AssertionError(f"{weights} was opened, but there is nothing to encode")


TOOLS = Tools(open_encoder=_never, open_native=_never)


def two_files(folder: Path) -> tuple[np.ndarray, dict]:
    """Write a catalogue in two files: rows beyond `COUNT` are bad, or there twice."""
    vectors, table = sky.sky(COUNT)
    vectors[20] = vectors[10]
    spoilt = np.array([[np.nan] * 6, [0.0] * 6], np.float32)
    more = {
        "object_id": [1, 2, table["object_id"][3]],
        "ra": [1.0, 2.0, 3.0],
        "dec": [1.0, 2.0, 3.0],
        "z": [0.1, 0.2, 0.3],
    }
    half = COUNT // 2
    first = {name: values[:half] for name, values in table.items()}
    second = {name: [*values[half:], *more[name]] for name, values in table.items()}
    sky.write(folder / "Norder=1", "fixed lists", vectors[:half], first, "Npix=1")
    rest = np.concatenate([vectors[half:], spoilt, vectors[3:4]])
    sky.write(folder / "Norder=2", "fixed lists", rest, second, "Npix=7")
    return vectors, table


def hats(folder: Path, **changes) -> Manifest:
    return sky.manifest(folder, **{"files": ["Norder=*/*.parquet"], **changes})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("published")
    return folder, *two_files(folder)


@pytest.fixture(scope="module")
def index(files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brought-index")
    build(hats(files[0]), path, tools=TOOLS)
    return path


def in_space(raw: np.ndarray, index: Path) -> np.ndarray:
    """Whiten as docs/index_format.md says, by another road than the index."""
    space = json.loads((index / "spaces/image/space.json").read_text())
    assert space["method"] == "whitened"
    # The rows of the index are in another order, which the statistics do not mind.
    fitted = raw.astype(np.float64)
    mean, covariance = fitted.mean(axis=0), np.cov(fitted.T, bias=True)
    a, dim = space["shrinkage"], raw.shape[1]
    values, axes = np.linalg.eigh((1 - a) * covariance + a * np.trace(covariance) / dim * np.eye(6))
    moved = (fitted - mean) @ (axes / np.sqrt(values)) @ axes.T
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def test_neighbours_are_those_of_brute_force(files, index: Path) -> None:
    _, vectors, table = files
    searcher = open_searcher(index)
    unit = in_space(vectors, index)
    for number in (0, 77, 200):
        hits = searcher.search(
            searcher.query_object(f"brought:{table['object_id'][number]}"), SearchOptions(k=K)
        )
        scores = unit @ unit[number]
        scores[number] = -2.0
        best = np.argsort(-scores)[:K]
        assert [key.split(":")[1] for key in hits.key] == [
            str(table["object_id"][each]) for each in best
        ]
        assert np.asarray(hits.score) == pytest.approx(scores[best], abs=2e-3)


def test_vectors_that_compare_as_they_are_are_only_scaled(files, tmp_path: Path) -> None:
    folder, vectors, table = files
    declared = hats(folder).releases[0].vectors.model_dump()
    build(hats(folder, vectors={**declared, "comparable": True}), tmp_path / "i", tools=TOOLS)
    searcher = open_searcher(tmp_path / "i")
    hits = searcher.search(searcher.query_vector(vectors[5] * 7.0, "image"), SearchOptions(k=K))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = unit @ unit[5]
    scores[5] = -2.0
    expected = [str(table["object_id"][each]) for each in np.argsort(-scores)[:K]]
    assert [key.split(":")[1] for key in hits.key] == expected


def test_read_is_indexed_and_rejected_and_what_was_found_is_noted(index: Path) -> None:
    opened = open_index(index)
    release = opened.info.releases["brought"]
    assert (release.read, release.indexed, release.rejected) == (COUNT + 3, COUNT, 3)
    reasons = opened.segment("brought").rejects.column("reason").to_pylist()
    assert [reason.split(":")[0].split(",")[0] for reason in reasons] == [
        "the vector holds numbers that are not finite in single precision",
        "the vector has no direction",
        "the identifier appears before",
    ]
    (note,) = [each for each in opened.info.notes if each.startswith("brought: ")]
    assert f"{COUNT} image vectors were brought, declared to be of someone/aion@v1" in note
    assert "not normalised (lengths " in note
    assert note.endswith("2 equal to that of another object")
    assert isinstance(opened.info.encoder, DeclaredIdentity)
    assert "pooling mean\n" in info_text(opened)
    assert verify(index).ok


def test_unit_vectors_are_noted_as_such(tmp_path: Path) -> None:
    vectors, table = sky.sky(60)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sky.write(tmp_path / "sky", "array", vectors.astype(np.float16), table)
    info = build(sky.manifest(tmp_path / "sky", "array"), tmp_path / "i", tools=TOOLS).info
    assert "60 image vectors were brought" in info.notes[0]
    assert info.notes[0].endswith("; all of unit length")


def test_damage_to_what_is_said_of_vectors_is_found(files, tmp_path: Path) -> None:
    path = tmp_path / "i"
    build(hats(files[0]), path, tools=TOOLS)
    facts = path / "segments/brought/vectors.json"
    changed = {**json.loads(facts.read_text()), "vectors": 1}
    write_json(facts, changed)
    assert any("vectors.json" in each for each in verify(path).problems)
    problems = verify(path, hashes=False, info=open_index(path).info).problems
    assert any("vectors.json" in each for each in problems)


def test_the_bytes_do_not_depend_on_who_runs_it(
    files, index: Path, tmp_path: Path, fingerprint
) -> None:
    manifest = hats(files[0])
    build(manifest, tmp_path / "workers", tools=Tools(), runner=Processes(2))
    for number in range(2):
        done = encode(manifest, tmp_path / "slices", part=Slice(number, 2), tools=TOOLS)
        assert done.partitions == 1
    with pytest.MonkeyPatch.context() as patch:
        # All work is done already, and not done again.
        patch.setattr("indexer.brought.read_vectors", None)
        build(manifest, tmp_path / "slices", tools=TOOLS)
    expected = fingerprint(index)
    assert fingerprint(tmp_path / "workers") == expected
    assert fingerprint(tmp_path / "slices") == expected


def test_another_declaration_is_another_index(files, tmp_path: Path) -> None:
    folder, path = files[0], tmp_path / "i"
    assert build(hats(folder), path, tools=TOOLS).changed
    assert not build(hats(folder), path, tools=TOOLS).changed
    declared = hats(folder).releases[0].vectors.model_dump()
    declared["encoder"]["revision"] = "v2"
    built = build(hats(folder, vectors=declared), path, tools=TOOLS)
    assert built.changed
    assert built.info.encoder.revision == "v2"
    assert verify(path).ok


def test_a_release_is_added_to_the_space_that_is_there(files, tmp_path: Path) -> None:
    folder, path = tmp_path / "sky", tmp_path / "i"
    two_files(folder)
    vectors, table = sky.sky(40, seed=8)
    sky.write(folder / "more", "array", vectors, table)
    one = hats(folder).releases[0]
    build(hats(folder), path, tools=TOOLS)
    space = (path / "spaces/image/space.safetensors").read_bytes()
    declared = {**one.vectors.model_dump(), "column": "", "table": "{stem}.parquet"}
    other = sky.manifest(folder, files=["more/*.npy"], vectors=declared, name="later").releases[0]
    both = hats(folder).model_copy(update={"releases": (one, other)})
    info = build(both, path, tools=TOOLS).info
    assert info.releases["brought"].directory == "segments/brought"
    assert (path / "spaces/image@2/space.safetensors").read_bytes() == space
    assert len([each for each in info.notes if "were brought" in each]) == 2
    assert verify(path).ok


def test_questions_by_identifier_position_and_vector_agree(files, index: Path) -> None:
    _, vectors, table = files
    searcher = open_searcher(index)
    by_id = searcher.query_text(str(table["object_id"][42]))
    by_place = searcher.query_text(f"{table['ra'][42]:.8f} {table['dec'][42]:+.8f}")
    assert by_id.key == by_place.key == f"brought:{table['object_id'][42]}"
    options = SearchOptions(k=K)
    expected = list(searcher.search(by_id, options).key)
    assert list(searcher.search(by_place, options).key) == expected
    # The object whose very vector it is is left out, as that of an uploaded file is.
    by_vector = searcher.query_vector(vectors[42].tolist(), "image")
    hits = searcher.search(by_vector, options)
    assert list(hits.key) == expected
    assert hits.receipt["read_as"]["encoder"].endswith(", as whoever asks says")
    assert all(render_hits(hits, kind) for kind in FORMATS)
    assert searcher.preview(expected[0]) is None


def test_vectors_that_cannot_be_asked(files, index: Path) -> None:
    searcher, vector = open_searcher(index), files[1][0]
    wanted = searcher.index.info.encoder
    assert (
        searcher.query_vector(vector, "image", wanted)
        .assumptions["encoder"]
        .endswith(", as declared")
    )
    other = FakeEncoder("fake").identity
    with pytest.raises(SearchError) as caught:
        searcher.query_vector(vector, "image", other)
    assert f"someone/aion@v1 (identity {wanted.digest})" in str(caught.value)
    assert f"fake/fake (identity {other.digest})" in str(caught.value)
    with pytest.raises(SearchError, match="no spectrum vectors, only image"):
        searcher.query_vector(vector, "spectrum")
    for bad, message in (
        (vector[:4], r"must have the shape \(6,\), got \(4,\)"),
        (vector * np.nan, "must be finite"),
        (vector.astype(np.float64) * 1e300, "must be finite"),
        (vector * 0, "must have a direction"),
    ):
        with pytest.raises(QueryError, match=message):
            searcher.query_vector(bad, "image")
    with pytest.raises(QueryError, match="a modality is one of image, spectrum, xp, photometry"):
        searcher.query_vector(vector, "sound")


# Vectors beside those that are made here, and uploads.


def spectra(folder: Path, identity: EncoderIdentity | DeclaredIdentity, count: int = 60):
    """Write fake spectra's vectors, as published by somebody, and return their release."""
    rng = np.random.default_rng(11)
    latent = rng.normal(0.0, 0.7, (count, fake_sky.LATENT))
    encoder = FakeEncoder("fake")
    seen = [(fake_sky.observation("sdss", each),) for each in latent]
    vectors = encoder.encode(seen).vectors["spectrum"]
    table = {
        "object_id": [f"P{number}" for number in range(count)],
        "ra": rng.uniform(0.0, 360.0, count),
        "dec": rng.uniform(-60.0, 60.0, count),
    }
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"embedding": sky.column("fixed lists", vectors), **table}
    pq.write_table(pa.table(columns), folder / "p.parquet")
    declared = identity.model_dump(mode="json")
    return sky.manifest(
        folder,
        name="published",
        survey="sdss",
        columns={},
        files=["published/p.parquet"],
        vectors={"modality": "spectrum", "column": "embedding", "encoder": declared},
    ).releases[0], seen[7][0]


@pytest.fixture
def uploaded(tmp_path: Path):
    def of(spectrum):
        path = tmp_path / "spectrum.csv"
        rows = np.stack([spectrum.wavelength_angstrom, spectrum.flux, spectrum.ivar], 1)
        np.savetxt(path, rows, "%.9g", ",", header="wavelength,flux,ivar", comments="")
        return read_spectrum_file([path], survey="sdss")

    return of


FAKE = FakeEncoder("fake").identity
DECLARED = DeclaredIdentity(repository="someone/spectra", pooling="mean", dim=32)


def test_a_file_is_encoded_where_the_encoder_is_the_declared_one(uploaded, tmp_path: Path) -> None:
    release, spectrum = spectra(tmp_path / "sky/published", FAKE)
    manifest = sky.manifest(tmp_path / "sky").model_copy(update={"releases": (release,)})
    build(manifest, tmp_path / "i", tools=TOOLS)
    searcher = open_searcher(tmp_path / "i", weights="fake")
    query = searcher.query_upload(uploaded(spectrum))
    # Printed digits are not the bits that were encoded; but nothing lies nearer.
    left_out = searcher.search(query).receipt["left_out"]
    assert left_out == ["published:P7"] or searcher.search(query).key[0] == "published:P7"


def test_a_file_is_refused_in_words_that_say_both_identities(uploaded, tmp_path: Path) -> None:
    release, spectrum = spectra(tmp_path / "sky/published", DECLARED)
    manifest = sky.manifest(tmp_path / "sky").model_copy(update={"releases": (release,)})
    build(manifest, tmp_path / "i", tools=TOOLS)
    told = f"declared to be of someone/spectra (identity {DECLARED.digest}), but without the SHA-25"
    with pytest.raises(SearchError) as caught:
        open_searcher(tmp_path / "i").query_upload(uploaded(spectrum))
    assert told in str(caught.value)
    assert str(caught.value).endswith("ask by identifier, position or vector")
    with pytest.raises(SearchError) as caught:
        open_searcher(tmp_path / "i", weights="fake").query_upload(uploaded(spectrum))
    assert told in str(caught.value)
    assert str(caught.value).endswith(f"the encoder at hand is fake/fake (identity {FAKE.digest})")
    commit = "ab" * 20
    whole = DeclaredIdentity(
        repository="someone/aion",
        revision=commit,
        codecs_repository="someone/aion",
        codecs_revision=commit,
        preprocessing=1,
        pooling="mean_context",
        dim=32,
    )
    release, _ = spectra(tmp_path / "sky/published", whole)
    manifest = manifest.model_copy(update={"releases": (release,)})
    build(manifest, tmp_path / "j", tools=TOOLS)
    with pytest.raises(SearchError) as caught:
        open_searcher(tmp_path / "j", weights="fake").query_upload(uploaded(spectrum))
    assert f"someone/aion@{commit} (identity {whole.digest})" in str(caught.value)
    assert f"fake/fake (identity {FAKE.digest})" in str(caught.value)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return fake_sky.write_fake_sky(tmp_path_factory.mktemp("mixed"), ["fake-images"], sources=60)


FAKE_IMAGES = dataclasses.replace(
    fake_sky.FAKE_TOOLS, open_native=_never, open_encoder=open_fake_encoder
)


def test_brought_spectra_beside_encoded_images(images, uploaded, tmp_path: Path) -> None:
    release, spectrum = spectra(images.root / "published", DECLARED)
    mixed = images.model_copy(update={"releases": (*images.releases, release)})
    build(mixed, tmp_path / "i", weights="fake", tools=FAKE_IMAGES)
    assert verify(tmp_path / "i").ok
    searcher = Searcher(open_index(tmp_path / "i"), open_fake_encoder)
    index = searcher.index
    assert index.info.encoder == FAKE
    assert index.encoder_of("spectrum") == DECLARED
    assert index.encoder_of("image") == FAKE
    assert f"spectrum: encoder someone/spectra (identity {DECLARED.digest})" in info_text(index)
    hits = searcher.search(searcher.query_object("published:P3"))
    assert {key.split(":")[0] for key in hits.key} == {"published"}
    assert hits.receipt["encoder"]["digest"] == FAKE.digest
    assert hits.receipt["space_encoder"]["digest"] == DECLARED.digest
    with pytest.raises(SearchError, match=f"someone/spectra \\(identity {DECLARED.digest}\\)"):
        searcher.query_upload(uploaded(spectrum))
    # The images go, and with them the encoder of the index: the spectra stay whose they are.
    alone = images.model_copy(update={"releases": (release,)})
    build(alone, tmp_path / "i", tools=FAKE_IMAGES)
    assert open_index(tmp_path / "i").info.encoder == DECLARED
    build(mixed, tmp_path / "i", weights="fake", tools=FAKE_IMAGES)
    again = open_index(tmp_path / "i")
    assert again.encoder_of("spectrum") == DECLARED
    assert again.info.releases["published"].directory == "segments/published"
    assert verify(tmp_path / "i").ok


def test_vectors_of_two_encoders_never_share_a_space(images, tmp_path: Path) -> None:
    spectra_here = fake_sky.write_fake_sky(tmp_path / "sky", ["fake-sdss"], sources=60)
    foreign, _ = spectra(tmp_path / "sky/published", DECLARED)
    both = spectra_here.model_copy(update={"releases": (*spectra_here.releases, foreign)})
    with pytest.raises(BuildError) as caught:
        build(both, tmp_path / "i", weights="fake", tools=FAKE_IMAGES)
    assert f"are of someone/spectra (identity {DECLARED.digest})" in str(caught.value)
    assert f"fake-sdss would be encoded by fake/fake (identity {FAKE.digest})" in str(caught.value)
    # Of the same encoder they do.
    tools = dataclasses.replace(FAKE_IMAGES, open_native=fake_sky.FAKE_TOOLS.open_native)
    same, _ = spectra(tmp_path / "sky/published", FAKE)
    both = both.model_copy(update={"releases": (*spectra_here.releases, same)})
    build(both, tmp_path / "i", weights="fake", tools=tools)
    searcher = open_searcher(tmp_path / "i")
    hits = searcher.search(searcher.query_object("published:P3"), SearchOptions(k=50))
    assert {key.split(":")[0] for key in hits.key} == {"published", "fake-sdss"}
    assert verify(tmp_path / "i").ok
