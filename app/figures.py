"""Interactive figures: the query's spectrum over a neighbour's."""

import plotly.graph_objects as go

from app.drawing import NEIGHBOUR_COLOUR, QUERY_COLOUR, Curve, scaled

__all__ = ["FIGURE_CONFIG", "spectra_figure"]

FIGURE_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


def spectra_figure(
    neighbour: Curve | None,
    query: Curve | None,
    *,
    neighbour_name: str,
    query_name: str,
    height: int = 260,
) -> go.Figure:
    """Draw the query over a neighbour against observed wavelength.

    Parameters
    ----------
    neighbour, query
        Spectra; one that is None or empty is left out.
    neighbour_name, query_name
        Names in the legend.
    height
        Pixels.

    Returns
    -------
    A figure whose flux axis holds both, each over its own median.
    """
    figure = go.Figure()
    # Both themes' text colours fit the lines' own, so the figure takes its colours from the page.
    for curve, name, colour, width in (
        (neighbour, neighbour_name, NEIGHBOUR_COLOUR, 1.4),
        (query, query_name, QUERY_COLOUR, 1.2),
    ):
        if curve is None or curve.flux.size == 0:
            continue
        figure.add_trace(
            go.Scatter(
                x=curve.wavelength_angstrom,
                y=scaled(curve.flux),
                name=name,
                mode="lines",
                line={"color": colour, "width": width},
                hovertemplate="%{x:.0f} Å · %{y:.3g}",
            )
        )
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )
    figure.update_xaxes(title="Observed wavelength (Å)", tickformat="d")
    figure.update_yaxes(title="Flux / median", zeroline=True)
    return figure
