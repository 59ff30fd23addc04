"""What lies beyond the wavelengths that a model was taught has no part in its vectors."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_spectra import TINY, see

from aion_encoder.errors import ObservationError
from aion_encoder.universal_spectra import NativeSpectrum, open_universal_encoder
from aion_encoder.universal_spectra.checkpoint import write_checkpoint
from aion_encoder.universal_spectra.model import blank_model
from aion_encoder.universal_spectra.preparation import prepare
from aion_encoder.universal_spectra.taught import joined_ranges, prepare_taught

BLUE = ((3000.0, 6000.0),)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=8))
def test_joined_ranges_cover_the_same(parts: list[tuple[int, int]]) -> None:
    ranges = [(float(first), float(first + width)) for first, width in parts]
    joined = joined_ranges(ranges)
    for place in np.arange(-0.5, 82.0, 0.5):
        assert any(a <= place <= b for a, b in ranges) is any(a <= place <= b for a, b in joined)
    assert all(one[1] < other[0] for one, other in pairwise(joined))


def test_pixels_beyond_count_as_bad_and_are_told() -> None:
    spectrum = see()
    outside = spectrum.wavelength_angstrom > 6000.0
    cut = NativeSpectrum(spectrum.flux, spectrum.wavelength_angstrom, spectrum.ivar, outside)
    made, wanted = prepare_taught(spectrum, BLUE), prepare(cut)
    np.testing.assert_array_equal(made.flux, wanted.flux)
    np.testing.assert_array_equal(made.ignored, wanted.ignored)
    assert made.scale == wanted.scale
    assert made.ignored[outside].all()
    (note,) = made.notes
    assert note == (
        f"{outside.sum():,} of {outside.size:,} good pixels lie beyond 3000-6000 A, which these "
        "weights were taught, and are left out"
    )


@pytest.mark.parametrize("taught", [(), ((3000.0, 20_000.0),)])
def test_nothing_changes_where_all_was_taught(taught: tuple[tuple[float, float], ...]) -> None:
    made, wanted = prepare_taught(see(), taught), prepare(see())
    np.testing.assert_array_equal(made.flux, wanted.flux)
    assert made.notes == wanted.notes


def test_where_too_little_is_left_all_is_used_and_the_doubt_is_told() -> None:
    spectrum = see()
    taught = ((3000.0, float(spectrum.wavelength_angstrom[60])),)
    made = prepare_taught(spectrum, taught)
    np.testing.assert_array_equal(made.flux, prepare(spectrum).flux)
    assert made.notes[0].endswith(
        "which these weights were taught: what they make of it means little"
    )
    with pytest.raises(ObservationError, match="fluxes must differ"):
        prepare_taught(
            NativeSpectrum(0.0 * spectrum.flux + 1, spectrum.wavelength_angstrom), taught
        )


def test_vectors_and_reconstructions_do_not_see_it(tmp_path: Path) -> None:
    config = TINY.model_copy(update={"taught_angstrom": BLUE})
    write_checkpoint(tmp_path / "blue", blank_model(config, 1))
    encoder = open_universal_encoder(str(tmp_path / "blue"))
    spectrum = see()
    red = spectrum.wavelength_angstrom > 6000.0
    other = NativeSpectrum(
        np.where(red, -3.0 * spectrum.flux, spectrum.flux),
        spectrum.wavelength_angstrom,
        spectrum.ivar,
    )
    encoded = encoder.encode([spectrum, other])
    np.testing.assert_array_equal(*encoded.vectors)
    assert "left out" in encoded.notes[0].text
    given_back = encoder.reconstruct(other)
    assert given_back.ignored[red].all()
    assert not given_back.covered[spectrum.wavelength_angstrom > 6100.0].any()
