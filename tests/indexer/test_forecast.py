"""What an index of many objects will take, from rates."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from indexer.cli import main
from indexer.errors import ManifestError
from indexer.fill import SHARD_VECTORS
from indexer.forecast import (
    Forecast,
    IndexRates,
    Node,
    forecast,
    index_rates,
    parse_node,
)

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
NODE = Node(2, 24e9)


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


def of(count: int, **changes: object) -> Forecast:
    given = {
        "dim": 192,
        "modality": "image",
        "model": "aion-base",
        "device": "h200",
        "devices": 1,
        "node": NODE,
        "rates": MEASURED,
    }
    return forecast(count, **{**given, **changes})  # type: ignore[arg-type]


def value(quantities: tuple, name: str) -> float:
    (found,) = [each.value for each in quantities if each.name == name]
    return found


def test_a_machine_that_follows_the_rates_is_predicted() -> None:
    count = 200_000_000
    found = of(count)
    assert (found.recipe, found.lists) == ("ivf_pq4", 65_536)
    assert value(found.hours, "fill") == pytest.approx(count / 40_000 / 3600, rel=1e-6)
    expected = 1e-10 * 40 * 65_536 * 256 * 192
    assert value(found.hours, "train") == pytest.approx(expected / 3600, rel=1e-6)
    # Centroids are held as well, twice as many as were measured.
    held = count * 41.0 + 1e7
    assert value(found.disk, "FAISS file") == pytest.approx(held)
    assert value(found.memory, "search") == pytest.approx(0.5 * held, rel=1e-6)
    assert value(found.memory, "fill") == pytest.approx(BLOCKS + 2.0 * held, rel=1e-3)
    assert value(found.memory, "train") == pytest.approx(9.0 * 40 * 65_536 * 192, rel=1e-6)
    assert value(found.disk, "vectors") == 2 * 192 * count
    assert {each.basis for each in found.hours} == {"estimated", "scaled"}


def test_what_was_measured_is_said_to_be() -> None:
    found = of(500_000, rates=(rates(500_000, "ivf_sq8", lists=2048),))
    assert [each.basis for each in found.hours] == ["estimated", "measured", "measured"]
    assert found.recipe == "ivf_sq8"
    assert value(found.disk, "FAISS file") == pytest.approx(500_000 * 200 + 5e6)


def test_more_devices_and_cores_take_less_time() -> None:
    one, four = of(10**8), of(10**8, devices=4, node=Node(8, 24e9))
    for name in ("encode", "fill"):
        assert value(one.hours, name) == pytest.approx(4 * value(four.hours, name))
    on_cores = of(10**6, device="cpu"), of(10**6, device="cpu", node=Node(8, 24e9))
    slow, fast = (value(each.hours, "encode") for each in on_cores)
    assert slow == pytest.approx(4 * fast)


def test_a_node_that_is_too_small_is_told() -> None:
    found = of(200_000_000)
    assert not found.too_large_for(NODE)
    assert [each.name for each in found.too_large_for(Node(2, 6e9))] == ["fill"]


def test_few_vectors_need_no_training() -> None:
    found = of(10_000)
    assert (found.recipe, found.lists) == ("flat", 0)
    assert value(found.hours, "train") == value(found.memory, "train") == 0.0
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
    with pytest.raises(ManifestError, match=r"no rate is known of aion-base for image on abacus; "):
        of(10**6, device="abacus")
    with pytest.raises(ManifestError, match="must hold a measurement of an index, got none"):
        of(10**6, rates=())


def test_the_command_says_of_each_number_where_it_comes_from() -> None:
    result = CliRunner().invoke(
        main, ["plan", "--objects", "200000000", "--gpu", "h200", "--node", "2 cores, 3 GB"]
    )
    assert result.exit_code == 0, result.output
    for text in ("200,000,000 objects", "encode", "estimated", "in all", "the node has 3.0"):
        assert text in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give either MANIFEST or --objects"),
        (["demo.toml", "--objects", "5"], "give either MANIFEST or --objects"),
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
    found = of(
        measured["count"], dim=growth["dim"], rates=known, node=Node(measured["threads"], 24e9)
    )
    seconds = 3600.0 * (value(found.hours, "train") + value(found.hours, "fill"))
    assert seconds == pytest.approx(measured["build_s"], rel=0.3)
    memory = max(value(found.memory, "train"), value(found.memory, "fill"))
    assert memory == pytest.approx(measured["build_peak_bytes"], rel=0.3)
    assert value(found.disk, "FAISS file") == pytest.approx(measured["bytes"], rel=0.3)
