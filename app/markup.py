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
