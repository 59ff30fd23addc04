"""The decoder as a bridge: what it makes up is searched with, and what it cannot is said."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fake_sky import FAKE_TOOLS, fake_manifest

from aion_encoder.errors import EncoderError
from aion_encoder.fake import open_fake_encoder
from aion_encoder.observations import Observation
from indexer.evaluate.imagined import IMAGINED
from indexer.evaluate.partners import partners
from indexer.survey_files import SurveyFiles


@pytest.fixture(scope="module")
def files(labelled_sky) -> SurveyFiles:
    return SurveyFiles(fake_manifest(labelled_sky / "sky"), open_fake_encoder, FAKE_TOOLS)


def test_a_decoder_that_knows_the_partner_finds_it(bench, files) -> None:
    index = bench.index
    rows = index.segment("fake-images").rows_with("image")
    read = files.observations(index, {"fake-images": rows}, "image")
    row_of = {each.flux.tobytes(): row for (_, row), each in read.items()}
    surveys = {info.survey: name for name, info in index.info.releases.items()}

    def knowing(encoder: Any, observations: Sequence[Observation], survey: str) -> np.ndarray:
        if observations[0].modality != "image" or survey == "gaia":
            raise EncoderError(f"these weights never say {survey}")
        other = surveys[survey]
        asked = np.array([row_of[each.flux.tobytes()] for each in observations])
        partner = index.links.partners("fake-images", asked, other)
        spectra = files.observations(index, {other: np.unique(partner)}, "spectrum")
        encoded = encoder.encode([(spectra[other, row],) for row in partner.tolist()])
        vectors = encoded.vectors["spectrum"].copy()
        vectors[0] = np.nan
        return vectors

    result = partners(replace(bench, files=replace(files, imagine=knowing)))
    found = [each for each in result.records if each.arm == IMAGINED and each.mode == "exact"]
    first = next(each for each in found if each.metric == "r_at_k" and each.k == 1)
    assert {each.direction for each in found} == {"image_to_spectrum"}
    assert first.value == 1.0
    aligned = next(
        each
        for each in result.records
        if (each.arm, each.mode, each.metric, each.k) == ("aligned", "exact", "r_at_k", 1)
        and each.direction == "image_to_spectrum"
    )
    # One of the sources had no tokens, and does not ask.
    assert 10 < first.queries < aligned.queries
    shuffled = [each for each in result.records if each.arm == f"{IMAGINED}; partners shuffled"]
    assert max(each.value for each in shuffled if each.metric == "r_at_k" and each.k == 1) < 0.2
    reasons = [each for each in result.skipped if IMAGINED in each]
    assert "image_to_xp made up by the decoder: these weights never say gaia" in reasons


def test_without_a_decoder_it_says_so(bench) -> None:
    result = partners(replace(bench, queries=20))
    reasons = [each for each in result.skipped if IMAGINED in each]
    assert reasons[0] == (
        "image_to_spectrum made up by the decoder: takes observations and a decoder; name the "
        "manifest of the index"
    )
    assert not [each for each in result.records if each.arm == IMAGINED]
