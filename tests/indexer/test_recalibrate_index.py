"""Recalibrations of the decoder's redshifts: fitted, published with an index, read, kept."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fake_sky import FAKE_TOOLS, SURVEYS, fake_manifest, write_fake_sky

from aion_encoder.fake import open_fake_encoder
from aion_encoder.observations import Observation
from aion_encoder.readouts import RedshiftDistribution
from indexer import redshift_readouts
from indexer.build import build
from indexer.cli import main
from indexer.errors import BuildError, IndexFormatError
from indexer.index_file import open_index
from indexer.layout import redshift_readout_file
from indexer.recalibrate_index import recalibrate_index
from indexer.redshift_readouts import fit_readout, known_redshifts, read_readout
from indexer.sky_parts import TEST, VALIDATION, sources_in
from indexer.survey_files import SurveyFiles
from indexer.verify import verify

LEVELS = np.arange(33) / 32


def flat(_encoder: Any, observations: Sequence[Observation]) -> RedshiftDistribution:
    """Say that every redshift is as likely, with nothing at 0."""
    row = np.append(0.0, np.full(32, 1.0 / 32))
    return RedshiftDistribution(LEVELS, np.tile(row, (len(observations), 1)))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("indexer.redshift_readouts", "aion_encoder.readouts"):
        monkeypatch.setattr(f"{module}.FEWEST_FOR_RECALIBRATION", 5)


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, SurveyFiles]:
    releases = [name for name in SURVEYS if name != "fake-sdss"]
    manifest = write_fake_sky(tmp_path / "sky", releases)
    build(manifest, tmp_path / "index", weights="fake", tools=FAKE_TOOLS)
    return tmp_path / "index", SurveyFiles(manifest, open_fake_encoder, FAKE_TOOLS, flat)


@pytest.mark.usefixtures("few")
def test_it_is_published_read_and_kept(built: tuple[Path, SurveyFiles]) -> None:
    folder, files = built
    before = open_index(folder)
    assert before.redshift_readout("spectrum") is None
    info, fitted, reasons = recalibrate_index(folder, files)
    assert info.generation == 2
    assert reasons == ()
    assert [each.modality for each in fitted] == ["image", "spectrum", "xp"]
    after = open_index(folder)
    assert after.redshift_readout("spectrum") == fitted[1]
    assert after.redshift_readout("shared") is None
    assert after.info.releases == before.info.releases
    assert after.info.spaces["shared"] == before.info.spaces["shared"]
    assert after.info.spaces["image"].directory == "spaces/image@2"
    np.testing.assert_array_equal(
        after.segment("fake-desi").vectors("spectrum")[1],
        before.segment("fake-desi").vectors("spectrum")[1],
    )
    assert verify(folder).problems == ()
    # What was flat is now as the redshifts of the validation cells lie.
    _, true = known_redshifts(after, None, "spectrum", VALIDATION)
    told = fitted[1].recalibration.apply(flat(None, [None]))  # type: ignore[list-item]
    assert told.quantile(0.5)[0] == pytest.approx(np.median(true), abs=0.1)
    # Fitted again, each is replaced.
    again, _, _ = recalibrate_index(folder, files, at_most=5)
    assert again.spaces["image"].directory == "spaces/image@3"
    # A release that comes later does not change what the decoder is worth.
    root = files.manifest.root
    write_fake_sky(root, tuple(SURVEYS))
    build(fake_manifest(root), folder, weights="fake", tools=FAKE_TOOLS)
    grown = open_index(folder)
    assert "fake-sdss" in grown.releases
    assert grown.redshift_readout("spectrum") is not None
    assert grown.redshift_readout("spectrum") == open_index(folder).redshift_readout("spectrum")
    assert verify(folder).problems == ()


def test_test_cells_have_no_say(built: tuple[Path, SurveyFiles]) -> None:
    index = open_index(built[0])
    parts = {part: sources_in(index, part) for part in (VALIDATION, TEST)}
    for part, inside in parts.items():
        places, true = known_redshifts(index, None, "image", part)
        assert all(inside[release][row] for release, row in places)
        assert np.isfinite(true).all()
        assert len(places) > 5
    apart = [set(known_redshifts(index, None, "image", part)[0]) for part in parts]
    assert not apart[0] & apart[1]


def test_too_few_and_no_decoder_are_reasons(built: tuple[Path, SurveyFiles]) -> None:
    folder, files = built
    index = open_index(folder)
    reason = fit_readout(index, files, "image", at_most=4)
    assert reason == (
        "image: 50 objects of known redshift in validation cells are needed, there are 4"
    )
    with pytest.raises(BuildError, match="no redshift could be recalibrated: image: 50 objects"):
        recalibrate_index(folder, files)
    with pytest.raises(BuildError, match="needs weights with a decoder; these have none"):
        recalibrate_index(folder, replace(files, ask_redshift=None))
    assert open_index(folder).info.generation == 1


@pytest.mark.usefixtures("few")
def test_what_the_decoder_does_not_answer_is_passed_over(
    built: tuple[Path, SurveyFiles],
) -> None:
    folder, files = built
    index = open_index(folder)

    def silent(encoder: Any, observations: Sequence[Observation]) -> RedshiftDistribution:
        told = flat(encoder, observations)
        probabilities = told.probabilities.copy()
        probabilities[3:] = np.nan
        return RedshiftDistribution(told.levels, probabilities)

    reason = fit_readout(index, replace(files, ask_redshift=silent), "image")
    assert isinstance(reason, str)
    assert reason.startswith("image: the decoder answers for 3 of ")


@pytest.mark.usefixtures("few")
def test_a_damaged_one_is_named(built: tuple[Path, SurveyFiles]) -> None:
    folder, files = built
    recalibrate_index(folder, files)
    index = open_index(folder)
    path = folder / redshift_readout_file(index.info.spaces["image"].directory)
    assert read_readout(path).modality == "image"
    text = path.read_text()
    path.write_text(text.replace('"spectrum"', '"x"').replace('"image"', '"spectrum"'))
    (problem,) = verify(folder, hashes=False).problems[-1:]
    assert "image" in problem
    path.write_text(text.replace('"observed": [', '"observed": [0.5,'))
    with pytest.raises(IndexFormatError, match="python -m indexer recalibrate"):
        read_readout(path)


def test_the_batches_of_the_decoder_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting:
        sizes: tuple[int, ...] = ()

        def encode(self, objects: Sequence[Any], *, tokens: bool) -> int:
            assert tokens
            self.sizes = (*self.sizes, len(objects))
            return len(objects)

    monkeypatch.setattr(
        redshift_readouts, "read_redshift", lambda encoder, count: flat(encoder, [None] * count)
    )
    encoder = Counting()
    told = redshift_readouts.tokens_to_redshift(encoder, [None] * 70)  # type: ignore[list-item]
    assert encoder.sizes == (64, 6)
    assert len(told) == 70


def test_the_command(built: tuple[Path, SurveyFiles], tmp_path: Path) -> None:
    folder, files = built
    manifest = tmp_path / "fake.toml"
    releases = "\n".join(
        f'[[releases]]\nname = "{each.name}"\ntitle = "x"\nsurvey = "{each.survey}"\n'
        f'reader = "mmu_hdf5"\nfiles = ["{each.files[0]}"]'
        for each in files.manifest.releases
    )
    manifest.write_text(f'name = "fake"\ntitle = "Fake"\n{releases}\n')
    asked = ["recalibrate", str(folder), str(manifest), "--root", str(files.manifest.root)]
    refused = CliRunner().invoke(main, asked)
    assert refused.exit_code == 1
    assert "a recalibration needs weights with a decoder; these have none" in refused.output
    missing = CliRunner().invoke(main, [*asked[:2], str(tmp_path / "no.toml")])
    assert missing.exit_code == 2
    assert "cannot read manifest" in missing.output
