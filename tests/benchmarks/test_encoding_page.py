"""The page of encoding: made of small results, and the committed one of those committed."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoding.feeding import PACKINGS
from benchmarks.encoding.made_up import KINDS, made_up
from benchmarks.encoding.page import BUDGETS, RESULT_NAMES, page, write_page
from benchmarks.encoding.rates import Turn, measure_rates, told
from benchmarks.encoding.steady import growth_per_hour
from benchmarks.scale.budgets import read_budgets
from benchmarks.scale.rates import rates_of
from benchmarks.scale.results import RESULTS, read_results
from indexer.durable import write_json

DOCS = Path(__file__).parents[2] / "docs"
FACTS = {"machine": "an abacus", "load": 0.1, "cores": 2, "date": "2026-11-28", "seed": 1}
OF_MODALITY = {
    "ratio_to_package": 1.25,
    "package.per_s": 0.5,
    "package.peak_bytes": 3e9,
    **{
        f"{name}.{key}": value
        for name, ratio in (("float32", 1.25), ("bfloat16", 2.5))
        for key, value in {
            "per_s": 0.5 * ratio,
            "ratio_to_package": ratio,
            "peak_bytes": 1.5e9,
            "tokens_agree": 0.9999,
            "least_cosine": 0.99995,
        }.items()
    },
}
GOLDEN = {
    "encoding-cpu": {
        **FACTS,
        "objects": 8,
        "rounds": 2,
        "threads": 1,
        "device": "CPU, 1 threads",
        "bfloat16_in_hardware": True,
        "measures": {
            **{
                f"cpu.{modality}.{key}": value
                for modality in KINDS
                for key, value in OF_MODALITY.items()
            },
            "cpu.transformer.share_of_peak": 0.93,
            "cpu.transformer.peak_flops": 210e9,
            "cpu.image.share_of_floor": 0.81,
        },
    },
    "encoding-whole": {
        **FACTS,
        "objects": 1200,
        "files": 40,
        "rounds": 3,
        "measures": {
            "reader.per_s": 1500.0,
            "encoder.per_s": 10.0,
            "whole.per_s": 9.5,
            "whole.over_slower": 0.0526,
            "memory.peak_bytes": 4e8,
            "memory.growth_bytes": -2e6,
        },
    },
    "encoding-feeding": {
        **FACTS,
        "objects": 64,
        "rounds": 3,
        "measures": {
            f"{packing}.{modality}.{name}": value
            for packing in PACKINGS
            for modality in KINDS
            for name, value in (
                ("read_per_s", 800.0),
                ("fed_per_s", 400.0),
                ("bytes_per_object", 250_000),
            )
        },
    },
    "encoding-steady": {
        **FACTS,
        "objects": 90_000,
        "rounds": 75,
        "measures": {
            "minutes": 60.4,
            "memory.growth_bytes_an_hour": 1.5e6,
            "memory.most_bytes": 7.5e8,
            "memory.least_bytes": 7.0e8,
        },
    },
}


def test_every_number_comes_to_its_place() -> None:
    text = page(GOLDEN)
    for row in (
        "| image | the package | 0.50 | – | 3.00 | – | – |",
        "| spectrum | this encoder | 0.62 | 1.25 | 1.50 | 99.9900% | 0.999950 |",
        "| xp | this encoder, `autocast=True` | 1.25 | 2.50 | 1.50 | 99.9900% | 0.999950 |",
        "- device: CPU, 1 threads; it multiplies bfloat16 matrices in hardware",
        "does 93% of the\n0.21 TFLOP/s of one large product of\nmatrices in float32; 81% of",
        "- batch: the same 8 objects of each modality, 2",
        "| reading alone | 1,500.0 |",
        "All together takes 5.3% more time than the slower of",
        "-2.0 MB from their first half to their second.",
        "| `mmu_hats` | image | 250 | 800 | 400 | 100 | 3 | 13 | 25 |",
        "- files of 64 objects, made from a seed; 3\n  rounds",
        "- 90,000 objects in 60 minutes, one process: the\n  simulated sky 75 times",
        "was from 0.70 to 0.75 GB;\nafter the first fifth of the time it grew by\n1.5 MB an hour",
        "| `cpu.image.ratio_to_package` | at least 1.3 | 1.25 | **missed** | pictures, against",
        "| `cpu.image.bfloat16.ratio_to_package` | at least 1.3 | 2.5 | met |",
        "| `whole.over_slower` | at most 0.15 | 0.0526 | met |",
        "| `gpu.image.ratio_to_package` | at least 5 | – | no GPU was at hand |",
        "No GPU was at hand, so nothing here says how fast one is.",
    ):
        assert row in text, row


def test_a_gpu_has_its_own_table_and_budgets() -> None:
    of_cpu = GOLDEN["encoding-cpu"]
    measures = {name.replace("cpu.", "gpu."): each for name, each in of_cpu["measures"].items()}
    text = page(GOLDEN | {"encoding-gpu": {**of_cpu, "device": "NVIDIA X", "measures": measures}})
    for row in (
        "## On a GPU, beside the package",
        "- device: NVIDIA X; it multiplies bfloat16 matrices in hardware",
        "| image | this encoder | 1.25 | 2.50 | 1.50 | 99.9900% | 0.999950 |",
        "| image | this encoder, `autocast=False` | 0.62 | 1.25 |",
        "matrices in bfloat16; 81% of the time",
        "| `gpu.image.ratio_to_package` | at least 5 | 1.25 | **missed** |",
        "| `gpu.transformer.share_of_peak` | at least 0.4 | 0.93 | met |",
    ):
        assert row in text, row
    assert "No GPU was at hand" not in text


def test_rates_from_end_to_end(tmp_path: Path) -> None:
    path = measure_rates(
        tmp_path / "results",
        tmp_path,
        count=2,
        rounds=1,
        announce=lambda _text: None,
        size="tiny",
    )
    measures = json.loads(path.read_text())["measures"]
    assert path.name == "encoding-cpu.json"
    for modality in KINDS:
        assert measures[f"cpu.{modality}.float32.tokens_agree"] == 1.0
        assert measures[f"cpu.{modality}.float32.least_cosine"] > 0.9999
    assert measures["cpu.transformer.share_of_peak"] > 0
    assert set(measures) >= {b.measure for b in read_budgets(BUDGETS) if b.benchmark == path.stem}
    encode = rates_of(read_results(path.parent, [path.stem]))["encode"]
    rate = {(each["model"], each["device"], each["modality"]): each for each in encode}
    base = rate["aion-base", "cpu", "xp"]
    threads = json.loads(path.read_text())["threads"]
    assert base["basis"] == "measured"
    assert base["per_s"] == pytest.approx(measures["cpu.xp.float32.per_s"] / threads, rel=0.01)


def test_memory_grows_by_the_line_through_what_was_held_once_warm() -> None:
    held = [(0.0, 0), (10.0, 10**9), (100.0, 2 * 10**9), (200.0, 2 * 10**9 + 10_000)]
    held += [(500.0, 2 * 10**9 + 40_000)]
    assert growth_per_hour(held) == pytest.approx(360_000.0)


def test_a_page_can_be_made_of_nothing(tmp_path: Path) -> None:
    text = page({})
    assert "| `whole.over_slower` | at most 0.15 | – | not measured |" in text
    assert "beside the package" not in text
    for name, document in GOLDEN.items():
        write_json(tmp_path / f"{name}.json", document)
    assert write_page(tmp_path, tmp_path / "docs").read_text() == page(GOLDEN)


def test_the_committed_page_is_what_the_committed_results_give() -> None:
    found = read_results(RESULTS, RESULT_NAMES)
    again = "python -m benchmarks.encoding page"
    assert (DOCS / "encoding.md").read_text() == page(found), f"docs/encoding.md is old: {again}"


def test_budgets_are_about_what_is_measured() -> None:
    measured = {name: set(document["measures"]) for name, document in GOLDEN.items()}
    for budget in read_budgets(BUDGETS):
        assert budget.benchmark in RESULT_NAMES
        if budget.benchmark in measured:
            assert budget.measure in measured[budget.benchmark]


def test_ratios_are_of_turns_of_the_same_round() -> None:
    tokens = {"tok_image": np.array([[1, 2, 3, 4]], np.uint16)}
    other = {"tok_image": np.array([[1, 2, 3, 5]], np.uint16)}
    one, turned = np.array([[1.0, 0.0]]), np.array([[0.6, 0.8]])
    turns = {
        # In the second round something else went on.
        "package": [Turn(tokens, one, each, 70 - each) for each in (6, 60, 6)],
        "float32": [Turn(tokens, each * one, 4 * each, 40) for each in (1, 10, 1)],
        "bfloat16": [Turn(other, turned, each, 20) for each in (2, 20, 3)],
    }
    found = told(turns, 1)
    assert found["package.per_s"] == pytest.approx(1 / 6, abs=1e-3)
    assert (found["ratio_to_package"], found["float32.ratio_to_package"]) == (1.5, 1.5)
    assert found["bfloat16.ratio_to_package"] == 3.0
    assert (found["package.peak_bytes"], found["float32.peak_bytes"]) == (64, 40)
    assert (found["float32.tokens_agree"], found["bfloat16.tokens_agree"]) == (1.0, 0.75)
    assert found["float32.least_cosine"] == pytest.approx(1.0)
    assert found["bfloat16.least_cosine"] == pytest.approx(0.6)


@pytest.mark.parametrize("modality", KINDS)
def test_observations_are_made_up_alike_and_each_another(modality: str) -> None:
    two, again = (made_up(modality, 2, seed=3) for _ in range(2))
    name = "bp" if modality == "xp" else "flux"
    first, second = (np.asarray(getattr(each, name)) for each in two)
    assert {each.modality for each in two} == {modality}
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, getattr(again[0], name))
