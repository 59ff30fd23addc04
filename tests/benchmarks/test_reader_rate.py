"""The benchmark of reading: that it reads what it made, and its arithmetic."""

import json
from pathlib import Path

import pytest

from benchmarks.reader_rate import main, processes_for


@pytest.mark.parametrize(("gpu", "reader", "count"), [(1000, 1000, 1), (1001, 1000, 2), (5, 9, 1)])
def test_processes(gpu: float, reader: float, count: int) -> None:
    assert processes_for(gpu, reader) == count


def test_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--objects", "4", "--output", str(tmp_path / "reader.json")])
    result = json.loads((tmp_path / "reader.json").read_text())
    assert json.loads(capsys.readouterr().out) == result
    assert set(result["readers"]) == {f"mmu_hdf5.{each}" for each in ("image", "spectrum", "xp")}
    for each in result["readers"].values():
        counts = list(each["processes_for_gpu_per_s"].values())
        assert each["objects_per_s"] > 0.0
        assert counts == sorted(counts)
        assert counts[0] >= 1
