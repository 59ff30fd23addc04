"""Real survey files: what each becomes, and truths that need no labels."""

import os
from pathlib import Path

import numpy as np
import pytest

from aion_encoder.observations import GaiaXp, Image, Spectrum
from indexer.errors import ReadError
from indexer.manifests import Manifest, load_manifest
from indexer.readers import (
    Record,
    Reject,
    ignored_files,
    partitions,
    read_image_file,
    read_partition,
    read_spectrum_file,
    read_xp_file,
)

REPOSITORY = Path(__file__).parents[3]
ROOT = Path(os.environ.get("REAL_SKY_ROOT") or REPOSITORY / ".." / "shared" / "real_sky")

pytestmark = [
    pytest.mark.real_sky,
    pytest.mark.skipif(not ROOT.is_dir(), reason=f"no real survey files at {ROOT}"),
]


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return load_manifest(REPOSITORY / "data_manifests" / "real_sky.toml", root=ROOT)


def read(manifest: Manifest, release: str) -> dict[tuple[str, str], Record | Reject]:
    chosen = manifest.release(release)
    results = [
        each
        for partition in partitions(manifest, chosen)
        for each in read_partition(manifest, chosen, partition)
    ]
    return {(Path(each.source_file).name, each.object_id): each for each in results}


def test_every_file_is_read_or_has_a_reason(manifest: Manifest) -> None:
    read_files = {
        name
        for release in manifest.releases
        for partition in partitions(manifest, release)
        for name in partition.files
    }
    ignored = {each.source_file: each.reason for each in ignored_files(manifest)}
    present = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()}
    assert read_files | ignored.keys() == present
    assert not read_files & ignored.keys()
    assert "no release claims this file" not in ignored.values()


def test_sdss(manifest: Manifest) -> None:
    results = read(manifest, "real-sdss")
    assert len(results) == 10
    records = [each for each in results.values() if isinstance(each, Record)]
    assert len(records) == 10
    first = results["spec-0266-51602-0001.fits", "299489676975171584"]
    assert isinstance(first, Record)
    assert first.columns["plate_mjd_fiber"] == "266-51602-1"
    assert (first.ra_deg, first.dec_deg) == pytest.approx((146.71421, -1.041304), abs=1e-5)
    assert first.columns["redshift"] == pytest.approx(0.021275, abs=1e-6)
    twice = [each for each in records if abs(each.ra_deg - 146.23184) < 1e-4]
    assert len({each.object_id for each in twice}) == 2


def test_desi(manifest: Manifest) -> None:
    results = read(manifest, "real-desi")
    indexed = {each.object_id for each in results.values() if isinstance(each, Record)}
    assert indexed == {
        "39633345008634465",
        "39627866878511337",
        "39627866878511337_2",
        "39627866878514741",
    }
    first = results["coadd-4-80613-thru20210324.fits", "39633345008634465"]
    assert isinstance(first, Record)
    assert first.columns["redshift"] == pytest.approx(0.36874, abs=1e-5)
    reasons = {key: each.reason for key, each in results.items() if isinstance(each, Reject)}
    assert len(reasons) == 7
    coadd, spectra = "coadd-sv3-dark-26065.fits", "spectra-sv3-dark-26065.fits"
    assert "negative" in reasons[coadd, "-2713437"]
    assert "sky fibre" in reasons[coadd, "616088619186127404"]
    assert reasons[spectra, "39627866878514741"] == "broken fibre: FIBERSTATUS is 512, not 0"


def test_gaia(manifest: Manifest) -> None:
    records = list(read(manifest, "real-gaia").values())
    assert [each.object_id for each in records] == ["5853498713190525696", "5762406957886626816"]
    assert all(isinstance(e, Record) and e.columns["position_from"] == "source_id" for e in records)


def test_images(manifest: Manifest) -> None:
    results = read(manifest, "real-legacysurvey")
    indexed = {key[0]: key[1] for key, each in results.items() if isinstance(each, Record)}
    assert indexed == {
        "example_a.fits": "J094651.40-010228.5",
        "example_b.fits": "J000018.70-003906.6",
        "example_d.fits": "J094949.62+010533.2",
        "example_e.fits": "J000035.63-014547.6",
        "temp_small.fits": "J094651.40-010228.5_2",
    }
    reasons = {key[0]: each.reason for key, each in results.items() if isinstance(each, Reject)}
    assert "of band DES-G are missing" in reasons["example_bad_pix.fits"]
    assert reasons["example_incomplete.fits"].startswith("the file is truncated")
    pictures = {each.source_file: each.reason for each in ignored_files(manifest)}
    assert "colour picture" in pictures["images/example_a.png"]


def test_the_text_copy_of_a_spectrum_is_the_same_spectrum() -> None:
    folder = ROOT / "spectra/sdss"
    original = read_spectrum_file([folder / "spec-0266-51602-0001.fits"]).observation
    copy = read_spectrum_file([folder / "spec-0266-51602-0001.dat"])
    assert isinstance(original, Spectrum)
    assert isinstance(copy.observation, Spectrum)
    np.testing.assert_allclose(
        copy.observation.wavelength_angstrom, original.wavelength_angstrom, rtol=1e-7
    )
    np.testing.assert_allclose(copy.observation.flux, original.flux, rtol=4e-6)
    np.testing.assert_allclose(copy.observation.ivar, original.ivar, rtol=1e-5)
    assert "standard deviation" in copy.assumptions["noise"]


def test_the_four_gaia_files_are_the_same_table() -> None:
    for source_id in ("5853498713190525696", "5762406957886626816"):
        found = [
            read_xp_file(ROOT / f"gaia_xp/XP_CONTINUOUS_RAW.{end}", source_id=source_id).observation
            for end in ("fits", "csv", "ecsv", "xml")
        ]
        for xp in found:
            assert isinstance(xp, GaiaXp)
            assert isinstance(found[0], GaiaXp)
            np.testing.assert_array_equal(xp.bp, found[0].bp)
            np.testing.assert_array_equal(xp.rp, found[0].rp)


def test_one_galaxy_at_two_pixel_scales_has_the_same_brightness() -> None:
    fine = read_image_file([ROOT / "images/example_a.fits"])
    native = read_image_file([ROOT / "images/temp_small.fits"])
    assert isinstance(fine.observation, Image)
    assert isinstance(native.observation, Image)
    assert fine.observation.flux.shape == native.observation.flux.shape == (3, 160, 160)
    assert "no area factor" in fine.assumptions["resampling"]
    # The native cut-out has an odd side: its centre is half a pixel further in the even crop.
    sums = []
    for image, centre in ((fine.observation, 79.5), (native.observation, 80.0)):
        axis = (np.arange(160) - centre) * 0.262
        radius = np.hypot(*np.meshgrid(axis, axis))
        sums.append([[image.flux[b][radius < r].sum() for r in (3, 8, 15)] for b in range(3)])
    np.testing.assert_allclose(sums[0], sums[1], rtol=0.03)
    separation = (fine.ra_deg - native.ra_deg, fine.dec_deg - native.dec_deg)
    np.testing.assert_allclose(separation, 0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["UM184_nF.fits", "UM184_nE.fits"], "divided by its continuum"),
        (["XShooter_XQ100.fits.gz"], ""),
        (["ZTF20abucjsa_20200909_LT_v1.ascii"], "1e-17"),
        (["spec-58397-EG014118N254444M01_sp03-031.fits"], "relative flux"),
    ],
)
def test_other_instruments_can_be_asked_for(files: list[str], words: str) -> None:
    upload = read_spectrum_file([ROOT / "spectra/other" / name for name in files])
    assert isinstance(upload.observation, Spectrum)
    assert words in upload.assumptions.get("flux_unit", "")
    assert upload.survey == ""
    assert np.isfinite(upload.ra_deg)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "manifest.csv",
        "catalogs/training_lenses.tsv",
        "images/example_a.png",
        "templates/rrtemplate-galaxy.fits",
        "images/example_incomplete.fits",
    ],
)
def test_what_is_no_spectrum_or_image_is_refused_in_one_line(name: str) -> None:
    for read_file in (read_spectrum_file, read_image_file):
        with pytest.raises(ReadError) as caught:
            read_file([ROOT / name])
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(Path(name).name + ": ")
