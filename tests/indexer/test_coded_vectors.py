"""Vectors of which 8 bits a dimension are kept, alone and through a build."""

from pathlib import Path

import numpy as np
import pytest
from fake_sky import FAKE_TOOLS, write_fake_sky

from indexer.align_index import align_index
from indexer.build import build
from indexer.coded_vectors import CodedVectors, fit_scale, scale_file
from indexer.errors import IndexFormatError
from indexer.index_file import open_index
from indexer.neighbours import nearest, vector_of
from indexer.spaces import to_unit
from indexer.vectors import exact_scan, map_vectors, rerank, write_vectors
from indexer.verify import verify

DIM = 32


def _vectors(count: int, seed: int = 0) -> np.ndarray:
    scales = np.arange(1, DIM + 1) ** -0.5
    return to_unit(np.random.default_rng(seed).standard_normal((count, DIM)) * scales)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    vectors, path = _vectors(3000), tmp_path / "v.npy"
    write_vectors(path, [vectors[:1000], vectors[1000:]], (3000, DIM), scale=fit_scale(vectors))
    return path


def test_they_come_back_nearly_and_of_unit_length(path: Path):
    vectors, found = _vectors(3000), map_vectors(path)
    assert isinstance(found, CodedVectors)
    assert (len(found), found.shape) == (3000, (3000, DIM))
    assert path.stat().st_size == 3000 * DIM + 128
    whole = found[:]
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-6)
    # Half a step, and what the length takes: by dimension, by plain arithmetic.
    step = (np.ptp(vectors, axis=0) * 1.1) / 255
    assert np.all(np.abs(whole - vectors).max(axis=0) < 1.5 * step)
    for chosen in (slice(5, 9), slice(None, None, 700), np.array([8, 2, 2])):
        np.testing.assert_array_equal(found[chosen], whole[chosen])
    assert found[7].shape == (DIM,)
    np.testing.assert_array_equal(found[7], whole[7])


def test_what_a_sample_lacks_is_cut_off():
    scale = fit_scale(np.array([[0.0, -1.0], [1.0, 1.0]], np.float32))
    np.testing.assert_array_equal(
        scale.codes(np.array([[9.0, -9.0]], np.float32)), np.array([[255, 0]], np.uint8)
    )
    # A dimension in which all are alike has a step, too.
    assert fit_scale(np.ones((3, 2), np.float32)).step.min() > 0


def test_ranking_goes_through_either(path: Path):
    queries = _vectors(20, 1)
    whole, coded = _vectors(3000).astype(np.float16), map_vectors(path)
    _, exact, _ = exact_scan(whole, queries, 10)
    scores, found, counts = exact_scan(coded, queries, 10)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)]) > 0.9
    # The scores are those of what is kept.
    kept = np.asarray(coded[:])
    by_hand = np.einsum("qd,qkd->qk", queries, kept[found])
    np.testing.assert_allclose(scores, by_hand, atol=1e-6)
    again = rerank(coded, queries, found[:, ::-1], counts, 10)
    for one, two in zip(again, (scores, found, counts), strict=True):
        np.testing.assert_array_equal(one, two)
    rows = np.arange(3000) * 2 + 5
    np.testing.assert_array_equal(exact_scan(coded, queries, 10, rows=rows)[1], rows[found])


def test_writing_goes_on_where_it_was_broken_off(tmp_path: Path):
    vectors, path = _vectors(100), tmp_path / "v.npy"
    scale, safe = fit_scale(vectors), []

    def until_broken():
        yield vectors[:40]
        yield vectors[40:80]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_vectors(path, until_broken(), (100, DIM), scale=scale, written=safe.append)
    assert safe == [40, 80]
    assert not path.exists()
    # What was written after the last report is written again.
    write_vectors(path, [vectors[40:]], (100, DIM), scale=scale, start=40, written=safe.append)
    assert safe == [40, 80, 100]
    np.testing.assert_array_equal(map_vectors(path).codes, scale.codes(vectors))


def test_codes_need_what_they_stand_for(path: Path):
    np.save(scale_file(path), np.ones((2, DIM + 1), np.float32))
    with pytest.raises(IndexFormatError, match=r"v\.scale\.npy must hold finite .* 32 dimensions"):
        map_vectors(path)
    scale_file(path).unlink()
    with pytest.raises(IndexFormatError, match=r"v\.scale\.npy must hold what the codes beside it"):
        map_vectors(path)


def test_an_index_of_coded_vectors(fake_index: Path, tmp_path: Path):
    manifest = write_fake_sky(tmp_path / "sky")
    releases = [
        each.model_copy(update={"keep_vectors": "8-bit"}) if each.name == "fake-desi" else each
        for each in manifest.releases
    ]
    manifest = manifest.model_copy(update={"releases": tuple(releases)})
    path = tmp_path / "index"
    build(manifest, path, weights="fake", tools=FAKE_TOOLS)
    report = verify(path)
    assert report.ok, report.problems
    index, plain = open_index(path), open_index(fake_index)
    for name, segment in index.segments.items():
        for space, modalities in segment.info.spaces.items():
            _, vectors = segment.vectors(space, modalities[0])
            assert isinstance(vectors, CodedVectors) == (name == "fake-desi"), (name, space)
            _, before = plain.segment(name).vectors(space, modalities[0])
            assert np.einsum("ij,ij->i", vectors[:], before[:]).min() > 0.99
    # An object still finds itself, and what is beside it.
    segment = index.segment("fake-desi")
    row = int(segment.rows_in("spectrum", "spectrum")[3])
    vector = vector_of(segment, "spectrum", "spectrum", row)
    found = nearest(
        index, vector, 3, space="spectrum", modality="spectrum", releases=list(index.segments)
    )
    assert (found[0].release, found[0].row) == ("fake-desi", row)
    # Heads are fitted on them, and what is projected anew is kept alike.
    align_index(path)
    again = open_index(path)
    assert isinstance(again.segment("fake-desi").vectors("shared", "spectrum")[1], CodedVectors)
    assert verify(path).ok
