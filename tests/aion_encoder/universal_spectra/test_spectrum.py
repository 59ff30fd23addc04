"""Spectra on their native grid."""

import numpy as np
import pytest
from made_up_spectra import see

from aion_encoder import ObservationError, Spectrum
from aion_encoder.universal_spectra import NativeSpectrum, join_pieces

WAVELENGTH = np.linspace(15100.0, 17000.0, 200)


def test_what_aion_does_not_take() -> None:
    """Infrared, of no survey, without errors, in a unit of its own."""
    spectrum = NativeSpectrum(flux=1e-17 * np.arange(200.0), wavelength_angstrom=WAVELENGTH)
    assert spectrum.ivar is None
    assert spectrum.good.all()
    assert not spectrum.flux.flags.writeable
    with pytest.raises(ObservationError, match="no overlap with 3500-10462 A"):
        Spectrum(
            flux=np.ones(200), ivar=np.ones(200), wavelength_angstrom=WAVELENGTH, survey="sdss"
        )


def test_what_is_bad() -> None:
    flux, ivar, mask = np.ones(200), np.ones(200), np.zeros(200, bool)
    flux[0], ivar[1], ivar[2], ivar[3], mask[4] = np.nan, np.nan, 0.0, -1.0, True
    spectrum = NativeSpectrum(flux, WAVELENGTH, ivar, mask)
    np.testing.assert_array_equal(np.flatnonzero(spectrum.mask), [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ivar": np.ones(3)}, r"one and the same length, got flux \(200,\), .* ivar \(3,\)"),
        ({"mask": np.ones((200, 1), bool)}, "one and the same length"),
        ({"wavelength_angstrom": WAVELENGTH[::-1]}, "strictly ascending within a piece"),
        ({"wavelength_angstrom": np.full(200, np.nan)}, "finite and positive; drop padded"),
        ({"wavelength_angstrom": WAVELENGTH - 2e4}, "finite and positive; drop padded"),
        ({"ivar": np.full(200, np.nan)}, "no pixel has a finite, positive inverse variance"),
        ({"ivar": np.zeros(200)}, "leave the errors out to have them estimated"),
        ({"starts": (5,)}, r"starts of pieces must be 0 and then ascend .* 200; got \(5,\)"),
        ({"starts": (0, 200)}, "starts of pieces must be 0 and then ascend"),
        ({"starts": ()}, "starts of pieces must be 0 and then ascend"),
    ],
)
def test_refusals(changes: dict[str, object], message: str) -> None:
    given = {"flux": np.ones(200), "wavelength_angstrom": WAVELENGTH, **changes}
    with pytest.raises(ObservationError, match=message):
        NativeSpectrum(**given)  # type: ignore[arg-type]


def test_an_empty_spectrum() -> None:
    with pytest.raises(ObservationError, match="the spectrum is empty"):
        NativeSpectrum(np.ones(0), np.ones(0))


def test_pieces_are_joined_in_the_order_of_wavelength() -> None:
    blue = see(np.arange(3600.0, 5800.0, 0.8))
    red = see(np.arange(5760.0, 7620.0, 0.8))
    infrared = see(np.arange(7520.0, 9824.0, 0.8))
    joined = join_pieces([infrared, blue, red])
    assert joined.starts == (0, blue.flux.size, blue.flux.size + red.flux.size)
    np.testing.assert_array_equal(joined.flux[: blue.flux.size], blue.flux)
    again = join_pieces([join_pieces([blue, red]), infrared])
    assert again.starts == joined.starts
    with pytest.raises(ObservationError, match="at least one piece, got none"):
        join_pieces([])
    bare = NativeSpectrum(red.flux, red.wavelength_angstrom)
    with pytest.raises(ObservationError, match="either all pieces of a spectrum have errors or"):
        join_pieces([blue, bare])
    assert join_pieces([bare]).ivar is None


def test_that_it_can_be_had_from_what_aion_takes() -> None:
    wavelength = np.linspace(3800.0, 9000.0, 3000)
    spectrum = Spectrum(np.ones(3000), np.ones(3000), wavelength, "desi", np.arange(3000) < 7)
    native = NativeSpectrum.of(spectrum)
    np.testing.assert_array_equal(native.flux, spectrum.flux)
    np.testing.assert_array_equal(native.mask, spectrum.mask)
    assert native.wavelength_angstrom.dtype == np.float64
