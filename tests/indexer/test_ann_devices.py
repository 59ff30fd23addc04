"""Where lists are trained and vectors are assigned: on a GPU that FAISS can use, else here."""

import faiss
import numpy as np
import pytest

from indexer import ann
from indexer.ann import assignment
from indexer.ann.product_codes import lists_of
from indexer.spaces import to_unit

DIM = 64
RECIPES = [ann.Recipe("ivf_sq8", 16), ann.Recipe("ivf_pq4", 16)]
VECTORS = to_unit(np.random.default_rng(0).standard_normal((2000, DIM)))


@pytest.fixture
def gpu(monkeypatch) -> list[str]:
    """A GPU that is none; what it was asked for."""
    used: list[str] = []
    kmeans = faiss.Kmeans

    def on_gpu(*arguments, gpu, **settings):
        used.append("k-means" if gpu else "k-means here")
        return kmeans(*arguments, **settings)

    def to_gpus(index):
        used.append(type(index).__name__)
        return index

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    monkeypatch.setattr(faiss, "Kmeans", on_gpu)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", to_gpus, raising=False)
    return used


def _ids(index) -> list[np.ndarray]:
    inverted = lists_of(index) or index
    lists = inverted.invlists
    return [
        np.array(faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number)))
        for number in range(inverted.nlist)
    ]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda each: each.name)
def test_a_gpu_trains_and_assigns(recipe, gpu):
    assert ann.device() == "gpu"
    trained = ann.train(recipe, VECTORS)
    assert set(gpu) == {"k-means"}
    gpu.clear()
    filled = ann.fill(trained, VECTORS, np.arange(2000))
    assert gpu == ["IndexFlatIP"]
    assert filled.ntotal == 2000
    assert ann.AnnIndex(ann.for_serving(filled)).count == 2000
    # Exactly the nearest centre, each vector once.
    inverted = lists_of(trained) or trained
    given = VECTORS if inverted is trained else trained.chain.at(0).apply_py(VECTORS)
    scores = given @ inverted.quantizer.reconstruct_n(0, inverted.nlist).T
    numbers, cosines = ann.nearest_lists(trained, VECTORS)
    np.testing.assert_array_equal(numbers, scores.argmax(axis=1))
    assert 0.1 < cosines.mean() < 1.0


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda each: each.name)
def test_what_is_assigned_before_has_the_same_lists_and_codes(recipe, monkeypatch):
    trained = ann.train(recipe, VECTORS)
    plain = ann.fill(trained, VECTORS, np.arange(2000) + 10)
    monkeypatch.setattr(assignment, "gpus", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", lambda index: index, raising=False)
    # No name holds the rows: FAISS would read what has been freed.
    before = ann.fill(trained, VECTORS, np.arange(2000) + 10)
    for one, two in zip(_ids(plain), _ids(before), strict=True):
        np.testing.assert_array_equal(one, two)
    queries = VECTORS[:20]
    indices = [ann.AnnIndex(ann.for_serving(each)) for each in (plain, before)]
    for one, two in zip(*(each.search(queries, 10) for each in indices), strict=True):
        np.testing.assert_array_equal(one, two)


def test_without_a_gpu_all_is_done_here(monkeypatch):
    assert ann.device() == "cpu"
    monkeypatch.delattr(faiss, "get_num_gpus")
    assert ann.device() == "cpu"
    ann.fill(ann.train(RECIPES[0], VECTORS), VECTORS, np.arange(2000))


def test_eight_bits_with_many_lists_are_trained_in_two_levels(monkeypatch):
    one = ann.train(RECIPES[0], VECTORS)
    monkeypatch.setattr("indexer.ann.filling._TWO_LEVELS_FROM", 16)
    two = ann.train(RECIPES[0], VECTORS)
    centres = two.quantizer.reconstruct_n(0, 16)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1.0, atol=1e-6)
    nearest = [ann.nearest_lists(each, VECTORS)[1].mean() for each in (one, two)]
    assert 0.9 * nearest[0] < nearest[1]
    filled = ann.AnnIndex(ann.fill(two, VECTORS, np.arange(2000)))
    _, found, _ = filled.search(VECTORS[:50], 1)
    np.testing.assert_array_equal(found[:, 0], np.arange(50))
