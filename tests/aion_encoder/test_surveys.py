"""Our facts about AION-1 against the official package's own tables."""

import pytest
from aion.codecs.preprocessing.band_to_index import BAND_TO_INDEX
from aion.codecs.preprocessing.image import RescaleToLegacySurvey
from aion.codecs.spectrum import SpectrumCodec
from aion.fourm.modality_info import MODALITY_INFO
from aion.modalities import DESISpectrum, LegacySurveyImage, ScalarModalities

from aion_encoder.codecs import FORBIDDEN_SCALARS, SCALAR_KEYS
from aion_encoder.surveys import SPECTRUM_GRID_ANGSTROM, SURVEYS, survey_named
from aion_encoder.vocabulary import modality_of, token_count


@pytest.mark.parametrize("name", SURVEYS)
def test_token_keys_counts_and_vocabularies(name: str) -> None:
    survey = SURVEYS[name]
    for key, count, vocabulary in zip(
        survey.token_keys, survey.token_counts, survey.vocabularies, strict=True
    ):
        info = MODALITY_INFO[key]
        assert info["vocab_size"] == vocabulary
        assert info["encoder_embedding"]().num_patches == count
        assert (token_count(key), modality_of(key)) == (count, survey.modality)


def test_that_token_ids_of_modalities_are_distinct() -> None:
    assert len({info["id"] for info in MODALITY_INFO.values()}) == len(MODALITY_INFO)


def test_bands_counts_and_zero_points() -> None:
    bands = [band for survey in SURVEYS.values() for band in survey.bands]
    assert sorted(bands) == sorted(BAND_TO_INDEX)
    assert LegacySurveyImage.num_tokens == 576
    assert DESISpectrum.num_tokens == 273
    rescale = RescaleToLegacySurvey()
    assert rescale.convert_zeropoint(SURVEYS["legacysurvey"].zero_point) == 1.0
    assert rescale.convert_zeropoint(SURVEYS["hsc"].zero_point) == pytest.approx(63.0957)


def test_the_spectrum_grid() -> None:
    codec = SpectrumCodec(
        encoder_dims=(4, 4, 4, 4), encoder_depths=(1, 1, 1, 1), latent_channels=4,
        decoder_dims=(4, 4, 4, 2), decoder_depths=(1, 1, 1, 1), embedding_dim=10,
    )  # fmt: skip
    grid = codec.latent_grid.wavelength
    assert grid[0].item() == SPECTRUM_GRID_ANGSTROM[0]
    assert grid[-1].item() == pytest.approx(SPECTRUM_GRID_ANGSTROM[1], abs=1e-3)


def test_that_every_scalar_is_either_allowed_or_forbidden() -> None:
    scalars = {
        name: kind.token_key
        for name, kind in ScalarModalities.items()
        if not name.endswith("coefficients")
    }
    assert set(SCALAR_KEYS) | set(FORBIDDEN_SCALARS) == set(scalars)
    assert not set(SCALAR_KEYS) & set(FORBIDDEN_SCALARS)
    assert all(scalars[name] == key for name, key in SCALAR_KEYS.items())


def test_an_unknown_survey() -> None:
    with pytest.raises(KeyError, match="must be one that AION-1 was trained on"):
        survey_named("2mass")
