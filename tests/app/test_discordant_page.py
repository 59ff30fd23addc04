"""Discordant sources on the page."""

import numpy as np

from app import resources
from indexer import SearchError
from indexer.discordant import Discordants
from tests.app.page_parts import button, text_of

COUNT = 15


def invented(_index):
    """Fifteen sources; nothing is known of the last one."""
    known = np.arange(COUNT) < COUNT - 1
    numbers = np.where(known, 0.12, np.nan)
    classes = np.where(known, "GALAXY", "")
    return Discordants(
        {"compared": {"demo-hsc+demo-desi": COUNT}},
        image_key=np.array([f"demo-hsc:{number}" for number in range(COUNT)]),
        spectrum_key=np.array([f"demo-desi:{number}" for number in range(COUNT)]),
        score=np.linspace(0.9, 0.1, COUNT),
        image_in_spectra=np.full(COUNT, 0.4),
        spectrum_in_images=np.full(COUNT, 0.3),
        difference=numbers,
        shared=np.full(COUNT, 0.25),
        ra_deg=np.full(COUNT, 150.0),
        dec_deg=np.full(COUNT, 2.0),
        redshift=numbers,
        object_class=classes,
        image_redshift=numbers,
        spectrum_redshift=np.where(known, 1.5, np.nan),
        image_class=classes,
        spectrum_class=np.where(known, "QSO", ""),
    )


def discordant_page(page):
    page.run()
    page.switch_page("views/discordant.py")
    return page.run()


def test_the_most_discordant_come_first_with_both_stories(page, monkeypatch):
    monkeypatch.setattr(resources, "find_discordant", invented)
    discordant_page(page)
    assert not page.exception
    text = text_of(page)
    assert "15 sources were compared." in text
    assert "**1.** score **0.900**" in text
    assert "**13.**" not in text
    assert "Looks like: z 0.12" in text
    assert "Its spectrum is like: z 1.5" in text
    assert "QSO" in text
    assert len(page.get("download_button")) == 3
    button(page, "discordant_more").click().run()
    assert not page.exception
    assert "**15.** score **0.100**" in text_of(page)
    assert "Catalogue: unknown" in text_of(page)
    assert not [each for each in page.button if each.key == "discordant_more"]


def test_an_index_that_shares_too_little_says_so(page, monkeypatch):
    def refuse(_index):
        raise SearchError("discordant sources need two releases that share sources")

    monkeypatch.setattr(resources, "find_discordant", refuse)
    discordant_page(page)
    assert "need two releases that share sources" in page.error[0].value


def test_a_large_index_is_sent_to_the_command_line(page, monkeypatch):
    monkeypatch.setattr(resources, "MOST_COMPARED", 419)
    discordant_page(page)
    assert "this index has 420 links" in page.error[0].value
    assert "python -m indexer discordant INDEX" in page.error[0].value
