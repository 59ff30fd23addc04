"""Fixtures for the indexer: a fake sky and an index built from it without any weights."""

import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Worker processes must be able to import the fake sky by its name.
sys.path.insert(0, str(Path(__file__).parent))

from fake_sky import FAKE_TOOLS, write_fake_sky

from indexer.build import build, encode
from indexer.durable import sha256_of
from indexer.manifests import Manifest


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Builds wait for the disk some hundred times; tests need not survive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def fake_sky(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Files of the fake sky, not to be changed."""
    return write_fake_sky(tmp_path_factory.mktemp("fake-sky"))


@pytest.fixture(scope="session")
def fake_index(fake_sky: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the fake sky, not to be changed."""
    path = tmp_path_factory.mktemp("fake-index")
    build(fake_sky, path, weights="fake", tools=FAKE_TOOLS)
    return path


@pytest.fixture(scope="session")
def _encoded_sky(fake_sky: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoded-sky")
    encode(fake_sky, path, weights="fake", tools=FAKE_TOOLS)
    return path


@pytest.fixture
def encoded(_encoded_sky: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes folders in which the fake sky is encoded, and nothing else is done."""
    numbers = itertools.count()

    def make() -> Path:
        return Path(shutil.copytree(_encoded_sky, tmp_path / f"encoded-{next(numbers)}"))

    return make


@pytest.fixture
def fingerprint() -> Callable[[Path], dict[str, Any]]:
    """What two equal indexes share: the hash of every file, and `index.json` without dates."""
    import json

    def of(index: Path) -> dict[str, Any]:
        files: dict[str, Any] = {
            path.relative_to(index).as_posix(): sha256_of(path)
            for path in sorted(index.rglob("*"))
            if path.is_file()
        }
        values = json.loads((index / "index.json").read_text())
        # A hash over the dates, too; the golden index is from before it was stated.
        values.pop("sha256", None)
        values.pop("created")
        for release in values["releases"].values():
            release["inputs"].pop("changed")
        files["index.json"] = values
        return files

    return of


@pytest.fixture(scope="session")
def small_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the small sky of `small_sky.py`, not to be changed."""
    from tests.indexer.small_sky import build_small_index

    return build_small_index(tmp_path_factory.mktemp("small-sky"))
