"""The bundled tokenizer on every real spectrum at hand: encoded, and next to its own kind."""

import numpy as np
import pytest
from real_spectra import NEEDS_REAL_SKY, SPECTRA, desi_arms, read

from aion_encoder.universal_spectra import NativeSpectrum, UniversalSpectraEncoder, join_pieces

pytestmark = NEEDS_REAL_SKY

DESI_TARGETS = {
    "coadd-4-80613-thru20210324.fits": ["39633345008634465"],
    "coadd-sv3-dark-26065.fits": ["39627866878511337", "39627866878514741"],
    "spectra-sv3-dark-26065.fits": ["39627866878511337"],
}
"""Fibres that saw a target; the others of these files are sky or broken."""

UM184 = ["other/UM184_nF.fits", "other/UM184_nE.fits"]
"""Fluxes, and their errors."""

TWINS = [
    {"sdss/spec-0266-51602-0166.fits", "sdss/spec-0266-51630-0174.fits"},
    {"sdss/spec-0266-51602-0001.fits", "sdss/spec-0266-51602-0001.dat"},
    {"39633345008634465 combined", "39633345008634465 arms"},
    {"39627866878514741 combined", "39627866878514741 arms"},
    {
        "39627866878511337 combined",
        "39627866878511337 arms",
        "39627866878511337 combined, exposures",
        "39627866878511337 arms, exposures",
    },
]
"""Two observations of one galaxy, one spectrum as FITS and as text, and DESI's arms as they are
beside one grid on which they are combined."""


@pytest.fixture(scope="module")
def spectra() -> dict[str, NativeSpectrum]:
    """Every real spectrum, by file or DESI target."""
    of_desi: dict[str, NativeSpectrum] = {}
    for file, targets in DESI_TARGETS.items():
        end = ", exposures" if file.startswith("spectra") else ""
        arms = desi_arms(file)
        assert sorted(arms) == targets
        for target in targets:
            of_desi[f"{target} arms{end}"] = join_pieces(arms[target])
            of_desi[f"{target} combined{end}"] = read(f"desi/{file}", target_id=target)
    single = sorted(
        f"{folder}/{path.name}"
        for folder in ("sdss", "other")
        for path in (SPECTRA / folder).iterdir()
    )
    alone = {name: read(name) for name in single if name not in UM184}
    assert len(alone) == 14, "11 of SDSS, LAMOST, XQ-100 and a supernova"
    return {**alone, "UM184": read(*UM184), **of_desi}


@pytest.fixture(scope="module")
def vectors(
    demo: UniversalSpectraEncoder, spectra: dict[str, NativeSpectrum]
) -> dict[str, np.ndarray]:
    encoded = demo.encode(list(spectra.values()))
    assert encoded.present.all(), encoded.refusals
    return dict(zip(spectra, encoded.vectors, strict=True))


def test_every_real_spectrum_is_encoded(
    vectors: dict[str, np.ndarray], spectra: dict[str, NativeSpectrum]
) -> None:
    """From a supernova of 432 pixels to a quasar of 16,582, from 3,000 A to the infrared."""
    sizes = [each.flux.size for each in spectra.values()]
    assert (min(sizes), max(sizes)) == (432, 16582)
    for name, vector in vectors.items():
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5), name


@pytest.mark.parametrize("twins", TWINS, ids=lambda twins: min(twins))
def test_one_source_is_its_own_nearest(vectors: dict[str, np.ndarray], twins: set[str]) -> None:
    """Among all real spectra, in either direction."""
    for name in twins:
        scores = {other: float(vectors[name] @ each) for other, each in vectors.items()}
        del scores[name]
        assert max(scores, key=scores.__getitem__) in twins


def test_combined_arms_say_what_the_arms_say(vectors: dict[str, np.ndarray]) -> None:
    """Overlaps measured twice, or once and better: 0.988 to 0.997 in the three."""
    for target in {target for each in DESI_TARGETS.values() for target in each}:
        assert vectors[f"{target} arms"] @ vectors[f"{target} combined"] > 0.97


def test_reconstructions_of_real_spectra(
    demo: UniversalSpectraEncoder, spectra: dict[str, NativeSpectrum]
) -> None:
    """Reduced chi-square, whose medians were 0.7 to 1.0; of SDSS the means were 0.9 to 1.7.

    A constant makes 8 to 250 of SDSS's. The mean says nothing of DESI's 39633345008634465: of
    its H alpha, 150 times the noise in one pixel, a tenth comes back.
    """
    names = [name for name in spectra if name.endswith("arms") or "sdss/spec" in name]
    assert len(names) == 14
    for name in names:
        spectrum = spectra[name]
        assert spectrum.ivar is not None
        made = demo.reconstruct(spectrum)
        squares = ((made.flux - spectrum.flux) ** 2 * spectrum.ivar)[~made.ignored]
        # The median of chi-square with one degree of freedom is 0.455.
        assert np.median(squares) / 0.455 < 1.3, name
        if name.startswith("sdss"):
            assert squares.mean() < 3.0, name
