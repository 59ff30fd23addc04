"""Files as questions, on the page."""

from dataclasses import replace

import pytest

from app.state import CHOSEN, COUNT, QUESTION
from tests.app.page_parts import button, hit_keys, more_like_this, text_of


@pytest.mark.parametrize(
    ("uploader", "name", "found"),
    [
        (0, "galaxy.fits", "nearest images"),
        (1, "spec.fits", "nearest spectra"),
        (1, "xp.csv", "nearest Gaia XP spectra"),
    ],
)
def test_a_file_is_a_question(page, readers, uploader, name, found):
    page.query_params["q"] = "demo-hsc:7"
    page.run()
    page.file_uploader[uploader].upload(name, b"content")
    page.run()
    assert not page.exception
    assert found in text_of(page)
    assert name in text_of(page)
    assert "vacuum wavelengths" in text_of(page)
    assert page.text_input(key=QUESTION).value == ""
    assert "q" not in page.query_params


def test_a_neighbour_of_a_file_takes_its_place(page, readers):
    page.run()
    page.file_uploader[1].upload("spec.fits", b"content")
    page.run()
    first = hit_keys(page)[0]
    more_like_this(page)[0].click()
    page.run()
    assert page.text_input(key=QUESTION).value == first
    assert not page.file_uploader[1].value
    assert "spec.fits" not in text_of(page)


def test_a_file_is_encoded_once(page, searcher, readers):
    page.run()
    page.file_uploader[1].upload("spec.fits", b"content")
    page.run()
    page.number_input(key=COUNT).set_value(3).run()
    assert len(more_like_this(page)) == 3
    assert [kind for kind, _ in searcher.asked].count("upload") == 1


def test_a_file_that_cannot_be_read_is_refused_in_words(page, readers):
    page.run()
    page.file_uploader[0].upload("bad.fits", b"content")
    page.run()
    assert "bad.fits: this is no image" in page.error[0].value
    assert not page.exception


@pytest.mark.parametrize("by_click", [True, False])
@pytest.mark.parametrize("name", ["several.fits", "several-xp.fits"])
def test_an_object_of_a_file_that_holds_several_can_be_chosen(
    page, searcher, readers, name, by_click
):
    page.run()
    page.file_uploader[1].upload(name, b"content")
    page.run()
    assert "choose one of 11, 12" in page.info[0].value
    if by_click:
        button(page, "candidate:12").click()
        page.run()
    else:
        page.text_input(key=CHOSEN).set_value("12").run()
    assert not page.info
    assert "nearest" in text_of(page)
    uploads = [upload for kind, upload in searcher.asked if kind == "upload"]
    assert uploads[-1].chosen == "12"


def test_what_is_stated_about_a_file_goes_to_its_reader(page, searcher, readers):
    page.run()
    page.file_uploader[0].upload("picture.png", b"content")
    page.run()
    page.number_input(key="reading:image:pixel_scale").set_value(0.262).run()
    page.text_input(key="reading:image:bands").set_value("g r z").run()
    stated = [upload.stated for kind, upload in searcher.asked if kind == "upload"]
    assert stated[0] == {}
    assert stated[-1] == {"pixel_scale_arcsec": 0.262, "bands": ["g", "r", "z"]}
    page.file_uploader[1].upload("spec.csv", b"content")
    page.run()
    page.selectbox(key="reading:spectrum:medium").set_value("air").run()
    stated = [upload.stated for kind, upload in searcher.asked if kind == "upload"]
    assert stated[-1] == {"medium": "air"}
    # What was stated of another file does not hold.
    assert page.number_input(key="reading:image:pixel_scale").value is None


def test_a_file_for_each_band_is_one_question(page, searcher, readers):
    page.run()
    page.file_uploader[0].set_value(
        [(f"{band}.fits", b"content", "application/fits") for band in "gri"]
    )
    page.run()
    assert not page.exception
    uploads = [upload for kind, upload in searcher.asked if kind == "upload"]
    assert uploads[-1].file_name == "g.fits, r.fits, i.fits"
    assert "nearest images" in text_of(page)


def test_an_approximate_answer_says_so(page, searcher, readers, monkeypatch):
    given = searcher.query_upload

    def approximate(upload):
        query = given(upload)
        return replace(query, assumptions={**query.assumptions, "approximate": "a colour picture"})

    monkeypatch.setattr(searcher, "query_upload", approximate)
    page.run()
    page.file_uploader[0].upload("picture.png", b"content")
    page.run()
    assert page.warning[0].value == "**Approximate answer.** A colour picture."
    assert "nearest images (approximate)" in text_of(page)


def test_a_name_cannot_lead_out_of_the_folder(page, readers, tmp_path):
    page.run()
    page.file_uploader[1].upload("../../../etc/spec.fits", b"content")
    page.run()
    assert not page.exception
    assert "nearest spectra" in text_of(page)
