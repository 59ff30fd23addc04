"""Fixtures of the faults: processes to be hurt, a sky, and its index before and after."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_sky
import pytest
from fake_native import open_fake_native

from indexer.build import build
from tests.indexer.faults.nursery import Nursery

TOOLS = dataclasses.replace(fake_sky.FAKE_TOOLS, open_native=open_fake_native)
BEFORE, AFTER = ("fake-gaia", "fake-desi"), ("fake-gaia", "fake-desi", "fake-sdss")


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Real processes."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a tiny sky: few enough that a build is quick."""
    root = tmp_path_factory.mktemp("tiny-sky")
    fake_sky.write_fake_sky(root, AFTER, sources=24)
    return root


@pytest.fixture(scope="session")
def bring_up_to_date(sky: Path) -> Callable[..., Any]:
    """Builds an index of the sky in this process."""

    def act(index: Path, releases: tuple[str, ...] = AFTER) -> Any:
        manifest = fake_sky.fake_manifest(sky, releases)
        return build(manifest, index, weights="fake", native_weights="universal", tools=TOOLS)

    return act


@pytest.fixture(scope="session")
def before(bring_up_to_date: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two releases, not to be changed."""
    index = tmp_path_factory.mktemp("before") / "index"
    bring_up_to_date(index, BEFORE)
    return index


@pytest.fixture(scope="session")
def after(
    before: Path, bring_up_to_date: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same index with a third release, not to be changed."""
    index = tmp_path_factory.mktemp("after") / "index"
    shutil.copytree(before, index)
    bring_up_to_date(index)
    return index
