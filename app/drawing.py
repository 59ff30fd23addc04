"""Small pictures of spectra and coefficients, as SVG that reads well on light and on dark."""

import base64
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float

__all__ = [
    "MODEL_COLOUR",
    "NEIGHBOUR_COLOUR",
    "QUERY_COLOUR",
    "SHADE_COLOUR",
    "Curve",
    "coefficients_svg",
    "data_uri",
    "scaled",
    "spectrum_svg",
]

QUERY_COLOUR = "#d9741a"
NEIGHBOUR_COLOUR = "#2f7fd1"
MODEL_COLOUR = "#8b5cf6"
AXIS_COLOUR = "#8a929c"
SHADE_COLOUR = AXIS_COLOUR
"""Chosen for 3:1 contrast at least on both grounds: an `img` cannot see the theme of the page."""

FRAME = (4.0, 6.0, 4.0, 22.0)
"""Left, top, right and bottom margins in pixels."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A spectrum to draw: wavelengths in Angstrom, ascending, and flux in any unit."""

    wavelength_angstrom: Float[np.ndarray, " n"]
    flux: Float[np.ndarray, " n"]

    def __post_init__(self) -> None:
        wavelength = np.asarray(self.wavelength_angstrom, np.float64)
        flux = np.asarray(self.flux, np.float64)
        if wavelength.ndim != 1 or wavelength.shape != flux.shape:
            raise ValueError(
                f"a curve needs as many wavelengths as fluxes, got {wavelength.shape} and "
                f"{flux.shape}"
            )
        good = np.isfinite(wavelength) & np.isfinite(flux)
        object.__setattr__(self, "wavelength_angstrom", wavelength[good])
        object.__setattr__(self, "flux", flux[good])


def scaled(flux: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return flux over its median absolute value: shapes compare, brightness does not.

    An empty or all-zero spectrum comes back unchanged.
    """
    values = np.asarray(flux, np.float64)
    typical = float(np.median(np.abs(values))) if values.size else 0.0
    return values / typical if typical > 0 else values.copy()


def data_uri(content: bytes, media_type: str) -> str:
    """Return the content as an address that needs no request."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _binned(curve: Curve, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Average into at most `count` points: more than the pixels drawn only cost time."""
    size = curve.flux.size
    if size <= count:
        return curve.wavelength_angstrom, scaled(curve.flux)
    edges = np.linspace(0, size, count + 1).astype(int)[:-1]
    widths = np.diff(np.append(edges, size))
    return (
        np.add.reduceat(curve.wavelength_angstrom, edges) / widths,
        np.add.reduceat(scaled(curve.flux), edges) / widths,
    )


def _polyline(x: np.ndarray, y: np.ndarray, colour: str, width: float, opacity: float) -> str:
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-opacity="{opacity}" stroke-linejoin="round"/>'
    )


def _document(width: int, height: int, parts: list[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="Source Sans, Helvetica, Arial, '
        f'sans-serif" font-size="12"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _ticks(first: float, last: float) -> list[float]:
    """Round wavelengths, four to six of them."""
    for step in (100, 200, 250, 500, 1000, 2000, 2500, 5000, 10000):
        if (last - first) / step <= 6:
            return [float(t) for t in np.arange(np.ceil(first / step) * step, last + 1e-6, step)]
    return [first, last]


def spectrum_svg(
    neighbour: Curve,
    query: Curve | None = None,
    *,
    title: str,
    width: int = 280,
    height: int = 116,
) -> str:
    """Draw a spectrum over its wavelength axis in Angstrom, with the query's over it.

    Each curve is drawn relative to its own median, on a flux axis that holds 99 % of both. The
    wavelength axis is the neighbour's.

    Returns
    -------
    An SVG document; without any finite flux it says so.
    """
    left, top, right, bottom = FRAME
    if neighbour.flux.size < 2:
        text = f'<text x="{width / 2}" y="{height / 2}" fill="{AXIS_COLOUR}" text-anchor="middle">'
        return _document(width, height, [text, "no finite flux</text>"], title)
    first, last = (float(w) for w in neighbour.wavelength_angstrom[[0, -1]])
    curves = [(NEIGHBOUR_COLOUR, *_binned(neighbour, 2 * width // 3))]
    if query is not None and query.flux.size >= 2:
        x, y = _binned(query, 2 * width // 3)
        inside = (x >= first) & (x <= last)
        curves.append((QUERY_COLOUR, x[inside], y[inside]))
    values = np.concatenate([y for _, _, y in curves])
    low, high = (float(v) for v in np.percentile(values, [0.5, 99.5]))
    low, high = min(low, 0.0), high + 0.05 * (high - low)
    if high <= low:
        high = low + 1.0

    def across(wavelength: np.ndarray) -> np.ndarray:
        return left + (wavelength - first) / (last - first) * (width - left - right)

    def down(flux: np.ndarray) -> np.ndarray:
        share = np.clip((flux - low) / (high - low), 0.0, 1.0)
        return height - bottom - share * (height - top - bottom)

    base = height - bottom
    parts = [
        f'<line x1="{left}" y1="{base}" x2="{width - right}" y2="{base}" stroke="{AXIS_COLOUR}"/>'
    ]
    unit_from = width - 14.0
    for tick in _ticks(first, last):
        at = float(across(np.array(tick)))
        parts.append(f'<path d="M{at:.1f},{base}v4" stroke="{AXIS_COLOUR}"/>')
        if left + 12 < at < unit_from - 16:
            parts.append(
                f'<text x="{at:.1f}" y="{height - 6}" fill="{AXIS_COLOUR}" '
                f'text-anchor="middle">{tick:.0f}</text>'
            )
    parts.append(
        f'<text x="{width - 4}" y="{height - 6}" fill="{AXIS_COLOUR}" text-anchor="end">Å</text>'
    )
    strokes = {NEIGHBOUR_COLOUR: (1.2, 1.0), QUERY_COLOUR: (1.0, 0.85)}
    for colour, x_values, y_values in curves:
        parts.append(_polyline(across(x_values), down(y_values), colour, *strokes[colour]))
    return _document(width, height, parts, title)


def coefficients_svg(
    neighbour: Float[np.ndarray, " n"],
    query: Float[np.ndarray, " n"] | None = None,
    *,
    title: str,
    width: int = 280,
    height: int = 116,
) -> str:
    """Draw the Gaia basis coefficients, blue photometer left and red right, query as a line.

    Heights are inverse hyperbolic sines of each set over its median: the first few coefficients
    are a hundred times the rest.
    """
    left, top, right, bottom = FRAME

    def heights(values: np.ndarray) -> np.ndarray:
        finite = np.nan_to_num(np.asarray(values, np.float64))
        soft: np.ndarray = np.arcsinh(scaled(finite))
        largest = float(np.abs(soft).max()) if soft.size else 0.0
        return soft / largest if largest > 0 else soft

    bars = heights(neighbour)
    count = bars.size
    middle = top + (height - top - bottom) / 2
    half = (height - top - bottom) / 2
    step = (width - left - right) / max(count, 1)
    parts = [
        f'<line x1="{left}" y1="{middle}" x2="{width - right}" y2="{middle}" '
        f'stroke="{AXIS_COLOUR}"/>',
        f'<line x1="{width / 2}" y1="{top}" x2="{width / 2}" y2="{height - bottom}" '
        f'stroke="{AXIS_COLOUR}" stroke-dasharray="2 3"/>',
    ]
    for index, value in enumerate(bars):
        y = middle - max(value, 0.0) * half
        parts.append(
            f'<rect x="{left + index * step + 0.4:.1f}" y="{y:.1f}" '
            f'width="{max(step - 0.8, 0.6):.1f}" height="{abs(value) * half:.1f}" '
            f'fill="{NEIGHBOUR_COLOUR}"/>'
        )
    if query is not None and len(query) == count:
        x = left + (np.arange(count) + 0.5) * step
        parts.append(_polyline(x, middle - heights(query) * half, QUERY_COLOUR, 1.0, 0.9))
    for share, label in ((0.25, "BP coefficients 1–55"), (0.75, "RP coefficients 1–55")):
        parts.append(
            f'<text x="{share * width}" y="{height - 6}" fill="{AXIS_COLOUR}" '
            f'text-anchor="middle">{label}</text>'
        )
    return _document(width, height, parts, title)
