"""A list as a whole: histograms, and maps of the sky that need no one's tiles or outlines."""

import math

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from app.drawing import NEIGHBOUR_COLOUR, QUERY_COLOUR, SHADE_COLOUR
from indexer.sky_regions import separation_arcsec

__all__ = ["coverage_figure", "hammer", "histogram_figure", "sky_figure"]

SMALL_FIELD_DEG = 15.0
"""A list within this is drawn as it lies, a wider one on the whole sky."""

_MARGINS = {"l": 8, "r": 8, "t": 8, "b": 8}


def histogram_figure(
    values: Float[np.ndarray, " n"], title: str, *, known: float = math.nan, height: int = 180
) -> go.Figure:
    """Draw how often values occur; those that are unknown do not count.

    Parameters
    ----------
    known
        The query's own, drawn as a line; NaN where it is unknown.
    """
    shown = values[np.isfinite(values)]
    counts, edges = np.histogram(shown, bins=min(20, max(1, math.ceil(math.sqrt(2 * len(shown))))))
    figure = go.Figure(
        go.Bar(
            x=0.5 * (edges[1:] + edges[:-1]),
            y=counts,
            width=np.diff(edges),
            customdata=np.stack([edges[:-1], edges[1:]], axis=1),
            hovertemplate="%{customdata[0]:.4g} to %{customdata[1]:.4g}: %{y}<extra></extra>",
            marker={"color": NEIGHBOUR_COLOUR},
        )
    )
    if math.isfinite(known):
        figure.add_vline(x=known, line={"color": QUERY_COLOUR, "width": 2}, name="query")
    figure.update_layout(height=height, margin=_MARGINS, showlegend=False, bargap=0.04)
    figure.update_xaxes(title=title, zeroline=False)
    figure.update_yaxes(title="Neighbours", rangemode="tozero", tickformat="d", nticks=4)
    return figure


def hammer(
    ra_deg: Float[np.ndarray, " n"], dec_deg: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return where positions lie on a map of the whole sky of equal areas (Hammer 1892).

    The map has 0h in its middle and right ascension growing to the left; it is 4 sqrt 2 wide and
    2 sqrt 2 high.
    """
    longitude = np.radians((np.asarray(ra_deg) + 180.0) % 360.0 - 180.0)
    latitude = np.radians(dec_deg)
    size = np.sqrt(1.0 + np.cos(latitude) * np.cos(0.5 * longitude))
    across = -2.0 * math.sqrt(2.0) * np.cos(latitude) * np.sin(0.5 * longitude) / size
    return across, math.sqrt(2.0) * np.sin(latitude) / size


def sky_figure(
    ra_deg: Float[np.ndarray, " n"],
    dec_deg: Float[np.ndarray, " n"],
    names: list[str],
    *,
    query: tuple[float, float] = (math.nan, math.nan),
    height: int = 260,
) -> go.Figure:
    """Draw where objects lie: their field where it is small, else the whole sky.

    Parameters
    ----------
    names
        One for each object, shown when it is pointed at.
    query
        Right ascension and declination in degrees; NaN where unknown.
    """
    placed = np.isfinite(ra_deg) & np.isfinite(dec_deg)
    ra, dec = ra_deg[placed], dec_deg[placed]
    texts = [name for name, there in zip(names, placed, strict=True) if there]
    centre = _centre(ra, dec)
    small = len(ra) > 0 and _separations_deg(ra, dec, centre).max() <= SMALL_FIELD_DEG / 2.0
    figure = go.Figure()
    if not small:
        _draw_graticule(figure)
    groups = [(ra, dec, texts, NEIGHBOUR_COLOUR, "circle", "neighbour")]
    if all(map(math.isfinite, query)):
        groups.append(
            (np.array([query[0]]), np.array([query[1]]), ["query"], QUERY_COLOUR, "x", "query")
        )
    for lon, lat, labels, colour, symbol, name in groups:
        x, y = (_around(lon, centre[0]), lat) if small else hammer(lon, lat)
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                mode="markers",
                name=name,
                text=[f"{t}<br>{a:.5f} {b:+.5f}" for t, a, b in zip(labels, lon, lat, strict=True)],
                hovertemplate="%{text}<extra></extra>",
                marker={"color": colour, "size": 8, "symbol": symbol, "opacity": 0.8},
            )
        )
    figure.update_layout(height=height, margin=_MARGINS, showlegend=False)
    if small:
        figure.update_xaxes(title="Right ascension (°)", autorange="reversed", zeroline=False)
        figure.update_yaxes(
            title="Declination (°)",
            zeroline=False,
            scaleanchor="x",
            scaleratio=1.0 / max(math.cos(math.radians(centre[1])), 0.01),
        )
    else:
        _whole_sky(figure)
    return figure


def coverage_figure(
    ra_deg: Float[np.ndarray, " n"],
    dec_deg: Float[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
    *,
    height: int = 340,
) -> go.Figure:
    """Draw how many objects lie in cells of the sky, in powers of ten.

    Parameters
    ----------
    ra_deg, dec_deg
        Centres of the cells that hold any.
    counts
        Objects in each.
    """
    figure = go.Figure()
    _draw_graticule(figure)
    x, y = hammer(ra_deg, dec_deg)
    powers = np.log10(np.maximum(counts, 1))
    top = math.ceil(float(powers.max(initial=1.0)))
    figure.add_trace(
        go.Scattergl(
            x=x,
            y=y,
            mode="markers",
            text=[
                f"{a:.1f} {b:+.1f}: {n:,}"
                for a, b, n in zip(ra_deg, dec_deg, counts.astype(int), strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "color": powers,
                "cmin": 0.0,
                "cmax": top,
                "colorscale": "Viridis",
                "size": 5,
                "symbol": "square",
                "colorbar": {
                    "title": "objects",
                    "tickvals": list(range(top + 1)),
                    "ticktext": [f"{10**power:,}" for power in range(top + 1)],
                    "thickness": 12,
                },
            },
        )
    )
    figure.update_layout(height=height, margin=_MARGINS, showlegend=False)
    _whole_sky(figure)
    return figure


def _whole_sky(figure: go.Figure) -> None:
    figure.update_xaxes(visible=False, range=[-2.95, 2.95])
    figure.update_yaxes(visible=False, range=[-1.5, 1.5], scaleanchor="x", scaleratio=1.0)


def _draw_graticule(figure: go.Figure) -> None:
    lines: list[tuple[np.ndarray, np.ndarray]] = []
    along = np.linspace(-90.0, 90.0, 61)
    for lon in (-179.999, -120.0, -60.0, 0.0, 60.0, 120.0, 179.999):
        lines.append(hammer(np.full(61, lon), along))
    across = np.linspace(-179.999, 179.999, 121)
    for lat in (-60.0, -30.0, 0.0, 30.0, 60.0):
        lines.append(hammer(across, np.full(121, lat)))
    gap = np.array([np.nan])
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([part for x, _ in lines for part in (x, gap)]),
            y=np.concatenate([part for _, y in lines for part in (y, gap)]),
            mode="lines",
            name="graticule",
            line={"color": SHADE_COLOUR, "width": 0.6},
            opacity=0.6,
            hoverinfo="skip",
        )
    )
    hours = {"12h": 179.999, "8h": 120.0, "4h": 60.0, "0h": 0.0, "20h": -60.0, "16h": -120.0}
    x, y = hammer(np.array(list(hours.values())), np.zeros(len(hours)))
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="text",
            name="hours",
            text=list(hours),
            textposition="bottom right",
            textfont={"size": 10, "color": SHADE_COLOUR},
            hoverinfo="skip",
        )
    )


def _centre(ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[float, float]:
    """Return the direction of the mean of unit vectors."""
    if not len(ra_deg):
        return 0.0, 0.0
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    x, y, z = (np.cos(dec) * np.cos(ra)).mean(), (np.cos(dec) * np.sin(ra)).mean(), np.sin(dec)
    return (
        math.degrees(math.atan2(y, x)) % 360.0,
        math.degrees(math.atan2(z.mean(), math.hypot(x, y))),
    )


def _separations_deg(
    ra_deg: np.ndarray, dec_deg: np.ndarray, centre: tuple[float, float]
) -> np.ndarray:
    return separation_arcsec(ra_deg, dec_deg, centre) / 3600.0


def _around(ra_deg: np.ndarray, centre: float) -> np.ndarray:
    """Return right ascensions near that of the centre, through 0h without a jump."""
    return centre + (ra_deg - centre + 180.0) % 360.0 - 180.0
