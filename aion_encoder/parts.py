"""Parts of a modality's tokens that are averaged by themselves.

The 273 tokens of a spectrum are one for its brightness and 272 along the wavelength axis. One mean
over all of them hides the brightness in a 273rd and blurs where a line lies; a mean for the
brightness and one for each of eight arms keeps both. Pictures and Gaia spectra have one part:
rings about the centre of a picture gained nothing (see ``docs/decisions.md``).
"""

__all__ = ["SPECTRUM_ARMS", "parts_of"]

SPECTRUM_ARMS = 8
"""Of 34 tokens, 870 A, each."""

_WHOLE = ((0, 1_000_000),)
_SPECTRUM = (
    (0, 1),
    *(
        (1 + arm * 272 // SPECTRUM_ARMS, 1 + (arm + 1) * 272 // SPECTRUM_ARMS)
        for arm in range(SPECTRUM_ARMS)
    ),
)


def parts_of(modality: str) -> tuple[tuple[int, int], ...]:
    """Return the parts of a modality: the first place of each and the one past its last."""
    return _SPECTRUM if modality == "spectrum" else _WHOLE
