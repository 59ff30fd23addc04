"""Fixtures for evaluations: an index of a sky whose labels are known to follow from its data."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_sky import write_fake_sky
from labelled_sky import LABELLED_TOOLS, SOURCES, write_labels

from indexer.build import build
from indexer.evaluate.bench import Bench
from indexer.evaluate.evaluation import Evaluation, evaluate
from indexer.index_file import open_index
from indexer.labels import read_labels


@pytest.fixture(scope="session")
def labelled_sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `sky`, its `index` and `labels.csv`, not to be changed."""
    root = tmp_path_factory.mktemp("labelled")
    manifest = write_fake_sky(root / "sky", sources=SOURCES)
    build(manifest, root / "index", weights="fake", tools=LABELLED_TOOLS)
    write_labels(root / "sky", root / "labels.csv")
    return root


@pytest.fixture(scope="session")
def bench(labelled_sky: Path) -> Bench:
    """An evaluation of that index, with its labels."""
    index = open_index(labelled_sky / "index")
    return Bench(index, read_labels(labelled_sky / "labels.csv"), queries=120)


@pytest.fixture(scope="session")
def evaluation(bench: Bench) -> Evaluation:
    """What all suites find in it."""
    return evaluate(bench)
