"""HTML of the page's cards. Everything that comes from data is escaped here and nowhere else."""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlsplit

from app.drawing import NEIGHBOUR_COLOUR, QUERY_COLOUR
from app.presentation import Card

__all__ = [
    "STYLE",
    "hit_html",
    "legend_html",
    "links_html",
    "notes_html",
    "picture_html",
    "query_html",
    "releases_html",
    "safe_link",
]

STYLE = """
<style>
.stMainBlockContainer { padding-top: 2.6rem; padding-bottom: 3rem; max-width: 1500px; }
.picture { display: block; width: 100%; aspect-ratio: 1; object-fit: contain;
  image-rendering: pixelated; border-radius: 4px; background: #05070a; }
.drawing { display: block; width: 100%; height: auto; }
.nothing { display: flex; align-items: center; justify-content: center; text-align: center;
  width: 100%; aspect-ratio: 1; border-radius: 4px; font-size: .8rem; opacity: .65;
  border: 1px dashed color-mix(in srgb, currentColor 30%, transparent); }
.nothing.wide { aspect-ratio: 280 / 116; }
.key { display: flex; flex-wrap: wrap; gap: 0 1rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .8rem; }
.legend i { display: inline-block; width: 1.1rem; height: 0; margin-right: .35rem;
  vertical-align: middle; border-top: 2px solid; }
.legend > span { opacity: .85; }
.st-key-files_open { padding-top: .2rem; }
.st-key-same_source button { justify-content: flex-start; padding: 0; min-height: 1.6rem; }
.st-key-same_source button p { font-size: .8rem; text-align: left; }
@media (max-width: 640px) { .st-key-query_card .picture { max-width: 220px; } }
@media (min-width: 900px) { .st-key-query_card { position: sticky; top: 3.8rem; }
  [data-testid="stColumn"]:has(.st-key-query_card) > div { height: 100%; } }
.hit { display: flex; flex-direction: column; gap: .3rem; font-size: .84rem; line-height: 1.3; }
.hit-head, .hit-foot { display: flex; align-items: baseline; justify-content: space-between;
  gap: .4rem; }
.hit-rank { font-weight: 600; }
.hit-percentile { font-variant-numeric: tabular-nums; cursor: help; white-space: nowrap; }
.hit-release { font-size: .76rem; opacity: .7; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.hit-key { font-family: "Source Code Pro", ui-monospace, monospace; font-size: .76rem;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.hit-facts { min-height: 1.1rem; opacity: .8; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.bridge { font-size: .72rem; padding: .05rem .4rem; border-radius: 999px; cursor: help;
  white-space: nowrap; background: color-mix(in srgb, currentColor 9%, transparent); }
.bridge.linked { background: color-mix(in srgb, #1f9d6b 20%, transparent); }
.bridge.aligned { background: color-mix(in srgb, #8b5cf6 22%, transparent); }
.via { flex: 1; min-width: 0; font-size: .7rem; opacity: .7; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
.links { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .84rem; }
.links a { color: inherit; text-decoration: underline; text-underline-offset: 2px; }
.hit a.source { font-size: .76rem; white-space: nowrap; color: inherit; opacity: .8;
  text-decoration: underline; text-underline-offset: 2px; }
.stHtml dl.notes { margin: 0; padding: 0; font-size: .8rem; line-height: 1.35; }
.notes dt { opacity: .65; }
.notes dd { margin: 0 0 .35rem 0; overflow-wrap: anywhere; }
.releases { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .84rem; }
.stHtml dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .8rem;
  margin: 0; padding: 0; font-size: .86rem; }
.facts dt { opacity: .65; }
.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
</style>
"""
"""Colours are mixed from the text's own, so that one sheet serves the light and the dark theme."""


def safe_link(address: str) -> str:
    """Return a web address fit for a link, or nothing if it is not one."""
    return address if urlsplit(address).scheme in ("http", "https") else ""


def picture_html(source: str, alternative: str, *, drawing: bool = False) -> str:
    """Return a picture, pixels crisp, or a drawing; an empty source gives a placeholder."""
    if not source:
        shape = "nothing wide" if drawing else "nothing"
        return f'<div class="{shape}">no preview stored</div>'
    kind = "drawing" if drawing else "picture"
    return f'<img class="{kind}" src="{escape(source)}" alt="{escape(alternative)}">'


def hit_html(card: Card, source: str, alternative: str) -> str:
    """Return one neighbour: picture, rank, percentile, key, facts, bridge and link."""
    link = safe_link(card.link)
    anchor = (
        f'<a class="source" href="{escape(link)}" target="_blank" '
        f'aria-label="Source page of {escape(card.key)}">source ↗</a>'
        if link
        else ""
    )
    through = escape(card.via)
    via = f'<span class="via" title="{through}">via {through}</span>' if through else ""
    shown = f"{card.score} · {card.percentile}" if card.percentile else card.score
    kind = card.bridge if card.bridge in ("linked", "aligned") else "same"
    return (
        f'<article class="hit" aria-label="{escape(card.name)}">'
        f"{picture_html(source, alternative, drawing=card.modality != 'image')}"
        f'<div class="hit-head"><span class="hit-rank">{card.rank}</span>'
        f'<span class="hit-percentile" title="{escape(card.percentile_title)}">'
        f"{escape(shown)}</span></div>"
        f'<div title="{escape(card.key)}"><div class="hit-release">{escape(card.release)}</div>'
        f'<div class="hit-key">{escape(card.object_id)}</div></div>'
        f'<div class="hit-facts" title="{escape(card.facts)}">{escape(card.facts) or "—"}</div>'
        f'<div class="hit-foot"><span class="bridge {kind}" title="{escape(card.bridge_title)}">'
        f"{escape(card.bridge)}</span>{via}{anchor}</div></article>"
    )


def query_html(facts: Mapping[str, str]) -> str:
    """Return named facts of the query as a list of two columns; empty ones are left out."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value
    )
    return f'<dl class="facts">{rows}</dl>'


def notes_html(notes: Mapping[str, str]) -> str:
    """Return named sentences, one below the other."""
    rows = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(text)}</dd>"
        for name, text in notes.items()
    )
    return f'<dl class="notes">{rows}</dl>'


def releases_html(releases: Mapping[str, str]) -> str:
    """Return releases with what each holds."""
    rows = "".join(
        f"<span><b>{escape(name)}</b> {escape(text)}</span>" for name, text in releases.items()
    )
    return f'<div class="releases">{rows}</div>'


def legend_html(modality: str, *, query_name: str = "") -> str:
    """Return what the numbers and the colours of the cards mean."""
    parts = []
    if modality in ("spectrum", "xp"):
        parts.append(f'<span><i style="border-color:{NEIGHBOUR_COLOUR}"></i>neighbour</span>')
        if query_name:
            parts.append(
                f'<span><i style="border-color:{QUERY_COLOUR}"></i>{escape(query_name)}</span>'
            )
    if modality == "spectrum":
        parts.append("<span>each over its own median, observed wavelengths</span>")
    if modality == "image":
        parts.append("<span>north up, east left</span>")
    parts.append(
        "<span>numbers: cosine similarity, and the share of random pairs that are less alike</span>"
    )
    return f'<div class="legend">{"".join(parts)}</div>'


def links_html(links: Mapping[str, str]) -> str:
    """Return named links to other people's pages; a link without an address is left out."""
    anchors = "".join(
        f'<a href="{escape(url)}" target="_blank">{escape(name)} ↗</a>'
        for name, url in links.items()
        if url
    )
    return f'<div class="links">{anchors}</div>'
