"""What tests of the page look for in it."""

import re
from html import unescape


def text_of(page):
    parts = [*page.markdown, *page.caption, *page.html, *page.error, *page.info, *page.warning]
    return unescape("\n".join(str(part.value) for part in parts))


def searches(searcher):
    return [options for kind, options in searcher.asked if kind == "search"]


def button(page, key):
    return next(each for each in page.button if each.key == key)


def more_like_this(page):
    return [each for each in page.button if each.key.startswith("more:")]


def hit_keys(page):
    """Return the keys of the neighbours, in their order."""
    return re.findall(r'<div title="([^"]+)"><div class="hit-release">', text_of(page))
