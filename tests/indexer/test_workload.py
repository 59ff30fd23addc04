"""How objects divide among the releases of a manifest."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import ManifestError
from indexer.plan import INPUT_BYTES_PER_OBJECT
from indexer.workload import Portion, divided, workload

MANIFESTS = Path(__file__).parents[2] / "data_manifests"
RELEASE = """
[[releases]]
name = "{name}"
title = "{name}"
survey = "{survey}"
reader = "mmu_hdf5"
files = ["{name}.hdf5"]
{more}
"""


def written(folder: Path, *releases: tuple[str, str, str]) -> Path:
    text = 'name = "some"\ntitle = "Some"\nroot = "."\n'
    for name, survey, more in releases:
        text += RELEASE.format(name=name, survey=survey, more=more)
    (folder / "some.toml").write_text(text)
    return folder / "some.toml"


@given(st.integers(0, 10**9), st.lists(st.integers(1, 10**9), min_size=1, max_size=6))
def test_parts_are_whole_in_proportion_and_add_up(count: int, weights: list[int]) -> None:
    parts = divided(count, weights)
    assert sum(parts) == count
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - count * weight / sum(weights)) <= 1.0 + 1e-6 * count


def test_published_counts_need_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMU_HATS_ROOT", raising=False)
    found = {each.modality: each for each in workload(MANIFESTS / "mmu-hats.toml", 200_000_000)}
    assert sum(each.count for each in found.values()) == 200_000_000
    # Figure 2a of the paper: 125.26 million pictures, 9.84 spectra, 77.62 of coefficients.
    assert found["image"].count == pytest.approx(2e8 * 125.26 / 212.72, abs=2)
    assert found["spectrum"].count == pytest.approx(2e8 * 9.84 / 212.72, abs=2)
    assert {each.reader for each in found.values()} == {"mmu_hats"}


def test_what_publishes_no_count_is_counted_by_its_files(tmp_path: Path) -> None:
    counted = 'count = { objects = 300, source = "somebody" }'
    manifest = written(tmp_path, ("stars", "gaia", counted), ("quasars", "sdss", ""))
    (tmp_path / "stars.hdf5").write_bytes(b"none")
    (tmp_path / "quasars.hdf5").write_bytes(b"0" * 100 * INPUT_BYTES_PER_OBJECT["spectrum"])
    xp, spectra = workload(manifest, 8)
    assert xp == Portion("xp", "mmu_hdf5", 6)
    assert spectra == Portion("spectrum", "mmu_hdf5", 2)


def test_without_counts_there_must_be_files(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="quasars"):
        workload(written(tmp_path, ("quasars", "sdss", "")), 8)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("apogee-dr17", "release apogee-dr17 is encoded by a tokenizer of spectra on any grid"),
        ("aion-embeddings", r"release .* brings its vectors, and nothing of it is encoded"),
    ],
)
def test_what_aion_does_not_encode_is_refused(name: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        workload(MANIFESTS / f"{name}.toml", 8)


def test_less_than_nothing_is_no_portion() -> None:
    with pytest.raises(ValueError, match="a count must not be negative, got -1"):
        Portion("image", "mmu_hdf5", -1)
