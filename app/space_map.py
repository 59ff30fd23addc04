"""The map of a space: what is known of its objects, how it is drawn, and what was picked on it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float64

from app.presentation import class_words
from indexer import Searcher
from indexer.space_maps import SpaceMap

__all__ = ["COLOURS", "MOST_POINTS", "KnownMap", "known_map", "map_figure", "picked_places"]

MOST_POINTS = 8_000
"""Objects that are drawn one by one; the density below them is of all."""

MOST_CLASSES = 9
OTHERS, UNKNOWN = "others", "unknown"
COLOURS = ("class", "release", "redshift", "magnitude")

_BINS = 120
_EDGE = 1.06
_PALETTE = (
    *("#4c78a8", "#f58518", "#54a24b", "#e45756", "#b279a2"),
    *("#72b7b2", "#eeca3b", "#ff9da6", "#9d755d"),
)
_GREY = "#8a8f98"


@dataclass(frozen=True, eq=False)
class KnownMap:
    """A map and what the catalogue knows of its objects.

    Attributes
    ----------
    places
        Where they lie.
    keys
        Of each.
    redshift, magnitude
        NaN where unknown.
    classes
        Empty where unknown.
    """

    places: SpaceMap
    keys: tuple[str, ...]
    redshift: Float64[np.ndarray, " n"]
    magnitude: Float64[np.ndarray, " n"]
    classes: tuple[str, ...]

    @property
    def drawn(self) -> np.ndarray[Any, Any]:
        """Places of those that are drawn one by one: evenly picked."""
        count = len(self.keys)
        return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(np.int64))


def known_map(searcher: Searcher, space: str) -> KnownMap | None:
    """Return the map of a space with what is known of its objects; None without one."""
    found = searcher.index.map_of(space)
    if found is None:
        return None
    keys = np.empty(len(found), object)
    classes = np.empty(len(found), object)
    numbers = {name: np.full(len(found), np.nan) for name in ("redshift", "magnitude")}
    for code, release in enumerate(found.releases):
        segment = searcher.index.segment(release)
        at = np.flatnonzero(found.release == code)
        rows = segment.rows.take(found.row[at])
        keys[at] = [f"{release}:{name}" for name in rows.column("object_id").to_pylist()]
        classes[at] = [str(name or "") for name in rows.column("object_class").to_pylist()]
        for name, values in numbers.items():
            values[at] = rows.column(name).to_numpy(zero_copy_only=False)
    return KnownMap(found, tuple(keys), numbers["redshift"], numbers["magnitude"], tuple(classes))


def map_figure(known: KnownMap, colour: str, *, height: int = 620) -> go.Figure:
    """Draw a map: the density of all objects, and some of them as points that can be picked.

    Parameters
    ----------
    colour
        One of `COLOURS`.
    """
    figure = go.Figure()
    places, drawn = known.places, known.drawn
    edges = np.linspace(-_EDGE, _EDGE, _BINS + 1)
    counts, _, _ = np.histogram2d(places.x, places.y, bins=(edges, edges))
    centres = 0.5 * (edges[1:] + edges[:-1])
    figure.add_trace(
        go.Heatmap(
            x=centres,
            y=centres,
            z=np.where(counts.T > 0, np.log10(np.maximum(counts.T, 1.0)) + 1.0, np.nan),
            colorscale=[[0.0, "rgba(128,140,160,0.10)"], [1.0, "rgba(128,140,160,0.55)"]],
            showscale=False,
            hoverinfo="skip",
            name="density",
        )
    )
    if colour in ("redshift", "magnitude"):
        _draw_numbers(figure, known, drawn, getattr(known, colour), colour)
    else:
        names = (
            known.classes if colour == "class" else tuple(k.partition(":")[0] for k in known.keys)
        )
        _draw_groups(figure, known, drawn, names)
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        dragmode="lasso",
        legend={"itemsizing": "constant", "orientation": "h", "y": -0.02},
    )
    figure.update_xaxes(visible=False, range=[-_EDGE, _EDGE])
    figure.update_yaxes(visible=False, range=[-_EDGE, _EDGE], scaleanchor="x")
    return figure


def _draw_groups(
    figure: go.Figure, known: KnownMap, drawn: np.ndarray[Any, Any], names: tuple[str, ...]
) -> None:
    shown = [class_words(names[place]) or UNKNOWN for place in drawn]
    frequent = [name for name, _ in Counter(shown).most_common() if name != UNKNOWN][:MOST_CLASSES]
    groups = np.array([name if name in (*frequent, UNKNOWN) else OTHERS for name in shown], object)
    colours = dict(zip(frequent, _PALETTE, strict=False)) | {OTHERS: _GREY, UNKNOWN: _GREY}
    for name in (*frequent, OTHERS, UNKNOWN):
        members = drawn[groups == name]
        if len(members):
            figure.add_trace(_points(known, members, name, {"color": colours[name]}))


def _draw_numbers(
    figure: go.Figure,
    known: KnownMap,
    drawn: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any],
    title: str,
) -> None:
    finite = np.isfinite(values[drawn])
    if (~finite).any():
        figure.add_trace(_points(known, drawn[~finite], UNKNOWN, {"color": _GREY}))
    if finite.any():
        some = values[drawn[finite]]
        low, high = np.quantile(some, [0.02, 0.98])
        marker = {
            "color": some,
            "cmin": float(low),
            "cmax": float(max(high, low + 1e-6)),
            "colorscale": "Viridis",
            "colorbar": {"title": title, "thickness": 12},
        }
        figure.add_trace(_points(known, drawn[finite], title, marker))


def _points(
    known: KnownMap, members: np.ndarray[Any, Any], name: str, marker: dict[str, Any]
) -> go.Scattergl:
    return go.Scattergl(
        x=known.places.x[members],
        y=known.places.y[members],
        mode="markers",
        name=name,
        customdata=members,
        text=[known.keys[place] for place in members],
        hovertemplate="%{text}<extra></extra>",
        marker={"size": 5, "opacity": 0.75, **marker},
    )


def picked_places(event: object, count: int) -> list[int]:
    """Return which of `count` objects were picked, as they were; nothing where none was.

    Parameters
    ----------
    event
        What `st.plotly_chart` returns with ``on_select``. The browser makes it, so nothing of it is
        believed.
    """
    points = getattr(getattr(event, "selection", None), "points", None) or []
    found = []
    for point in points:
        place = point.get("customdata")
        place = place[0] if isinstance(place, list) and place else place
        if isinstance(place, int | float) and 0 <= place < count:
            found.append(int(place))
    return list(dict.fromkeys(found))
