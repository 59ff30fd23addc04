"""The map of a space: what is known of its objects, how it is drawn, what is picked."""

from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st

from app import space_map
from app.space_map import known_map, map_figure, picked_places
from tests.app.page_parts import text_of


@pytest.fixture
def map_page(indexed_page):
    return indexed_page("views/map.py")


def test_every_space_is_drawn_in_every_colour(map_page, api_searcher):
    assert not map_page.exception
    for space in [name for name in api_searcher.index.info.spaces if name != "shared"]:
        map_page.session_state["map_space"] = space
        for colour in space_map.COLOURS:
            map_page.session_state["map_colour"] = colour
            map_page.run()
            assert not map_page.exception
            assert len(map_page.get("plotly_chart")) == 1
    assert "in two dimensions by principal components" in text_of(map_page)


def test_an_index_without_maps_says_so(map_page, api_searcher, monkeypatch):
    monkeypatch.setattr(api_searcher.index, "map_of", lambda _: None)
    st.cache_resource.clear()
    map_page.run()
    assert "This index was built without maps" in map_page.info[0].value


def test_what_is_known_is_that_of_the_catalogue(api_searcher):
    known = known_map(api_searcher, "image")
    assert len(set(known.keys)) == len(known.keys) == len(known.places)
    for place in (0, len(known.keys) // 2, len(known.keys) - 1):
        object_ = api_searcher.object(known.keys[place])
        assert known.classes[place] == object_["object_class"]
        told = np.array([object_["redshift"], object_["magnitude"]], float)
        shown = np.array([known.redshift[place], known.magnitude[place]])
        np.testing.assert_allclose(shown, told)


def test_every_object_is_one_point_and_all_are_in_the_density(api_searcher, monkeypatch):
    known = known_map(api_searcher, "image")
    for colour in space_map.COLOURS:
        density, *groups = map_figure(known, colour).data
        counts = np.nan_to_num(np.array(density.z, float), nan=-np.inf)
        assert round(float((10.0 ** (counts - 1.0)).sum())) == len(known.keys)
        places = np.concatenate([np.array(each.customdata) for each in groups])
        assert sorted(places.tolist()) == list(range(len(known.keys)))
    monkeypatch.setattr(space_map, "MOST_POINTS", 10)
    drawn = sum(len(each.x) for each in map_figure(known, "class").data[1:])
    assert drawn == 10


def test_of_what_the_browser_says_only_places_are_taken():
    points = [
        {"customdata": 3},
        {"customdata": [4]},
        {"customdata": 3.0},
        {"customdata": "1; DROP"},
        {"customdata": []},
        {"customdata": -1},
        {"customdata": 99},
        {},
    ]
    event = SimpleNamespace(selection=SimpleNamespace(points=points))
    assert picked_places(event, 10) == [3, 4]
    assert picked_places(None, 10) == []
