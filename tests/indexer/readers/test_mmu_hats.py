"""Multimodal Universe files in Parquet: the same records as from HDF5, and only what is needed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer import remote
from indexer.manifests import Manifest, ReleaseManifest, load_manifest
from indexer.plan import plan
from indexer.readers import Record, Reject, partitions, read_partition
from indexer.readers.mmu_hats import read_hats_file
from indexer.readers.mmu_hdf5 import read_mmu_file
from tests.indexer.readers import mmu_files
from tests.indexer.readers.loopback import Server

DEMO = Path(__file__).parents[3] / "data_manifests" / "demo.toml"
MAKERS = {
    "legacysurvey": mmu_files.legacy,
    "hsc": mmu_files.hsc,
    "sdss": mmu_files.sdss,
    "desi": mmu_files.desi,
    "gaia": mmu_files.gaia,
}
STRUCTS = {
    "image_array": ("image", "flux"),
    "image_mask": ("image", "mask"),
    "image_band": ("image", "band"),
    "image_scale": ("image", "scale"),
    "coeff": ("spectral_coefficients", "coeff"),
    "phot_g_mean_mag": ("photometry", "phot_g_mean_mag"),
    **{f"spectrum_{name}": ("spectrum", name) for name in ("lambda", "flux", "ivar", "mask")},
}
"""Where the converter puts each dataset."""

CELL = "dataset/Norder=3/Dir=0/Npix=45.parquet"


def release(survey: str) -> ReleaseManifest:
    given = load_manifest(DEMO, root=Path("/")).release(f"demo-{survey}").model_dump()
    return ReleaseManifest.model_validate(given | {"reader": "mmu_hats", "files": (CELL,)})


def column(values: Any) -> pa.Array:
    """Return an array of any dimension as nested lists, text as text."""
    values = np.asarray(values)
    flat = values.ravel()
    if flat.dtype.kind == "S":
        made = pa.array([each.decode() for each in flat])
    else:
        made = pa.array(flat.astype(flat.dtype.newbyteorder("=")))
    for size in values.shape[:0:-1]:
        made = pa.ListArray.from_arrays(np.arange(0, len(made) + 1, size, dtype=np.int32), made)
    return made


def write(path: Path, datasets: dict[str, Any], **more: pa.Array) -> Path:
    """Write datasets of version 1 as the converter does, with what else a row has."""
    columns: dict[str, Any] = {}
    for name, values in datasets.items():
        struct, field = STRUCTS.get(name, (name, ""))
        if field:
            columns.setdefault(struct, {})[field] = column(values)
        else:
            columns[name] = column(values)
    table = pa.table(
        {
            name: pa.StructArray.from_arrays(list(held.values()), list(held))
            if isinstance(held, dict)
            else held
            for name, held in (columns | more).items()
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=3, write_page_checksum=True)
    return path


def made(survey: str, count: int = 5, **changes: Any) -> dict[str, Any]:
    return MAKERS[survey](np.random.default_rng(0), count, **changes)


def told(results: list[Record | Reject]) -> list[Any]:
    """Return what was read in a form that can be compared."""
    plain: list[Any] = []
    for each in results:
        if isinstance(each, Reject):
            plain.append((each.object_id, each.source_row, each.reason))
            continue
        (observation,) = each.observations
        arrays = {
            name: (value.dtype, value.tolist())
            for name, value in vars(observation).items()
            if isinstance(value, np.ndarray)
        }
        others = {
            name: value
            for name, value in vars(observation).items()
            if not isinstance(value, np.ndarray)
        }
        place = each.object_id, each.ra_deg, each.dec_deg, each.source_row
        plain.append((*place, repr(sorted(each.columns.items())), arrays, others))
    return plain


@pytest.mark.parametrize("survey", MAKERS)
def test_the_same_records_as_from_hdf5(tmp_path: Path, survey: str) -> None:
    datasets = made(survey)
    mmu_files.write(tmp_path / "f.hdf5", **datasets)
    write(tmp_path / "f.parquet", datasets)
    asked = release(survey)
    found = list(read_hats_file(tmp_path / "f.parquet", "f", asked))
    assert told(found) == told(list(read_mmu_file(tmp_path / "f.hdf5", "f", asked)))
    assert all(isinstance(each, Record) for each in found)


@pytest.mark.parametrize("ivar", [True, False])
def test_spectra_of_another_instrument(tmp_path: Path, ivar: bool) -> None:
    datasets = made("desi")
    if not ivar:
        del datasets["spectrum_ivar"]
    mmu_files.write(tmp_path / "f.hdf5", **datasets)
    write(tmp_path / "f.parquet", datasets)
    given = release("desi").model_dump(exclude={"preview"})
    asked = ReleaseManifest.model_validate(
        given | {"survey": "apogee", "native": {"medium": "vacuum"}}
    )
    found = list(read_hats_file(tmp_path / "f.parquet", "f", asked))
    assert told(found) == told(list(read_mmu_file(tmp_path / "f.hdf5", "f", asked)))
    assert all(isinstance(each, Record) for each in found)


def test_bad_rows_are_refused_with_the_same_reasons(tmp_path: Path) -> None:
    datasets = made("desi", 6)
    datasets["spectrum_ivar"][0] = 0.0
    datasets["spectrum_flux"][2] *= 1e-17
    datasets["dec"][3] = 123.0
    datasets["spectrum_lambda"][4] = -1.0
    mmu_files.write(tmp_path / "f.hdf5", **datasets)
    write(tmp_path / "f.parquet", datasets)
    found = told(list(read_hats_file(tmp_path / "f.parquet", "f", release("desi"))))
    assert found == told(list(read_mmu_file(tmp_path / "f.hdf5", "f", release("desi"))))
    assert [len(each) for each in found].count(3) == 4


def test_one_mask_for_each_band_and_a_band_without_pixels(tmp_path: Path) -> None:
    """The converter repeats the mask of Legacy Surveys images."""
    datasets = made("legacysurvey", 2)
    datasets["image_array"][1, 2] = np.nan
    masks = np.ones((2, 4, 160, 160), bool)
    masks[0, :, 80, 81] = False
    datasets["image_mask"] = masks
    write(tmp_path / "f.parquet", datasets)
    first, second = read_hats_file(tmp_path / "f.parquet", "f", release("legacysurvey"))
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert first.observations[0].mask.sum() == 4  # type: ignore[union-attr]
    assert second.columns["bands"] == "DES-G,DES-R,DES-Z"


def test_a_row_of_gaps_costs_no_other(tmp_path: Path) -> None:
    datasets = made("desi", 2)
    pixels = datasets["spectrum_flux"].shape[1]
    good = {name: datasets[f"spectrum_{name}"][0].tolist() for name in ("lambda", "flux", "ivar")}
    good["mask"] = [False] * pixels
    rows = [
        good,
        None,
        good | {"flux": None},
        good | {"flux": good["flux"][:-1]},
        good | {"mask": [*good["mask"][:-1], None]},
        good | {"mask": None},
        good,
    ]
    table = pa.table(
        {
            "object_id": pa.array([10, 11, 12, 13, 14, 15, None]),
            "ra": pa.array([1.0] * 7),
            "dec": pa.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
            "Z": pa.array([0.5, None, None, None, None, None, None]),
            "ZWARN": pa.array([True] * 7),
            "spectrum": pa.array(rows),
        }
    )
    pq.write_table(table, tmp_path / "f.parquet")
    found = list(read_hats_file(tmp_path / "f.parquet", "f", release("desi")))
    kept = [each for each in found if isinstance(each, Record)]
    assert [each.object_id for each in kept] == ["10", "15"]
    assert kept[0].columns["redshift"] == 0.5
    assert np.isnan(kept[1].columns["redshift"])
    assert [(each.source_row, each.reason) for each in found if isinstance(each, Reject)] == [
        (1, "the object has no spectrum.flux, spectrum.ivar, spectrum.lambda"),
        (2, "the object has no spectrum.flux"),
        (
            3,
            f"a spectrum's columns must have equally many pixels, got {pixels} of lambda, "
            f"{pixels - 1} of flux, {pixels} of ivar, {pixels} of mask",
        ),
        (4, "spectrum.mask: it has gaps"),
        (6, "the object has no identifier"),
    ]


def test_planes_of_different_sizes(tmp_path: Path) -> None:
    plane, ragged = np.ones((4, 4)).tolist(), [[1.0] * 4, [1.0] * 3]
    table = pa.table(
        {
            "object_id": ["a", "b"],
            "ra": [1.0, 1.0],
            "dec": [1.0, 1.0],
            "image": pa.array(
                [
                    {"flux": [plane, ragged], "band": ["des-g", "des-r"]},
                    {"flux": [plane, plane, []], "band": ["des-g", "des-r", "des-z"]},
                ]
            ),
        }
    )
    pq.write_table(table, tmp_path / "f.parquet")
    for each in read_hats_file(tmp_path / "f.parquet", "f", release("legacysurvey")):
        assert isinstance(each, Reject)
        assert each.reason == "image.flux: its lists have different lengths"


def test_columns_by_their_path_and_by_their_only_name(tmp_path: Path) -> None:
    datasets = made("gaia")
    more = {
        "astrometry": pa.array([{"parallax": 1.5, "error": 0.1}] * 5),
        "other": pa.array([{"error": 0.2}] * 5),
    }
    write(tmp_path / "f.parquet", datasets, **more)
    asked = release("gaia").model_dump()
    asked["columns"]["keep"] = {
        "parallax": "parallax",
        "parallax_error": "astrometry.error",
        "error": "error",
        "none": "astrometry.none",
    }
    given = ReleaseManifest.model_validate(asked)
    first, *_ = read_hats_file(tmp_path / "f.parquet", "f", given)
    assert isinstance(first, Record)
    assert first.columns["magnitude"] == 15.5
    assert first.columns["parallax"] == 1.5
    assert first.columns["parallax_error"] == 0.1
    # Two structs have one of that name.
    assert "error" not in first.columns
    assert "none" not in first.columns


def test_files_that_cannot_be_read_give_one_reject(tmp_path: Path) -> None:
    asked = release("desi")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1" + bytes(300))
    datasets = made("desi")
    del datasets["spectrum_flux"], datasets["ra"]
    write(tmp_path / "lacking.parquet", datasets)
    for name, words in (
        ("broken", "the file cannot be read: "),
        ("none", "the file cannot be read: "),
        ("lacking", "the file cannot be read: it lacks ra, spectrum.flux"),
    ):
        (only,) = read_hats_file(tmp_path / f"{name}.parquet", "f", asked)
        assert isinstance(only, Reject)
        assert only.reason.startswith(words)


def test_a_damaged_row_group_costs_no_other(tmp_path: Path) -> None:
    path = write(tmp_path / "f.parquet", made("desi", 7))
    chunk = next(
        chunk
        for number in range(pq.ParquetFile(path).metadata.num_columns)
        if (chunk := pq.ParquetFile(path).metadata.row_group(1).column(number)).path_in_schema
        == "spectrum.flux.list.element"
    )
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + 2000] ^= 0xFF
    path.write_bytes(data)
    found = list(read_hats_file(path, "f", release("desi")))
    assert [each.source_row for each in found] == [0, 1, 2, 3, 6]
    (reject,) = [each for each in found if isinstance(each, Reject)]
    assert reject.reason.startswith("rows 3 to 5 cannot be read: ")


@pytest.fixture
def sky(tmp_path: Path) -> Manifest:
    """Two cells, a file of a margin that no pattern names, and one in parts."""
    root = tmp_path / "sky"
    for seed, name in enumerate((CELL, "dataset/Norder=10/Dir=10000/Npix=12345/part0.parquet")):
        datasets = MAKERS["sdss"](np.random.default_rng(seed), 6)
        datasets["object_id"] = datasets["object_id"].astype("S")
        datasets["heavy"] = np.random.default_rng(seed).normal(size=(6, 60_000))
        write(root / name, datasets)
    given = release("sdss").model_dump() | {"files": ("dataset/Norder=*/**/*.parquet",)}
    return Manifest(
        name="sky", title="Sky", root=root, releases=(ReleaseManifest.model_validate(given),)
    )


def read(manifest: Manifest) -> list[Any]:
    (asked,) = manifest.releases
    return [
        (each.source_file, told([each]))
        for part in partitions(manifest, asked)
        for each in read_partition(manifest, asked, part)
    ]


def test_a_cell_is_a_partition(sky: Manifest) -> None:
    (asked,) = sky.releases
    listed = partitions(sky, asked)
    assert [each.name for each in listed] == [
        "Norder=03/Npix=0000000045",
        "Norder=10/Npix=0000012345",
    ]
    assert len(read(sky)) == 12


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(remote.time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize("parts", [True, False])
def test_of_a_remote_file_only_what_is_needed_comes(
    sky: Manifest, parts: bool, waits: list[float]
) -> None:
    assert isinstance(sky.root, Path)
    server = Server(sky.root, parts=parts)
    try:
        there = Manifest.model_validate(sky.model_dump() | {"root": server.root})
        server.faults = {CELL: ["503"]}
        assert read(there) == read(sky)
        whole = (sky.root / CELL).stat().st_size
        assert (server.sent[CELL] < 0.4 * whole) == parts
        assert waits == [1.0]
        for each in plan(there).releases[0].files:
            assert each.bytes == (sky.root / each.path).stat().st_size
    finally:
        server.close()


@pytest.mark.parametrize("change", [lambda data: data[:4] + bytes(900), lambda data: data[:-9]])
def test_a_remote_file_that_is_broken_is_one_reject(
    sky: Manifest, waits: list[float], change: Callable[[bytes], bytes]
) -> None:
    assert isinstance(sky.root, Path)
    path = sky.root / CELL
    path.write_bytes(change(path.read_bytes()))
    server = Server(sky.root, parts=True)
    try:
        there = Manifest.model_validate(sky.model_dump() | {"root": server.root})
        found = read(there)
        assert found == read(sky)
        assert sum(name == CELL for name, _ in found) == 1
        assert not waits
    finally:
        server.close()


def test_a_table_without_rows(sky: Manifest) -> None:
    assert isinstance(sky.root, Path)
    path = sky.root / CELL
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    server = Server(sky.root, parts=True)
    try:
        there = Manifest.model_validate(sky.model_dump() | {"root": server.root})
        assert read(there) == read(sky)
        assert len(read(sky)) == 6
    finally:
        server.close()
