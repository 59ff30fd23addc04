"""The environment of the page."""

import os
from pathlib import Path

import pytest

from app.settings import DEFAULT_INDEX, read_settings


def test_defaults():
    settings = read_settings({})
    assert settings.index_dir == DEFAULT_INDEX == Path("var/demo/index")
    assert settings.weights is None
    assert settings.labels == ()


def test_set_to_nothing_is_not_set():
    assert read_settings({"AION_SEARCH_INDEX": " ", "AION_SEARCH_LABELS": ""}) == read_settings({})


def test_values_are_taken():
    labels = os.pathsep.join(["/data/masses.csv", " ", "more.fits"])
    settings = read_settings(
        {
            "AION_SEARCH_INDEX": "/data/index",
            "AION_SEARCH_WEIGHTS": "demo",
            "AION_SEARCH_LABELS": labels,
        }
    )
    assert settings.index_dir == Path("/data/index")
    assert settings.weights == "demo"
    assert settings.labels == (Path("/data/masses.csv"), Path("more.fits"))


def test_names_are_looked_up_only_where_it_is_allowed():
    assert not read_settings({}).look_up_names
    assert not read_settings({"AION_SEARCH_SESAME": "0"}).look_up_names
    assert read_settings({"AION_SEARCH_SESAME": "1"}).look_up_names
    with pytest.raises(ValueError, match="AION_SEARCH_SESAME must be 1 or 0, got 'yes'"):
        read_settings({"AION_SEARCH_SESAME": "yes"})


def test_limits_of_the_api():
    names = {"AION_SEARCH_API_PER_MINUTE": "60", "AION_SEARCH_API_SEARCHES": " 4 "}
    limits = read_settings(names).limits
    assert (limits.per_minute, limits.searches) == (60, 4)
    with pytest.raises(ValueError, match="must be a whole number from 1 to 1000000, got 'many'"):
        read_settings({"AION_SEARCH_API_SEARCHES": "many"})
