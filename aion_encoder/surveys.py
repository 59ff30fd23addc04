"""What AION-1 expects of each survey it was trained on.

These are facts about the model's inputs, not about files: what a file holds is the business of
the reader that opens it. Sources: arXiv:2510.17960 (appendices A and C) and the package
`polymathic-aion` 0.0.2 (`aion/modalities.py`, `aion/fourm/modality_info.py`,
`aion/codecs/preprocessing`).
"""

from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "IMAGE_MIN_PX",
    "SPECTRUM_GRID_ANGSTROM",
    "SPECTRUM_MIN_PX",
    "SURVEYS",
    "Survey",
    "survey_named",
]

IMAGE_MIN_PX = 96
"""Side of the central cut-out that the image tokenizer sees, in pixels."""

SPECTRUM_GRID_ANGSTROM = (3500.0, 10462.4)
"""First and last vacuum wavelength of the spectrum tokenizer's grid of 8704 samples."""

SPECTRUM_MIN_PX = 200
"""Good pixels that a spectrum must have inside the grid."""


@dataclass(frozen=True)
class Survey:
    """What AION-1 expects of one survey.

    Attributes
    ----------
    name
        Short name: ``legacysurvey``, ``hsc``, ``sdss``, ``desi`` or ``gaia``.
    title
        The name that people read.
    modality
        ``image``, ``spectrum`` or ``xp``.
    token_keys
        Keys under which the transformer knows the tokens.
    token_counts, vocabularies
        Number of tokens of one observation and number of codes, per key.
    bands
        Names of the bands in AION-1's spelling; empty except for images.
    pixel_scale_arcsec
        Native pixel scale, in arcseconds per pixel; 0 except for images.
    zero_point
        AB magnitude of one count; 0 except for images.
    """

    name: str
    title: str
    modality: str
    token_keys: tuple[str, ...]
    token_counts: tuple[int, ...]
    vocabularies: tuple[int, ...]
    bands: tuple[str, ...] = ()
    pixel_scale_arcsec: float = 0.0
    zero_point: float = 0.0


SURVEYS = MappingProxyType(
    {
        survey.name: survey
        for survey in (
            Survey(
                name="legacysurvey",
                title="DESI Legacy Imaging Surveys",
                modality="image",
                token_keys=("tok_image",),
                token_counts=(576,),
                vocabularies=(4375,),
                bands=("DES-G", "DES-R", "DES-I", "DES-Z"),
                pixel_scale_arcsec=0.262,
                zero_point=22.5,
            ),
            Survey(
                name="hsc",
                title="Hyper Suprime-Cam",
                modality="image",
                token_keys=("tok_image_hsc",),
                token_counts=(576,),
                vocabularies=(4375,),
                bands=("HSC-G", "HSC-R", "HSC-I", "HSC-Z", "HSC-Y"),
                pixel_scale_arcsec=0.168,
                zero_point=27.0,
            ),
            Survey(
                name="sdss",
                title="SDSS",
                modality="spectrum",
                token_keys=("tok_spectrum_sdss",),
                token_counts=(273,),
                vocabularies=(1024,),
            ),
            Survey(
                name="desi",
                title="DESI",
                modality="spectrum",
                token_keys=("tok_spectrum_desi",),
                token_counts=(273,),
                vocabularies=(1024,),
            ),
            Survey(
                name="gaia",
                title="Gaia",
                modality="xp",
                token_keys=("tok_xp_bp", "tok_xp_rp"),
                token_counts=(55, 55),
                vocabularies=(1024, 1024),
            ),
        )
    }
)


def survey_named(name: str) -> Survey:
    """Return the survey of a short name.

    Raises
    ------
    KeyError
        If AION-1 was not trained on a survey of that name; the message lists those it knows.
    """
    try:
        return SURVEYS[name]
    except KeyError:
        raise KeyError(
            f"survey must be one that AION-1 was trained on ({', '.join(SURVEYS)}), got {name!r}"
        ) from None
