"""The page as a person uses it, without a browser: controls in, elements out."""

import pytest

from app import resources
from app.state import BRIDGE, COUNT, PROBE, QUESTION, TARGET
from app.widgets.properties import OPEN
from app.widgets.starters import EXAMPLE_CLASS
from indexer import IndexFormatError, ReadError
from tests.app.fakes import BIG_ID
from tests.app.page_parts import button, hit_keys, more_like_this, searches, text_of


def test_the_start_page_invites(page, searcher):
    page.run()
    assert not page.exception
    assert "3,000 objects" in text_of(page)
    assert "simulated" in text_of(page)
    assert "aion-demo" in text_of(page)
    starters = [each for each in page.button if each.key.startswith("start:")]
    assert len(starters) >= 20
    assert len(page.file_uploader) == 2
    assert searches(searcher) == []


def test_starters_of_one_class(page):
    page.run()
    page.session_state[EXAMPLE_CLASS] = "QSO"
    page.run()
    assert not page.exception
    starters = [each.key for each in page.button if each.key.startswith("start:")]
    assert len(starters) >= 20
    assert all(key.endswith(("1", "2")) for key in starters)


def test_other_examples_can_be_asked_for(page):
    page.run()
    before = {each.key for each in page.button}
    next(each for each in page.button if each.label == "Show others").click()
    page.run()
    after = {each.key for each in page.button}
    assert before != after


def test_an_example_becomes_the_question(page):
    page.run()
    starter = next(each for each in page.button if each.key.startswith("start:demo-desi"))
    starter.click()
    page.run()
    assert page.text_input(key=QUESTION).value == starter.key.removeprefix("start:")
    assert "nearest spectra" in text_of(page)
    assert not page.exception


def test_a_typed_key_finds_neighbours(page, searcher):
    page.run()
    page.text_input(key=QUESTION).set_value(f"demo-sdss:{BIG_ID}").run()
    assert not page.exception
    assert searches(searcher)[-1].k == 12
    assert searches(searcher)[-1].to is None
    assert len(more_like_this(page)) == 12
    assert BIG_ID in text_of(page)
    assert page.query_params["q"] == f"demo-sdss:{BIG_ID}"


def test_a_neighbour_becomes_the_next_question(page, searcher):
    page.query_params["q"] = "demo-desi:39633345008634465"
    page.run()
    first = hit_keys(page)[0]
    more_like_this(page)[0].click()
    page.run()
    assert searcher.asked[-2] == ("text", first)
    assert page.query_params["q"] == first


def test_a_session_knows_no_more_controls_after_many_answers(page):
    """Streamlit keeps whatever once had a key for as long as the session."""
    page.query_params["q"] = "demo-desi:5"
    page.run()
    keys = {each.key for each in page.button}
    shown = hit_keys(page)
    more_like_this(page)[3].click()
    page.run()
    assert hit_keys(page) != shown
    assert {each.key for each in page.button} == keys


def test_neighbours_become_examples_for_and_against(page, searcher):
    page.query_params["q"] = "demo-desi:5"
    page.run()
    first = hit_keys(page)[0]
    button(page, "also:0").click().run()
    second = hit_keys(page)[0]
    button(page, "against:0").click().run()
    assert not page.exception
    assert (page.query_params["also"], page.query_params["not"]) == (first, second)
    examples = searcher.queries[-1].examples
    assert [each.key for each in examples.positives] == ["demo-desi:5", first]
    assert [each.key for each in examples.negatives] == [second]
    assert examples.method == "mean"
    page.toggle(key=PROBE).set_value(True).run()
    assert searcher.queries[-1].examples.method == "probe"
    button(page, f"unmark:{second}").click().run()
    assert "not" not in page.query_params
    assert searcher.queries[-1].examples.method == "mean"
    more_like_this(page)[0].click().run()
    assert searcher.queries[-1].examples is None
    assert "also" not in page.query_params


def test_an_example_that_is_not_there_is_left_out_and_said(page, searcher):
    page.query_params["q"] = "demo-desi:5"
    page.query_params["also"] = "nonsense:1,demo-desi:6"
    page.query_params["not"] = "demo-hsc:7"
    page.run()
    assert not page.exception
    assert "“nonsense:1” was left out: nothing in this index is called" in page.warning[0].value
    assert "examples must have a modality in common" in page.warning[1].value
    assert len(more_like_this(page)) == 12


def test_the_address_restores_everything(page, searcher):
    for name, value in {"q": "demo-hsc:7", "to": "spectrum", "k": "5", "bridge": "linked"}.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    options = searches(searcher)[-1]
    assert (options.k, options.to, options.bridge) == (5, "spectrum", "linked")
    assert page.text_input(key=QUESTION).value == "demo-hsc:7"
    assert page.number_input(key=COUNT).value == 5
    assert page.session_state[TARGET] == "spectrum"
    assert page.session_state[BRIDGE] == "linked"
    assert text_of(page).count('class="bridge linked"') == 5


def test_what_the_address_states_is_told_to_the_browser_twice(page):
    """Once more in the next run, for a control that was not drawn yet; then no more."""
    page.query_params["q"] = "demo-hsc:7"
    page.run()
    assert page.text_input(key=QUESTION).proto.set_value
    page.number_input(key=COUNT).set_value(3).run()
    assert page.text_input(key=QUESTION).proto.set_value
    assert page.text_input(key=QUESTION).value == "demo-hsc:7"
    assert page.number_input(key=COUNT).value == 3
    page.number_input(key=COUNT).set_value(4).run()
    assert not page.text_input(key=QUESTION).proto.set_value
    assert page.text_input(key=QUESTION).value == "demo-hsc:7"


def test_controls_write_the_address(page):
    page.query_params["q"] = "demo-hsc:7"
    page.run()
    page.number_input(key=COUNT).set_value(3).run()
    assert page.query_params["k"] == "3"
    assert page.query_params["q"] == "demo-hsc:7"
    assert len(more_like_this(page)) == 3
    page.number_input(key=COUNT).set_value(12).run()
    assert "k" not in page.query_params


def test_going_back_restores_the_earlier_question(page, searcher):
    page.query_params["q"] = "demo-hsc:7"
    page.run()
    more_like_this(page)[0].click()
    page.run()
    page.query_params["q"] = "demo-hsc:7"
    page.run()
    assert page.text_input(key=QUESTION).value == "demo-hsc:7"
    assert searcher.asked[-2] == ("text", "demo-hsc:7")


def test_a_bridge_is_offered_only_where_one_is_crossed(page):
    page.query_params["q"] = "demo-hsc:7"
    page.run()
    assert not [each for each in page.button_group if each.key == BRIDGE]
    page.query_params["to"] = "spectrum"
    page.run()
    assert [each for each in page.button_group if each.key == BRIDGE]


@pytest.mark.parametrize(
    "params", [{"q": "demo-hsc:7", "k": "many"}, {"q": "demo-hsc:7", "to": "smell"}]
)
def test_an_odd_address_is_answered_with_a_remark(page, params):
    for name, value in params.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    assert len(page.warning) == 1
    assert len(more_like_this(page)) == 12


def test_nonsense_is_refused_in_words(page, searcher):
    page.run()
    page.text_input(key=QUESTION).set_value("no such thing").run()
    assert "nothing in this index is called" in page.error[0].value
    assert not page.exception
    assert searches(searcher) == []


def test_an_ambiguous_identifier_offers_its_candidates(page):
    page.run()
    page.text_input(key=QUESTION).set_value("123").run()
    assert "several releases" in page.info[0].value
    button(page, "candidate:demo-sdss:123").click()
    page.run()
    assert page.text_input(key=QUESTION).value == "demo-sdss:123"
    assert "nearest spectra" in text_of(page)


def test_a_list_is_taken_away_in_every_format_with_whom_to_cite(page):
    page.query_params["q"] = "demo-desi:5"
    page.run()
    labels = [each.label for each in page.get("download_button")]
    lists = ["CSV", "ECSV", "FITS", "VOTable", "Parquet", "JSON", "DS9 regions"]
    assert labels == [*lists, "All in one ZIP", "BibTeX", "Acknowledgements", "Receipt"]
    assert "For your paper: demo-desi, demo-sdss" in text_of(page)


def test_a_hundred_neighbours(page):
    page.query_params["q"] = "demo-desi:5"
    page.query_params["k"] = "100"
    page.run()
    assert not page.exception
    assert len(more_like_this(page)) == 100


def test_without_an_index_the_page_says_how_to_build_one(page, monkeypatch):
    def refuse(path, **_):
        raise IndexFormatError("there is no index.json")

    monkeypatch.setattr(resources, "open_searcher", refuse)
    page.run()
    assert not page.exception
    assert "There is no index" in page.error[0].value
    assert "make index" in text_of(page)
    assert "AION_SEARCH_INDEX" in text_of(page)


def test_the_verdict_stands_beside_the_query(page):
    page.query_params["q"] = "demo-desi:5"
    page.run()
    assert "37.2 % of this index's own spectra have a nearer neighbour" in text_of(page)
    assert not page.warning


def test_a_query_out_of_distribution_is_warned_of(page, searcher):
    searcher.verdict = {**searcher.verdict, "level": "out of distribution", "percentile": 99.6}
    page.query_params["q"] = "demo-desi:5"
    page.run()
    assert "Out of distribution" in page.warning[0].value
    assert "99.6 % of this index's own spectra" in text_of(page)
    assert len(more_like_this(page)) == 12


def test_the_bridge_explains_itself(page):
    page.query_params["q"] = "demo-hsc:7"
    page.query_params["to"] = "spectrum"
    page.run()
    assert text_of(page).count('class="bridge aligned"') == 12
    assert "among the 10 nearest for **43 %**" in text_of(page)


def test_properties_are_read_only_when_asked_for_and_once(page, searcher):
    page.query_params["q"] = "demo-desi:5"
    page.run()
    assert "properties" not in [kind for kind, _ in searcher.asked]
    page.session_state[OPEN] = True
    page.run()
    assert not page.exception
    text = text_of(page)
    for words in ("0.113 to 0.133", "held 67 %", "edge on (70 %)", "is near enough"):
        assert words in text
    page.number_input(key=COUNT).set_value(3).run()
    assert "0.113 to 0.133" in text_of(page)
    assert [kind for kind, _ in searcher.asked].count("properties") == 1


def test_labels_bring_properties(page, monkeypatch):
    monkeypatch.setenv("AION_SEARCH_LABELS", "masses.csv")
    monkeypatch.setattr(resources, "read_labels", lambda *_: ["stellar_mass"])
    page.session_state[OPEN] = True
    page.query_params["q"] = "demo-desi:5"
    page.run()
    assert not page.exception
    assert "Stellar mass" in text_of(page)
    page.selectbox(key="property_plotted").set_value("stellar_mass").run()
    assert not page.exception


def test_labels_that_cannot_be_read_leave_the_catalogue(page, monkeypatch):
    def refuse(*paths):
        raise ReadError(f"{paths[0]}: no such file")

    monkeypatch.setenv("AION_SEARCH_LABELS", "gone.csv")
    monkeypatch.setattr(resources, "read_labels", refuse)
    page.session_state[OPEN] = True
    page.query_params["q"] = "demo-desi:5"
    page.run()
    assert "gone.csv: no such file" in page.error[0].value
    assert "0.113 to 0.133" in text_of(page)
