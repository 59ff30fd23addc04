"""The benchmark of what feeds a model: that it reads what it made, and its arithmetic."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoding.feeding import PACKINGS, _written, measure_feeding, processes_for
from benchmarks.encoding.made_up import KINDS
from benchmarks.scale.rates import rates_of
from benchmarks.scale.results import read_results
from indexer.readers import Record, partitions, read_partition


@pytest.mark.parametrize(
    ("model", "process", "count"), [(1000, 1000, 1), (1001, 1000, 2), (5, 9, 1)]
)
def test_processes(model: float, process: float, count: int) -> None:
    assert processes_for(model, process) == count


@pytest.mark.parametrize("modality", KINDS)
def test_both_packings_hold_the_same_objects(tmp_path: Path, modality: str) -> None:
    found = []
    for packing in PACKINGS:
        manifest = _written(tmp_path / packing, packing, modality, 3)
        (release,) = manifest.releases
        (partition,) = partitions(manifest, release)
        records = list(read_partition(manifest, release, partition))
        assert all(isinstance(each, Record) for each in records)
        found.append([each.observations[0] for each in records if isinstance(each, Record)])
    assert len(found[0]) == 3
    for one, other in zip(*found, strict=True):
        for name, value in vars(one).items():
            np.testing.assert_array_equal(value, getattr(other, name))


def test_what_is_written_becomes_rates(tmp_path: Path) -> None:
    path = measure_feeding(tmp_path, objects=3, rounds=1, announce=lambda _text: None)
    measures = json.loads(path.read_text())["measures"]
    for packing in PACKINGS:
        for modality in KINDS:
            name = f"{packing}.{modality}"
            assert measures[f"{name}.read_per_s"] > 0.0
            assert measures[f"{name}.fed_per_s"] > 0.0
            assert measures[f"{name}.bytes_per_object"] > 400
    read = rates_of(read_results(tmp_path, ("encoding-feeding",)))["read"]
    assert {(each["reader"], each["modality"]) for each in read} == {
        (packing, modality) for packing in PACKINGS for modality in KINDS
    }
    (pictures,) = [e for e in read if (e["reader"], e["modality"]) == ("mmu_hats", "image")]
    assert pictures["per_s"] == measures["mmu_hats.image.fed_per_s"]
    assert pictures["basis"] == "measured"
