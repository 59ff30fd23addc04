"""Ids beyond the 2 GB that offsets of 32 bits reach: a sparse file stands in for those before."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from indexer.catalog import SERVED_COLUMNS, find_id
from indexer.passing import _kind
from indexer.resolve import SortedIds

IDS = ["10", "9", "S0007", "é"]
BEFORE = 2**31 + 5


@pytest.fixture
def beyond(tmp_path: Path) -> pa.ChunkedArray:
    """The ids, as the last ones of a column whose data are larger than 2 GB."""
    encoded = [each.encode() for each in IDS]
    path = tmp_path / "data"
    with path.open("wb") as file:
        file.truncate(BEFORE)
        file.seek(BEFORE)
        file.write(b"".join(encoded))
    offsets = BEFORE + np.cumsum([0, *map(len, encoded)])
    data = pa.memory_map(str(path)).read_buffer()
    kind = SERVED_COLUMNS.field("object_id").type
    return pa.chunked_array(
        [pa.Array.from_buffers(kind, len(IDS), [None, pa.py_buffer(offsets), data])]
    )


def test_ids_are_found(beyond: pa.ChunkedArray):
    assert [find_id(beyond, each) for each in IDS] == [0, 1, 2, 3]
    assert find_id(beyond, "S0008") is None
    assert list(SortedIds(beyond)) == IDS
    assert beyond.take(pa.array([3, 0])).to_pylist() == ["é", "10"]


def test_filters_take_both_widths_for_text():
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        assert _kind(kind) == "text"
    assert _kind(pa.large_binary()) is None
