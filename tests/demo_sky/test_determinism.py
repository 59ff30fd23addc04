from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo_sky import SURVEYS, simulate, simulate_source, write_sky

from .conftest import OBJECTS, SEED


def assert_same_record(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_a_source_depends_on_seed_and_index_alone() -> None:
    alone = simulate_source(3, 12, SURVEYS)
    in_a_run = list(simulate(3, 10, 14, SURVEYS))[2]
    assert in_a_run.index == 12
    assert repr(alone.labels) == repr(in_a_run.labels)
    for survey in SURVEYS:
        assert_same_record(alone.data[survey], in_a_run.data[survey])


def test_a_surveys_data_do_not_depend_on_which_others_are_made() -> None:
    every = simulate_source(3, 4, SURVEYS)
    for survey in SURVEYS:
        only = simulate_source(3, 4, (survey,))
        assert tuple(only.data) == (survey,)
        assert_same_record(only.data[survey], every.data[survey])


def test_seeds_and_indices_differ() -> None:
    first, other_index, other_seed = (
        simulate_source(*key, ("desi",)).data["desi"]["spectrum_flux"]
        for key in ((3, 4), (3, 5), (4, 4))
    )
    assert not np.array_equal(first, other_index)
    assert not np.array_equal(first, other_seed)


def test_by_default_the_surveys_that_observed_a_source_are_made() -> None:
    source = next(s for s in simulate(3, 0, 50, ()) if s.surveys == ("legacysurvey", "desi"))
    default = simulate_source(3, source.index)
    assert tuple(default.data) == ("legacysurvey", "desi")
    assert default.labels["hsc"] is None
    assert default.labels["desi"] == str(default.data["desi"]["object_id"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1, 0), "at least 0"), ((0, -1), "at least 0"), ((0, 0, ("2mass",)), "2mass")],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate_source(*arguments)


def test_files_are_the_same_bytes_for_any_number_of_workers(
    written_sky: Path, tmp_path: Path
) -> None:
    write_sky(tmp_path / "again", OBJECTS, SEED, workers=2)
    names = sorted(p.relative_to(written_sky) for p in written_sky.rglob("*") if p.is_file())
    again = tmp_path / "again"
    assert names == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    for name in names:
        assert (written_sky / name).read_bytes() == (again / name).read_bytes(), name


def test_an_occupied_directory_is_refused(written_sky: Path) -> None:
    with pytest.raises(FileExistsError, match="empty directory"):
        write_sky(written_sky, OBJECTS, SEED)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"objects": 0}, "objects"),
        ({"objects": 10**8}, "5 arcsec"),
        ({"seed": -1}, "seed"),
        ({"workers": 0}, "workers"),
    ],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, keywords: dict[str, int], message: str
) -> None:
    arguments = {"objects": 5, "seed": 1, **keywords}
    with pytest.raises(ValueError, match=message):
        write_sky(tmp_path / "sky", **arguments)
