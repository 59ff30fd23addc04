"""Opening and searching while one generation after the other is published: never a mixture."""

import itertools
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer import index_file
from indexer.build import build
from indexer.durable import sha256_of
from indexer.index_file import open_index
from indexer.manifests import load_manifest
from indexer.options import SearchOptions
from indexer.search import Searcher, open_searcher
from indexer.verify import verify
from tests.indexer.faults.nursery import Nursery

DIM = 8
OBJECTS = 12
PUBLICATIONS = 22
RELEASES = ("one", "two")


def _write(root: Path, generation: int) -> None:
    """Plant a generation: in the ids, the redshifts and the vectors of both releases."""
    for number, name in enumerate(RELEASES):
        rng = np.random.default_rng([generation, number])
        vectors = rng.normal(size=(OBJECTS, DIM)).astype(np.float32)
        table = pa.table(
            {
                "object_id": [f"{name}-{generation}-{each}" for each in range(OBJECTS)],
                "ra": np.linspace(10.0, 11.0, OBJECTS),
                "dec": np.linspace(1.0, 2.0, OBJECTS),
                "z": np.full(OBJECTS, float(generation), np.float32),
                "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM),
            }
        )
        pq.write_table(table, root / f"{name}.parquet")


MANIFEST = """
name = "planted"
title = "Planted"
root = "files"
"""
RELEASE = """
[[releases]]
name = "{name}"
title = "Planted {name}"
survey = "legacysurvey"
reader = "vectors"
files = ["{name}.parquet"]
columns = {{redshift = "z"}}

[releases.vectors]
modality = "image"
column = "embedding"
encoder = {{repository = "someone/planted", revision = "v1", pooling = "mean", dim = 8}}
"""


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Where the first generation is published."""
    (tmp_path / "files").mkdir()
    (tmp_path / "planted.toml").write_text(
        MANIFEST + "".join(RELEASE.format(name=name) for name in RELEASES)
    )
    _publish(tmp_path / "index", 1)
    return tmp_path / "index"


def _publish(index: Path, generation: int) -> None:
    _write(index.parent / "files", generation)
    build(load_manifest(index.parent / "planted.toml"), index)


def _publish_elsewhere(nursery: Nursery, index: Path, generation: int) -> None:
    """Publish from another process, as is usual."""
    _write(index.parent / "files", generation)
    arguments = ["build", str(index.parent / "planted.toml"), str(index)]
    done = nursery.run("command", index=str(index), arguments=arguments)
    assert done.code == 0, done.output


def _generation_of(searcher: Searcher) -> int:
    """Look at everything, and return the one generation that all of it is of."""
    index = searcher.index
    seen = {index.info.generation}
    for name in RELEASES:
        segment = index.segment(name)
        seen |= set(segment.column("redshift").astype(int).tolist())
        seen |= {int(segment.object_id(row).split("-")[1]) for row in range(len(segment))}
        rows, vectors = segment.vectors("image")
        ann = segment.ann("image")
        assert ann.count == len(vectors) == len(segment) == OBJECTS
        _, found, _ = ann.search(np.array(vectors, np.float32), 1)
        # Every vector finds itself: the FAISS file is of the same generation as the vectors.
        assert found[:, 0].tolist() == rows.tolist()
    hits = searcher.search(searcher.query_object(f"one:{index.segment('one').object_id(3)}"))
    assert len(hits) == 10
    seen |= {int(each.split("-")[1]) for each in hits.object_id.tolist()}
    # Objects of both releases lie at the same positions; this link file is of its generation, too.
    assert index.links.between("one", "two") is not None
    assert len(seen) == 1, seen
    return seen.pop()


@pytest.mark.timeout(300)
def test_twenty_publications_are_each_seen_whole_or_not_at_all(index: Path, nursery: Nursery):
    stop, seen, problems = threading.Event(), [], []

    def keep_opening() -> None:
        mine = []
        while not stop.is_set():
            try:
                mine.append(_generation_of(open_searcher(index)))
            except Exception as error:
                problems.append(repr(error))
            # So that the builder has the other core to itself most of the time.
            time.sleep(0.01)
        # Time goes forward.
        assert mine == sorted(mine)
        seen.append(mine)

    readers = [threading.Thread(target=keep_opening) for _ in range(2)]
    for reader in readers:
        reader.start()
    for generation in range(2, PUBLICATIONS + 1):
        _publish_elsewhere(nursery, index, generation)
    stop.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert len(seen) == 2
    assert len({each for mine in seen for each in mine}) > 1
    assert _generation_of(open_searcher(index)) == PUBLICATIONS


def test_what_was_opened_stays_whatever_is_published(index: Path):
    """Nothing was searched yet, and two publications later its files have no name any more."""
    early = open_searcher(index)
    for generation in (2, 3):
        _publish(index, generation)
    assert not (index / "segments" / "one").exists()
    assert _generation_of(early) == 1
    assert not early.index.is_current()
    assert _generation_of(open_searcher(index)) == 3


def test_opening_follows_any_number_of_publications(index: Path, monkeypatch):
    """Each time it opens something, that has been published away twice."""
    generations = iter(range(2, 10))
    publishing = []
    read = index_file.read_links

    def too_late(path: Path, releases: tuple[str, str]):
        # The builds themselves open what they made, too.
        if not publishing:
            publishing.append(True)
            for generation in itertools.islice(generations, 2):
                _publish(index, generation)
            publishing.clear()
        return read(path, releases)

    monkeypatch.setattr(index_file, "read_links", too_late)
    assert open_index(index).info.generation == 9


def test_verifying_during_a_publication_finds_no_damage(index: Path, monkeypatch):
    generations = iter((2, 3))

    original = sha256_of

    def meanwhile(path: Path) -> str:
        if path.name == "rows.arrow":
            for generation in generations:
                _publish(index, generation)
        return original(path)

    monkeypatch.setattr("indexer.verify.sha256_of", meanwhile)
    report = verify(index)
    assert report.problems == ()


def test_an_answer_says_of_which_generation_it_is(index: Path):
    first = open_searcher(index)
    _publish(index, 2)
    second = open_searcher(index)
    ids = {
        each.search(each.query_object(f"one:one-{number}-0"), SearchOptions(k=3)).receipt["index"][
            "id"
        ]
        for number, each in ((1, first), (2, second))
    }
    assert ids == {first.index.info.index_id, second.index.info.index_id}
    assert len(ids) == 2
