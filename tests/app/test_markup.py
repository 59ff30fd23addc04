"""HTML of the cards: everything from data is escaped, and only web links are links."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from app.markup import (
    distribution_key_html,
    hit_html,
    legend_html,
    picture_html,
    properties_html,
    query_html,
    safe_link,
    shares_html,
    verdict_html,
)
from app.presentation import cards
from app.properties import PropertyRow, Share, property_rows
from app.verdicts import VerdictWords, verdict_words
from tests.app.fakes import (
    BIG_ID,
    NO_MAGNITUDE,
    VERDICT,
    FakeSearcher,
    invented_class,
    invented_hits,
    invented_number,
)

NASTY = "<img src=x onerror=alert(1)>\"'&"


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def card():
    query = FakeSearcher().query_text("demo-desi:1")
    return cards(invented_hits(query, 1, "spectrum", "same"))[0]


def test_nothing_from_data_becomes_markup(card):
    nasty = replace(
        card,
        key=NASTY,
        release=NASTY,
        object_id=NASTY,
        facts=NASTY,
        bridge=NASTY,
        bridge_title=NASTY,
        via=NASTY,
        percentile=NASTY,
        percentile_title=NASTY,
        link="https://example.org/" + NASTY,
    )
    page = Tags(hit_html(nasty, "data:image/png;base64,AA==" + NASTY, NASTY))
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 1
    assert pictures[0]["alt"] == NASTY
    assert not any("onerror" in attrs for _, attrs in page.tags)
    assert Tags(query_html({NASTY: NASTY})).tags == [
        ("dl", {"class": "facts"}),
        ("dt", {}),
        ("dd", {}),
    ]


def test_big_identifiers_are_shown_to_the_last_digit(card):
    big = replace(card, key=f"demo-sdss:{BIG_ID}", object_id=BIG_ID)
    assert BIG_ID in Tags(hit_html(big, "", "")).text


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "file:///etc", "", "x"]
)
def test_only_web_addresses_become_links(card, link):
    assert safe_link(link) == ""
    assert "a" not in [tag for tag, _ in Tags(hit_html(replace(card, link=link), "", "")).tags]


def test_links_open_elsewhere(card):
    anchors = [attrs for tag, attrs in Tags(hit_html(card, "", "")).tags if tag == "a"]
    assert anchors[0]["target"] == "_blank"
    assert card.key in anchors[0]["aria-label"]


def test_an_object_without_a_preview_says_so():
    assert "no preview stored" in picture_html("", "")


def test_unknown_facts_are_left_out_of_the_query():
    page = Tags(query_html({"Key": "demo-desi:1", "Redshift": ""}))
    assert page.text == "Keydemo-desi:1"


@pytest.mark.parametrize("modality", ["image", "spectrum", "xp"])
def test_the_legend_explains_the_numbers(modality):
    text = Tags(legend_html(modality, query_name="" if modality == "image" else "query")).text
    assert "random pairs" in text
    assert ("query" in text) == (modality != "image")


def test_the_verdict_says_in_words_what_its_colour_says():
    page = Tags(verdict_html(verdict_words(VERDICT, "spectrum")))
    assert page.tags[0] == ("section", {"class": "verdict in", "aria-label": "Verdict"})
    assert "In distribution" in page.text
    assert "37.2 % of this index's own spectra" in page.text
    marker = [attrs["style"] for tag, attrs in page.tags if tag == "i"]
    assert marker == ["left:25.09%"]


def test_an_unknown_verdict_has_no_scale():
    unknown = verdict_words({"level": "unknown", "percentile": None, "text": NASTY}, "xp")
    page = Tags(verdict_html(unknown))
    assert "i" not in [tag for tag, _ in page.tags]
    assert NASTY in page.text


def test_properties_are_a_table():
    rows = property_rows([invented_number(), invented_class(), NO_MAGNITUDE])
    page = Tags(properties_html(rows))
    assert [tag for tag, _ in page.tags].count("tr") == 4
    for words in ("0.113 to 0.133", "held 67 %", "edge on (70 %)", "5 labelled", "4.3 effective"):
        assert words in page.text
    assert [attrs["colspan"] for tag, attrs in page.tags if "colspan" in attrs] == ["3"]


def test_labels_and_classes_from_files_never_become_markup():
    nasty = VerdictWords("in", NASTY, NASTY, NASTY, 5.0)
    row = PropertyRow(*[NASTY] * 9)
    for html in (
        verdict_html(nasty),
        properties_html([row, replace(row, reason=NASTY)]),
        shares_html(NASTY, [Share(NASTY, 0.5)]),
    ):
        page = Tags(html)
        assert "img" not in [tag for tag, _ in page.tags]
        assert NASTY in page.text


def test_shares_have_bars():
    page = Tags(shares_html("Class", [Share("QSO", 0.25)]))
    assert page.text == "ClassQSO25 %"
    assert ("i", {"style": "width:25.0%"}) in page.tags


def test_the_key_of_a_distribution_names_what_is_drawn():
    drawn = "labelled neighbourestimate68 %95 %"
    assert Tags(distribution_key_html()).text == drawn
    assert Tags(distribution_key_html("catalogue")).text == f"{drawn}catalogue"
