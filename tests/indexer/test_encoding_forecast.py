"""Reading beside encoding: which counts, and what feeds GPUs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer import rates
from indexer.encoding_forecast import encoding_forecast
from indexer.errors import ManifestError
from indexer.fleet import Fleet, Node
from indexer.rates import encode_rate, read_rate
from indexer.workload import Portion

NODE = Node(4, 64e9)
HOUR = 3600


def rate(**of: Any) -> dict[str, Any]:
    return {"basis": "measured", "source": "a test", **of}


KNOWN = {
    "index": [],
    "encode": [
        rate(model="big", device="gpu", modality="image", per_s=1000.0),
        rate(model="big", device="gpu", modality="xp", per_s=9000.0),
        rate(model="big", device="cpu", modality="image", per_s=1.0),
    ],
    "read": [
        rate(reader="mmu_hdf5", modality="image", per_s=100.0, bytes_per_object=500_000.0),
        rate(reader="mmu_hats", modality="image", per_s=200.0, bytes_per_object=400_000.0),
        rate(reader="mmu_hdf5", modality="xp", per_s=9000.0, bytes_per_object=1000.0),
    ],
}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    (tmp_path / "rates.json").write_text(json.dumps(KNOWN))
    monkeypatch.setattr(rates, "RATES", tmp_path / "rates.json")
    rates._rates.cache_clear()
    yield
    rates._rates.cache_clear()


def pictures(hours_of_one_gpu: float) -> tuple[Portion, ...]:
    return (Portion("image", "mmu_hdf5", round(1000 * HOUR * hours_of_one_gpu)),)


def test_gpus_wait_for_cores_that_are_too_few() -> None:
    found = encoding_forecast(pictures(8), "big", Fleet(2, NODE, "gpu"))
    assert found.encode_hours == pytest.approx(4.0)
    assert found.read_hours == pytest.approx(8 * 1000 / (8 * 100))
    assert found.hours == found.read_hours
    assert found.gpu_hours == pytest.approx(2 * found.hours)
    assert found.cores_to_feed == 10
    fed = encoding_forecast(pictures(8), "big", Fleet(2, Node(10, 64e9), "gpu"))
    assert fed.hours == fed.encode_hours == pytest.approx(4.0)
    assert fed.bytes_per_s == pytest.approx(2 * 1000 * 500_000)


def test_on_cores_alone_both_count() -> None:
    found = encoding_forecast(pictures(1), "big", Fleet(1, NODE))
    assert found.hours == pytest.approx(1000 / (4 * 1.0) + 1000 / (4 * 100))
    assert found.gpu_hours == 0.0


def test_portions_are_done_one_after_the_other() -> None:
    portions = (*pictures(2), Portion("xp", "mmu_hdf5", 9000 * HOUR))
    found = encoding_forecast(portions, "big", Fleet(1, NODE, "gpu"))
    assert [each.name for each in found.encode] == ["encode image", "encode xp"]
    assert found.encode_hours == pytest.approx(2.0 + 1.0)
    assert found.input_bytes == pytest.approx(HOUR * (2000 * 500_000 + 9000 * 1000))


def test_nothing_takes_no_time() -> None:
    found = encoding_forecast((Portion("image", "mmu_hdf5", 0),), "big", Fleet(1, NODE, "gpu"))
    assert (found.hours, found.gpu_hours, found.bytes_per_s, found.cores_to_feed) == (0, 0, 0, 1)


def test_a_reader_that_was_not_measured_is_as_slow_as_the_slowest() -> None:
    assert read_rate("mmu_hats", "image").basis == "measured"
    found = read_rate("fits_images", "image")
    assert (found.per_s, found.basis) == (100.0, "estimated")
    assert found.source == "as if by mmu_hdf5: a test"


def test_rates_that_are_not_there() -> None:
    with pytest.raises(ManifestError, match="no rate is known of reading spectrum; make one with"):
        read_rate("mmu_hdf5", "spectrum")
    said = "no rate is known of big for xp on cpu; known: image on cpu, image on gpu, xp on gpu"
    with pytest.raises(ManifestError, match=said):
        encode_rate("big", "cpu", "xp")
    with pytest.raises(ManifestError, match=r"no rate is known of small .*; known: none"):
        encode_rate("small", "cpu", "xp")
