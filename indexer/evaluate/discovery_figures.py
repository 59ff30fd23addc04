"""Figures of suite G. Pure: what it kept -> figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from indexer.evaluate.drawing import COLOURS, Figure, empty, error_bars

__all__ = ["discovery_figures"]

_LINE = {"color": "#555555", "width": 1}


def discovery_figures(kept: Mapping[str, Any]) -> list[tuple[str, Figure]]:
    """Return the figures, each with its title; none where nothing was measured."""
    drawn: list[tuple[str, Figure]] = []
    if kept.get("coverage"):
        drawn.append(("Coverage of intervals", coverage(kept["coverage"])))
    if kept.get("reliability"):
        title = "Probability of a class, and how often it is right"
        drawn.append((title, reliability_curves(kept["reliability"])))
    if kept.get("enrichment"):
        drawn.append(("Found among the most discordant", found_curves(kept["enrichment"])))
    if kept.get("alarms"):
        drawn.append(("Verdicts on changed observations", alarm_bars(kept["alarms"])))
    for release in dict.fromkeys(each["direction"] for each in kept.get("feedback", ())):
        bars = [each for each in kept["feedback"] if each["direction"] == release]
        drawn.append((f"Average precision after marking, {release}", feedback_bars(bars)))
    for modality in dict.fromkeys(each["direction"] for each in kept.get("pit", ())):
        shares = [each for each in kept["pit"] if each["direction"] == modality]
        drawn.append((f"PIT of redshifts: {modality}", pit_bars(shares)))
    return drawn


def coverage(points: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the share of truths inside intervals, with what it ought to be."""
    figure = empty("", "share of truths inside")
    for nominal in dict.fromkeys(each["nominal"] for each in points):
        mine = [each for each in points if each["nominal"] == nominal]
        values, low, high = ([each[name] for each in mine] for name in ("value", "low", "high"))
        figure.add_scatter(
            x=[each["what"] for each in mine],
            y=values,
            error_y=error_bars(values, low, high),
            mode="markers",
            name=f"{100 * nominal:g} %",
        )
        figure.add_hline(y=nominal, line=_LINE)
    return figure


def reliability_curves(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw how often a class is right over the probability that is stated."""
    figure = empty("stated probability of the best class", "how often it is right")
    for curve in curves:
        figure.add_scatter(
            x=[each["stated"] for each in curve["bins"]],
            y=[each["observed"] for each in curve["bins"]],
            text=[f"{each['objects']} objects" for each in curve["bins"]],
            mode="lines+markers",
            name=curve["what"],
        )
    figure.add_scatter(x=[0.0, 1.0], y=[0.0, 1.0], mode="lines", line=_LINE, name="as stated")
    return figure


def found_curves(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the share of what is rare that is found, over the share of all that is looked at."""
    figure = empty("share of all sources looked at", "share found")
    for curve in curves:
        figure.add_scatter(x=curve["looked_at"], y=curve["found"], mode="lines", name=curve["kind"])
    figure.add_scatter(x=[0.0, 1.0], y=[0.0, 1.0], mode="lines", line=_LINE, name="random")
    return figure


def alarm_bars(bars: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the share that is called out of distribution, or at least unusual."""
    figure = empty("", "share", barmode="group")
    names = [f"{each['direction']}:<br>{each['what']}" for each in bars]
    for level, name in (("out", "out of distribution"), ("unusual", "at least unusual")):
        values, low, high = ([each[level][at] for each in bars] for at in range(3))
        figure.add_bar(x=names, y=values, error_y=error_bars(values, low, high), name=name)
    return figure


def feedback_bars(bars: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw average precision of every way to ask again, a group a kind and number of marks."""
    figure = empty("", "average precision", barmode="group")
    for way in dict.fromkeys(each["way"] for each in bars):
        mine = [each for each in bars if each["way"] == way]
        values, low, high = ([each[name] for each in mine] for name in ("value", "low", "high"))
        figure.add_bar(
            x=[f"{each['kind']}<br>{each['marked']} marked" for each in mine],
            y=values,
            error_y=error_bars(values, low, high),
            name=way,
        )
    return figure


def pit_bars(shares: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw histograms of the PIT: flat if distributions are right."""
    figure = empty("probability below the truth", "share of sources", barmode="group")
    for each in shares:
        count = len(each["shares"])
        figure.add_bar(
            x=[(at + 0.5) / count for at in range(count)], y=each["shares"], name=each["arm"]
        )
    if shares:
        figure.add_hline(y=1.0 / len(shares[0]["shares"]), line={"color": COLOURS["random"]})
    return figure
