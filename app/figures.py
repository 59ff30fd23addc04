"""Interactive figures: the query's spectrum over a neighbour's, and what neighbours say."""

import math

import numpy as np
import plotly.graph_objects as go

from app.drawing import MODEL_COLOUR, NEIGHBOUR_COLOUR, QUERY_COLOUR, SHADE_COLOUR, scaled
from app.lines import Line
from app.reconstructions import DrawnSpectrum
from app.spectra_view import Named, View, marked, seen
from indexer import NumberEstimate

__all__ = [
    "BARE_CONFIG",
    "FIGURE_CONFIG",
    "SMALL_CONFIG",
    "distribution_figure",
    "reconstruction_figure",
    "spectra_figure",
]

FIGURE_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
BARE_CONFIG = {"displayModeBar": False}
SMALL_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": [
        *("zoom2d", "pan2d", "select2d", "lasso2d"),
        *("zoomIn2d", "zoomOut2d", "autoScale2d", "toImage"),
    ],
}
"""For a figure beside the query: the way back from a zoom, and the full screen."""


def spectra_figure(
    neighbour: Named | None,
    query: Named | None,
    view: View = View(),  # noqa: B008
    *,
    height: int = 260,
) -> go.Figure:
    """Draw the query over a neighbour against wavelength.

    Parameters
    ----------
    neighbour, query
        Spectra, named in the legend; one that is None or empty is left out.
    view
        In which frame, how smooth, and whether the neighbour's lines are named: the query's where
        the neighbour's redshift is unknown.
    height
        Pixels.

    Returns
    -------
    A figure whose flux axis holds both, each over its own median.
    """
    figure = go.Figure()
    # Both themes' text colours fit the lines' own, so the figure takes its colours from the page.
    lines: tuple[Line, ...] = ()
    for named, colour, width in (
        (neighbour, NEIGHBOUR_COLOUR, 1.4),
        (query, QUERY_COLOUR, 1.2),
    ):
        if named is None or named.curve.flux.size == 0:
            continue
        shown = seen(named, view)
        lines = lines or marked(shown, view)
        curve = shown.curve
        figure.add_trace(
            go.Scatter(
                x=curve.wavelength_angstrom,
                y=scaled(curve.flux),
                name=named.name,
                mode="lines",
                line={"color": colour, "width": width},
                hovertemplate="%{x:.0f} Å · %{y:.3g}",
            )
        )
    for line in lines:
        figure.add_vline(
            x=line.wavelength_angstrom,
            line={"color": SHADE_COLOUR, "width": 1, "dash": "dot"},
            layer="below",
            name=line.name,
            annotation={"text": line.name, "font": {"size": 10}, "textangle": -90, "y": 1.0},
            annotation_position="bottom left",
        )
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )
    figure.update_xaxes(title=view.axis, tickformat="d")
    figure.update_yaxes(title="Flux / median", zeroline=True)
    return figure


def distribution_figure(
    estimate: NumberEstimate, title: str, *, known: float = math.nan, height: int = 220
) -> go.Figure:
    """Draw what labelled neighbours say of a number: one line each, as high as its weight.

    Parameters
    ----------
    estimate
        Its intervals are shaded, its median is a line.
    title
        Of the axis, with the unit.
    known
        What the catalogue says of the query itself, for comparison; NaN where it says nothing.
    height
        Pixels.
    """
    figure = go.Figure()
    for name, (low, high), opacity in (
        ("95 %", estimate.interval_95, 0.12),
        ("68 %", estimate.interval_68, 0.22),
    ):
        figure.add_vrect(
            x0=low,
            x1=high,
            fillcolor=NEIGHBOUR_COLOUR,
            opacity=opacity,
            line_width=0,
            layer="below",
            name=name,
        )
    figure.add_vline(
        x=estimate.median,
        line={"color": NEIGHBOUR_COLOUR, "width": 2, "dash": "dash"},
        name="estimate",
    )
    if math.isfinite(known):
        figure.add_vline(
            x=known,
            line={"color": QUERY_COLOUR, "width": 2},
            name="the query's catalogue",
        )
    weights = 100.0 * estimate.weights
    figure.add_trace(
        go.Scatter(
            x=[x for value in estimate.values for x in (value, value, None)],
            y=[y for weight in weights for y in (0.0, weight, None)],
            mode="lines",
            line={"color": NEIGHBOUR_COLOUR, "width": 1.6},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=estimate.values,
            y=weights,
            mode="markers",
            marker={"color": NEIGHBOUR_COLOUR, "size": 7},
            name="labelled neighbour",
            text=estimate.keys,
            hovertemplate="%{text}<br>%{x:.4g}, weight %{y:.1f} %<extra></extra>",
        )
    )
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        # Five entries would take half of a small figure: the page has its own key above it.
        showlegend=False,
    )
    # Shapes do not count when an axis finds its own range.
    shown = [*estimate.values, *estimate.interval_95, estimate.median]
    shown += [known] if math.isfinite(known) else []
    low, high = min(shown), max(shown)
    margin = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    figure.update_xaxes(title=title, range=[low - margin, high + margin], zeroline=False)
    figure.update_yaxes(title="Weight (%)", rangemode="tozero")
    return figure


def reconstruction_figure(
    shown: DrawnSpectrum, ignored: np.ndarray, *, height: int = 230
) -> go.Figure:
    """Draw what a model gives back over the spectrum that it was given.

    Parameters
    ----------
    shown
        Points of both.
    ignored
        Where the model saw nothing, shape (spans, 2), in Angstrom: shaded.
    height
        Pixels.
    """
    figure = go.Figure()
    for values, name, colour, width, opacity in (
        (shown.flux, "spectrum", QUERY_COLOUR, 0.9, 0.7),
        (shown.given_back, "given back", MODEL_COLOUR, 1.4, 1.0),
    ):
        figure.add_trace(
            go.Scatter(
                x=shown.wavelength_angstrom,
                y=values,
                name=name,
                mode="lines",
                line={"color": colour, "width": width},
                opacity=opacity,
                hovertemplate="%{y:.3g}",
            )
        )
    if len(ignored):
        # One shape for all spans: a spectrum may have thousands.
        figure.add_shape(
            type="path",
            path=" ".join(f"M{a:.2f},0 L{a:.2f},1 L{b:.2f},1 L{b:.2f},0 Z" for a, b in ignored),
            xref="x",
            yref="y domain",
            fillcolor=SHADE_COLOUR,
            opacity=0.45,
            line_width=0,
            layer="below",
            name="ignored",
        )
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 4, "t": 28, "b": 4},
        hovermode="x unified",
        hoverlabel={"font": {"size": 11}},
        # The page has its own key above it, as for `distribution_figure`.
        showlegend=False,
    )
    figure.update_xaxes(
        title="Observed wavelength (Å)", tickformat="d", hoverformat=".1f", nticks=5
    )
    figure.update_yaxes(title="Flux / median", range=_flux_range(shown), zeroline=True)
    return figure


def _flux_range(shown: DrawnSpectrum) -> list[float]:
    """Return an axis that holds the model and all but the wildest 0.5 % of pixels at either end."""
    low, high = np.nanpercentile(shown.flux, [0.5, 99.5])
    low = min(low, np.nanmin(shown.given_back))
    high = max(high, np.nanmax(shown.given_back))
    margin = 0.06 * (high - low) or 1.0
    return [float(min(low - margin, 0.0)), float(high + margin)]
