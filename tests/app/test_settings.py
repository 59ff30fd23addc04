"""The environment of the page."""

from pathlib import Path

from app.settings import DEFAULT_INDEX, read_settings


def test_defaults():
    settings = read_settings({})
    assert settings.index_dir == DEFAULT_INDEX == Path("var/demo/index")
    assert settings.weights is None


def test_set_to_nothing_is_not_set():
    assert read_settings({"AION_SEARCH_INDEX": " ", "AION_SEARCH_WEIGHTS": ""}) == read_settings({})


def test_values_are_taken():
    settings = read_settings({"AION_SEARCH_INDEX": "/data/index", "AION_SEARCH_WEIGHTS": "demo"})
    assert settings.index_dir == Path("/data/index")
    assert settings.weights == "demo"
