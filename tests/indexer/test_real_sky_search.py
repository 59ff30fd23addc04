"""Truths about real survey files that need no labels, through the command line and real weights."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from indexer.cli import main
from indexer.index_file import open_index

REPOSITORY = Path(__file__).parents[2]
ROOT = Path(os.environ.get("REAL_SKY_ROOT") or REPOSITORY / ".." / "shared" / "real_sky")
SPECTRA = ROOT / "spectra"
SDSS = SPECTRA / "sdss"
IMAGES = ROOT / "images"
GAIA = ROOT / "gaia_xp"

pytestmark = [
    pytest.mark.real_sky,
    pytest.mark.skipif(not ROOT.is_dir(), reason=f"no real survey files at {ROOT}"),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real") / "index"
    manifest = REPOSITORY / "data_manifests" / "real_sky.toml"
    result = CliRunner().invoke(main, ["build", str(manifest), str(path), "--root", str(ROOT)])
    assert result.exit_code == 0, result.output
    return path


def search(index: Path, *options: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(
        main, ["search", str(index), *map(str, options), "--format", "json"]
    )
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def first_key(index: Path, *options: str | Path) -> str:
    return str(search(index, *options)["hits"][0]["key"])


def key_of(index: Path, text: str) -> str:
    return str(search(index, "--object", text)["query"]["key"])


def test_counts_add_up(index: Path) -> None:
    releases = json.loads((index / "index.json").read_text())["releases"].values()
    read, indexed, rejected = (
        sum(release[name] for release in releases) for name in ("read", "indexed", "rejected")
    )
    assert read == indexed + rejected
    assert (indexed, rejected) == (21, 9)


def test_two_observations_of_one_galaxy_are_each_others_nearest_spectra(index: Path) -> None:
    one, other = SDSS / "spec-0266-51602-0166.fits", SDSS / "spec-0266-51630-0174.fits"
    assert first_key(index, "--spectrum", one) == key_of(index, "266-51630-174")
    assert first_key(index, "--spectrum", other) == key_of(index, "266-51602-166")


def test_every_spectrum_has_a_vector_by_the_tokenizer_of_any_grid(index: Path) -> None:
    opened = open_index(index)
    assert opened.native_encoder is not None
    for segment in opened.segments.values():
        spectra = segment.rows_with("spectrum")
        assert ("spectrum_native" in segment.info.spaces) == bool(len(spectra))
        if len(spectra):
            np.testing.assert_array_equal(segment.vectors("spectrum_native")[0], spectra)


def test_they_are_so_for_the_tokenizer_of_any_grid_too(index: Path) -> None:
    native = ("--space", "spectrum_native")
    one, other = SDSS / "spec-0266-51602-0166.fits", SDSS / "spec-0266-51630-0174.fits"
    assert first_key(index, "--spectrum", one, *native) == key_of(index, "266-51630-174")
    assert first_key(index, "--spectrum", other, *native) == key_of(index, "266-51602-166")
    answer = search(index, "--object", "266-51630-174", *native)
    assert answer["receipt"]["spaces"] == ["spectrum_native"]
    assert answer["hits"][0]["key"] == key_of(index, "266-51602-166")


@pytest.mark.parametrize(
    "names",
    [
        ("XShooter_XQ100.fits.gz",),
        ("UM184_nF.fits", "UM184_nE.fits"),
        ("ZTF20abucjsa_20200909_LT_v1.ascii",),
        ("spec-58397-EG014118N254444M01_sp03-031.fits",),
    ],
)
def test_spectra_of_other_instruments_are_answered_on_their_own_grids(
    index: Path, names: tuple[str, ...]
) -> None:
    files = [SPECTRA / "other" / name for name in names]
    answer = search(index, "--spectrum", *files, "--space", "spectrum_native", "-k", "3")
    assert answer["receipt"]["spaces"] == ["spectrum_native"]
    assert answer["query"]["answered"].startswith("answered in 'spectrum_native' by the universal")
    assert len(answer["hits"]) == 3


def test_the_ascii_twin_of_a_spectrum_gives_the_same_vector() -> None:
    from aion_encoder import open_encoder
    from indexer import read_spectrum_file

    encoder = open_encoder("demo", device="cpu")
    twins = [
        read_spectrum_file([SDSS / f"spec-0266-51602-0001.{ending}"]).observation
        for ending in ("fits", "dat")
    ]
    one, other = encoder.encode_alone(twins)
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.999


def test_four_formats_of_gaia_coefficients_give_one_vector() -> None:
    from aion_encoder import open_encoder
    from indexer import read_xp_file

    encoder = open_encoder("demo", device="cpu")
    for source in ("5853498713190525696", "5762406957886626816"):
        uploads = [
            read_xp_file(GAIA / f"XP_CONTINUOUS_RAW.{ending}", source_id=source)
            for ending in ("fits", "csv", "ecsv", "xml")
        ]
        vectors = encoder.encode_alone([upload.observation for upload in uploads])
        assert np.array_equal(vectors, np.repeat(vectors[:1], 4, axis=0))


def test_two_pixel_scales_of_one_galaxy_are_each_others_nearest_images(index: Path) -> None:
    for name in ("example_a.fits", "temp_small.fits"):
        key = first_key(index, "--image", IMAGES / name)
        assert key.startswith("real-legacysurvey:J094651.40-010228.5")


def test_an_image_reaches_its_spectrum_through_its_source(index: Path) -> None:
    spectrum = key_of(index, "266-51602-1")
    for name in ("example_a.fits", "temp_small.fits"):
        answer = search(index, "--image", IMAGES / name, "--to", "spectrum")
        assert answer["hits"][0]["key"] == spectrum
        assert answer["hits"][0]["bridge"] == "linked"


def test_identifiers_are_the_surveys_own(index: Path) -> None:
    assert key_of(index, "39633345008634465") == "real-desi:39633345008634465"
    assert key_of(index, "Gaia DR3 5853498713190525696") == "real-gaia:5853498713190525696"
    assert key_of(index, "J094651.40-010228.5") == "real-legacysurvey:J094651.40-010228.5"


@pytest.mark.parametrize(
    ("option", "path", "reason"),
    [
        ("--image", "images/example_incomplete.fits", "truncated"),
        ("--image", "images/example_bad_pix.fits", "missing"),
        ("--image", "images/example_a.png", "colour picture"),
        ("--image", "manifest.csv", "must be a FITS file"),
        ("--spectrum", "images/example_a.png", "not"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    index: Path, tmp_path: Path, option: str, path: str, reason: str
) -> None:
    copy = tmp_path / Path(path).name
    shutil.copy(ROOT / path, copy)
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out.csv"
    result = CliRunner().invoke(
        main, ["search", str(index), option, str(copy), "--format", "csv", "--output", str(out)]
    )
    assert result.exit_code == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert reason in lines[0]
    assert sorted(tmp_path.iterdir()) == before


def test_a_spectrum_without_a_good_pixel_is_refused(index: Path, tmp_path: Path) -> None:
    path = tmp_path / "spec-masked.fits"
    with fits.open(SDSS / "spec-0266-51602-0013.fits") as hdus:
        hdus["COADD"].data["ivar"] = 0.0
        hdus.writeto(path)
    result = CliRunner().invoke(main, ["search", str(index), "--spectrum", str(path)])
    assert result.exit_code == 2
    assert "all pixels are masked" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
