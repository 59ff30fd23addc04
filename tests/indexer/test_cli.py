"""The command line: what it prints, what it writes, and its exit codes."""

import csv
import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner, Result

from indexer.cli import main
from indexer.tools import Tools
from tests.indexer.small_sky import (
    READERS,
    image_of,
    key_of,
    sdss_id,
    small_manifest,
    spectrum_of,
    xp_of,
)

COMMANDS = ("plan", "build", "verify", "info", "search", "export", "encode-tokens")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def spectrum_file(folder: Path, source: int, negative: bool = False) -> Path:
    spectrum = spectrum_of(source, "sdss")
    table = Table(
        {
            "wavelength": spectrum.wavelength_angstrom,
            "flux": (-1.0 if negative else 1.0) * spectrum.flux,
            "ivar": spectrum.ivar,
        }
    )
    table["wavelength"].unit = "Angstrom"
    table["flux"].unit = "1e-17 erg / (s cm2 Angstrom)"
    path = folder / "mine.ecsv"
    table.write(path, format="ascii.ecsv")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_help_lists_the_commands() -> None:
    output = run("--help").output
    assert all(re.search(rf"^  {command}\b", output, re.MULTILINE) for command in COMMANDS)
    assert run("--version").output.startswith("aion-search ")


# search


def test_table_is_aligned_and_says_what_was_asked(small_index: Path) -> None:
    result = run("search", small_index, "--object", "9145-58042-142", "-k", 4)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    key = key_of("demo-sdss", 141)
    assert lines[0].startswith(f"Query: 9145-58042-142 = {key} (spectrum, 150.01")
    assert lines[1] == f"  identifier: '9145-58042-142' is {key}"
    assert lines[2] == "4 neighbours in spectrum (same) among demo-sdss, demo-desi"
    assert lines[3] == f"left out, being the query itself: {key}"
    assert lines[4].startswith("verdict: in distribution: ")
    header, *rows = lines[6:]
    assert " ".join(header.split()) == "rank key score percentile bridge ra dec z mag class"
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"]
    at = header.index("bridge")
    assert all(row[at:].startswith("same") for row in rows)


def test_linked_table_shows_through_whom(small_index: Path) -> None:
    key = key_of("demo-legacysurvey", 120)
    result = run(
        "search", small_index, "--object", key, "--to", "spectrum", "--bridge", "linked", "-k", 2
    )
    assert result.stdout.splitlines()[-1].split()[-1] == key


def test_json_is_one_object(small_index: Path) -> None:
    result = run("search", small_index, "--position", "150.05 -0.02", "-k", 3, "--format", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert list(document) == ["query", "verdict", "receipt", "hits"]
    assert document["query"]["kind"] == "position"
    assert len(document["hits"]) == 3
    wanted = {"key", "rank", "score", "percentile", "bridge", "ra_deg", "dec_deg", "redshift"}
    for hit in document["hits"]:
        assert wanted <= set(hit)
        assert isinstance(hit["object_id"], str)
        assert hit["redshift"] is None
    assert document["receipt"]["encoder"]["repository"] == "fake/fake"


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("csv", "hits.csv"),
        ("ecsv", "hits.ecsv"),
        ("fits", "hits.fits"),
        ("votable", "hits.vot"),
        ("parquet", "hits.parquet"),
        ("json", "hits.json"),
    ],
)
def test_files_are_the_same_by_name_and_by_format(
    small_index: Path, tmp_path: Path, option: str, name: str
) -> None:
    asked = ("search", small_index, "--object", "-2713437", "-k", 3)
    by_name = run(*asked, "--output", tmp_path / name)
    assert by_name.exit_code == 0, by_name.output
    assert by_name.stdout == ""
    assert "3 hits written to" in by_name.stderr
    piped = run(*asked, "--format", option)
    assert piped.stdout_bytes == (tmp_path / name).read_bytes()
    if option not in ("json", "csv"):
        assert len(Table.read(tmp_path / name)) == 3


def test_spectrum_files_are_queries(small_index: Path, tmp_path: Path) -> None:
    path = spectrum_file(tmp_path, 120)
    result = run("search", small_index, "--spectrum", path, "--format", "json", "-k", 2)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["query"]["kind"] == "spectrum"
    assert len(document["query"]["sha256"]) == 64
    assert document["receipt"]["read_as"] == document["query"]["assumptions"]
    # The observations of one source in both releases are one spectrum in this sky.
    left_out = {key_of("demo-sdss", 120), key_of("demo-desi", 120)}
    assert set(document["receipt"]["left_out"]) == left_out
    told = run("search", small_index, "--spectrum", path, "--medium", "air").stdout
    assert "air" in told.split("neighbours")[0]


def test_xp_files_are_queries(small_index: Path, tmp_path: Path) -> None:
    path = tmp_path / "xp.fits"
    sources = [xp_of(source) for source in (3, 4)]
    table = Table(
        {
            "source_id": [1666767135588491907, 1666767135588491908],
            "bp_coefficients": np.array([each.bp for each in sources]),
            "rp_coefficients": np.array([each.rp for each in sources]),
        }
    )
    table.write(path)
    several = run("search", small_index, "--xp", path)
    assert several.exit_code == 2
    assert "choose one of 1666767135588491907, 1666767135588491908" in several.stderr
    result = run(
        "search",
        small_index,
        "--xp",
        path,
        "--target-id",
        "1666767135588491907",
        "--format",
        "json",
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["receipt"]["left_out"] == ["demo-gaia:1666767135588491907"]
    assert len(document["hits"]) == 9


def test_bands_may_lie_in_files_of_their_own(small_index: Path, tmp_path: Path) -> None:
    image = image_of(30, "legacysurvey")
    paths = []
    for band, plane in zip("grz", image.flux, strict=True):
        header = fits.Header({"BAND": band, "SURVEY": "DECaLS"})
        header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 48.5, "CRPIX2": 48.5})
        header.update({"CRVAL1": 10.0, "CRVAL2": 10.0})
        header.update({"CD1_1": -0.262 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.262 / 3600})
        paths.append(tmp_path / f"cutout-{band}.fits")
        fits.PrimaryHDU(plane, header).writeto(paths[-1])
    result = run("search", small_index, "--image", *paths, "--format", "json", "-k", 3)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["query"]["kind"] == "image"
    assert document["query"]["file_name"].count("cutout-") == 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--object", "nothing"], "no object of this index is called 'nothing'"),
        (["--object", "266-51630-1"], "can be 2 objects; give one of demo-sdss:2"),
        (["--position", "150.05"], "a position is a right ascension and a declination"),
        (["--position", "10 80"], "no object of this index within 120 arcsec"),
        (["--spectrum", "missing.fits"], "missing.fits"),
        (["--image", "missing.fits"], "missing.fits"),
        (["--xp", "missing.fits"], "missing.fits"),
        (["--object", "-2713437", "--release", "x"], "x is no release of this index"),
    ],
)
def test_refused_input_is_one_line_and_exit_code_2(
    small_index: Path, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    output = tmp_path / "hits.csv"
    result = run("search", small_index, *arguments, "--output", output)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert reason in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_the_encoder_refuses_is_refused_input(small_index: Path, tmp_path: Path) -> None:
    path = spectrum_file(tmp_path, 120, negative=True)
    result = run("search", small_index, "--spectrum", path)
    assert result.exit_code == 2
    assert result.stderr == "Error: mine.ecsv: the median flux is negative\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "--object, --position, --name, --image, --spectrum and --xp; got none"),
        (["--object", "1", "--position", "1 2"], "got --object and --position"),
        (["--object", "1", "--radius", "3"], "--radius belongs to --position"),
        (["--position", "1 2", "--pixel-scale", "3"], "--pixel-scale belongs to --image"),
        (["--object", "1", "-k", "0"], "0 is not in the range"),
        (["--object", "1", "--to", "radio"], "'radio' is not one of"),
        (["--object", "1", "--output", "hits.xlsx"], "must end in .csv"),
        (["--object", "1", "2"], "unexpected 2; only --image and --spectrum take files"),
    ],
)
def test_wrong_usage_is_exit_code_2(small_index: Path, arguments: list[str], reason: str) -> None:
    result = run("search", small_index, *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_other_failures_are_exit_code_1(small_index: Path, tmp_path: Path) -> None:
    nowhere = run("search", tmp_path / "nothing", "--object", "1")
    assert nowhere.exit_code == 1
    assert "is no index" in nowhere.stderr
    other = run(
        "search", small_index, "--spectrum", spectrum_file(tmp_path, 3), "--weights", "fake/other"
    )
    assert other.exit_code == 1
    assert "files must be encoded as the index was" in other.stderr
    unwritable = run(
        "search", small_index, "--object", "-2713437", "--output", tmp_path / "no" / "a.csv"
    )
    assert unwritable.exit_code == 1
    assert "No such file or directory" in unwritable.stderr


def test_the_process_itself(small_index: Path, tmp_path: Path) -> None:
    """Exit codes, streams and the absence of torch, as a shell sees them."""
    program = [sys.executable, "-X", "importtime", "-m", "indexer", "search", str(small_index)]
    good = subprocess.run(
        [*program, "--object=-2713437", "--format", "json"], capture_output=True, text=True
    )
    assert good.returncode == 0, good.stderr
    assert len(json.loads(good.stdout)["hits"]) == 10
    assert not re.search(r"\|\s+torch$", good.stderr, re.MULTILINE)
    bad = subprocess.run(
        [*program[:1], *program[3:], "--object", "x"], capture_output=True, text=True
    )
    assert bad.returncode == 2
    assert bad.stdout == ""
    assert bad.stderr == "Error: no object of this index is called 'x'\n"


# export


def test_export_answers_or_refuses_every_row(small_index: Path, tmp_path: Path) -> None:
    listed = ["-2713437", "nothing", sdss_id(141), "266-51630-1", "", "-2713437"]
    objects = tmp_path / "list.csv"
    objects.write_text("object_id,z\n" + "".join(f"{each},1\n" for each in listed))
    out = tmp_path / "out.csv"
    result = run("export", small_index, "--objects", objects, "-k", 5, out)
    assert result.exit_code == 0, result.output
    assert "6 identifiers read = 3 answered + 3 refused; 15 neighbours" in result.stdout
    rows = list(csv.DictReader(out.open()))
    assert len(rows) == 15
    assert [row["query_number"] for row in rows] == ["1"] * 5 + ["3"] * 5 + ["6"] * 5
    assert rows[5]["query_key"] == key_of("demo-sdss", 141)
    assert rows[0]["key"] == rows[10]["key"]
    receipt = json.loads(rows[0]["receipt"])["receipt"]
    assert receipt["list"]["read"] == 6
    assert receipt["list"]["answered"] == 3
    assert receipt["options"]["k"] == 5
    refused = list(csv.DictReader((tmp_path / "out.refused.csv").open()))
    assert [(row["query_number"], row["query_id"]) for row in refused] == [
        ("2", "nothing"),
        ("4", "266-51630-1"),
        ("5", ""),
    ]
    assert refused[0]["reason"] == "no object of this index is called 'nothing'"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "list.csv",
        "out.csv",
        "out.refused.csv",
    ]


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits", "vot", "parquet"])
@pytest.mark.parametrize("count", [0, 300])
def test_exports_open_elsewhere(small_index: Path, tmp_path: Path, suffix: str, count: int) -> None:
    objects = tmp_path / "list.txt"
    known = [key_of("demo-sdss", source) for source in range(1, 140)]
    asked = (known * 3)[:count] or ["nothing"]
    objects.write_text("\n".join(asked))
    out = tmp_path / f"out.{suffix}"
    result = run("export", small_index, "--objects", objects, "-k", 2, "--to", "image", out)
    assert result.exit_code == 0, result.output
    if suffix == "csv":
        table = list(csv.DictReader(out.open()))
        keys = [row["query_key"] for row in table]
    else:
        table = Table.read(out, format={"vot": "votable", "ecsv": "ascii.ecsv"}.get(suffix, suffix))
        keys = [str(key) for key in table["query_key"]]
    assert keys == [key for key in asked for _ in range(2)][: 2 * count]
    if suffix == "parquet":
        import pyarrow.parquet as pq

        metadata = pq.ParquetFile(out).metadata.metadata
        assert json.loads(metadata[b"receipt"])["list"]["read"] == max(count, 1)
        assert len(Table.read(out, format="parquet.votable")) == 2 * count


def test_export_agrees_with_search(small_index: Path, tmp_path: Path) -> None:
    objects = tmp_path / "list.txt"
    objects.write_text(key_of("demo-hsc", 12))
    out = tmp_path / "out.ecsv"
    options = ("--to", "spectrum", "--bridge", "linked", "-k", 7)
    assert run("export", small_index, "--objects", objects, out, *options).exit_code == 0
    one = run("search", small_index, "--object", key_of("demo-hsc", 12), *options, "--format=json")
    hits = json.loads(one.stdout)["hits"]
    table = Table.read(out, format="ascii.ecsv")
    assert [str(key) for key in table["key"]] == [hit["key"] for hit in hits]
    assert [str(key) for key in table["via"]] == [hit["via"] for hit in hits]
    np.testing.assert_allclose(table["score"], [hit["score"] for hit in hits], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "out", "reason"),
    [
        ("missing.csv", "out.csv", "cannot read a list of identifiers from missing.csv"),
        ("list.csv", "out.csv", "name the column of list.csv"),
        ("list.csv", "out.json", "not as json"),
        ("list.csv", "out.docx", "must end in"),
    ],
)
def test_lists_that_are_refused(
    small_index: Path, tmp_path: Path, name: str, out: str, reason: str
) -> None:
    (tmp_path / "list.csv").write_text("ra,dec\n1,2\n")
    column = ["--column", "ra"] if out != "out.csv" else []
    result = run("export", small_index, "--objects", tmp_path / name, tmp_path / out, *column)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.csv"]


def test_a_failing_export_leaves_nothing(
    small_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("indexer.bulk_export._convert", fail)
    (tmp_path / "list.txt").write_text("-2713437\nnothing\n")
    result = run("export", small_index, "--objects", tmp_path / "list.txt", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert result.stderr == "Error: No space left on device\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.txt"]


# info, verify, plan, build


def test_info_tells_what_there_is(small_index: Path) -> None:
    result = run("info", small_index)
    assert result.exit_code == 0, result.output
    assert "Small sky (simulated) (small), 441 objects" in result.stdout
    assert re.search(r"demo-sdss \(simulated\)\s+spectrum\s+152\s+=\s+151\s+\+\s+1", result.stdout)
    assert re.search(r"^shared\s+image/spectrum", result.stdout, re.MULTILINE)
    assert "fake/fake, identity" in result.stdout


def test_verify_finds_damage(small_index: Path, tmp_path: Path) -> None:
    import shutil

    good = run("verify", small_index)
    assert good.exit_code == 0, good.output
    assert "the index is what it says" in good.stdout
    copy = tmp_path / "copy"
    shutil.copytree(small_index, copy)
    damaged = next(copy.glob("segments/*/spaces/image/vectors/image.npy"))
    content = bytearray(damaged.read_bytes())
    content[-5] ^= 0xFF
    damaged.write_bytes(bytes(content))
    bad = run("verify", copy)
    assert bad.exit_code == 1
    assert re.search(r"^wrong: .*image\.npy", bad.stdout, re.MULTILINE)


@pytest.fixture
def manifest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for a manifest file: the readers of the small sky are put in place."""
    manifest = small_manifest(tmp_path / "files")
    tools = partial(Tools, **READERS)
    monkeypatch.setattr("indexer.manifests.load_manifest", lambda *_, **__: manifest)
    monkeypatch.setattr("indexer.tools.Tools", tools)
    monkeypatch.setattr("indexer.plan.Tools", tools)
    return tmp_path / "small.toml"


def test_plan_shards_build_and_again(manifest_file: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    planned = run("plan", manifest_file)
    assert planned.exit_code == 0, planned.output
    assert re.search(r"^demo-sdss\s+spectrum\s+1\s+1\s", planned.stdout, re.MULTILINE)
    for shard in ("0/2", "1/2"):
        encoded = run("build", manifest_file, index, "--shard", shard, "--weights", "fake")
        assert encoded.exit_code == 0, encoded.output
        assert f"shard {shard}: " in encoded.stdout
        assert not (index / "index.json").exists()
    built = run("build", manifest_file, index, "--weights", "fake")
    assert built.exit_code == 0, built.output
    assert re.search(r"^sum\s+442\s+=\s+441\s+\+\s+1$", built.stdout, re.MULTILINE)
    assert "is published" in built.stdout
    again = run("build", manifest_file, index, "--weights", "fake")
    assert "is up to date" in again.stdout


@pytest.mark.parametrize("shard", ["2/2", "a/b", "1", "-1/2"])
def test_shards_that_cannot_be(manifest_file: Path, tmp_path: Path, shard: str) -> None:
    result = run("build", manifest_file, tmp_path / "index", f"--shard={shard}")
    assert result.exit_code == 2
    assert "slice" in result.stderr


def test_gpus_are_asked_for_with_ray_only(manifest_file: Path, tmp_path: Path) -> None:
    result = run("build", manifest_file, tmp_path / "index", "--gpus-per-task", 1)
    assert result.exit_code == 2
    assert "--gpus-per-task needs --runner ray" in result.stderr


@pytest.mark.parametrize("command", ["plan", "build"])
def test_manifests_that_cannot_be_used(tmp_path: Path, command: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("name = ")
    rest = [tmp_path / "index"] if command == "build" else []
    result = run(command, path, *rest)
    assert result.exit_code == 2
    assert "is not valid TOML" in result.stderr
    assert not (tmp_path / "index").exists()


def test_several_examples_for_and_against(small_index: Path) -> None:
    keys = [key_of("demo-sdss", source) for source in (3, 9, 41)]
    asked = ("--object", keys[0], "--also", keys[1], "--not", keys[2])
    result = run("search", small_index, *asked, "--format", "json", "-k", 200)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["receipt"]["examples"]["for"] == [{"key": keys[0]}, {"key": keys[1]}]
    assert answer["receipt"]["examples"]["against"] == [{"key": keys[2]}]
    assert not {hit["key"] for hit in answer["hits"]} & set(keys)
    probed = json.loads(run("search", small_index, *asked, "--probe", "--format", "json").stdout)
    assert probed["receipt"]["examples"]["method"] == "probe"
    assert "verdict: " in run("search", small_index, "--object", keys[0]).stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--probe"], "--probe needs examples against"),
        (["--not", key_of("demo-sdss", 3)], "cannot be an example for and against at once"),
        (["--also", key_of("demo-hsc", 3)], "examples must have a modality in common"),
        (["--also", "nobody"], "no object of this index is called 'nobody'"),
    ],
)
def test_examples_that_are_refused(small_index: Path, arguments: list[str], reason: str) -> None:
    result = run("search", small_index, "--object", key_of("demo-sdss", 3), *arguments)
    assert result.exit_code == 2
    assert reason in result.output
