"""The list as a whole, two objects side by side, and the page of the index."""

import math
from dataclasses import replace

import pytest

from app.comparison import angle_words, differences
from app.state import COUNT
from app.widgets.glance import OPEN
from app.widgets.masthead import PAGES
from app.widgets.neighbours import RAW
from indexer import Query
from tests.app.page_parts import button, more_like_this, searches, text_of


def answer(page, key="demo-desi:5", **params):
    for name, value in {"q": key, **params}.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def test_more_are_shown_up_to_a_hundred(page, searcher):
    answer(page)
    button(page, "load_more").click().run()
    assert len(more_like_this(page)) == 24
    assert page.query_params["k"] == "24"
    page.number_input(key=COUNT).set_value(95).run()
    assert button(page, "load_more").label == "Show 5 more"
    button(page, "load_more").click().run()
    assert searches(searcher)[-1].k == 100
    assert not [each for each in page.button if each.key == "load_more"]


def test_the_raw_score_comes_on_demand(page):
    answer(page)
    assert ">&gt; 99.9 %</span>" in "".join(each.value for each in page.html)
    page.toggle(key=RAW).set_value(True).run()
    assert "0.980 · > 99.9 %" in text_of(page)
    assert "cosine similarity, and the share" in text_of(page)


def test_a_list_is_summed_up_when_asked_for(page):
    answer(page)
    before = len(page.get("plotly_chart"))
    page.session_state[OPEN] = True
    page.run()
    assert not page.exception
    assert len(page.get("plotly_chart")) == before + 3
    assert "GALAXY" in text_of(page)
    assert "unknown" in text_of(page)


def test_spectra_can_be_looked_at_in_other_ways(page):
    answer(page)
    page.toggle(key="spectra_rest").set_value(True).run()
    page.toggle(key="spectra_lines").set_value(True).run()
    page.selectbox(key="spectra_smoothing").set_value(5).run()
    assert not page.exception
    figure = page.get("plotly_chart")[0].proto.spec
    assert "Rest wavelength" in figure
    assert "[O III]" in figure


def test_pages_elsewhere_are_only_of_a_real_sky(page, searcher):
    answer(page)
    assert "elsewhere" not in text_of(page)
    for release in searcher.index.info.releases.values():
        release.simulated = False
    page.run()
    assert "VizieR ↗" in text_of(page)


def test_two_objects_side_by_side(page):
    page.run()
    page.switch_page("views/compare.py")
    page.query_params["a"] = "demo-desi:5"
    page.query_params["b"] = "demo-sdss:7"
    page.run()
    assert not page.exception
    text = text_of(page)
    assert "Similarity, Spectra</dt><dd>1.000" in text
    assert "Separation</dt><dd>0.00 arcsec" in text
    assert len(page.get("plotly_chart")) == 1


@pytest.mark.parametrize(("a", "b"), [("", ""), ("demo-desi:5", "no such thing")])
def test_an_object_that_is_not_there_is_said_beside_the_other(page, a, b):
    page.run()
    page.switch_page("views/compare.py")
    page.query_params["a"] = a
    page.query_params["b"] = b
    page.run()
    assert not page.exception
    assert ("nothing in this index is called" in text_of(page)) == bool(b)
    assert not page.get("plotly_chart")


def query(**values):
    known = {"ra_deg": 10.0, "dec_deg": 0.0, "redshift": 0.1, **values}
    return replace(
        Query(kind="object", text="a:1", modality="image", key="a:1", release="a", row=0), **known
    )


def test_what_is_unknown_is_not_compared():
    both = differences(query(), query(dec_deg=1.0, redshift=0.3), {"Images": 0.5})
    assert both == {
        "Similarity, Images": "0.500",
        "Separation": "60.00 arcmin",
        "Difference of redshift": "+0.2000",
    }
    unknown = query(ra_deg=math.nan, redshift=math.nan)
    assert differences(query(), unknown, {}) == {
        "Similarity": "no kind of observation in common",
        "Separation": "",
        "Difference of redshift": "",
    }
    assert angle_words(1.234) == "1.23 arcsec"
    assert angle_words(36000.0) == "10.00°"


def test_the_page_of_the_index_says_what_it_holds(page):
    page.run()
    page.switch_page("views/about.py")
    page.run()
    assert not page.exception
    text = text_of(page)
    for words in (
        "This is a demonstration",
        "3,000 objects",
        "MIT (invented)",
        "learned",
        "image</td><td>spectrum</td><td>43 % (39 to 48 %)",
        "all pixels are masked</td><td>2",
        "no redshift (its xp only)</td><td>1",
    ):
        assert words in text
    assert "nobody to thank" in page.text[0].value
    assert "Douze2024Faiss" in page.code[0].value
    page.selectbox(key="coverage_release").set_value("demo-hsc").run()
    assert not page.exception


def test_every_page_is_reached_from_the_head_of_each(page):
    page.run()
    assert len(page.get("page_link")) == len(PAGES)
