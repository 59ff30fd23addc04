"""How long a person waits: from an address to a page of use, and from a question to its pictures.

    python -m benchmarks.page_speed INDEX [--visits 5] [--searches 20] [--seed 1]
        [--json benchmarks/results/page-speed.json]

Starts the server and Debian's chromium (or the one named in CHROMIUM), which needs the extra
`browser`. A visit is a new profile, with nothing kept of an earlier one: its time ends when the box
for questions is there and all pictures of the starting points are painted. A search is a key that
is typed into the box of an open page: its time begins with Enter, and ends when the query and
twelve neighbours are there and the pictures that can be seen are painted. The first visit of a new
server is told apart. Prints the times and one JSON object on the last line; exit code 1 if one of
`BUDGETS` is missed.

    python -m benchmarks.page_speed var/demo/index
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search_latency import machine
from benchmarks.serving import served
from benchmarks.telling import tell
from indexer.search import open_searcher

__all__ = ["chromium", "measure"]

BUDGETS = {"first_visit_s": 3.0, "visit.p50_s": 3.0, "search.p50_s": 1.0, "search.p95_s": 1.0}
"""At most."""

_NAMES = ("chromium", "chromium-headless-shell", "chromium-browser")
_PATIENCE_MS = 60_000

_PAINTED = """() => {
    const seen = [...document.querySelectorAll('img')].filter((image) => {
        const box = image.getBoundingClientRect();
        return box.width > 0 && box.top < innerHeight && box.bottom > 0;
    });
    return seen.length > 0 && seen.every((image) => image.complete && image.naturalWidth > 0);
}"""

_ANSWERED = """(key) => {
    const facts = [...document.querySelectorAll('dl.facts')].some(
        (each) => each.textContent.includes(key));
    const stale = document.querySelector('[data-stale="true"]');
    return facts && !stale && document.querySelectorAll('article.hit').length >= 12;
}"""


def chromium() -> str | None:
    """Return the path of the browser: the one in CHROMIUM, or Debian's; None if there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def measure(
    address: str, keys: list[str], visits: int, browser: Any
) -> tuple[list[float], list[float]]:
    """Return the seconds of visits and of searches, in the order in which they were made.

    Parameters
    ----------
    address
        Of the page.
    keys
        What is asked, one after the other.
    visits
        How often the page is opened with a new profile.
    browser
        Playwright's, already started.
    """
    opened = [_visit(address, browser) for _ in range(visits)]
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(_PATIENCE_MS)
    page.goto(address)
    box = page.get_by_role("textbox", name="Identifier or position", exact=True)
    searches = []
    for key in keys:
        box.fill(key)
        began = time.perf_counter()
        box.press("Enter")
        page.wait_for_function(_ANSWERED, arg=key.partition(":")[2])
        page.wait_for_function(_PAINTED)
        searches.append(time.perf_counter() - began)
    page.context.close()
    return opened, searches


def _visit(address: str, browser: Any) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    began = time.perf_counter()
    page.goto(address)
    page.get_by_role("textbox", name="Identifier or position", exact=True).wait_for()
    page.get_by_text("Start from one of these").wait_for()
    page.wait_for_function(_PAINTED)
    taken = time.perf_counter() - began
    context.close()
    return taken


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how long a person waits for the page.")
    parser.add_argument("index", type=Path)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--searches", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file that the result is written to, too")
    given = parser.parse_args()
    executable = chromium()
    if executable is None:
        raise SystemExit("no chromium on PATH; install it, or name it in CHROMIUM")
    from playwright.sync_api import sync_playwright

    keys = open_searcher(given.index).random_keys(given.searches, given.seed)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        with served(given.index, Path(folder) / "server.log") as up:
            opened, searches = measure(up.address, keys, given.visits, browser)
        browser.close()
    measures = {
        "first_visit_s": round(opened[0], 3),
        "visit.p50_s": round(statistics.median(opened[1:] or opened), 3),
        "search.p50_s": round(float(np.percentile(searches, 50)), 3),
        "search.p95_s": round(float(np.percentile(searches, 95)), 3),
    }
    result = {
        "benchmark": "page_speed",
        "machine": machine(),
        "visits": given.visits,
        "searches": len(searches),
        "seed": given.seed,
        "measures": measures,
    }
    return tell(result, BUDGETS, given.json)


if __name__ == "__main__":
    sys.exit(main())
