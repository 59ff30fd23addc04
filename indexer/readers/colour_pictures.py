"""Colour pictures of the Legacy Surveys viewer, turned back into bands: approximate queries.

The viewer draws the layers of three bands with an arcsinh stretch of their mean (Lupton et al.
2004, PASP 116, 133), which has an inverse wherever no colour is clipped: `indexer.previews` draws
the same way. What was clipped, the eight bits and the losses of JPEG do not come back. Layers of
four bands mix them, and are not told from those of three.
"""

import io
import warnings

import numpy as np
from jaxtyping import Float32, UInt8

from indexer.errors import ReadError
from indexer.previews import BAND_SCALES, BLACK, DEFAULT_RGB, SOFTENING
from indexer.readers.file_kinds import Content
from indexer.readers.image_planes import Plane

__all__ = ["APPROXIMATE", "MAX_PIXELS", "colour_planes"]

APPROXIMATE = "approximate"
"""Name of the assumption that marks such a query wherever it is shown."""

MAX_PIXELS = 3000 * 3000
"""The largest cut-out that the viewer gives."""

_SURVEY = "legacysurvey"


def colour_planes(content: Content) -> list[Plane]:
    """Return the three bands that a colour picture was drawn of, as far as it holds them.

    Parameters
    ----------
    content
        A PNG or JPEG file, north up, as the viewer draws the layers of g, r and z.

    Raises
    ------
    ReadError
        If it cannot be decoded, is too large, or has no colours.
    """
    picture = _decoded(content)
    if (picture.max(axis=-1) - picture.min(axis=-1)).max() == 0:
        raise ReadError(
            f"{content.name}: the picture has no colours, and three bands cannot come of one; give "
            "the FITS cut-out, or a position"
        )
    # Row 0 of an observation is in the south, that of a picture at the top.
    flux = _counts(picture[::-1])
    bright = float((picture == 255).any(axis=-1).mean())
    dark = float((picture == 0).any(axis=-1).mean())
    bands = DEFAULT_RGB[_SURVEY]
    words = (
        f"a colour picture: the counts of {', '.join(reversed(bands))} are "
        "worked out as if the Legacy Surveys viewer had drawn them; noise is lost, and what is "
        f"clipped ({bright:.1%} of the pixels at the top, {dark:.1%} at the bottom). The FITS "
        "cut-out, or the position of the object, gives the true answer"
    )
    unknown = float("nan")
    return [
        Plane(
            flux=plane,
            bad=np.zeros(plane.shape, bool),
            band=band,
            survey=_SURVEY,
            is_viewer=True,
            zero_point=unknown,
            scale_arcsec=unknown,
            ra_deg=unknown,
            dec_deg=unknown,
            notes={APPROXIMATE: words},
        )
        for band, plane in zip(bands, flux, strict=True)
    ]


def _decoded(content: Content) -> UInt8[np.ndarray, "height width 3"]:
    from PIL import Image, UnidentifiedImageError

    damaged = ReadError(f"{content.name}: the picture is damaged or truncated")
    try:
        with warnings.catch_warnings():
            # Its own limit is higher than ours, and is asked after the header, as ours is.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content.data), formats=("PNG", "JPEG"))
    except Image.DecompressionBombError:
        raise _too_large(content.name) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise damaged from None
    with picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise _too_large(content.name)
        try:
            return np.asarray(picture.convert("RGB"), np.uint8)
        except (OSError, ValueError, SyntaxError):
            raise damaged from None


def _too_large(name: str) -> ReadError:
    return ReadError(
        f"{name}: a picture may have {MAX_PIXELS:,} pixels at most; cut the object out"
    )


def _counts(picture: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "3 height width"]:
    """Return counts in nanomaggies, in the order of `DEFAULT_RGB`."""
    drawn = picture.astype(np.float64).transpose(2, 0, 1) / 255.0
    stretched = drawn.mean(axis=0)
    brightness = np.sinh(np.sqrt(SOFTENING) * stretched) / SOFTENING
    planes = drawn * (brightness / np.maximum(stretched, 1e-9))
    scales = np.array([BAND_SCALES[band] for band in DEFAULT_RGB[_SURVEY]])
    return np.asarray((planes - BLACK) / scales[:, None, None], np.float32)
