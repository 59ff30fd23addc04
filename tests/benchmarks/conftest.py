"""Fixtures for benchmarks: an index of a sky whose labels are known to follow from its data."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "indexer"))
sys.path.insert(0, str(Path(__file__).parents[1] / "indexer" / "evaluate"))

from fake_sky import write_fake_sky
from labelled_sky import LABELLED_TOOLS, SOURCES, write_labels

from benchmarks.quality_features import Sky
from indexer.build import build
from indexer.evaluate.bench import Bench
from indexer.index_file import open_index
from indexer.labels import read_labels


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Sky:
    """An index of the labelled sky, and its files; not to be changed."""
    root = tmp_path_factory.mktemp("quality")
    manifest = write_fake_sky(root / "sky", sources=SOURCES)
    build(manifest, root / "index", weights="fake", tools=LABELLED_TOOLS)
    write_labels(root / "sky", root / "labels.csv")
    return Sky(open_index(root / "index"), manifest, LABELLED_TOOLS)


@pytest.fixture(scope="session")
def bench(sky: Sky) -> Bench:
    """An evaluation of it, with few queries and small galleries."""
    labels = read_labels(sky.manifest.root.parent / "labels.csv")
    return Bench(sky.index, labels, queries=60, gallery=150)
