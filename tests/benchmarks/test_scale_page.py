"""The page of results: made of small ones, and the committed one of those committed."""

import xml.etree.ElementTree as ET
from pathlib import Path

from benchmarks.scale.figure import recall_figure
from benchmarks.scale.page import figure, page, write_page
from benchmarks.scale.results import RESULTS, read_results
from indexer.durable import write_json

DOCS = Path(__file__).parents[2] / "docs"

POINT = {"setting": 32, "recall_at_10": 0.961, "p50_ms": 0.5, "p99_ms": 0.9, "queries": 100}
CURVE = [
    {**POINT, "queries_per_s": 2345.6},
    {**POINT, "setting": 128, "recall_at_10": 0.993, "p50_ms": 1.25, "queries_per_s": 900.0},
]
FACTS = {"machine": "an abacus", "load": 0.1, "date": "2026-11-28", "seed": 3}
SYSTEM = {
    "system": "ivf_sq8",
    "title": "8-bit lists",
    "kind": "ours",
    "count": 1_000_000,
    "build_s": 61.2,
    "build_peak_bytes": 2.5e9,
    "disk_bytes": 2.3e9,
    "anonymous_bytes": 2e7,
    "curve": CURVE,
}
GROWN = {
    "count": 10_000_000,
    "recipe": "ivf_pq4",
    "lists": 65_536,
    "train_s": 40.0,
    "fill_s": 300.0,
    "filled_per_s": 33_333.3,
    "build_peak_bytes": 3e9,
    "bytes": 486e6,
    "trained_bytes": 52e6,
    "anonymous_bytes": 5e8,
    "cold_start_s": 1.234,
    "default": 128,
    "curve": CURVE,
}
PASSED = {"count": 8_000_000, "kind": "correlated", "selectivity": 0.01, "passing": 80_000}

STAGES = ("vectors", "train", "fill", "merge", "publish", "search")
ASKED = {
    "nprobe": 256,
    "candidates": 200,
    "recall_at_10": [0.9435, 0.9388, 0.9481],
    "recall_at_10_of_codes_alone": [0.44, 0.43, 0.45],
    "ranked_again_p50_ms": 2.947,
    "ranked_again_p99_ms": 3.772,
}

GOLDEN = {
    "peers": {
        **FACTS,
        "dim": 768,
        "asked": 1000,
        "chosen": "ivf_sq8",
        "versions": {"hnswlib": "0.8.0"},
        "statistics": {"mean_norm": 0.6745},
        "stated": {"mean_norm": 0.676, "variance_16": 0.329},
        "measures": {"memory_over_graphs": 0.01},
        "systems": [
            SYSTEM,
            {**SYSTEM, "system": "hnswlib", "title": "hnswlib", "kind": "graph in memory"},
            {**SYSTEM, "count": 100_000, "build_s": 5.0},
            {
                "system": "milvus",
                "title": "Milvus | Lite",
                "kind": "test mode",
                "count": 100_000,
                "failed": "not done in 900 s",
            },
        ],
    },
    "growth": {
        **FACTS,
        "dim": 192,
        "asked": 500,
        "measures": {
            "10000000.recall_at_10": 0.97,
            "10000000.p50_ms": 2.5,
            "build_off_line": 0.08,
            "p50_per_decade": 1.9,
        },
        "sizes": [GROWN],
    },
    "filtered": {
        **FACTS,
        "load": 7.5,
        "cores": 2,
        "dim": 192,
        "asked": 100,
        "measures": {},
        "rows": [
            {**PASSED, "way": way, "recall_at_10": recall, "p50_ms": 42.26, "p99_ms": 50.0}
            for way, recall in (("product", 1.0), ("lists", 0.33), ("scan", 1.0))
        ],
    },
    "scale-200m": {
        **FACTS,
        "threads": 2,
        "vectors": 200_000_000,
        "dim": 128,
        "queries": 1000,
        "stage_hours": dict.fromkeys(STAGES, 0.25),
        "hours": 1.5,
        "microseconds_a_vector": {"fill": 15.373},
        "peak_anonymous_mb": {"fill": 8928.4},
        "resumes": 2,
        "disk_bytes_a_vector": {"index": 40.34, "kept_to_rank_again": 128.0},
        "recipe": "ivf_pq4",
        "lists": 65_536,
        "open_cold_s": 8.727,
        "memory_mb": {
            "before_opening": {"anonymous": 100.0},
            "opened": {"anonymous": 8100.0},
            "searched": {"anonymous": 8200.0},
        },
        "cold": {**ASKED, "queries": 100},
        "warm": [ASKED],
    },
}


def test_every_number_comes_to_its_place() -> None:
    text = page(GOLDEN)
    for row in (
        "| 8-bit lists | ours | 61 | 2.50 | 2.30 | 0.02 | 0.50 / 0.90 (0.961) | 2,346 "
        "| 1.25 / 0.90 (0.993) | 900 |",
        "| Milvus \\| Lite | test mode | not done in 900 s | – | – | – | – | – | – | – |",
        "| 10 million | 65,536 | 40 + 300 | 33,333 | 3.00 | 486 | 43.4 | 128 | 0.993 "
        "| 1.25 / 0.90 | 0.50 | 1.23 |",
        "| 8 million | correlated | 0.01 | 80,000 | 1.000, 42.3 | 0.330, 42.3 | 1.000, 42.3 |",
        "| mean_norm | 0.674 | 0.676 |",
        "## 200 million vectors on one machine",
        "- 1.50 hours in all, over 3 runs",
        "| filling in pieces, each on disk before the next | 0.25 | 15.37 | 9.36 |",
        "| every search below | 0.25 | – | – |",
        "8.39 GB anonymous, 8.49 GB after all searches.",
        "| warm | 256 | 200 | 0.944 | 0.939 to 0.948 | 2.95 / 3.77 |",
        "*Cold*: 100 queries",
        "| growth | `10000000.p50_ms` | at most 2 | 2.5 | **missed** |",
        "| growth | `10000000.recall_at_10` | at least 0.965 | 0.97 | met |",
        "| peers | `recall_95.rate_over_disk` | at least 1 | not measured | – |",
        "Building is linear in the number of vectors within 8.0%.",
        "- machine: an abacus",
        "- versions: hnswlib 0.8.0",
    ):
        assert row in text, row
    assert "variance_16" not in text
    assert text.count("beside other work") == 1
    # What is chosen is asked of the program itself.
    assert "| 200,000,000 | 192 | `ivf_pq4`: " in text
    assert "| 10,000 | 768 | `flat`: " in text


def test_a_page_can_be_made_of_nothing() -> None:
    text = page({})
    assert "not measured" in text
    assert "## Growth" not in text
    ET.fromstring(figure({}))


def test_both_files_are_written(tmp_path: Path) -> None:
    for name, document in GOLDEN.items():
        write_json(tmp_path / f"{name}.json", document)
    text, drawing = write_page(tmp_path, tmp_path / "docs")
    assert text.read_text() == page(GOLDEN)
    assert "8-bit lists, 1 million" in drawing.read_text()
    # Only the largest size of a system is drawn.
    assert "100,000" not in drawing.read_text()


def test_the_figure_is_a_picture_with_every_system() -> None:
    drawn = recall_figure({"a < b": [(0.95, 0.5), (0.99, 2.0)], "c": [(0.5, 20.0)]})
    root = ET.fromstring(drawn)
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "c", "recall of the ten nearest"} <= set(texts)
    circles = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    # A dot a setting, and one beside each name.
    assert len(circles) == 5
    places = [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in circles]
    # More is found further right, and longer times are further up.
    assert places[0][0] < places[1][0]
    assert places[0][1] > places[1][1]


def test_the_committed_page_is_what_the_committed_results_give() -> None:
    found = read_results(RESULTS)
    again = "python -m benchmarks.scale page"
    assert (DOCS / "scale.md").read_text() == page(found), f"docs/scale.md is old: {again}"
    assert (DOCS / "scale.svg").read_text() == figure(found), f"docs/scale.svg is old: {again}"
