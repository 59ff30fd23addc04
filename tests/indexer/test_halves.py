"""Halves become the singles that NumPy makes of them."""

import numpy as np
import pytest

from indexer.halves import singles


def test_every_finite_half_becomes_the_single_of_its_value() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    assert singles(finite).view(np.uint32).tolist() == (
        finite.astype(np.float32).view(np.uint32).tolist()
    )


@pytest.mark.parametrize("order", ["rows", "columns", "every other"])
def test_shapes_and_strides_stay_what_they_are(order: str) -> None:
    numbers = np.random.default_rng(4).standard_normal((7, 12)).astype(np.float16)
    given = {"rows": numbers, "columns": np.asfortranarray(numbers), "every other": numbers[:, ::2]}
    found = singles(given[order])
    assert found.dtype == np.float32
    assert np.array_equal(found, given[order].astype(np.float32))


def test_nothing_and_other_types_are_taken(tmp_path) -> None:
    assert singles(np.empty((0, 5), np.float16)).shape == (0, 5)
    assert np.array_equal(singles(np.arange(3)), np.arange(3, dtype=np.float32))
    single = np.ones(3, np.float32)
    assert singles(single) is not single
    np.save(tmp_path / "halves.npy", np.linspace(-1.0, 1.0, 9, dtype=np.float16))
    mapped = np.load(tmp_path / "halves.npy", mmap_mode="r")
    found = singles(mapped[2:5])
    assert not isinstance(found, np.memmap)
    assert np.array_equal(found, np.asarray(mapped[2:5], np.float32))
