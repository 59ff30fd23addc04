"""A build that was finished and not published: taken up if it is whole, made again if not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_sky
import pytest

from indexer.build import build
from indexer.layout import next_dir, next_index_file
from tests.indexer.faults.conftest import AFTER, TOOLS


class _PowerCut(BaseException):
    """Nothing runs after it."""


@pytest.fixture
def finished(before: Path, sky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes an index with a finished build in it, stopped when something is done to a path."""

    def act(stop: Callable[[Path], bool]) -> Path:
        index = Path(shutil.copytree(before, tmp_path / "index"))
        rename, replace = Path.rename, Path.replace

        def stopping(original: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
            def act(path: Path, target: Path) -> Path:
                if stop(path):
                    raise _PowerCut
                return original(path, target)

            return act

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", stopping(rename))
            patch.setattr(Path, "replace", stopping(replace))
            with pytest.raises(_PowerCut):
                _build(index, sky)
        assert next_index_file(index).exists()
        return index

    return act


def _build(index: Path, sky: Path) -> list[str]:
    steps: list[str] = []
    build(
        fake_sky.fake_manifest(sky, AFTER),
        index,
        weights="fake",
        native_weights="universal",
        tools=TOOLS,
        announce=steps.append,
    )
    return steps


def test_only_the_list_was_left_to_publish(
    finished, after: Path, sky: Path, fingerprint: Callable[[Path], dict[str, Any]]
):
    """Every unit has moved, the one with the identity of the second encoder, too."""
    index = finished(lambda path: path.name == "index.json")
    assert not any(next_dir(index).glob("spaces/spectrum_native@2"))
    assert _build(index, sky) == ["planning", "opening the encoder", "publishing"]
    assert fingerprint(index) == fingerprint(after)


@pytest.mark.parametrize("damage", ["a file is gone", "a file is short", "the list is short"])
def test_one_that_is_not_whole_is_made_again(
    damage: str,
    finished,
    after: Path,
    sky: Path,
    fingerprint: Callable[[Path], dict[str, Any]],
):
    """A disk may have forgotten what it was not asked to keep when the power was cut."""
    index = finished(lambda path: "segments" in path.parts and path.suffix != ".tmp")
    victim = next(next_dir(index).glob("segments/fake-sdss@2/rows.arrow"))
    if damage == "a file is gone":
        victim.unlink()
    else:
        shortened = victim if damage == "a file is short" else next_index_file(index)
        shortened.write_bytes(shortened.read_bytes()[:-40])
    assert "writing catalogues" in _build(index, sky)
    assert fingerprint(index) == fingerprint(after)
