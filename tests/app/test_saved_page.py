"""Objects kept for later: saved on cards, tagged, taken away and brought back."""

import io

import pytest
import streamlit as st
from astropy.table import Table

from app import saved
from indexer import QueryError
from tests.app.page_parts import button, hit_keys, text_of


def saved_page(page):
    page.switch_page("views/saved.py")
    page.run()
    assert not page.exception
    return page


def with_two_saved(page):
    page.query_params["q"] = "demo-desi:5"
    page.run()
    for row in range(2):
        button(page, f"save:{row}").click().run()
    return hit_keys(page)[:2]


def test_what_is_saved_on_a_card_is_on_the_page(page):
    first, second = with_two_saved(page)
    assert button(page, "save:0").label == "Saved"
    saved_page(page)
    assert "Saved objects: 2" in text_of(page)
    assert f"`{first}`" in text_of(page)
    page.text_input(key=f"tag:{first}").set_value("  ring   galaxy ").run()
    button(page, f"forget:{second}").click().run()
    assert page.session_state["saved_objects"] == {first: "ring galaxy"}
    assert len(page.get("download_button")) == 5


def test_of_many_the_latest_are_shown_first(page):
    page.session_state["saved_objects"] = {f"demo-hsc:{number}": "" for number in range(45)}
    page.run()
    saved_page(page)
    assert "`demo-hsc:44`" in text_of(page)
    assert "`demo-hsc:24`" not in text_of(page)
    assert button(page, "saved_more").label == "Show 20 more of 25"
    button(page, "saved_more").click().run()
    assert "`demo-hsc:24`" in text_of(page)


def test_a_second_click_takes_it_back(page):
    _, second = with_two_saved(page)
    button(page, "save:0").click().run()
    assert list(page.session_state["saved_objects"]) == [second]


def test_without_any_it_is_said_how(page):
    page.run()
    assert "“Save” on a neighbour's card puts it here." in text_of(saved_page(page))


def test_a_file_that_is_no_list_is_refused_in_words(page):
    page.run()
    saved_page(page)
    page.file_uploader[0].upload("mine.csv", b"a,b\n1,2\n")
    page.run()
    assert "has a column key with release:identifier" in page.error[0].value
    page.file_uploader[0].upload("mine.csv", b"key,tag\ndemo-hsc:7,odd\nnothing,\n")
    page.run()
    assert not page.error
    assert page.session_state["saved_objects"] == {"demo-hsc:7": "odd"}


@pytest.fixture
def session(monkeypatch):
    """A session of its own, without a page."""
    monkeypatch.setattr(saved.st, "session_state", {})
    yield
    st.cache_resource.clear()


@pytest.mark.parametrize("file_format", ["csv", "ecsv", "fits", "votable", "parquet"])
def test_files_hold_keys_tags_and_what_is_known(session, api_searcher, file_format, tmp_path):
    keys = api_searcher.random_keys(3, 1)
    saved.save(keys[0], "first")
    saved.save(keys[1])
    saved.save("gone:7", "lost, “lost”")
    content = saved.exported(api_searcher, saved.saved(), file_format)
    if file_format == "csv":
        saved.st.session_state.clear()
        assert saved.add_list(content) == 3
        assert saved.saved() == {keys[0]: "first", keys[1]: "", "gone:7": "lost, “lost”"}
        return
    names = {"ecsv": "ascii.ecsv"}
    if file_format == "parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(io.BytesIO(content)).to_pydict()
    else:
        table = Table.read(io.BytesIO(content), format=names.get(file_format, file_format))
    assert [str(each) for each in table["key"]] == [keys[0], keys[1], "gone:7"]
    assert float(table["ra_deg"][0]) == pytest.approx(api_searcher.object(keys[0])["ra_deg"])


def test_the_oldest_goes_when_there_are_too_many(session, monkeypatch):
    monkeypatch.setattr(saved, "MOST_SAVED", 2)
    for number in range(3):
        saved.save(f"a:{number}", "x" * 100)
    assert saved.saved() == {"a:1": "x" * 60, "a:2": "x" * 60}


def test_bytes_that_are_no_text_are_no_list(session):
    with pytest.raises(QueryError, match="this one is not"):
        saved.add_list(b"\xff\xfe\x00")
