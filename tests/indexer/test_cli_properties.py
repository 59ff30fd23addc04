"""The command `properties`, on a sky whose truth is planted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner, Result

from aion_encoder import open_encoder
from aion_encoder.training.blank import write_random_checkpoint
from indexer.cli import main
from indexer.index_file import Index
from indexer.redshift_readouts import RedshiftReadout
from tests.indexer.planted_sky import SOURCES, build_planted_index, coefficients, truth

KEY = "planted-plain:P0001"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_planted_index(tmp_path_factory.mktemp("planted-cli"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["properties", *(str(each) for each in arguments)])


def _xp_file(folder: Path) -> Path:
    made = coefficients(0.5, 0.1, 5)
    table = Table(
        {
            "source_id": [7],
            "bp_coefficients": made.bp[None].astype(float),
            "rp_coefficients": made.rp[None].astype(float),
        }
    )
    path = folder / "mine.fits"
    table.write(path)
    return path


def test_a_line_for_each_property(planted: Path) -> None:
    result = run(planted, "--object", KEY)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith(f"Query: {KEY} (xp, 40.001")
    assert lines[1].startswith("verdict: in distribution: ")
    redshift, vote = lines[-2:]
    assert redshift.startswith("redshift: 0.")
    assert "(68 %)" in redshift
    assert "(95 %; calibrated; " in redshift
    assert vote.startswith("object_class: blue 0.")
    assert "such votes are right for 7" in vote


def test_json_holds_the_whole_answer(planted: Path, tmp_path: Path) -> None:
    result = run(planted, "--xp", _xp_file(tmp_path), "--format", "json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert list(answer) == ["query", "verdict", "properties", "decoder", "receipt"]
    number, vote = answer["properties"]
    assert number["median"] == pytest.approx(0.55, abs=0.06)
    assert number["interval_95"][0] < number["interval_68"][0] < number["median"]
    assert vote["kind"] == "class"
    assert answer["decoder"] is None
    assert answer["receipt"]["modality"] == "xp"
    assert answer["receipt"]["file_sha256"] == answer["query"]["sha256"]


def test_the_decoder_is_asked_of_files_only(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = write_random_checkpoint(tmp_path / "tiny", seed=1, modalities=["xp"])
    asked: list[bool] = []

    def opened(_weights: str, *, keep_decoder: bool) -> Any:
        asked.append(keep_decoder)
        return open_encoder(str(weights), device="cpu", keep_decoder=keep_decoder)

    monkeypatch.setattr("aion_encoder.encoder.open_encoder", opened)
    file = _xp_file(tmp_path)
    result = run(planted, "--xp", file, "--decoder", "--format", "json")
    assert result.exit_code == 0, result.output
    assert asked == [True]
    decoder = json.loads(result.stdout)["decoder"]
    probabilities = np.array(decoder["probabilities"])
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-4)
    assert probabilities @ decoder["bin_centres"] == pytest.approx(decoder["mean"], abs=1e-4)
    assert decoder["interval_68"][0] < decoder["median"] < decoder["interval_68"][1]
    assert "as the frozen decoder reads it, not calibrated" in run(
        planted, "--xp", file, "--decoder"
    ).output.replace("\n", " ")
    # A recalibration counts if it was fitted to these weights.
    digest = open_encoder(str(weights), device="cpu").identity.digest
    for encoder, calibrated in ((digest, True), ("another", False)):
        kept = RedshiftReadout(
            modality="xp",
            encoder=encoder,
            stated=(0.0, 0.5, 1.0),
            observed=(0.0, 0.1, 1.0),
            objects=77,
            healpix_order=4,
        )
        monkeypatch.setattr(Index, "redshift_readout", lambda _self, _modality, kept=kept: kept)
        moved = json.loads(run(planted, "--xp", file, "--decoder", "--format", "json").stdout)
        assert moved["decoder"]["calibrated"] is calibrated
        assert moved["decoder"]["calibrated_on"] == (77 if calibrated else 0)
        assert (moved["decoder"]["median"] > decoder["median"]) is calibrated
        told = "recalibrated on 77 sources" if calibrated else "not calibrated"
        output = run(planted, "--xp", file, "--decoder").output.replace("\n", " ")
        assert f"as the frozen decoder reads it, {told}" in output
    refused = run(planted, "--object", KEY, "--decoder")
    assert refused.exit_code == 2
    assert "--decoder needs the tokens of a file" in refused.output


def test_labels_and_names(planted: Path, tmp_path: Path) -> None:
    labels = tmp_path / "masses.csv"
    rows = [
        f"planted-plain:P{source:04d},{9.0 + truth().first[source]:.4f}"
        for source in range(0, SOURCES, 3)
    ]
    labels.write_text("\n".join(["key,stellar_mass", *rows]) + "\n")
    result = run(planted, "--object", KEY, "--labels", labels, "--format", "json")
    assert result.exit_code == 0, result.output
    by_name = {each["name"]: each for each in json.loads(result.stdout)["properties"]}
    assert list(by_name) == ["redshift", "object_class", "stellar_mass"]
    assert by_name["stellar_mass"]["median"] == pytest.approx(9.0 + truth().first[1], abs=0.1)
    refused = run(planted, "--object", KEY, "--property", "colour")
    assert refused.exit_code == 2
    assert "'colour' is not known of any object" in refused.output


def test_no_answer_is_an_answer(planted: Path) -> None:
    result = run(planted, "--object", KEY, "--property", "magnitude")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith(
        "magnitude: none: only 0 objects of this index that have the modality xp"
    )


def test_several_examples(planted: Path) -> None:
    result = run(planted, "--object", KEY, "--also", "planted-plain:P0003", "--format", "json")
    assert result.exit_code == 0, result.output
    named = json.loads(result.stdout)["receipt"]["examples"]["for"]
    assert named == [{"key": KEY}, {"key": "planted-plain:P0003"}]
