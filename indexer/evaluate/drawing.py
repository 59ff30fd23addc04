"""What all figures of a report have in common."""

from typing import Any

__all__ = ["COLOURS", "Figure", "empty", "error_bars"]

Figure = Any

COLOURS = {
    "exact": "#1b9e77",
    "index": "#d95f02",
    "random": "#999999",
    "published": "#7570b3",
}
_HEIGHT = 430


def empty(x: str, y: str, **layout: Any) -> Figure:
    """Return a figure with nothing but the titles of its axes."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        height=_HEIGHT,
        margin={"l": 60, "r": 20, "t": 20, "b": 60},
        xaxis_title=x,
        yaxis_title=y,
        **layout,
    )
    return figure


def error_bars(values: list[float], low: list[float], high: list[float]) -> dict[str, Any]:
    """Return bars from one end of an interval to the other, as plotly takes them."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [b - a for a, b in zip(values, high, strict=True)],
        "arrayminus": [a - b for a, b in zip(values, low, strict=True)],
    }
