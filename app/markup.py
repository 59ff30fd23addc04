"""HTML of the page's cards. Everything that comes from data is escaped here and nowhere else."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import urlsplit

from app.drawing import MODEL_COLOUR, NEIGHBOUR_COLOUR, QUERY_COLOUR, SHADE_COLOUR
from app.presentation import Card
from app.properties import PropertyRow, Share
from app.verdicts import GAUGE, GAUGE_TICKS, VerdictWords

__all__ = [
    "STYLE",
    "distribution_key_html",
    "hit_html",
    "legend_html",
    "links_html",
    "notes_html",
    "picture_html",
    "properties_html",
    "query_html",
    "reconstruction_key_html",
    "releases_html",
    "safe_link",
    "shares_html",
    "table_html",
    "verdict_html",
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
.legend i.upright { width: 0; height: .9rem; margin: 0 .45rem 0 .2rem; border-top: 0;
  border-left: 2px solid; }
.legend i.dot { width: .5rem; height: .5rem; border: 0; border-radius: 50%; }
.legend i.shade { width: .9rem; height: .7rem; border: 0; border-radius: 2px; }
.st-key-files_open { padding-top: .2rem; }
.st-key-same_source button { justify-content: flex-start; padding: 0; min-height: 1.6rem; }
.st-key-same_source button p { font-size: .8rem; text-align: left; }
@media (max-width: 640px) { .st-key-query_card .picture { max-width: 220px; }
  .st-key-headline > :first-child { flex: 1 1 100% !important; } }
@media (min-width: 900px) { .st-key-query_card { position: sticky; top: 3.8rem;
  max-height: calc(100vh - 4.6rem); overflow-y: auto; }
  .st-key-query_card:has([data-title="Close fullscreen"]) { z-index: 1000050; }
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
.hit details { font-size: .76rem; }
.hit summary { cursor: pointer; opacity: .8; }
.folded { font-size: .76rem; opacity: .8; cursor: help; }
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
.verdict { --tone: #8a929c; font-size: .84rem; line-height: 1.35; padding: .5rem .65rem;
  border-radius: 6px; border-left: 4px solid var(--tone);
  background: color-mix(in srgb, var(--tone) 11%, transparent); }
.verdict.in { --tone: #1f9d6b; }
.verdict.unusual { --tone: #c98a10; }
.verdict.out { --tone: #d64545; }
.verdict-head { display: flex; align-items: center; gap: .45rem; font-weight: 650; }
.verdict-mark { flex: none; display: inline-flex; align-items: center; justify-content: center;
  width: 1.15rem; height: 1.15rem; border-radius: 50%; font-size: .74rem; font-weight: 700;
  border: 2px solid var(--tone); }
.gauge { position: relative; display: flex; gap: 2px; height: 6px; margin: .6rem 0 0; }
.gauge span { border-radius: 2px; opacity: .75; }
.gauge .in { background: #1f9d6b; }
.gauge .unusual { background: #c98a10; }
.gauge .out { background: #d64545; }
.gauge i { position: absolute; top: -4px; width: 4px; height: 14px; margin-left: -2px;
  border-radius: 2px; background: currentColor; }
.gauge-ticks { position: relative; height: 1rem; margin-bottom: .25rem; font-size: .68rem;
  font-variant-numeric: tabular-nums; opacity: .75; }
.gauge-ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.gauge-ticks span:first-child { transform: none; }
.stHtml table.properties { width: 100%; margin: 0; border-collapse: collapse; font-size: .86rem;
  line-height: 1.3; font-variant-numeric: tabular-nums; }
.properties th, .properties td { padding: .32rem .7rem .32rem 0; text-align: left;
  vertical-align: top; border: 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.properties thead th { font-size: .76rem; font-weight: 500; opacity: .7; }
.properties tbody th { font-weight: 500; }
.properties td.estimate { font-weight: 650; }
.properties small { display: block; font-size: .74rem; font-weight: 400; opacity: .7; }
.properties tr.none td.estimate { font-weight: 400; font-style: italic; opacity: .8; }
@media (max-width: 640px) {
  .properties thead { display: none; }
  .properties, .properties tbody { display: block; }
  .properties tr { display: grid; grid-template-columns: 1fr 1fr; gap: .1rem .8rem;
    padding: .45rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
  .properties th, .properties td { border: 0; padding: 0; }
  .properties tr.none td.reason, .properties td.neighbours { grid-column: 1 / -1; }
  .properties td.neighbours { font-size: .78rem; opacity: .8; }
  .properties td.neighbours small { display: inline; font-size: inherit; opacity: 1; }
  .properties td.neighbours small::before { content: ", "; }
  .properties td:empty { display: none; }
  .properties td[data-label]::before { content: attr(data-label); display: block;
    font-size: .72rem; font-weight: 400; opacity: .65; }
}
.wide { overflow-x: auto; }
.stHtml table.plain { margin: 0; border-collapse: collapse; font-size: .84rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
.plain caption { caption-side: top; text-align: left; font-size: .8rem; opacity: .75;
  padding-bottom: .2rem; }
.plain th, .plain td { padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top;
  border: 0; border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.plain thead th { font-weight: 500; opacity: .7; }
.shares { font-size: .86rem; line-height: 1.3; }
.shares-title { font-size: .8rem; opacity: .75; margin-bottom: .25rem; }
.stHtml .shares ul { list-style: none; margin: 0 0 .8rem; padding: 0; }
.stHtml .shares li { display: grid; grid-template-columns: minmax(5rem, 9rem) 1fr 3.2rem;
  gap: .6rem; align-items: center; margin: 0; padding: .12rem 0; font-size: .86rem; }
.shares li span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.shares li b { font-weight: 500; text-align: right; font-variant-numeric: tabular-nums; }
.shares .bar { height: .7rem; border-radius: 3px;
  background: color-mix(in srgb, currentColor 9%, transparent); }
.shares .bar i { display: block; height: 100%; border-radius: 3px; background: #2f7fd1; }
</style>
"""
"""Colours are mixed from the text's own, so that one sheet serves the light and the dark theme.
What sticks is a layer of its own: a figure that fills the screen must lift the card it is in."""


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


def hit_html(
    card: Card,
    source: str,
    alternative: str,
    *,
    raw: bool = False,
    pages: Mapping[str, str] | None = None,
) -> str:
    """Return one neighbour: picture, rank, percentile, key, facts, bridge and links.

    Parameters
    ----------
    card, source, alternative
        The neighbour, and its picture with its text.
    raw
        Show the cosine beside the percentile, which stands alone otherwise.
    pages
        Addresses elsewhere by name, behind a fold.
    """
    link = safe_link(card.link)
    anchor = (
        f'<a class="source" href="{escape(link)}" target="_blank" '
        f'aria-label="Source page of {escape(card.key)}">source ↗</a>'
        if link
        else ""
    )
    through = escape(card.via)
    via = f'<span class="via" title="{through}">via {through}</span>' if through else ""
    others = (
        f'<div class="folded" title="{escape(card.folded_title)}">{escape(card.folded)}</div>'
        if card.folded
        else ""
    )
    both = f"{card.score} · {card.percentile}" if raw else card.percentile
    shown = both if card.percentile else card.score
    elsewhere = (
        f"<details><summary>elsewhere</summary>{links_html(pages)}</details>" if pages else ""
    )
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
        f"{others}"
        f'<div class="hit-foot"><span class="bridge {kind}" title="{escape(card.bridge_title)}">'
        f"{escape(card.bridge)}</span>{via}{anchor}</div>{elsewhere}</article>"
    )


def query_html(facts: Mapping[str, str]) -> str:
    """Return named facts of the query as a list of two columns; empty ones are left out."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value
    )
    return f'<dl class="facts">{rows}</dl>'


def table_html(caption: str, rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows with the same names as a table, which scrolls where it is too wide."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row.values()) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table class="plain"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


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


def legend_html(modality: str, *, query_name: str = "", raw: bool = False) -> str:
    """Return what the numbers and the colours of the cards mean; `raw` as in `hit_html`."""
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
    share = "the share of random pairs that are less alike"
    parts.append(f"<span>numbers: {f'cosine similarity, and {share}' if raw else share}</span>")
    return f'<div class="legend">{"".join(parts)}</div>'


def links_html(links: Mapping[str, str]) -> str:
    """Return named links to other people's pages; a link without an address is left out."""
    anchors = "".join(
        f'<a href="{escape(url)}" target="_blank">{escape(name)} ↗</a>'
        for name, url in links.items()
        if url
    )
    return f'<div class="links">{anchors}</div>'


def verdict_html(verdict: VerdictWords) -> str:
    """Return the verdict: its name, a scale with the query's place on it, and a sentence."""
    scale = ""
    if math.isfinite(verdict.place):
        kinds = ("in", "unusual", "out")
        parts = "".join(
            f'<span class="{kind}" style="width:{width:g}%"></span>'
            for kind, width in zip(kinds, GAUGE.values(), strict=True)
        )
        ticks = "".join(
            f'<span style="left:{place:g}%">{escape(tick)}</span>'
            for tick, place in GAUGE_TICKS.items()
        )
        # The sentence below says the same in words.
        scale = (
            f'<div aria-hidden="true"><div class="gauge">{parts}'
            f'<i style="left:{verdict.place:g}%"></i></div>'
            f'<div class="gauge-ticks">{ticks}</div></div>'
        )
    return (
        f'<section class="verdict {escape(verdict.kind)}" aria-label="Verdict">'
        f'<div class="verdict-head"><span class="verdict-mark" aria-hidden="true">'
        f"{escape(verdict.mark)}</span><span>{escape(verdict.title)}</span></div>{scale}"
        f"<div>{escape(verdict.text)}</div></section>"
    )


def properties_html(rows: Sequence[PropertyRow]) -> str:
    """Return properties as a table, which becomes a list where there is no room for one."""
    head = "".join(
        f'<th scope="col">{escape(name)}</th>'
        for name in ("Property", "Estimate", "68 % interval", "95 % interval", "Neighbours")
    )
    body = "".join(_property_html(row) for row in rows)
    return f'<table class="properties"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _property_html(row: PropertyRow) -> str:
    title = f'<th scope="row">{escape(row.title)}</th>'
    estimate = f'<td class="estimate">{escape(row.estimate)}{_small(row.estimate_note)}</td>'
    if row.reason:
        return (
            f'<tr class="none">{title}{estimate}'
            f'<td class="reason" colspan="3"><small>{escape(row.reason)}</small></td></tr>'
        )
    cells = "".join(
        f'<td data-label="{label}">{escape(words)}{_small(note)}</td>' if words else "<td></td>"
        for label, words, note in (
            ("68 % interval", row.inner, row.inner_note),
            ("95 % interval", row.outer, row.outer_note),
        )
    )
    neighbours = (
        f'<td class="neighbours">{escape(row.labelled)} labelled'
        f"{_small(f'{row.effective} effective')}</td>"
    )
    return f"<tr>{title}{estimate}{cells}{neighbours}</tr>"


def _small(note: str) -> str:
    return f"<small>{escape(note)}</small>" if note else ""


def shares_html(title: str, shares: Sequence[Share]) -> str:
    """Return classes with bars as long as their shares."""
    rows = "".join(
        f'<li><span title="{escape(each.name)}">{escape(each.name)}</span>'
        f'<span class="bar"><i style="width:{100.0 * each.share:.1f}%"></i></span>'
        f"<b>{escape(each.percent)}</b></li>"
        for each in shares
    )
    return (
        f'<div class="shares"><div class="shares-title">{escape(title)}</div><ul>{rows}</ul></div>'
    )


def distribution_key_html(known_name: str = "") -> str:
    """Return what the colours and lines of `app.figures.distribution_figure` mean.

    Parameters
    ----------
    known_name
        What the line of the query's own value is called; empty where there is none.
    """
    parts = [
        f'<span><i class="dot" style="background:{NEIGHBOUR_COLOUR}"></i>labelled neighbour</span>',
        f'<span><i class="upright" style="border-left-style:dashed;'
        f'border-color:{NEIGHBOUR_COLOUR}"></i>estimate</span>',
        _shade_html(NEIGHBOUR_COLOUR, 34, "68 %"),
        _shade_html(NEIGHBOUR_COLOUR, 12, "95 %"),
    ]
    if known_name:
        parts.append(
            f'<span><i class="upright" style="border-color:{QUERY_COLOUR}"></i>'
            f"{escape(known_name)}</span>"
        )
    return f'<div class="legend">{"".join(parts)}</div>'


def reconstruction_key_html(*, ignored: bool) -> str:
    """Return what the colours of `app.figures.reconstruction_figure` mean."""
    parts = [
        f'<span><i style="border-color:{QUERY_COLOUR}"></i>spectrum</span>',
        f'<span><i style="border-color:{MODEL_COLOUR}"></i>what the model gives back</span>',
    ]
    if ignored:
        parts.append(_shade_html(SHADE_COLOUR, 45, "ignored"))
    return f'<div class="legend">{"".join(parts)}</div>'


def _shade_html(colour: str, percent: int, name: str) -> str:
    mixed = f"color-mix(in srgb, {colour} {percent}%, transparent)"
    return f'<span><i class="shade" style="background:{mixed}"></i>{escape(name)}</span>'
