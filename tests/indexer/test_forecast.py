"""What an index of many objects will take, from rates."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from indexer.cli import main
from indexer.errors import ManifestError
from indexer.fill import SHARD_VECTORS
from indexer.fleet import Fleet, Node, parse_node
from indexer.forecast import DIMENSIONS, Forecast, forecast
from indexer.plan import WORKING_MEMORY_BYTES
from indexer.rates import IndexRates, index_rates
from indexer.workload import Portion

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
MANIFESTS = Path(__file__).parents[2] / "data_manifests"
NODE = Node(2, 24e9)
ONE = Fleet(1, NODE)


def rates(count: int, recipe: str = "ivf_pq4", dim: int = 192, lists: int = 32_768) -> IndexRates:
    """A measurement of a machine that fills 20,000 a second with each thread."""
    return IndexRates(
        recipe=recipe,
        count=count,
        dim=dim,
        lists=lists,
        threads=2,
        train_s=1e-10 * 40 * lists * lists**0.5 * dim,
        filled_per_s=40_000.0,
        train_peak_bytes=9.0 * 40 * lists * dim,
        fill_peak_bytes=BLOCKS + 2.0 * (count * 41.0 + 5e6),
        bytes_per_vector=41.0,
        trained_bytes=5e6,
        serving_bytes=0.5 * (count * 41.0 + 5e6),
        source="a test",
    )


BLOCKS = 2 * 4 * 192 * 2 * SHARD_VECTORS
"""Bytes that two threads fill with: float32, twice."""

MEASURED = (rates(5_000_000), rates(2_000_000, lists=16_384))


def of(
    count: int,
    *,
    model: str = "aion-demo",
    fleet: Fleet = ONE,
    rates: tuple[IndexRates, ...] = MEASURED,
) -> Forecast:
    return forecast((Portion("image", "mmu_hdf5", count),), model=model, fleet=fleet, rates=rates)


def value(quantities: tuple, name: str) -> float:
    (found,) = [each.value for each in quantities if each.name == name]
    return found


def test_a_machine_that_follows_the_rates_is_predicted() -> None:
    count = 200_000_000
    found = of(count)
    assert (found.recipe, found.lists) == ("ivf_pq4", 65_536)
    assert value(found.indexing, "fill") == pytest.approx(count / 40_000 / 3600, rel=1e-6)
    expected = 1e-10 * 40 * 65_536 * 256 * 192
    assert value(found.indexing, "train") == pytest.approx(expected / 3600, rel=1e-6)
    # Centroids are held as well, twice as many as were measured.
    held = count * 41.0 + 1e7
    assert value(found.disk, "FAISS file") == pytest.approx(held)
    assert value(found.memory, "search") == pytest.approx(0.5 * held, rel=1e-6)
    assert value(found.memory, "fill") == pytest.approx(BLOCKS + 2.0 * held, rel=1e-3)
    assert value(found.memory, "train") == pytest.approx(9.0 * 40 * 65_536 * 192, rel=1e-6)
    assert value(found.disk, "vectors") == 2 * 192 * count
    assert {each.basis for each in found.indexing} == {"scaled"}


def test_what_was_measured_is_said_to_be() -> None:
    found = of(500_000, rates=(rates(500_000, "ivf_sq8", lists=2048),))
    assert [each.basis for each in found.indexing] == ["measured", "measured"]
    assert found.recipe == "ivf_sq8"
    assert value(found.disk, "FAISS file") == pytest.approx(500_000 * 200 + 5e6)


def test_more_cores_take_less_time_and_one_node_fills() -> None:
    slow, fast = of(10**8), of(10**8, fleet=Fleet(1, Node(8, 24e9)))
    assert value(slow.indexing, "fill") == pytest.approx(4 * value(fast.indexing, "fill"))
    assert slow.encoding.hours == pytest.approx(4 * fast.encoding.hours)
    four = of(10**8, fleet=Fleet(4, NODE))
    assert four.indexing == slow.indexing
    assert four.encoding.hours == pytest.approx(slow.encoding.hours / 4)
    assert four.hours == pytest.approx(
        four.encoding.hours + sum(each.value for each in four.indexing)
    )


def test_what_takes_longest_is_named() -> None:
    assert of(10**8).slowest == "encode"
    slow = tuple(replace(each, filled_per_s=1e-3) for each in MEASURED)
    assert of(10**8, rates=slow).slowest == "fill"


def test_a_node_that_is_too_small_is_told() -> None:
    found = of(200_000_000)
    assert not found.too_large_for(NODE)
    assert [each.name for each in found.too_large_for(Node(2, 6e9))] == ["fill"]


def test_few_vectors_need_no_training() -> None:
    found = of(10_000)
    assert (found.recipe, found.lists) == ("flat", 0)
    assert value(found.indexing, "train") == value(found.memory, "train") == 0.0
    assert value(found.disk, "FAISS file") == 10_000 * (2 * 192 + 8)


def test_nodes_are_read_from_text() -> None:
    assert parse_node("2 cores, 24 GB") == Node(2, 24e9)
    assert parse_node("1 core,7.5gb") == Node(1, 7.5e9)
    for text in ("", "2", "two cores, 24 GB", "24 GB, 2 cores"):
        with pytest.raises(ValueError, match="a node is given as '2 cores, 24 GB', got"):
            parse_node(text)
    with pytest.raises(ValueError, match="at least one core and some memory, got 0"):
        Node(0, 1e9)


def test_rates_that_nobody_knows() -> None:
    said = r"no rate is known of aion-base for image on abacus; known: image on cpu, "
    with pytest.raises(ManifestError, match=said):
        of(10**6, model="aion-base", fleet=Fleet(1, NODE, "abacus"))
    with pytest.raises(ManifestError, match="must hold a measurement of an index, got none"):
        of(10**6, rates=())


def planned(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["plan", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_says_of_each_number_where_it_comes_from() -> None:
    said = planned("--objects", "200_000_000", "--gpu", "h200", "--node", "2 cores, 3 GB")
    for text in (
        "200,000,000 objects, one vector of 768 numbers each: ivf_pq4 in 65,536 lists; on 1 node "
        "of 2 cores, 3 GB, each with 1 h200",
        "read image",
        "encode image",
        "estimated",
        "scaled",
        "fill needs 16.5 GB of memory, a node has 3.0",
    ):
        assert text in said, text


def test_a_manifest_says_how_objects_divide() -> None:
    """Its published counts do, whether or not the files are there."""
    given = [str(MANIFESTS / "mmu-hats.toml"), "--objects", "200e6", "--gpu", "h200"]
    said = planned(*given, "--nodes", "4")
    assert said.startswith("200,000,000 objects")
    assert "on 4 nodes of 16 cores, 128 GB, each with 1 h200" in said
    for text in ("encode image", "encode spectrum", "encode xp", "read xp", "what limits is to "):
        assert text in said
    (hours,) = re.findall(r"side by side ([\d.,]+) hours", said)
    (held,) = re.findall(r"\(([\d.,]+) GPU-hours\)", said)
    assert float(held) == pytest.approx(4 * float(hours), abs=0.21)
    (alone,) = re.findall(r"side by side ([\d.,]+) hours", planned(*given))
    assert float(alone) == pytest.approx(4 * float(hours), abs=0.21)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give MANIFEST, --objects, or both"),
        (["demo.toml", "--gpu", "h200"], "--gpu belongs to a forecast: give --objects, too"),
        (["demo.toml", "--objects", "5", "--modality", "xp"], "give MANIFEST or --modality"),
        (["--objects", "1.5"], "must be a whole number such as 200e6, at least 1, got '1.5'"),
        (["--objects", "many"], "must be a whole number such as 200e6, at least 1, got 'many'"),
        (["--objects", "inf"], "must be a whole number such as 200e6, at least 1, got 'inf'"),
        (["--objects", "0"], "must be a whole number such as 200e6, at least 1, got '0'"),
        (["--objects", "5", "--node", "big"], "a node is given as '2 cores, 24 GB', got 'big'"),
        (["--objects", "5", "--model", "other"], "must be one of aion-base, "),
        (["--objects", "5", "--gpu", "abacus"], "no rate is known of aion-base"),
    ],
)
def test_questions_that_cannot_be_answered(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["plan", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_largest_run_is_predicted_from_the_smaller_ones() -> None:
    path = RESULTS / "growth.json"
    if not path.exists():
        pytest.skip("growth was not measured")
    growth = json.loads(path.read_text())
    measured = growth["sizes"][-1]
    if measured["count"] < 10_000_000:
        pytest.skip("growth was not measured up to ten million")
    known = tuple(each for each in index_rates() if each.count < measured["count"])
    assert growth["dim"] == DIMENSIONS["aion-demo"]
    node = Node(measured["threads"], 24e9)
    found = of(measured["count"], fleet=Fleet(1, node), rates=known)
    seconds = 3600.0 * (value(found.indexing, "train") + value(found.indexing, "fill"))
    assert seconds == pytest.approx(measured["build_s"], rel=0.3)
    memory = max(value(found.memory, "train"), value(found.memory, "fill"))
    assert memory == pytest.approx(measured["build_peak_bytes"], rel=0.3)
    assert value(found.disk, "FAISS file") == pytest.approx(measured["bytes"], rel=0.3)


def test_larger_models_need_more_memory_to_encode() -> None:
    sizes = [
        value(of(10**6, model=model).memory, "encode, a process")
        for model in ("aion-demo", "aion-base", "aion-large", "aion-xlarge")
    ]
    assert sizes[0] == WORKING_MEMORY_BYTES
    # 85 million, 302 million and 1.2 billion numbers of the blocks, twice.
    for size, numbers in zip(sizes[1:], (85e6, 302e6, 1.208e9), strict=True):
        assert size - sizes[0] == pytest.approx(8 * numbers, rel=0.01)
