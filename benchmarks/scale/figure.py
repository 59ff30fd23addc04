"""Recall against the time of a query, as an SVG: text that a diff shows."""

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["recall_figure"]

_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 236, 18, 48
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#595959")
"""Told apart by the colour-blind too."""

_RECALLS = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def recall_figure(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draw milliseconds against recall, both by powers: less to be missed is further right.

    Parameters
    ----------
    curves
        Recall and median milliseconds of the settings of a system, by its name.
    """
    times = [ms for points in curves.values() for _, ms in points]
    low, high = _decades(min(times, default=0.1)), _decades(max(times, default=1.0)) + 1
    high = max(high, low + 1)

    def x(recall: float) -> float:
        missing = -np.log10(1.0 - min(max(recall, _RECALLS[0]), _RECALLS[-1]))
        first, last = -np.log10(1.0 - _RECALLS[0]), -np.log10(1.0 - _RECALLS[-1])
        return _LEFT + (missing - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(ms: float) -> float:
        return _HEIGHT - _BOTTOM - (np.log10(ms) - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for recall in _RECALLS:
        at = x(recall)
        out.append(f'<path d="M{at:.1f} {_TOP}V{bottom}" stroke="#ddd"/>')
        out.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{recall:g}</text>')
    for decade in range(low, high + 1):
        at = y(10.0**decade)
        out.append(f'<path d="M{_LEFT} {at:.1f}H{right}" stroke="#ddd"/>')
        label = f"{10.0**decade:g}"
        out.append(f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    middle = (_LEFT + right) / 2
    out.append(
        f'<text x="{middle:.1f}" y="{_HEIGHT - 10}" text-anchor="middle">recall of the ten nearest'
        "</text>"
    )
    out.append(
        f'<text transform="translate(16 {(_TOP + bottom) / 2:.1f}) rotate(-90)" '
        'text-anchor="middle">milliseconds, median of single queries</text>'
    )
    for number, (name, points) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(x(recall), y(ms)) for recall, ms in points]
        path = "L".join(f"{px:.1f} {py:.1f}" for px, py in places)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}"/>' for px, py in places
        ]
        line = _TOP + 12 + 20 * number
        out.append(f'<circle cx="{right + 18}" cy="{line}" r="5" fill="{colour}"/>')
        out.append(f'<text x="{right + 30}" y="{line + 4}">{_escaped(name)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _decades(ms: float) -> int:
    return int(np.floor(np.log10(ms)))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
