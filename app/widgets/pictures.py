"""Which picture stands for an object, and what of the query is drawn over its neighbours."""

from dataclasses import dataclass

from app.drawing import Curve, coefficients_svg, data_uri, spectrum_svg
from indexer import Preview, Query, Searcher

__all__ = ["Overlay", "curve_of", "overlay_of", "source_of"]


@dataclass(frozen=True, eq=False)
class Overlay:
    """What is drawn over the neighbours, and what to call it."""

    preview: Preview
    name: str


def curve_of(preview: Preview | None) -> Curve | None:
    """Return the spectrum of a preview, or None if it holds none."""
    if preview is None or not len(preview.flux):
        return None
    return Curve(preview.wavelength_angstrom, preview.flux)


def source_of(
    preview: Preview | None, name: str, overlay: Overlay | None = None
) -> tuple[str, str]:
    """Return the picture of a preview as an address without requests, and its alternative text.

    Parameters
    ----------
    preview
        What is stored for the object; None gives two empty strings.
    name
        The object's key or file, for the alternative text.
    overlay
        Drawn over where it is of the same kind.
    """
    query = None if overlay is None else overlay.preview
    called = "" if overlay is None else overlay.name
    if preview is None:
        return "", ""
    if preview.kind == "image":
        return data_uri(preview.png, "image/png"), f"Picture of {name}, north up"
    curve, over = curve_of(preview), curve_of(query)
    if curve is not None:
        with_query = f", with {called} drawn over it" if over is not None else ""
        span = (
            f", {curve.wavelength_angstrom[0]:.0f} to {curve.wavelength_angstrom[-1]:.0f} Å"
            if curve.flux.size
            else ""
        )
        text = f"Spectrum of {name}{span}{with_query}"
        svg = spectrum_svg(curve, over, title=text)
    else:
        coefficients = query.coefficients if query is not None and query.kind == "xp" else None
        with_query = f", with {called} drawn over them" if coefficients is not None else ""
        text = f"Gaia BP and RP coefficients of {name}{with_query}"
        svg = coefficients_svg(preview.coefficients, coefficients, title=text)
    return data_uri(svg.encode(), "image/svg+xml"), text


def overlay_of(
    searcher: Searcher, query: Query, preview: Preview | None, modality: str
) -> Overlay | None:
    """Return what the query, or its source, has of the modality that was found.

    None for images, which are not drawn over each other, and where nothing is known.
    """
    if modality == "image":
        return None
    if preview is not None and preview.kind == modality:
        return Overlay(preview, "query")
    if query.key is None:
        return None
    for key in (query.key, *searcher.counterparts(query.key)):
        other = searcher.preview(key, modality)
        if other is not None:
            return Overlay(other, f"the query's source ({key})")
    return None
