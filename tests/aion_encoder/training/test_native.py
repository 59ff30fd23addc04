from pathlib import Path

import numpy as np
import pytest

from aion_encoder.training.native import NativeSky, native_sky, pack_native
from demo_sky.native import observe_native

SEED = 21


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    directory = tmp_path_factory.mktemp("native")
    files = [directory / "first.npz", directory / "second.npz"]
    pack_native(files[0], SEED, 0, 5)
    pack_native(files[1], SEED, 5, 8)
    return files


@pytest.fixture(scope="module")
def sky(paths: list[Path]) -> NativeSky:
    return native_sky(paths)


def test_spectra_come_back_within_their_noise(sky: NativeSky) -> None:
    assert len(sky) == 8
    for row, source in enumerate(observe_native(SEED, 0, 8, population="training")):
        assert tuple(source.spectra) == sky.instruments
        for name, native in source.spectra.items():
            spectrum = native.joined()
            packed = sky.spectrum(name, row)
            np.testing.assert_array_equal(packed.wavelength_angstrom, spectrum.wavelength_angstrom)
            np.testing.assert_array_equal(packed.mask, spectrum.mask)
            good = ~spectrum.mask
            assert (packed.ivar[~good] == 0).all()
            np.testing.assert_allclose(packed.ivar[good], spectrum.ivar[good], rtol=0.031)
            error = (packed.flux - spectrum.flux)[good] * np.sqrt(spectrum.ivar[good])
            assert np.sqrt(np.mean(error**2)) < 0.06
            assert np.isfinite(packed.flux).all()
            assert (packed.flux.dtype, packed.ivar.dtype) == (np.float32, np.float32)
            residual = (packed.flux - spectrum.expected)[good].astype(np.float64)
            mean = np.mean(residual**2 * packed.ivar[good])
            assert mean == pytest.approx(1.0, abs=6 * np.sqrt(2 / good.sum()) + 0.02)


def test_labels_come_back(sky: NativeSky) -> None:
    for row, source in enumerate(observe_native(SEED, 0, 8, ("prism",), "training")):
        for name, value in source.labels.items():
            np.testing.assert_equal(sky.labels[name][row], value)


def test_axes_ascend(sky: NativeSky) -> None:
    for wavelength in sky.wavelengths.values():
        assert (np.diff(wavelength) > 0).all()


def test_files_are_three_bytes_a_pixel(paths: list[Path], sky: NativeSky) -> None:
    pixels = sum(len(wavelength) for wavelength in sky.wavelengths.values())
    # Grids, once a file, take eight bytes a pixel.
    assert paths[0].stat().st_size < 5 * 3 * pixels + 8 * pixels + 20_000
    assert not list(paths[0].parent.glob("*.tmp*"))


def test_some_instruments_only(tmp_path: Path, paths: list[Path]) -> None:
    done: list[tuple[int, int]] = []
    pack_native(tmp_path / "few.npz", SEED, 2, 4, ("galah",), lambda *at: done.append(at))
    assert done == [(1, 2), (2, 2)]
    few, all_of_them = native_sky([tmp_path / "few.npz"]), native_sky(paths)
    assert few.instruments == ("galah",)
    np.testing.assert_array_equal(
        few.spectrum("galah", 1).flux, all_of_them.spectrum("galah", 3).flux
    )
    with pytest.raises(ValueError, match="same grids"):
        native_sky([paths[0], tmp_path / "few.npz"])


def test_wrong_requests_are_refused(tmp_path: Path, sky: NativeSky) -> None:
    with pytest.raises(ValueError, match="at least one file"):
        native_sky([])
    with pytest.raises(ValueError, match="greater than start"):
        pack_native(tmp_path / "none.npz", SEED, 3, 3)
    with pytest.raises(IndexError, match="0 to 7"):
        sky.spectrum("sdss", 8)
