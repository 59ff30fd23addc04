"""One partition: refusals, several observations of one object, resuming."""

from collections.abc import Iterator
from pathlib import Path

import fake_sky as sky
import numpy as np
import pytest

from aion_encoder.fake import FakeEncoder
from aion_encoder.observations import Spectrum
from indexer.arrow_tables import map_table
from indexer.encode import encode_partition
from indexer.errors import BuildError
from indexer.plan import plan
from indexer.readers.records import Record, Reject
from indexer.tools import Tools

NEGATIVE = Spectrum(-np.ones(620), np.ones(620), np.linspace(3600, 9800, 620), "desi")
ORDER = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def _records(*args: object) -> Iterator[Record | Reject]:
    image = sky.observation("legacysurvey", ORDER)
    xp = sky.observation("gaia", ORDER)
    spectrum = sky.observation("desi", ORDER)
    yield Record("both", 1.0, 2.0, (image, spectrum), source_file="f", source_row=0)
    yield Record("refused", 1.0, 2.0, (NEGATIVE,), source_file="f", source_row=1)
    yield Record("half", 1.0, 2.0, (xp, NEGATIVE), source_file="f", source_row=2)
    yield Reject("bad", "f", 3, "unreadable")
    yield Record("empty", 1.0, 2.0, (), source_file="f", source_row=4)


TOOLS = Tools(read_partition=_records)


@pytest.fixture
def work(tmp_path: Path):
    manifest = sky.write_fake_sky(tmp_path / "sky", releases=("fake-desi",))
    release = plan(manifest).releases[0]

    def encode(encoder: FakeEncoder, **changes):
        return encode_partition(
            tmp_path / "index",
            changes.get("release", release),
            release.partitions[0],
            encoder=encoder,
            tools=TOOLS,
            manifest=manifest,
        )

    return encode, manifest, release


def test_refusals_are_accounted_for(work):
    encode, _, _ = work
    staged = encode(FakeEncoder())
    assert (staged.read, staged.indexed, staged.rejected) == (5, 2, 3)
    assert staged.vectors == {"image": 1, "spectrum": 1, "xp": 1}
    records = map_table(staged.path("records"))
    assert records.column("object_id").to_pylist() == ["both", "half"]
    assert records.column("modalities").to_pylist() == [3, 4]
    rejects = map_table(staged.path("rejects")).to_pylist()
    assert {(each["object_id"], each["modality"], each["reason"]) for each in rejects} == {
        ("bad", "", "unreadable"),
        ("refused", "", "the median flux is negative"),
        ("half", "spectrum", "the median flux is negative"),
        ("empty", "", "the object has no observation"),
    }
    previews = map_table(staged.path("previews"))
    assert previews.column("row").to_pylist() == [0, 0, 1]
    assert previews.column("kind").to_pylist() == ["image", "spectrum", "xp"]


def test_vectors_are_those_of_the_observation_alone(work):
    encode, _, _ = work
    encoder = FakeEncoder()
    staged = encode(encoder)
    expected = encoder.encode_alone([sky.observation("desi", ORDER)])
    np.testing.assert_array_equal(np.load(staged.vectors_path("spectrum")), expected)


def test_staged_work_is_used_again_only_if_nothing_changed(work):
    encode, manifest, release = work
    first, second, third = FakeEncoder(), FakeEncoder(), FakeEncoder("other")
    encode(first)
    encode(second)
    assert first.encoded > 0
    assert second.encoded == 0
    encode(third)
    assert third.encoded > 0
    encode(second)
    again = second.encoded
    assert again > 0
    path = manifest.root / release.partitions[0].files[0]
    path.write_text(path.read_text() + " ")
    encode(second, release=plan(manifest).releases[0])
    assert second.encoded == 2 * again


def test_a_file_that_changes_while_it_is_read(work):
    encode, manifest, release = work
    path = manifest.root / release.partitions[0].files[0]
    path.write_text(path.read_text() + " ")
    with pytest.raises(BuildError, match="changed while it was read"):
        encode(FakeEncoder())


def test_batches_do_not_change_vectors(work, monkeypatch):
    encode, _, _ = work
    whole = np.load(encode(FakeEncoder()).vectors_path("xp"))
    monkeypatch.setattr("indexer.encode.BATCH_OBSERVATIONS", 1)
    other = encode(FakeEncoder("fake"), release=work[2])
    np.testing.assert_array_equal(np.load(other.vectors_path("xp")), whole)
