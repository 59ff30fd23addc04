"""APOGEE and GALAH releases of the sky: the same stars, in the files' layout."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from demo_sky.__main__ import main
from demo_sky.healpix import pixel_of_position
from demo_sky.native import observe_native_source
from demo_sky.native_releases import FAINTEST_R, NATIVE_FOLDER, write_native_releases
from demo_sky.population import draw_parameters

OBJECTS, SEED = 120, 5


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("native-sky")
    assert write_native_releases(root, OBJECTS, SEED) == sum(len(stars(s)) for s in NATIVE_FOLDER)
    return root


def stars(survey: str) -> list[int]:
    found = []
    for index in range(OBJECTS):
        drawn = draw_parameters(SEED, index, np.random.default_rng([SEED, index]))
        if drawn.object_class == "star" and drawn.magnitude_r < FAINTEST_R[survey]:
            found.append(index)
    return found


def rows(root: Path, survey: str) -> dict[str, np.ndarray]:
    parts = []
    for path in sorted((root / NATIVE_FOLDER[survey]).glob("healpix=*/001-of-001.hdf5")):
        with h5py.File(path) as file:
            parts.append({name: file[name][:] for name in file})
        cell = int(path.parent.name.removeprefix("healpix="))
        assert set(parts[-1]["healpix"].tolist()) == {cell}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.mark.parametrize("survey", list(NATIVE_FOLDER))
def test_every_bright_star_is_there_with_its_own_spectrum(written: Path, survey: str) -> None:
    found = rows(written, survey)
    assert len(found["object_id"]) == len(set(found["object_id"].tolist())) == len(stars(survey))
    for index in stars(survey):
        truth = draw_parameters(SEED, index, np.random.default_rng([SEED, index]))
        east = (found["ra"] - truth.ra_deg) * np.cos(np.radians(truth.dec_deg))
        apart = 3600.0 * np.hypot(east, found["dec"] - truth.dec_deg)
        (row,) = np.flatnonzero(apart < 0.2)
        ra_deg, dec_deg = float(found["ra"][row]), float(found["dec"][row])
        assert found["healpix"][row] == pixel_of_position(4, ra_deg, dec_deg)
        spectrum = observe_native_source(SEED, index, (survey,)).spectra[survey]
        np.testing.assert_array_equal(found["spectrum_flux"][row], spectrum.flux)
        np.testing.assert_array_equal(found["spectrum_lambda"][row], spectrum.wavelength_angstrom)
        np.testing.assert_array_equal(found["spectrum_mask"][row], spectrum.mask)
        assert truth.star is not None
        assert found["teff"][row] == pytest.approx(truth.star.temperature_k, rel=0.06)


def test_names_are_those_of_the_surveys(written: Path) -> None:
    apogee, galah = (rows(written, survey)["object_id"] for survey in NATIVE_FOLDER)
    assert all(len(each) == 18 and each.startswith(b"2M") for each in apogee.tolist())
    assert all(len(each) == 15 and each.isdigit() for each in galah.tolist())


def test_the_same_bytes_again(written: Path, tmp_path: Path) -> None:
    write_native_releases(tmp_path, OBJECTS, SEED)
    paths = sorted(path.relative_to(written) for path in written.rglob("*.hdf5"))
    assert paths == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.hdf5"))
    assert all((written / each).read_bytes() == (tmp_path / each).read_bytes() for each in paths)


def test_mistakes_are_explained(written: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="give a directory without it"):
        write_native_releases(written, OBJECTS, SEED)
    with pytest.raises(ValueError, match="objects must be 1 to"):
        write_native_releases(tmp_path, 0, SEED)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        write_native_releases(tmp_path, 3, -1)
    faint = next(n for n in range(100) if not stars_of_first(n))
    with pytest.raises(ValueError, match=r"no star among 1 sources is brighter than r = 16\.0"):
        write_native_releases(tmp_path, 1, faint)
    result = CliRunner().invoke(main, ["native", str(written), "--objects", "5"])
    assert result.exit_code == 1
    assert "exists already" in result.output


def stars_of_first(seed: int) -> bool:
    drawn = draw_parameters(seed, 0, np.random.default_rng([seed, 0]))
    return drawn.object_class == "star" and drawn.magnitude_r < max(FAINTEST_R.values())


def test_the_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["native", str(tmp_path), "--objects", str(OBJECTS), "--seed", str(SEED)]
    )
    assert result.exit_code == 0, result.output
    count = sum(len(stars(survey)) for survey in NATIVE_FOLDER)
    assert f"Wrote {count} spectra" in result.output
