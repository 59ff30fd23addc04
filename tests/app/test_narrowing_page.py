"""Narrowing on the page: controls, address, and what is said of a wrong filter."""

from app.state import COUNT, FOLD, NARROW, OTHER_SOURCES
from app.widgets.narrowing import OPEN
from tests.app.page_parts import button, more_like_this, searches, text_of


def opened(page, **params):
    for name, value in {"q": "demo-desi:5", **params}.items():
        page.query_params[name] = value
    page.session_state[OPEN] = True
    page.run()
    assert not page.exception
    return page


def test_controls_become_filters_of_the_search_and_of_the_address(page, searcher):
    opened(page)
    page.number_input(key=f"{NARROW}redshift:low").set_value(0.1).run()
    page.multiselect(key=f"{NARROW}modalities").set_value(["image"]).run()
    page.multiselect(key=f"{NARROW}classes").set_value(["QSO", "GALAXY"]).run()
    page.text_input(key=f"{NARROW}cone").set_value("10:00:24 +02:12:00, 0.5arcmin").run()
    page.checkbox(key=f"{NARROW}good_redshift").check().run()
    assert not page.exception
    text = (
        "cone(150.1,2.2,30arcsec); has(image); object_class=GALAXY,QSO; redshift>=0.1; "
        "redshift_ok=true"
    )
    assert searches(searcher)[-1].filters.text == text
    assert page.query_params["where"] == text
    assert page.text_input(key=f"{NARROW}cone").value == "150.1,2.2,30arcsec"
    assert page.query_params["q"] == "demo-desi:5"


def test_the_address_fills_the_controls(page, searcher):
    where = "0.1<=redshift<0.5; magnitude<=20; moc(5/1-3 8); release=demo-desi; |b|>=20"
    opened(page, where=where, fold="1", other_sources="1")
    options = searches(searcher)[-1]
    assert options.filters.text == where
    assert (options.fold_duplicates, options.exclude_source) == (True, True)
    assert page.number_input(key=f"{NARROW}magnitude:high").value == 20.0
    assert page.number_input(key=f"{NARROW}latitude_deg").value == 20.0
    assert page.text_input(key=f"{NARROW}moc").value == "5/1-3 8"
    assert page.text_input(key=f"{NARROW}more").value == "0.1<=redshift<0.5"
    assert page.multiselect(key=f"{NARROW}releases").value == ["demo-desi"]
    assert page.toggle(key=FOLD).value
    assert page.toggle(key=OTHER_SOURCES).value
    assert text_of(page).count("+ 2 more here") == 12
    page.query_params["where"] = "has(image)"
    page.run()
    assert searches(searcher)[-1].filters.text == "has(image)"
    assert page.number_input(key=f"{NARROW}magnitude:high").value is None


def test_filters_hold_while_their_panel_is_closed(page, searcher):
    for name, value in {"q": "demo-desi:5", "where": "redshift>0.1", "fold": "1"}.items():
        page.query_params[name] = value
    page.run()
    assert not page.multiselect
    page.number_input(key=COUNT).set_value(3).run()
    options = searches(searcher)[-1]
    assert (options.k, options.filters.text, options.fold_duplicates) == (3, "redshift>0.1", True)
    assert page.query_params["where"] == "redshift>0.1"


def test_a_condition_is_taken_away_by_a_click(page, searcher):
    opened(page, where="has(image); redshift>0.1", fold="1")
    button(page, "drop:has(image)").click().run()
    assert searches(searcher)[-1].filters.text == "redshift>0.1"
    button(page, f"drop:{FOLD}").click().run()
    assert not searches(searcher)[-1].fold_duplicates
    assert "fold" not in page.query_params
    button(page, "drop:redshift>0.1").click().run()
    assert "where" not in page.query_params
    assert "Narrowed to" not in text_of(page)


def test_similar_is_similar_to_the_query(page, searcher):
    opened(page)
    button(page, "alike:redshift").click().run()
    button(page, "alike:magnitude").click().run()
    assert page.query_params["where"] == "0.0976<=redshift<=0.1424; 17.75<=magnitude<=18.75"
    more_like_this(page)[0].click().run()
    assert searches(searcher)[-1].filters.text == page.query_params["where"]


def test_without_a_query_nothing_is_similar(page):
    page.session_state[OPEN] = True
    page.run()
    assert button(page, "alike:redshift").disabled
    page.number_input(key=f"{NARROW}redshift:high").set_value(0.1).run()
    assert page.query_params["where"] == "redshift<=0.1"


def test_what_cannot_be_read_is_said_and_changes_nothing(page, searcher):
    opened(page, where="redshift>=0.1")
    page.text_input(key=f"{NARROW}moc").set_value("half the sky").run()
    assert "not understood, and nothing was changed: a MOC is written such as" in (
        page.error[0].value
    )
    assert searches(searcher)[-1].filters.text == "redshift>=0.1"
    assert len(more_like_this(page)) == 12
    page.text_input(key=f"{NARROW}moc").set_value("5/1").run()
    assert not page.error
    assert searches(searcher)[-1].filters.text == "moc(5/1); redshift>=0.1"


def test_a_wrong_address_says_so_and_the_page_stands(page, searcher):
    opened(page, where="redshift~3")
    assert "cannot be read, so nothing is filtered" in page.warning[0].value
    assert len(more_like_this(page)) == 12
    assert "where" not in page.query_params


def test_a_column_that_is_not_there_is_refused_and_can_be_left(page, searcher):
    opened(page, where="nonsense>1")
    assert "this index has no column 'nonsense'" in page.error[0].value
    button(page, "drop:nonsense>1").click().run()
    assert len(more_like_this(page)) == 12


def test_the_field_of_the_query_can_be_left_out(page, searcher):
    opened(page, where="redshift>=0.1; away(1,2,3600arcsec)")
    button(page, "elsewhere").click().run()
    assert not page.exception
    # The query's own place in the stead of another.
    assert searches(searcher)[-1].filters.text == "away(150,-2,900arcsec); redshift>=0.1"
