"""Batches of spectra of about one length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion_encoder.universal_spectra.buckets import buckets


@given(st.lists(st.integers(1, 4096), max_size=60), st.integers(1, 5000))
def test_every_spectrum_is_in_one_batch_that_fits(counts: list[int], budget: int) -> None:
    batches = buckets(counts, budget)
    assert sorted(number for batch in batches for number in batch) == list(range(len(counts)))
    for batch in batches:
        lengths = [counts[number] for number in batch]
        assert lengths == sorted(lengths)
        assert len(batch) == 1 or lengths[-1] * len(batch) <= budget
        assert lengths[0] >= 0.8 * lengths[-1]


def test_spectra_of_one_instrument_fill_batches() -> None:
    counts = [120, 244] * 50
    batches = buckets(counts, 2440)
    assert [len(batch) for batch in batches] == [10, 20, 20, *[10] * 5]
    assert batches[0] == list(range(0, 20, 2))


def test_no_room() -> None:
    with pytest.raises(ValueError, match="room for a token, got a budget of 0"):
        buckets([4], 0)
    assert buckets([], 100) == []
