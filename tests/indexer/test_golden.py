"""Indexes of every released format version open, verify and answer."""

from pathlib import Path

import numpy as np
import pytest

from aion_encoder.fake import FakeEncoder
from indexer.index_file import open_index
from indexer.verify import verify

GOLDEN = sorted((Path(__file__).parent / "golden").glob("format-*"))


def test_there_is_one_for_this_version():
    assert [path.name for path in GOLDEN] == ["format-1"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_it_opens_and_answers(path: Path):
    report = verify(path)
    assert report.problems == ()
    index = open_index(path)
    assert index.info.encoder.digest == FakeEncoder("fake").identity.digest
    segment = index.segment("fake-sdss")
    row = segment.row_of("S0007")
    assert row is not None
    rows, vectors = segment.vectors("spectrum")
    place = int(np.searchsorted(rows, row))
    _, found, _ = segment.ann("spectrum").search(np.array(vectors[place : place + 1], "f4"), 2)
    assert found[0, 0] == row
    assert segment.record(row)["source_file"].startswith("fake-sdss/")
    assert index.links.source("fake-sdss", row)[0][0] == "fake-gaia"
