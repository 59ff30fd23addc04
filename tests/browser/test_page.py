"""The page in a real browser: every way to ask, the next question, the address, a download."""

import csv
import io
import os
import re
import time
from pathlib import Path

import pytest

from indexer import open_searcher

SECONDS_TO_RESULTS = 2.0
"""On a warm server, for an object of the index."""


@pytest.fixture(scope="module")
def searcher(index_dir):
    return open_searcher(index_dir)


def some_key(searcher, modality):
    """Return an object that has this modality, of the release with most of them."""
    releases = searcher.index.info.releases
    release = max(releases, key=lambda name: releases[name].vectors.get(modality, 0))
    return next(key for key in searcher.random_keys(2000, 5) if key.startswith(f"{release}:"))


def picture(page, name):
    """Keep a screenshot where a folder for them is given."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(400)
        page.screenshot(path=Path(folder) / f"{name}.png")


def results(page, words):
    """Wait for the headline of an answer and for its twelve cards."""
    page.get_by_role("heading", name=words).wait_for()
    page.locator("article.hit").nth(11).wait_for()
    return page.locator("article.hit")


def facts(page, key):
    """Wait until the query is the object of this key."""
    release, _, object_id = key.partition(":")
    page.locator("dl.facts", has_text=object_id).filter(has_text=release).wait_for()


def search_box(page):
    return page.get_by_role("textbox", name="Identifier or position", exact=True)


def test_start_page_and_an_example(page, server):
    page.goto(server)
    page.get_by_text("Start from one of these").wait_for()
    picture(page, "start")
    page.get_by_role("button", name="Find similar").first.click()
    assert results(page, "nearest").count() == 12
    assert "q=" in page.url


def test_identifier_neighbour_address_and_download(page, server, searcher):
    key = some_key(searcher, "spectrum")
    page.goto(server)
    page.get_by_text("Start from one of these").wait_for()
    search_box(page).fill(key.partition(":")[2])
    search_box(page).press("Enter")
    hits = results(page, "12 nearest spectra")
    assert hits.count() == 12
    assert page.locator("img.drawing").first.evaluate("image => image.naturalWidth") > 0
    page.locator(".js-plotly-plot .xtitle").get_by_text("Observed wavelength (Å)").wait_for()
    picture(page, "identifier")

    following = hits.nth(1).locator("[title]").nth(1).get_attribute("title")
    page.get_by_role("button", name="More like this").nth(1).click()
    facts(page, following)
    page.wait_for_function("text => document.querySelector('input').value === text", arg=following)

    # The address is the question: in another tab, and after going back.
    address = page.url
    other = page.context.new_page()
    other.goto(address)
    facts(other, following)
    results(other, "12 nearest spectra")
    shown = other.locator("article.hit .hit-key").all_inner_texts()
    other.close()

    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row["object_id"] for row in rows] == shown
    page.keyboard.press("Escape")

    page.go_back()
    facts(page, key)


def test_position(page, server, searcher):
    key = some_key(searcher, "image")
    known = searcher.object(key)
    page.goto(server)
    page.get_by_text("Start from one of these").wait_for()
    search_box(page).fill(f"{known['ra_deg']:.6f} {known['dec_deg']:+.6f}")
    page.get_by_role("button", name="Search", exact=True).click()
    results(page, "nearest")
    page.get_by_text("nearest object").wait_for()
    picture(page, "position")


def test_image_file(page, server, uploads):
    page.goto(server)
    page.get_by_text("Start from one of these").wait_for()
    page.locator("input[type=file]").nth(0).set_input_files(uploads / "cutout.fits")
    hits = results(page, "12 nearest images")
    page.locator("dl.facts", has_text="cutout.fits").wait_for()
    assert hits.locator("img.picture").first.evaluate("image => image.naturalWidth") == 96
    picture(page, "image-file")


def test_spectrum_file_then_another_modality(page, server, uploads):
    page.goto(server)
    page.get_by_text("Start from one of these").wait_for()
    page.locator("input[type=file]").nth(1).set_input_files(uploads / "spectrum.ecsv")
    results(page, "12 nearest spectra")
    page.locator("dl.facts", has_text="spectrum.ecsv").wait_for()
    page.get_by_text("How the file was read").wait_for()
    picture(page, "spectrum-file")

    page.get_by_role("radio", name="Images").click()
    hits = results(page, "nearest images")
    bridge = hits.first.locator(".bridge")
    assert bridge.inner_text() in ("linked", "aligned")
    assert len(bridge.get_attribute("title")) > 40
    assert "to=image" in page.url
    picture(page, "cross-modal")


def test_a_spectrum_is_given_back_and_asked_in_the_other_space(page, server, searcher, uploads):
    if searcher.index.native_encoder is None:
        pytest.skip("the index has no space spectrum_native: build it again")
    page.goto(server)
    page.get_by_text("Start from one of these").wait_for()
    page.locator("input[type=file]").nth(1).set_input_files(uploads / "spectrum.ecsv")
    results(page, "12 nearest spectra")
    figure = page.locator(".st-key-reconstruction")
    figure.locator(".xtitle").get_by_text("Observed wavelength (Å)").wait_for()
    page.get_by_text("Reduced χ²").wait_for()
    picture(page, "reconstruction")

    # Over the whole page, nothing of which may lie above it.
    figure.locator(".nsewdrag").hover()
    figure.locator("[data-title=Fullscreen]").click()
    close = figure.locator("[data-title='Close fullscreen']")
    close.wait_for()
    above = page.evaluate(
        "[[.3, .3], [.7, .3], [.7, .7]].map(([x, y]) => document.elementFromPoint("
        "x * innerWidth, y * innerHeight).closest('.st-key-reconstruction') === null)"
    )
    assert not any(above)
    picture(page, "reconstruction-fullscreen")
    close.click()

    page.get_by_role("radio", name="Spectral tokenizer").click()
    page.get_by_text("as you asked").wait_for()
    assert "space=spectrum_native" in page.url
    results(page, "12 nearest spectra")
    picture(page, "other-space")


def test_verdict_bridge_and_properties_of_an_object(page, server, searcher):
    key = some_key(searcher, "image")
    page.goto(f"{server}/?q={key}")
    hits = results(page, "12 nearest images")
    verdict = page.get_by_role("region", name="Verdict")
    verdict.get_by_text("of this index's own images have a nearer neighbour").wait_for()
    assert verdict.get_by_text(re.compile("distribution|Unusual")).count()

    assert hits.first.locator(".bridge").inner_text() == "own space"
    page.get_by_role("button", name="Bridge: own space").click()
    page.get_by_text("How well it works").wait_for()
    page.keyboard.press("Escape")

    assert page.locator("table.properties").count() == 0
    page.get_by_text("Properties from labelled neighbours").click()
    redshift = page.get_by_role("row", name="Redshift")
    redshift.wait_for()
    assert re.search(r"\d to −?\d", redshift.inner_text())
    page.locator(".st-key-distribution .xtitle").get_by_text("Redshift").wait_for()
    picture(page, "properties")


def test_nonsense_is_refused_in_words(page, server, uploads):
    page.goto(f"{server}/?q=gibberish&k=lots")
    # One by one: a page that is still being written shows a box before its words.
    for word in ("gibberish", "lots"):
        page.get_by_test_id("stAlert").filter(has_text=word).wait_for()
    picture(page, "error")
    page.goto(server)
    page.get_by_text("Start from one of these").wait_for()
    page.locator("input[type=file]").nth(1).set_input_files(uploads / "letter.fits")
    page.get_by_test_id("stAlert").filter(has_text="letter.fits").wait_for()
    assert page.locator("article.hit").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(browser, server, searcher, scheme):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    context.set_default_timeout(45_000)
    page = context.new_page()
    page.goto(f"{server}/?q={some_key(searcher, 'image')}")
    results(page, "nearest")
    overflow = page.evaluate(
        "document.querySelector('[data-testid=stMain]').scrollWidth - window.innerWidth"
    )
    assert overflow <= 0
    ground = page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    picture(page, f"phone-{scheme}")
    context.close()


def test_warm_search_is_fast(page, server, searcher):
    page.goto(server)
    took = []
    for key in searcher.random_keys(3, 9):
        search_box(page).fill(key)
        began = time.monotonic()
        search_box(page).press("Enter")
        page.locator("dl.facts", has_text=key.partition(":")[2]).wait_for()
        results(page, "nearest")
        took.append(time.monotonic() - began)
    # The best of three: other work on the machine only ever adds.
    assert min(took) < SECONDS_TO_RESULTS, took
