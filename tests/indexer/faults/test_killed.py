"""``kill -9`` at any moment of a build: what is published stays whole, and a second try is even."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.index_file import open_index
from indexer.verify import verify
from tests.indexer.faults.conftest import AFTER, BEFORE
from tests.indexer.faults.nursery import Nursery, Outcome

SIGKILL = -9
SEED = 20
BY_TIME = 5
STEPS = (
    "encoding",
    "writing catalogues",
    "linking sources",
    "filling spaces",
    "verifying",
    "publishing",
)
"""Steps in which files change; each is hurt at least once, in proportion to its changes."""


@pytest.fixture(scope="module")
def undisturbed(
    nursery: Nursery, before: Path, sky: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """A whole build in a child: how many changes it makes, and how long it takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for attempt in ("imports what is needed", "is measured"):
        index = folder / attempt
        shutil.copytree(before, index)
        done = nursery.run("build", root=str(sky), index=str(index), releases=AFTER)
        assert done.code == 0, done.output
    return done


def _moments(undisturbed: Outcome) -> dict[str, list[int]]:
    """Draw changes of files at which to kill: some in each step."""
    rng = np.random.default_rng(SEED)
    starts = {step: undisturbed.steps[step] for step in undisturbed.steps}
    ends = [*list(starts.values())[1:], undisturbed.changes]
    spans = {step: (start, end) for (step, start), end in zip(starts.items(), ends, strict=True)}
    counts = dict(zip(STEPS, (3, 2, 1, 4, 1, 4), strict=True))
    drawn = {}
    for step, count in counts.items():
        first, last = spans[step]
        assert last - first >= count, f"{step} changes too few files: {spans}"
        drawn[step] = sorted(1 + int(n) for n in rng.choice(np.arange(first, last), count, False))
    return drawn


@pytest.fixture
def hurt(
    nursery: Nursery,
    before: Path,
    after: Path,
    sky: Path,
    tmp_path: Path,
    fingerprint: Callable[[Path], dict[str, Any]],
    bring_up_to_date: Callable[..., Any],
) -> Callable[..., None]:
    """Kills a build, looks at what is there, and builds again."""

    def act(name: str, **request: Any) -> None:
        index = tmp_path / name
        shutil.copytree(before, index)
        reader = open_index(index)
        done = nursery.run("build", root=str(sky), index=str(index), releases=AFTER, **request)
        # By time it may have been done already, where the machine was busier when it was measured.
        ends = (SIGKILL, 0) if "kill_after" in request else (SIGKILL,)
        assert done.code in ends, f"{name}: {done.output}"
        opened = open_index(index)
        assert opened.releases in (BEFORE, AFTER)
        assert verify(index).problems == ()
        for release in BEFORE:
            segment, known = opened.segment(release), reader.segment(release)
            assert segment.sorted_ids.equals(known.sorted_ids)
            for space, (modality,) in segment.info.spaces.items():
                assert segment.ann(space, modality).count == known.ann(space, modality).count
        bring_up_to_date(index)
        assert fingerprint(index) == fingerprint(after), name
        assert not (index / "lock").exists()
        shutil.rmtree(index)

    return act


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_change_of_files(step: str, undisturbed: Outcome, hurt: Callable[..., None]):
    for number in _moments(undisturbed)[step]:
        hurt(f"{step} {number} of {undisturbed.changes}", kill_at=number)


def test_killed_at_any_time(undisturbed: Outcome, hurt: Callable[..., None]):
    """Also inside of what libraries do without Python."""
    for share in np.random.default_rng(SEED).uniform(0.05, 0.6, BY_TIME):
        hurt(f"after {share:.3f}", kill_after=float(share) * undisturbed.seconds)


def test_killed_in_its_first_build(
    nursery: Nursery, sky: Path, tmp_path: Path, before: Path, fingerprint, bring_up_to_date
):
    """With nothing published before, nothing is seen until all is."""
    index = tmp_path / "index"
    build = {"root": str(sky), "index": str(index), "releases": BEFORE}
    for number in (1, 40):
        assert nursery.run("build", **build, kill_at=number).code == SIGKILL
        assert not (index / "index.json").exists()
    bring_up_to_date(index, BEFORE)
    assert fingerprint(index) == fingerprint(before)
