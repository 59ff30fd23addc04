"""Queries with spectra: the space in which they are compared, and what the tokenizer understood."""

import pytest

from app.reconstructions import LONG_PX
from app.state import BRIDGE, COUNT, SPACE
from app.widgets.properties import OPEN
from tests.app.page_parts import more_like_this, text_of


def control(page, key):
    return [each for each in page.button_group if each.key == key]


def upload_spectrum(page, name="spec.fits"):
    page.run()
    page.file_uploader[1].upload(name, b"content")
    page.run()
    assert not page.exception


def test_a_space_is_chosen_and_lives_in_the_address(page, searcher):
    page.query_params["q"] = "demo-sdss:7"
    page.run()
    assert searcher.searched_in == ["spectrum"]
    assert "space" not in page.query_params
    control(page, SPACE)[0].set_value("spectrum_native").run()
    assert not page.exception
    assert searcher.searched_in[-1] == "spectrum_native"
    assert page.query_params["space"] == "spectrum_native"
    assert "answered in 'spectrum_native' by an invented model, as you asked" in text_of(page)
    more_like_this(page)[0].click().run()
    assert searcher.searched_in[-1] == "spectrum_native"
    control(page, SPACE)[0].set_value("spectrum").run()
    assert searcher.searched_in[-1] == "spectrum"
    assert "space" not in page.query_params


def test_the_address_restores_the_space(page, searcher):
    for name, value in {"q": "demo-sdss:7", "to": "image", "space": "spectrum_native"}.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    assert page.session_state[SPACE] == "spectrum_native"
    assert searcher.searched_in == ["spectrum_native"]
    assert control(page, BRIDGE)


def test_a_space_that_does_not_reach_is_refused_in_words_and_can_be_left(page, searcher):
    asked = {"q": "demo-sdss:7", "to": "image", "space": "spectrum_native", "bridge": "aligned"}
    for name, value in asked.items():
        page.query_params[name] = value
    page.run()
    assert "the space 'spectrum_native' is not aligned with image" in page.error[0].value
    control(page, SPACE)[0].set_value("spectrum").run()
    assert not page.error
    assert "nearest images" in text_of(page)


@pytest.mark.parametrize("key", ["demo-hsc:7", "demo-gaia:7"])
def test_a_query_without_a_spectrum_has_no_space_to_choose(page, searcher, key):
    page.query_params["q"] = key
    page.query_params["space"] = "spectrum_native"
    page.run()
    assert not control(page, SPACE)
    assert not page.warning
    assert searcher.searched_in[-1] != "spectrum_native"


def test_an_index_without_the_space_offers_none_and_says_so(page, searcher):
    searcher.native = False
    page.query_params["q"] = "demo-sdss:7"
    page.run()
    assert not control(page, SPACE)
    assert not page.warning
    page.query_params["space"] = "spectrum_native"
    page.run()
    assert page.warning[0].value == (
        "The address asks in “spectrum_native”, but this index has no space 'spectrum_native'. "
        "AION-1 answers instead."
    )
    assert searcher.searched_in == ["spectrum", "spectrum"]


def test_properties_are_read_anew_in_another_space(page, searcher):
    page.query_params["q"] = "demo-sdss:7"
    page.session_state[OPEN] = True
    page.run()
    control(page, SPACE)[0].set_value("spectrum_native").run()
    assert len([kind for kind, _ in searcher.asked if kind == "properties"]) == 2


def reconstructions(searcher):
    return [text for kind, text in searcher.asked if kind == "reconstruct"]


def test_an_uploaded_spectrum_is_given_back_once_after_the_neighbours(page, searcher, readers):
    upload_spectrum(page)
    kinds = [kind for kind, _ in searcher.asked]
    assert kinds.index("reconstruct") > kinds.index("search")
    text = text_of(page)
    assert "what the model gives back" in text
    assert "Reduced χ² over 607 good pixels: **1.04**" in text
    page.number_input(key=COUNT).set_value(3).run()
    assert reconstructions(searcher) == ["spec.fits"]


def test_a_long_spectrum_is_given_back_when_a_person_asks(page, searcher, readers):
    searcher.spectrum_px = LONG_PX + 1
    upload_spectrum(page)
    assert len(more_like_this(page)) == 12
    assert reconstructions(searcher) == []
    panel = next(each for each in page.expander if "What the tokenizer" in each.label)
    assert panel.label == "**What the tokenizer understood** (takes some seconds)"
    page.session_state["understood--"] = True
    page.run()
    assert reconstructions(searcher) == ["spec.fits"]


def test_a_spectrum_that_cannot_be_given_back_keeps_its_neighbours(page, readers):
    upload_spectrum(page, "odd.fits")
    assert page.error[0].value == "the weights of the tokenizer are gone"
    assert len(more_like_this(page)) == 12


@pytest.mark.parametrize(("uploader", "name"), [(0, "galaxy.fits"), (1, "xp.csv")])
def test_only_a_spectrum_is_given_back(page, searcher, readers, uploader, name):
    page.run()
    page.file_uploader[uploader].upload(name, b"content")
    page.run()
    page.query_params["q"] = "demo-sdss:7"
    page.run()
    assert not page.exception
    assert reconstructions(searcher) == []
