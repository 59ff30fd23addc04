"""The environment of the page."""

import os
from pathlib import Path

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
