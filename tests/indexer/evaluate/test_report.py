"""What an evaluation writes: JSON, one HTML file, rows of queries; and the command."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from click.testing import CliRunner

from indexer.cli import main
from indexer.evaluate.bench import Bench
from indexer.evaluate.evaluation import Evaluation, write_evaluation
from indexer.evaluate.published import LENSES_ACROSS_SURVEYS, R_SQUARED, RETRIEVAL
from indexer.evaluate.records import Gallery, Recorder
from indexer.evaluate.report import report_html, report_text


def test_the_document_states_everything_once(evaluation: Evaluation, tmp_path: Path, bench: Bench):
    files = write_evaluation(evaluation, tmp_path / "out")
    assert [path.name for path in files] == [
        "evaluation.json",
        "evaluation.html",
        "queries_fidelity.parquet",
        "queries_morphology.parquet",
        "queries_lenses.parquet",
        "queries_partners.parquet",
        "queries_redshifts.parquet",
        "queries_classes.parquet",
        "queries_discoveries.parquet",
    ]
    document = json.loads(files[0].read_text())
    assert document["model"]["digest"] == bench.index.info.encoder.digest
    assert document["model"]["tokens"] == "every valid token of the modality"
    assert document["index"]["id"] == bench.index.info.index_id
    assert document["index"]["simulated"] is True
    assert document["run"]["queries_at_most"] == 120
    (table,) = document["labels"]
    assert table["layout"] == "labels under their own names"
    assert table["releases"]["fake-images"]["matched"] > 250
    for suite, path in zip(document["suites"], files[2:], strict=True):
        assert suite["records"]
        for record in suite["records"]:
            assert set(record) >= {"metric", "mode", "value", "low", "high", "chance", "bar", "k"}
            assert record["gallery"]["size"] > 0
        rows = pq.read_table(path)
        assert set(rows.column("suite").to_pylist()) == {suite["name"]}
        keys = [key for key in rows.column("query").to_pylist() if ":" in key]
        assert keys[0].partition(":")[0] in bench.index.releases


def test_the_report_needs_nothing_else(evaluation: Evaluation):
    page = report_html(evaluation)
    # The script of plotly is there once, though there are many figures.
    assert page.count("plotly.js v") == 1
    assert page.count("Plotly.newPlot(") > 10
    assert page.count("<script src=") == 0
    assert "All data are <strong>simulated</strong>" in page
    for title in (
        "Recall against latency",
        "nDCG@10, spiral",
        "nDCG@10, merger",
        "nDCG@10, lens",
        "Rank of the partner, image to spectrum",
        "Redshift from neighbours: spectrum",
        "object_class: image",
    ):
        assert f"<figcaption>{title}</figcaption>" in page
    assert "AION-1-XL" in page
    assert "0.632, AION-1-B, AION-1 (arXiv:2510.17960, fig. 7)" in page


def test_text_has_exact_index_and_random_side_by_side(evaluation: Evaluation):
    result = next(each for each in evaluation.results if each.name == "fidelity")
    text = report_text(result)
    header = next(line for line in text.splitlines() if line.startswith("direction"))
    assert header.split("  ")[0] == "direction"
    assert header.index("exact") < header.index("through the index") < header.index("random")
    line = next(
        line
        for line in text.splitlines()
        if line.startswith("image_to_spectrum") and "  recall@10 " in line
    )
    assert line.split()[2:4] == ["1", "1"]
    assert "nprobe" not in text


def test_names_from_files_are_escaped():
    recorder = Recorder("lenses", "A <b> title", 0)
    gallery = Gallery("<script>alert(1)</script>", 3)
    recorder.add("x", np.array([0.5, np.nan]), keys=["a", "b"], gallery=gallery, mode="exact")
    recorder.skipped.append("a < b")
    document = {
        "index": {"name": "<i>", "objects": 1, "id": "x", "simulated": False, "releases": {}},
        "model": {"repository": "r", "revision": "", "digest": "d", "pooling": "p"},
        "run": {"date": "d", "software": "s", "seed": 0, "queries_at_most": 2},
        "labels": [],
    }
    page = report_html(Evaluation(document, (recorder.result(),)))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "a &lt; b" in page
    assert "<h1>Evaluation of &lt;i&gt;</h1>" in page
    assert "simulated" not in page.partition("</style>")[2]
    assert "No labels were given" in page


def test_published_values_are_those_of_the_paper():
    first = {name: rows[0] for name, rows in RETRIEVAL.items()}
    assert {name: row.value for name, row in first.items()} == {
        "spiral": 0.632,
        "merger": 0.281,
        "lens": 0.012,
    }
    assert {row.system for row in RETRIEVAL["spiral"]} >= {"random", "DINOv2", "AION-1-XL"}
    assert LENSES_ACROSS_SURVEYS["hsc", "legacysurvey"].value == 0.016
    assert R_SQUARED["z"]["image"][0].value == 0.79


def test_the_command(labelled_sky: Path, tmp_path: Path):
    asked = ["evaluate", str(labelled_sky / "index"), "--queries", "30"]
    labels = ["--labels", str(labelled_sky / "labels.csv")]
    output = ["--output", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*asked, *labels, *output, "--suite", "B", "--suite", "lenses"])
    assert done.exit_code == 0, done.output
    assert "B. Spiral arms and mergers" in done.stdout
    assert "C. Strong lenses" in done.stdout
    assert "A. The index" not in done.stdout
    assert f"written: {tmp_path / 'out' / 'evaluation.html'}" in done.stdout
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert [each["name"] for each in document["suites"]] == ["morphology", "lenses"]

    refused = CliRunner().invoke(main, [*asked, "--suite", "Z"])
    assert refused.exit_code == 2
    assert "'Z' is no suite; there are A (fidelity)" in refused.output
    refused = CliRunner().invoke(main, [*asked, "--labels", str(tmp_path / "no.csv")])
    assert refused.exit_code == 2
    assert "cannot read labels from no.csv" in refused.output
    refused = CliRunner().invoke(main, [*asked, "--manifest", str(tmp_path / "no.toml")])
    assert refused.exit_code == 2
    assert "cannot read manifest" in refused.output
