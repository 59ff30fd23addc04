"""Journeys over the other pages, and what a screen reader would meet: in a real browser."""

import csv
import io
from pathlib import Path

import pytest
from astropy.table import Table

from tests.browser.test_page import picture, results, some_key

SERIOUS = ("serious", "critical")

PATHS = ("/", "/compare", "/list", "/map", "/discordant", "/saved", "/about")


@pytest.fixture(scope="module")
def searcher(index_dir):
    from indexer import open_searcher

    return open_searcher(index_dir)


def bytes_of(download):
    return Path(download.path()).read_bytes()


def barriers(page):
    """Return what keeps people out, by the rules of WCAG 2 A and AA, as axe finds it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def test_what_is_narrowed_stands_in_the_address_for_others(page, server, searcher, browser):
    key = some_key(searcher, "spectrum")
    page.goto(f"{server}/?q={key}")
    results(page, "nearest")
    page.get_by_text("Narrow: which objects may be found").click()
    page.get_by_role("textbox", name="Further conditions").fill("redshift>0.05")
    page.get_by_role("textbox", name="Further conditions").press("Enter")
    page.wait_for_url("**where=**")
    results(page, "nearest")
    shown = [each.get_attribute("title") for each in page.locator(".hit-key").all()]
    picture(page, "narrowed")
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(45_000)
    other = context.new_page()
    other.goto(page.url)
    results(other, "nearest")
    assert [each.get_attribute("title") for each in other.locator(".hit-key").all()] == shown
    context.close()


def test_a_question_stands_though_its_box_is_drawn_late(server, searcher, browser):
    """A browser asks again before the script of the box has come, and then says it is empty."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(45_000)
    page = context.new_page()
    held = []
    page.route("**/TextInput*.js", lambda route: held.append(route))
    page.goto(f"{server}/?q={some_key(searcher, 'spectrum')}")
    results(page, "nearest")
    assert not page.get_by_role("textbox").count()
    page.get_by_text("Narrow: which objects may be found").click()
    page.get_by_text("Good redshifts only").wait_for()
    for route in held:
        route.continue_()
    page.get_by_role("textbox", name="Further conditions").fill("redshift>0.05")
    page.get_by_role("textbox", name="Further conditions").press("Enter")
    page.wait_for_url("**where=**")
    results(page, "nearest")
    assert some_key(searcher, "spectrum").partition(":")[2] in page.url
    context.close()


def test_a_list_goes_in_and_a_table_comes_out(page, server, searcher, tmp_path):
    keys = searcher.random_keys(5, 21)
    listed = tmp_path / "mine.csv"
    listed.write_text("\n".join(["key", *keys, "nothing:1"]) + "\n")
    page.goto(f"{server}/list")
    page.locator("input[type=file]").set_input_files(listed)
    page.get_by_text("6 identifiers").wait_for()
    page.get_by_role("button", name="Find the neighbours").click()
    page.get_by_text("6 read = 5 answered + 1 refused").wait_for()
    picture(page, "list")
    with page.expect_download() as download:
        page.get_by_role("button", name="The neighbours", exact=True).click()
    table = Table.read(io.BytesIO(bytes_of(download.value)), format="ascii.csv")
    assert sorted(set(table["query_key"])) == sorted(keys)
    with page.expect_download() as download:
        page.get_by_role("button", name="The refused, with reasons").click()
    (row,) = csv.DictReader(io.StringIO(bytes_of(download.value).decode()))
    assert row["query_id"] == "nothing:1"


def test_what_is_picked_on_the_map_can_be_saved_and_taken_away(page, server):
    page.goto(f"{server}/map")
    plot = page.locator(".js-plotly-plot")
    plot.wait_for()
    page.get_by_text("in two dimensions by t-SNE").wait_for()
    drag = plot.locator(".nsewdrag").first
    drag.wait_for()
    box = drag.bounding_box()
    corners = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.2))
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for x, y in places[1:]:
        page.mouse.move(x, y, steps=12)
    page.mouse.up()
    page.get_by_role("heading", name="picked").wait_for()
    picture(page, "map")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(bytes_of(download.value).decode())))
    assert len(rows) > 10
    page.get_by_role("button", name="Save").first.click()
    page.get_by_role("link", name="Saved").click()
    page.get_by_role("heading", name="Saved objects").wait_for()
    page.get_by_label("Tag").first.fill("one to look at")
    page.get_by_label("Tag").first.press("Enter")
    page.wait_for_function("document.querySelector('[data-testid=stStatusWidget]') === null")
    picture(page, "saved")
    with page.expect_download() as download:
        page.get_by_role("button", name="VOTable", exact=True).click()
    table = Table.read(io.BytesIO(bytes_of(download.value)), format="votable")
    assert "one to look at" in set(map(str, table["tag"]))


def test_discordant_sources_lead_to_both_sides(page, server):
    page.goto(f"{server}/discordant")
    page.get_by_text("sources were compared").wait_for()
    picture(page, "discordant")
    page.get_by_role("link", name="Both, side by side").first.click()
    page.get_by_role("heading", name="Beside each other").wait_for()
    picture(page, "compare")


def test_a_picture_is_an_approximate_question(page, server, searcher, tmp_path):
    key = some_key(searcher, "image")
    path = tmp_path / "cutout.png"
    path.write_bytes(searcher.preview(key, "image").png)
    page.goto(server)
    page.locator("input[type=file]").first.set_input_files(path)
    page.get_by_text("does not say how large its pixels are").wait_for()
    page.get_by_role("button", name="How to read it").first.click()
    page.get_by_role("spinbutton", name="Pixel scale (arcsec)").fill("0.262")
    page.get_by_role("spinbutton", name="Pixel scale (arcsec)").press("Enter")
    page.keyboard.press("Escape")
    results(page, "nearest images (approximate)")
    page.get_by_text("Approximate answer.").wait_for()
    picture(page, "approximate")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_can_be_read_by_everybody(page, server, path):
    page.goto(server + path)
    page.get_by_text("What else in the sky looks like this?").wait_for()
    # What is being drawn anew is faded until it is there.
    page.wait_for_timeout(1000)
    page.wait_for_function(
        "document.querySelector('[data-testid=stStatusWidget], [data-stale=true]') === null"
    )
    assert barriers(page) == []


def test_an_answer_can_be_read_by_everybody(page, server, searcher):
    page.goto(f"{server}/?q={some_key(searcher, 'image')}")
    results(page, "nearest")
    assert barriers(page) == []
