"""Figures of a report, as plotly draws them. Pure: what a suite kept -> a figure."""

from collections.abc import Mapping, Sequence
from typing import Any

from indexer.evaluate.discovery_figures import discovery_figures
from indexer.evaluate.drawing import COLOURS, empty
from indexer.evaluate.published import RETRIEVAL

__all__ = ["confusion", "figures_of", "ndcg_bars", "predicted", "rank_curves", "recall_latency"]

Figure = Any

_BASELINE = "#66a61e"
_NAMES = {"exact": "exact", "index": "through the index", "random": "random"}


def figures_of(suite: str, kept: Mapping[str, Any]) -> list[tuple[str, Figure]]:
    """Return the figures of a suite, each with its title; none where nothing was measured."""
    del suite
    drawn: list[tuple[str, Figure]] = []
    if kept.get("recall_against_latency"):
        drawn.append(("Recall against latency", recall_latency(kept["recall_against_latency"])))
    if kept.get("ndcg"):
        for looked_for in dict.fromkeys(each["looked_for"] for each in kept["ndcg"]):
            bars = [each for each in kept["ndcg"] if each["looked_for"] == looked_for]
            drawn.append((f"nDCG@10, {looked_for}", ndcg_bars(bars, looked_for)))
    if kept.get("ranks"):
        for direction in dict.fromkeys(each["direction"] for each in kept["ranks"]):
            curves = [each for each in kept["ranks"] if each["direction"] == direction]
            title = f"Rank of the partner, {direction.replace('_', ' ')}"
            drawn.append((title, rank_curves(curves)))
    for each in kept.get("predicted", ()):
        drawn.append((f"Redshift from neighbours: {each['direction']}", predicted(each)))
    for each in kept.get("confusion", ()):
        drawn.append((f"{each['label']}: {each['direction']}", confusion(each)))
    return drawn + discovery_figures(kept)


def recall_latency(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw recall@10 over the median latency of one query, one line a file and depth."""
    figure = empty("latency of one query, ms (bar to the 95th percentile)", "recall@10")
    figure.update_xaxes(type="log")
    for curve in curves:
        for depth in dict.fromkeys(point["depth"] for point in curve["points"]):
            points = [point for point in curve["points"] if point["depth"] == depth]
            name = curve["name"] + (f", depth {depth}" if len(points) > 1 else "")
            figure.add_scatter(
                x=[point["p50_ms"] for point in points],
                y=[point["recall"] for point in points],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [point["p95_ms"] - point["p50_ms"] for point in points],
                    "arrayminus": [0.0 for _ in points],
                    "thickness": 1,
                    "width": 2,
                },
                text=[point["setting"] for point in points],
                hovertemplate="%{text}<br>%{x:.3g} ms, recall %{y:.4f}",
                mode="lines+markers",
                name=name,
            )
    return figure


def ndcg_bars(bars: Sequence[Mapping[str, Any]], looked_for: str) -> Figure:
    """Draw nDCG@10 (exponential gain) of every arm, and the published values beside them."""
    figure = empty("", "nDCG@10", barmode="group")
    groups = [f"{each['direction']}<br>{each['arm']}" for each in bars]
    for way in dict.fromkeys(each["way"] for each in bars):
        at = [number for number, each in enumerate(bars) if each["way"] == way]
        values = [bars[number]["value"] for number in at]
        figure.add_bar(
            x=[groups[number] for number in at],
            y=values,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [bars[n]["high"] - bars[n]["value"] for n in at],
                "arrayminus": [bars[n]["value"] - bars[n]["low"] for n in at],
            },
            name=_NAMES.get(way, way),
            marker_color=COLOURS.get(way, _BASELINE),
        )
    published = [each for each in RETRIEVAL[looked_for] if not each.task]
    figure.add_bar(
        x=[f"published,<br>real surveys:<br>{each.system}" for each in published],
        y=[each.value for each in published],
        name="published",
        marker_color=COLOURS["published"],
    )
    return figure


def rank_curves(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the share of queries whose partner has at most a rank, for the largest gallery."""
    largest = max(curve["size"] for curve in curves)
    figure = empty(f"rank of the partner, of {largest}", "share of queries")
    figure.update_xaxes(type="log")
    dashes = {"exact": "solid", "index": "dash", "random": "dot"}
    for curve in curves:
        if curve["size"] == largest:
            figure.add_scatter(
                x=curve["rank"],
                y=curve["share"],
                mode="lines",
                line={"dash": dashes[curve["mode"]]},
                name=f"{curve['arm']}, {_NAMES[curve['mode']]} (median {curve['median']:g})",
            )
    return figure


def predicted(kept: Mapping[str, Any]) -> Figure:
    """Draw predicted over true redshifts, with the line of agreement."""
    figure = empty("true redshift", "redshift from neighbours")
    figure.add_scattergl(
        x=kept["true"],
        y=kept["predicted"],
        mode="markers",
        marker={"size": 4, "opacity": 0.5, "color": COLOURS["index"]},
        name=kept["arm"],
    )
    highest = max([0.0, *kept["true"], *kept["predicted"]])
    figure.add_scatter(
        x=[0.0, highest],
        y=[0.0, highest],
        mode="lines",
        line={"color": "#555555", "width": 1},
        name="agreement",
    )
    return figure


def confusion(kept: Mapping[str, Any]) -> Figure:
    """Draw how often each class is taken for each: shares of the true class, with counts."""
    names, counts = kept["names"], kept["counts"]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    figure = empty("class of most neighbours", "true class")
    figure.add_heatmap(
        x=names,
        y=names,
        z=shares,
        text=counts,
        texttemplate="%{text}",
        colorscale="Blues",
        zmin=0.0,
        zmax=1.0,
        colorbar={"title": "share"},
    )
    figure.update_yaxes(autorange="reversed")
    return figure
