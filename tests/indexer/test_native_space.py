"""The space of spectra on their own grids: built, verified, resumed, brought up to date."""

import dataclasses
import json
from pathlib import Path

import fake_sky as sky
import numpy as np
import pytest
from fake_native import FakeNative, open_fake_native

from indexer import native_space
from indexer.align_index import align_index
from indexer.build import build, encode
from indexer.errors import IndexFormatError
from indexer.index_file import open_index
from indexer.index_model import NATIVE, VECTOR_BITS
from indexer.layout import staged_dir
from indexer.readers.records import Record
from indexer.reports import info_text
from indexer.runners.job_array import Slice
from indexer.runners.local import Processes
from indexer.verify import verify

TOOLS = dataclasses.replace(sky.FAKE_TOOLS, open_native=open_fake_native)
RELEASES = ("fake-images", "fake-desi", "fake-sdss")
MONSTER = "S0020"
NAMES = {"weights": "fake", "native_weights": "universal"}


def _read_with_a_monster(manifest, release, partition):
    """One spectrum of the last file is one that the tokenizer refuses."""
    for each in sky.read_fake_partition(manifest, release, partition):
        if isinstance(each, Record) and release.survey == "sdss" and each.object_id == MONSTER:
            bright = dataclasses.replace(each.observations[0], flux=np.full(620, 2.0))
            each = dataclasses.replace(each, observations=(bright,))
        yield each


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return sky.write_fake_sky(tmp_path_factory.mktemp("native-sky"), RELEASES, sources=70)


@pytest.fixture(scope="module")
def index(small, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("native-index")
    build(small, path, tools=TOOLS, **NAMES)
    return path


def test_every_spectrum_has_a_second_vector_of_the_other_encoder(index: Path):
    opened = open_index(index)
    identity = open_fake_native("universal").identity
    assert opened.native_encoder == identity
    assert opened.space(NATIVE).identity == identity.digest != opened.info.encoder.digest
    assert opened.space(NATIVE).modality == "spectrum"
    for name in ("fake-desi", "fake-sdss"):
        segment = opened.segment(name)
        assert segment.info.spaces[NATIVE] == ("spectrum",)
        assert "spectrum_native" not in segment.info.vectors
        rows, vectors = segment.vectors(NATIVE)
        np.testing.assert_array_equal(rows, segment.rows_with("spectrum"))
        assert vectors.shape == (len(rows), 48)
    assert NATIVE not in opened.segment("fake-images").info.spaces
    assert f"{NATIVE}: encoder universal (identity {identity.digest})" in info_text(opened)
    assert set(opened.calibration(NATIVE).nearest) >= {"fake-sdss:spectrum", "*:spectrum"}


def test_vectors_are_those_of_the_spectra(index: Path, small):
    segment = open_index(index).segment("fake-sdss")
    rows, vectors = segment.vectors(NATIVE)
    release = small.release("fake-sdss")
    spectra = {}
    for partition in TOOLS.partitions(small, release):
        for each in sky.read_fake_partition(small, release, partition):
            if isinstance(each, Record):
                spectra.setdefault(each.object_id, each.observations[0])
    expected = open_fake_native("universal").encode([spectra[segment.object_id(r)] for r in rows])
    np.testing.assert_allclose(vectors, expected.vectors, atol=1e-3)


def test_a_refusal_is_a_note_and_costs_no_object(small, index: Path, tmp_path: Path):
    tools = dataclasses.replace(TOOLS, read_partition=_read_with_a_monster)
    build(small, tmp_path / "index", tools=tools, **NAMES)
    segment = open_index(tmp_path / "index").segment("fake-sdss")
    row = segment.row_of(MONSTER)
    assert row in segment.rows_with("spectrum")
    assert row not in segment.vectors(NATIVE)[0]
    assert not segment.column("modalities")[row] & VECTOR_BITS[NATIVE]
    noted = [each for each in segment.rejects.to_pylist() if each["modality"] == NATIVE]
    assert [each["object_id"] for each in noted] == [MONSTER]
    assert noted[0]["reason"].startswith("fluxes must differ")
    before = open_index(index).segment("fake-sdss").info
    assert (segment.info.indexed, segment.info.rejected) == (before.indexed, before.rejected)
    assert verify(tmp_path / "index").ok


def test_verified_with_its_encoder(small, index: Path, tmp_path: Path):
    assert verify(index).ok
    build(small, tmp_path, tools=TOOLS, **NAMES)
    path = tmp_path / "spaces" / NATIVE / "encoder.json"
    wrong = json.loads(path.read_text()) | {"dim": 47}
    path.write_text(json.dumps(wrong))
    assert any(
        "encoder.json has another sha256" in each or "encoder.json must have" in each
        for each in verify(tmp_path).problems
    )
    path.unlink()
    with pytest.raises(IndexFormatError, match=r"encoder\.json cannot be read"):
        open_index(tmp_path)


def test_slices_jobs_and_a_second_build_give_the_same(small, index: Path, tmp_path, fingerprint):
    for number in range(2):
        encode(small, tmp_path / "a", part=Slice(number, 3), tools=TOOLS, **NAMES)
    assert build(small, tmp_path / "a", tools=TOOLS, runner=Processes(2), **NAMES).changed
    assert fingerprint(tmp_path / "a") == fingerprint(index)
    assert not build(small, tmp_path / "a", tools=TOOLS, **NAMES).changed


class _Crash(BaseException):
    """Ends a build where nothing catches it."""


def _crash(*_args, **_named):
    raise _Crash


@pytest.mark.parametrize("step", ["write_space", "write_json", "fit_space"])
def test_a_build_that_was_ended_in_the_space_gives_the_same(
    small, index: Path, tmp_path, fingerprint, monkeypatch, step
):
    with monkeypatch.context() as patch:
        patch.setattr(native_space, step, _crash)
        with pytest.raises(_Crash):
            build(small, tmp_path, tools=TOOLS, **NAMES)
    build(small, tmp_path, tools=TOOLS, **NAMES)
    assert fingerprint(tmp_path) == fingerprint(index)


def test_a_build_that_was_ended_while_encoding_gives_the_same(
    small, index: Path, tmp_path, fingerprint, monkeypatch
):
    encoded = []

    def encode_some(self, spectra):
        encoded.append(len(spectra))
        return _crash() if len(encoded) == 3 else original(self, spectra)

    original = FakeNative.encode
    with monkeypatch.context() as patch:
        patch.setattr(FakeNative, "encode", encode_some)
        with pytest.raises(_Crash):
            build(small, tmp_path, tools=TOOLS, **NAMES)
    assert staged_dir(tmp_path).exists()
    build(small, tmp_path, tools=TOOLS, **NAMES)
    assert fingerprint(tmp_path) == fingerprint(index)


def test_staged_work_of_other_native_weights_is_not_used(small, index: Path, tmp_path, fingerprint):
    encode(small, tmp_path, weights="fake", native_weights="another", tools=TOOLS)
    build(small, tmp_path, tools=TOOLS, **NAMES)
    assert fingerprint(tmp_path) == fingerprint(index)


def test_an_index_without_gets_the_space_and_loses_it_again(small, tmp_path: Path):
    build(small, tmp_path, weights="fake", tools=TOOLS)
    plain = open_index(tmp_path)
    assert NATIVE not in plain.info.spaces
    assert plain.native_encoder is None
    assert not build(small, tmp_path, weights="fake", native_weights="none", tools=TOOLS).changed
    assert build(small, tmp_path, tools=TOOLS, **NAMES).changed
    opened = open_index(tmp_path)
    assert NATIVE in opened.info.spaces
    unit = opened.segment("fake-images").info.spaces
    assert unit == plain.segment("fake-images").info.spaces
    assert verify(tmp_path).ok
    assert build(small, tmp_path, weights="fake", tools=TOOLS).changed
    assert NATIVE not in open_index(tmp_path).info.spaces


def test_a_new_release_is_filled_into_the_published_space(small, tmp_path: Path):
    build(sky.fake_manifest(small.root, RELEASES[:2]), tmp_path, tools=TOOLS, **NAMES)
    first = open_index(tmp_path).segment("fake-desi").info
    build(small, tmp_path, tools=TOOLS, **NAMES)
    opened = open_index(tmp_path)
    assert opened.segment("fake-sdss").info.spaces[NATIVE] == ("spectrum",)
    assert opened.segment("fake-desi").vectors(NATIVE)[1].shape[0] == first.vectors["spectrum"]
    assert opened.native_encoder == open_fake_native("universal").identity
    assert verify(tmp_path).ok


def test_heads_fitted_anew_leave_the_space_as_it_is(small, tmp_path: Path):
    build(small, tmp_path, tools=TOOLS, **NAMES)
    before = open_index(tmp_path).info.spaces[NATIVE]
    align_index(tmp_path)
    assert open_index(tmp_path).info.spaces[NATIVE] == before
    assert verify(tmp_path).ok


def test_the_manifest_may_name_the_weights(small, tmp_path: Path):
    named = small.model_copy(update={"native_weights": "universal"})
    build(named, tmp_path, weights="fake", tools=TOOLS)
    assert open_index(tmp_path).native_encoder == open_fake_native("universal").identity
    assert "native_weights" not in small.model_dump(mode="json")


def test_without_spectra_nothing_is_opened(small, tmp_path: Path):
    def never(weights):
        raise AssertionError(weights)

    tools = dataclasses.replace(TOOLS, open_native=never)
    build(sky.fake_manifest(small.root, RELEASES[:1]), tmp_path, tools=tools, **NAMES)
    assert NATIVE not in open_index(tmp_path).info.spaces
